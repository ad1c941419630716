import copy

import numpy as np
import pytest
from small_models import REAL_MODELS, dense_int8, model, real_model, tensor, unary

from edgeprune.errors import ModelError
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import (
    BUFFER_ALIGNMENT_BYTES,
    RUNTIME_METADATA,
    _require_same_network,
    pack,
    strip,
    unpack,
)

DENSE = dense_int8(signature=True)


def test_names_signatures_and_descriptions_go():
    model = read_model(strip(DENSE), where="stripped")
    assert {entry.name for entry in model.tensors} == {""}
    assert (model.signatures, model.description, model.metadata) == ((), "", {})


def test_the_interface_stays_when_asked_for():
    model = read_model(strip(DENSE, keep_interface=True), where="stripped")
    assert [entry.name for entry in model.tensors] == ["input", "", "", "output"]
    assert [signature.key for signature in model.signatures] == ["serve"]


@pytest.mark.parametrize("keep_interface", [False, True])
def test_stripping_twice_changes_nothing(keep_interface):
    once = strip(DENSE, keep_interface=keep_interface)
    assert strip(once, keep_interface=keep_interface) == once
    assert len(once) < len(DENSE)


def test_tensors_ops_and_constants_keep_their_places():
    before, after = read_model(DENSE, where="before"), read_model(strip(DENSE), where="after")
    assert before.ops == after.ops
    for old, new in zip(before.tensors, after.tensors, strict=True):
        assert (old.shape, old.dtype, old.is_constant) == (new.shape, new.dtype, new.is_constant)
        if old.data is not None:
            assert np.array_equal(old.data, new.data)


def test_equal_constants_are_stored_once():
    values = np.arange(1000, dtype=np.int32)
    tensors = [tensor((1000,), "INT32", data=values), tensor((1000,), "INT32", data=values.copy())]
    out = tensor((1000,), "INT32")
    stripped = strip(model([*tensors, out], [("ADD", (0, 1), (2,), None)], inputs=[], outputs=[2]))
    assert 4000 < len(stripped) < 5000


def test_two_codes_of_one_op_become_one_and_unused_ones_go():
    tensors = [tensor((1, 4)) for _ in range(3)]
    stripped = strip(
        model(tensors, [("RELU", (0,), (1,), None), ("RELU", (1,), (2,), None)], inputs=[0], outputs=[2])
    )
    root = load_schema().Model.GetRootAs(stripped, 0)
    assert root.OperatorCodesLength() == 1
    assert [op.name for op in read_model(stripped, where="x").ops] == ["RELU", "RELU"]


def test_what_the_first_buffer_holds_is_kept_though_it_should_be_empty():
    made = unpack(DENSE, where="dense")
    made.buffers[0].data, made.subgraphs[0].tensors[1].buffer = made.buffers[2].data, 0
    for entry in (made.subgraphs[0].tensors[0], made.subgraphs[0].tensors[3]):
        entry.buffer = len(made.buffers)
        made.buffers.append(load_schema().BufferT())
    after = read_model(strip(pack(made)), where="after")
    assert after.tensors[1].data.tobytes() == bytes([1, 2, 3, 4, 251, 6])


def test_damaged_files_are_refused():
    with pytest.raises(ModelError):
        strip(DENSE[:200])


def test_a_lost_constant_would_be_noticed():
    before = read_model(DENSE, where="before")
    weights = bytes([1, 2, 3, 4, 251, 6])
    assert DENSE.count(weights) == 1
    after = read_model(DENSE.replace(weights, bytes([1, 2, 3, 4, 251, 7])), where="after")
    with pytest.raises(RuntimeError, match="changed the network"):
        _require_same_network(before, after)


@pytest.mark.parametrize("name", REAL_MODELS)
def test_constants_of_real_models_stay_aligned(name):
    data = strip(real_model(name))
    base = np.frombuffer(data, np.uint8).ctypes.data
    constants = [entry.data for entry in read_model(data, where=name).tensors if entry.data is not None]
    assert constants
    assert {(view.ctypes.data - base) % BUFFER_ALIGNMENT_BYTES for view in constants} == {0}


@pytest.mark.parametrize(("name", "at_least"), [("resnet8", 0.06), ("kws", 0.20), ("ad01", 0.009)])
def test_real_models_shrink_by_at_least_what_was_measured_before(name, at_least):
    data = real_model(name)
    assert 1 - len(strip(data)) / len(data) >= at_least


