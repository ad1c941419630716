"""Files with encoded constants, in the real TFLM."""

from importlib.util import find_spec

import numpy as np
import pytest
from small_models import dense_int8, model, real_model, tensor, unary
from sparse_models import KINDS, one_layer, random_inputs, sparsify, two_readers

from edgeprune.device.arena import plan_head, read_arena_inputs
from edgeprune.errors import ModelError
from edgeprune.runtimes.compare import compare_runs
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.annotate import Annotation, annotate
from edgeprune.tflite.attached import read_attached
from edgeprune.tflite.compress import encode, encode_tensor, find_candidates, find_fixed_numbering
from edgeprune.tflite.metadata import ModelMetadata, TensorMetadata
from edgeprune.tflite.model import constant_values
from edgeprune.tflite.ops import op_shapes, unsupported_ops
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import pack, strip

needs_tflm = pytest.mark.skipif(find_spec("tflite_micro") is None, reason="tflite-micro is not installed")
PALETTES = {1: (0, 7), 2: (-9, 0, 3, 5), 3: tuple(range(-3, 5)), 4: tuple(range(16)), 6: tuple(range(60))}


def edit(data, change):
    """The file after `change(schema's ModelT)`."""
    schema = load_schema()
    packed = schema.ModelT.InitFromObj(schema.Model.GetRootAs(data, 0))
    change(packed)
    return pack(packed)


def assert_same_in_tflm(before, after):
    samples = random_inputs(before)
    assert compare_runs(run_tflm(before, samples), run_tflm(after, samples)).is_exact


@needs_tflm
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["INT8", "FLOAT32"])
def test_pruned_weights_and_biases_compute_the_same_bits(kind, dtype):
    data = one_layer(kind, dtype=dtype)
    after = encode(data, tensors={1: "prune", 2: "prune"})
    assert [op.name for op in read_model(after, where="after").ops] == ["CUSTOM:TFLM_DECODE", kind]
    assert_same_in_tflm(data, after)


@needs_tflm
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", sorted(PALETTES))
def test_weights_in_tables_compute_the_same_bits(kind, width):
    data = one_layer(kind, palette=PALETTES[width])
    after = encode(data, tensors={1: "lut"})
    widths = [made.index_bits for op in op_shapes(read_model(after, where="after")) for made in op.decoded]
    # A depthwise layer has nine weights in a channel, which four bits can tell apart.
    assert widths == [min(width, 4) if kind == "DEPTHWISE_CONV_2D" else width]
    assert_same_in_tflm(data, after)


@needs_tflm
@pytest.mark.parametrize(("values", "width"), [(32, 5), (128, 7)])
def test_wide_indices_into_one_table_of_floats_compute_the_same_bits(values, width):
    data = one_layer("CONV_2D", palette=range(values), dtype="FLOAT32")
    after = encode(data, tensors={1: "lut"})
    assert op_shapes(read_model(after, where="after"))[0].decoded[0].index_bits == width
    assert_same_in_tflm(data, after)


@needs_tflm
def test_a_depthwise_layer_of_one_channel_has_its_axis_put_right():
    def narrow(packed):
        graph = packed.subgraphs[0]
        graph.tensors[1].shape = np.array([1, 3, 3, 1], np.int32)
        for place in (1, 2):
            quantization = graph.tensors[place].quantization
            quantization.scale, quantization.zeroPoint = quantization.scale[:1], quantization.zeroPoint[:1]
        packed.buffers[graph.tensors[1].buffer].data = packed.buffers[graph.tensors[1].buffer].data[:9]
        packed.buffers[graph.tensors[2].buffer].data = packed.buffers[graph.tensors[2].buffer].data[:4]
        for place in (0, 3):
            graph.tensors[place].shape = np.array([1, 8, 8, 1], np.int32)
        graph.tensors[2].shape = np.array([1], np.int32)

    data = edit(one_layer("DEPTHWISE_CONV_2D"), narrow)
    assert read_model(data, where="narrow").tensors[1].axis == 3
    assert_same_in_tflm(data, encode(data, tensors={1: "prune"}))


