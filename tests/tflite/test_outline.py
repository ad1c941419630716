import numpy as np
import pytest
from small_models import dense_int8, model, real_model, tensor, unary
from tflite_mutations import branching, convolution

from edgeprune.tflite import outline
from edgeprune.tflite.compress import encode
from edgeprune.tflite.outline import outline_model
from edgeprune.tflite.parts import list_parts
from edgeprune.tflite.read import read_model
from edgeprune.tflite.sparse.encode import encode_sparsity
from edgeprune.tflite.strip import strip


def outlined(data):
    return outline_model(read_model(data, where="file"))


def test_a_dense_layer_is_listed_with_sizes_zeros_and_places():
    found = outlined(dense_int8())
    (graph,) = found.subgraphs
    assert [tensor.role for tensor in graph.tensors] == ["activation", "constant", "constant", "activation"]
    assert [tensor.bytes for tensor in graph.tensors] == [2, 6, 12, 3]
    assert [tensor.zeros for tensor in graph.tensors] == [None, 0, 1, None]  # the bias is 10, 0, -10
    assert (found.constant_bytes, found.zeros, found.elements) == (18, 1, 9)
    assert found.arena is not None
    assert (found.arena.bytes, found.arena.peak_op) == (32, 0)
    assert {graph.tensors[0].arena_offset, graph.tensors[3].arena_offset} == {0, 16}


def test_the_plan_of_resnet8_is_the_head_that_tflm_takes():
    found = outlined(real_model("resnet8"))
    assert found.arena is not None
    assert found.arena.bytes == 49_152
    live = [found.subgraphs[0].tensors[index] for _, index in found.arena.peak_tensors]
    assert sum(tensor.bytes for tensor in live) <= 49_152


def test_zeros_of_a_quantized_tensor_are_its_zero_points():
    weights = tensor((2, 2), data=np.array([[1, 2], [2, 3]], np.int8), scale=[1.0, 1.0])
    weights.quantization.zeroPoint = np.array([1, 2], np.int64)
    data = model([weights, tensor((2, 2))], [("RELU", (0,), (1,), None)], inputs=[], outputs=[1])
    assert outlined(data).subgraphs[0].tensors[0].zeros == 2  # the 1 of the first row, the 2 of the second


def test_constants_that_share_their_bytes_say_so_and_count_once():
    twice = [tensor((4,), "INT32", data=np.arange(4, dtype=np.int32)) for _ in range(2)]
    data = strip(
        model([*twice, tensor((4,), "INT32")], [("ADD", (0, 1), (2,), None)], inputs=[], outputs=[2])
    )
    found = outlined(data)
    assert [tensor.shared_with for tensor in found.subgraphs[0].tensors] == [None, (0, 0), None]
    assert (found.constant_bytes, found.elements) == (16, 4)


def test_encoded_weights_show_their_zeros_and_encoding():
    sparse = encode_sparsity(dense_int8(activation="FLOAT32", weights="FLOAT32"), tensors=[1])
    assert "sparse" in {tensor.encoding for tensor in outlined(sparse).subgraphs[0].tensors}
    encoded = outlined(encode(convolution(), tensors={1: "prune"})).subgraphs[0].tensors[1]
    assert (encoded.encoding, encoded.zeros) == ("prune", 1)  # the weights run from -30 to 41


def test_branches_are_outlined_and_the_peak_is_not_blamed_on_an_op():
    found = outlined(branching())
    assert [len(graph.ops) for graph in found.subgraphs] == [1, 1, 1]
    assert found.arena is not None
    assert found.arena.peak_op is None


def test_many_activations_are_not_planned_and_a_note_says_so(monkeypatch):
    monkeypatch.setattr(outline, "PLANNED_AT_MOST", 1)
    found = outlined(dense_int8())
    assert found.arena is None
    assert "not planned" in found.arena_note
    assert found.subgraphs[0].tensors[0].arena_offset is None


def test_a_custom_op_and_tensors_nobody_uses_are_listed():
    (graph,) = outlined(unary("ethos-u")).subgraphs
    assert graph.ops[0].name == "CUSTOM:ethos-u"
    unused = model(
        [tensor((1, 4)), tensor((1, 4)), tensor((9,))],
        [("RELU", (0,), (1,), None)],
        inputs=[0],
        outputs=[1],
    )
    assert outlined(unused).subgraphs[0].tensors[2].role == "unused"


@pytest.mark.parametrize("name", ["resnet8", "kws", "lstm"])
def test_the_parts_of_a_file_add_up_to_it_and_stripping_takes_the_text(name):
    data = real_model(name)
    before, after = (list_parts(file, where=name) for file in (data, strip(data)))
    assert sum(part.bytes for part in before) == len(data)
    left = {part.name: part.bytes for part in after}
    assert (left["names"], left["calibration ranges"], left["metadata"]) == (0, 0, 0)
