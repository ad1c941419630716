import numpy as np
import pytest
from small_models import REAL_MODELS, dense_int8, model, real_model, tensor

from edgeprune.errors import ModelError
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import BUFFER_ALIGNMENT_BYTES, _require_same_network, pack, strip, unpack

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