@needs_tflm
def test_each_reader_of_shared_weights_has_a_decode_op_before_it():
    data = two_readers()
    after = read_model(encode(data, tensors={1: "prune"}), where="after")
    decode, dense = "CUSTOM:TFLM_DECODE", "FULLY_CONNECTED"
    assert [op.name for op in after.ops] == [decode, dense, decode, dense]
    first, second = after.ops[0], after.ops[2]
    assert first.inputs == second.inputs
    assert first.outputs == (1,)
    assert after.ops[3].inputs[1] == second.outputs[0] != 1
    assert_same_in_tflm(data, encode(data, tensors={1: "prune"}))


@needs_tflm
@pytest.mark.parametrize("name", ["resnet8", "kws", "ad01", "person_detect"])
def test_sparse_real_models_are_smaller_and_compute_the_same_bits(name):
    data = strip(sparsify(real_model(name), 0.8))
    before = read_model(data, where=name)
    chosen = {
        index: "prune"
        for candidate in find_candidates(before)
        for index in candidate.tensors
        if before.tensors[index].dtype == "int8" and before.tensors[index].bytes > 1000
    }
    after = encode(data, tensors=chosen)
    assert len(after) < 0.65 * len(data)
    assert strip(strip(after)) == strip(after)
    assert_same_in_tflm(data, after)


@needs_tflm
@pytest.mark.parametrize("name", ["resnet8", "kws"])
def test_our_plan_of_the_arena_of_an_encoded_model_is_tflms_own(name):
    data = strip(sparsify(real_model(name), 0.8))
    after = encode(
        data, tensors={i: "prune" for c in find_candidates(read_model(data, where=name)) for i in c.tensors}
    )
    inputs = read_arena_inputs(read_model(after, where=name))
    assert run_tflm(after, random_inputs(after, 1)).allocation.head_bytes == plan_head(inputs, "reference")


def test_what_is_stored_is_what_was_encoded():
    data = one_layer("CONV_2D")
    before, after = (read_model(d, where="x") for d in (data, encode(data, tensors={1: "prune"})))
    encoded = encode_tensor(before, 1)["prune"]
    decode = after.ops[0]
    stored = [after.tensors[index] for index in decode.inputs]
    assert [entry.data.tobytes() for entry in stored] == [encoded.data, encoded.ancillary]
    assert {(entry.dtype, entry.name) for entry in stored} == {("uint8", "")}
    made = after.tensors[1]
    assert (made.name, made.shape, made.dtype, made.is_constant) == ("weights", (16, 3, 3, 8), "int8", False)
    assert np.array_equal(made.scales, before.tensors[1].scales)
    zeros = (constant_values(before.tensors[1]) == 0).sum()
    (shape,) = op_shapes(after)[0].decoded
    assert (shape.elements, shape.stored) == (16 * 9 * 8, 16 * 9 * 8 - zeros)


def test_the_op_that_reads_decoded_weights_costs_what_it_did():
    data = one_layer("CONV_2D")
    (before,) = op_shapes(read_model(data, where="before"))
    _, after = op_shapes(read_model(encode(data, tensors={1: "prune"}), where="after"))
    assert (after.macs, after.inputs, after.filter) == (before.macs, before.inputs, before.filter)
    assert (before.weights_decoded, after.weights_decoded) == (False, True)


def test_the_same_file_comes_out_each_time():
    data = one_layer("CONV_2D")
    assert encode(data, tensors={1: "prune", 2: "prune"}) == encode(data, tensors={2: "prune", 1: "prune"})
    assert encode(data, tensors={}) == data


def test_weights_of_an_lstm_are_left_alone():
    candidates = find_candidates(read_model(real_model("lstm"), where="lstm"))
    assert [c.obstacle for c in candidates if 1 in c.tensors or len(c.readers) > 1] == []
    dense = [c for c in candidates if not c.obstacle]
    ops = read_model(real_model("lstm"), where="lstm").ops
    assert {ops[reader].name for c in dense for reader in c.readers} == {"FULLY_CONNECTED"}