def test_metadata_that_a_runtime_obeys_stay_and_those_for_people_go():
    made = unpack(DENSE, where="dense")
    names = (*sorted(RUNTIME_METADATA), "min_runtime_version", "CONVERSION_METADATA")
    made.metadata = []
    for number, name in enumerate(names):
        entry, buffer = load_schema().MetadataT(), load_schema().BufferT()
        entry.name, entry.buffer = name, len(made.buffers)
        buffer.data = np.full(20, number, np.uint8)
        made.buffers.append(buffer)
        made.metadata.append(entry)
    after = read_model(strip(pack(made)), where="after")
    assert {name: bytes(content) for name, content in after.metadata.items()} == {
        "COMPRESSION_METADATA": bytes([0] * 20),
        "OfflineMemoryAllocation": bytes([1] * 20),
        "model_control_dependencies": bytes([2] * 20),
        "reduced_precision_support": bytes([3] * 20),
    }
    assert set(read_model(strip(pack(made), keep_interface=True), where="kept").metadata) == set(names)


def test_of_a_kept_interface_only_the_main_graphs_ends_have_names():
    made = unpack(DENSE, where="dense")
    made.subgraphs.append(copy.deepcopy(made.subgraphs[0]))
    after = read_model(strip(pack(made), keep_interface=True), where="after")
    assert [[entry.name for entry in graph.tensors] for graph in after.subgraphs] == [
        ["input", "", "", "output"],
        ["", "", "", ""],
    ]


def test_ops_of_different_names_or_versions_keep_codes_of_their_own():
    tensors = [tensor((1, 4)) for _ in range(4)]
    ops = [("Mine", (0,), (1,), None), ("Yours", (1,), (2,), None), ("Mine", (2,), (3,), None)]
    data = model(tensors, ops, inputs=[0], outputs=[3])
    stripped = strip(data)
    assert [op.name for op in read_model(stripped, where="x").ops] == [f"CUSTOM:{op[0]}" for op in ops]
    assert load_schema().Model.GetRootAs(stripped, 0).OperatorCodesLength() == 2
    made = unpack(data, where="x")
    made.operatorCodes[2].version = 3
    assert [op.version for op in read_model(strip(pack(made)), where="x").ops] == [1, 1, 3]


def test_an_index_into_debug_information_goes_with_it():
    made = unpack(DENSE, where="dense")
    made.subgraphs[0].debugMetadataIndex = made.subgraphs[0].operators[0].debugMetadataIndex = 7
    after = unpack(strip(pack(made)), where="after")
    assert after.subgraphs[0].debugMetadataIndex == -1
    assert after.subgraphs[0].operators[0].debugMetadataIndex == -1


def test_weights_outside_the_flatbuffer_are_refused():
    made = unpack(DENSE, where="dense")
    made.externalBufferGroups = [load_schema().ExternalBufferGroupT()]
    with pytest.raises(ModelError, match="keeps weights in other files"):
        strip(pack(made))


def test_custom_options_behind_the_flatbuffer_are_refused():
    made = unpack(DENSE, where="dense")
    made.subgraphs[0].operators[0].largeCustomOptionsOffset = 64
    made.subgraphs[0].operators[0].largeCustomOptionsSize = 4
    with pytest.raises(ModelError, match="custom options behind the flatbuffer"):
        strip(pack(made))


def test_weights_behind_the_flatbuffer_are_refused():
    made = unpack(DENSE, where="dense")
    weights = made.buffers[made.subgraphs[0].tensors[1].buffer]
    weights.data, weights.offset, weights.size = None, 64, 6
    with pytest.raises(ModelError, match="keeps weights behind the flatbuffer"):
        strip(pack(made))


def test_a_lost_zero_point_would_be_noticed():
    made = unpack(DENSE, where="dense")
    before = read_model(pack(made), where="before")
    made.subgraphs[0].tensors[0].quantization.zeroPoint = np.array([1], np.int64)
    with pytest.raises(RuntimeError, match="changed the network"):
        _require_same_network(before, read_model(pack(made), where="after"))


def test_a_zero_point_without_a_scale_stays():
    made = unpack(unary("RESHAPE"), where="unary")
    quantization = made.subgraphs[0].tensors[0].quantization
    quantization.scale, quantization.zeroPoint = None, np.array([3], np.int64)
    assert read_model(strip(pack(made)), where="after").tensors[0].zero_points.tolist() == [3]