def test_constants_that_other_ops_need_are_refused_with_the_reason():
    schema = load_schema()
    weights = tensor((3, 2), data=np.zeros((3, 2), np.int8), scale=1.0)
    tensors = [tensor((1, 2), scale=1.0), weights, tensor((1, 3), scale=1.0), tensor((3, 2), scale=1.0)]
    ops = [
        ("FULLY_CONNECTED", (0, 1), (2,), schema.FullyConnectedOptionsT()),
        ("RESHAPE", (1,), (3,), None),
    ]
    data = model(tensors, ops, inputs=[0], outputs=[2, 3])
    (candidate,) = find_candidates(read_model(data, where="shared"))
    assert candidate.obstacle == "TFLM's kernel of RESHAPE needs it as a constant"
    with pytest.raises(ModelError, match="RESHAPE needs it"):
        encode(data, tensors={1: "prune"})


def test_an_activation_and_an_encoded_constant_are_refused():
    with pytest.raises(ModelError, match="no op reads it as weights"):
        encode(dense_int8(), tensors={0: "prune"})
    once = encode(dense_int8(), tensors={1: "prune"})
    with pytest.raises(ModelError, match="no op reads it as weights"):
        encode(once, tensors={1: "prune"})


def test_int4_weights_are_refused():
    def halve(packed):
        packed.subgraphs[0].tensors[1].type = load_schema().TensorType.INT4
        buffer = packed.buffers[packed.subgraphs[0].tensors[1].buffer]
        buffer.data = buffer.data[: buffer.data.size // 2]

    with pytest.raises(ModelError, match="not int4"):
        encode(edit(one_layer("CONV_2D"), halve), tensors={1: "prune"})


def test_too_many_values_for_a_table_are_refused():
    def share_one_scale(packed):
        quantization = packed.subgraphs[0].tensors[1].quantization
        quantization.scale, quantization.zeroPoint = quantization.scale[:1], quantization.zeroPoint[:1]

    data = edit(one_layer("FULLY_CONNECTED", palette=range(-127, 128)), share_one_scale)
    with pytest.raises(ModelError, match=r"over 128 different values.*possible: prune"):
        encode(data, tensors={1: "lut"})


def test_a_file_whose_metadata_counts_tensors_is_refused():
    def plan(packed):
        entry = load_schema().MetadataT()
        entry.name, entry.buffer = "OfflineMemoryAllocation", 0
        packed.metadata = [entry]

    with pytest.raises(ModelError, match="OfflineMemoryAllocation"):
        encode(edit(one_layer("CONV_2D"), plan), tensors={1: "prune"})


@pytest.mark.parametrize(
    ("byte", "value", "why"),
    [(0, 9, "no decoder of type 9"), (1, 2, "version 2.1"), (4, 3, "version 1.3")],
)
def test_a_header_that_tflm_does_not_know_is_unsupported(byte, value, why):
    def spoil(packed):
        ancillary = packed.subgraphs[0].tensors[packed.subgraphs[0].operators[0].inputs[1]]
        header = packed.buffers[ancillary.buffer].data.copy()
        header[byte] = value
        packed.buffers[ancillary.buffer].data = header

    encoded = encode(one_layer("CONV_2D"), tensors={1: "prune"})
    assert unsupported_ops(read_model(encoded, where="x"), runtime="tflm") == []
    (found,) = unsupported_ops(read_model(edit(encoded, spoil), where="x"), runtime="tflm")
    assert why in found.reason


def test_a_decode_op_without_constants_is_unsupported():
    (found,) = unsupported_ops(read_model(unary("TFLM_DECODE"), where="x"), runtime="tflm")
    assert "1 inputs for 1 outputs" in found.reason


def test_litert_is_told_to_take_the_file_before_encoding():
    encoded = read_model(encode(one_layer("CONV_2D"), tensors={1: "prune"}), where="x")
    (found,) = unsupported_ops(encoded, runtime="litert")
    assert found.fix == "use the file before encoding"


def test_constants_whose_bytes_another_subgraph_reads_are_refused():
    """The main graph's decoded weights are made by an op of its own, which the other graph does not run."""

    def call_twice(packed):
        schema, graph = load_schema(), packed.subgraphs[0]
        bias = schema.TensorT()
        for name, value in vars(graph.tensors[2]).items():
            setattr(bias, name, value)
        bias.buffer = len(packed.buffers)
        packed.buffers.append(schema.BufferT())
        packed.buffers[-1].data = packed.buffers[graph.tensors[2].buffer].data
        other = schema.SubGraphT()
        other.name, other.operators = "other", graph.operators
        other.tensors = [*graph.tensors[:2], bias, graph.tensors[3]]
        other.inputs, other.outputs = graph.inputs, graph.outputs
        packed.subgraphs.append(other)

    data = edit(one_layer("CONV_2D"), call_twice)
    model = read_model(data, where="twice")
    # The weights have one buffer in both graphs, the biases two with equal bytes.
    assert model.subgraphs[1].tensors[1].buffer == model.tensors[1].buffer
    assert model.subgraphs[1].tensors[2].buffer != model.tensors[2].buffer
    assert {c.tensors: c.obstacle for c in find_candidates(model)} == {
        (1,): "a subgraph shares it",
        (2,): "",
    }
    with pytest.raises(ModelError, match="a subgraph shares it"):
        encode(data, tensors={1: "prune"})
    after = read_model(encode(data, tensors={2: "prune"}), where="after")
    assert [[op.name for op in graph.ops] for graph in after.subgraphs] == [
        ["CUSTOM:TFLM_DECODE", "CONV_2D"],
        ["CONV_2D"],
    ]


def test_the_first_reason_is_given_of_constants_that_share_their_bytes():
    def share(packed):
        graph = packed.subgraphs[0]
        twin = load_schema().TensorT()
        for name, value in vars(graph.tensors[1]).items():
            setattr(twin, name, value)
        graph.tensors.append(twin)
        graph.outputs = np.array([3, 4], np.int32)

    # The weights themselves could be encoded, their twin is given out.
    (weights, _) = find_candidates(read_model(edit(one_layer("CONV_2D"), share), where="twins"))
    assert (weights.tensors, weights.obstacle) == ((1, 4), "it is an output of the model")


def test_an_op_that_reads_a_constant_twice_is_one_reader_and_has_it_decoded_once():
    values = np.zeros((512, 1), np.float32)
    values[::8] = 1.0
    tensors = [
        tensor((1, 1), "FLOAT32"),
        tensor((512, 1), "FLOAT32", data=values),
        tensor((1, 512), "FLOAT32"),
    ]
    data = model(tensors, [("FULLY_CONNECTED", (0, 1, 1), (2,), None)], inputs=[0], outputs=[2])
    (candidate,) = find_candidates(read_model(data, where="twice"))
    assert candidate.readers == (0,)
    decode, dense = read_model(encode(data, tensors={1: "prune"}), where="after").ops
    assert (len(decode.inputs), decode.outputs) == (2, (1,))
    assert dense.inputs == (0, 1, 1)


def test_a_file_has_one_code_for_its_decode_ops_however_often_it_is_encoded():
    twice = encode(encode(one_layer("CONV_2D"), tensors={1: "prune"}), tensors={2: "prune"})
    decode = "CUSTOM:TFLM_DECODE"
    assert [op.name for op in read_model(twice, where="twice").ops] == [decode, decode, "CONV_2D"]
    assert load_schema().Model.GetRootAs(twice, 0).OperatorCodesLength() == 2


def test_files_that_travel_with_a_model_travel_with_the_encoded_one():
    labels = {"labels.txt": b"cat\ndog\n"}
    metadata = ModelMetadata(outputs=(TensorMetadata(name="animal", labels="labels.txt"),))
    data = annotate(strip(one_layer("CONV_2D")), Annotation(metadata=metadata, files=labels))
    after = encode(data, tensors={1: "prune"})
    assert read_attached(after, read_model(after, where="after")) == labels


@pytest.mark.parametrize(
    "name", ["OfflineMemoryAllocation", "COMPRESSION_METADATA", "model_control_dependencies"]
)
def test_all_metadata_that_count_tensors_or_ops_are_known(name):
    def count(packed):
        entry = load_schema().MetadataT()
        entry.name, entry.buffer = name, 0
        packed.metadata = [entry]

    assert name in find_fixed_numbering(read_model(edit(one_layer("CONV_2D"), count), where="x"))
