import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phone_models import Network, mobilenet
from small_models import dense_int8

from edgeprune.errors import ModelError
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.sparse.encode import compress_matrix, encode_sparsity, find_sparse_candidates
from edgeprune.tflite.strip import strip


def unpack(shape, order, dense_sizes, segments, indices, values):
    """The dense tensor, element by element as the format's definition says."""
    turned = np.zeros((*dense_sizes, shape[order[-1]]), np.float32)
    rows = turned.reshape(-1, turned.shape[-1])
    for row in range(len(rows)):
        for place in range(segments[row], segments[row + 1]):
            rows[row, indices[place]] = values[place]
    return turned.transpose(np.argsort(order))


def test_a_matrix_of_two_rows_is_what_the_format_says():
    made = compress_matrix(np.array([[0, 5, 0, 7], [0, 0, 0, 9]], np.float32))
    assert made.order == (0, 1)
    assert made.segments.tolist() == [0, 2, 3]
    assert made.indices.tolist() == [1, 3, 3]
    assert made.values.tolist() == [5, 7, 9]
    assert (made.segments.dtype, made.bytes) == (np.uint8, 3 + 3 + 12)


def test_the_shorter_axis_is_compressed_where_that_saves_bytes():
    wide = np.zeros((64, 1, 1, 300), np.float32)
    wide[:, :, :, ::7] = 1
    made = compress_matrix(wide)
    # Indices below 64 fit one byte each, indices up to 294 would take two.
    assert (made.order, made.dense_sizes, made.indices.dtype) == ((3, 2, 1, 0), (300, 1, 1), np.uint8)


@settings(deadline=None, max_examples=60)
@given(
    outputs=st.integers(1, 300),
    inputs=st.integers(1, 300),
    sparsity=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    is_convolution=st.booleans(),
    seed=st.integers(0, 99),
)
def test_unpacking_gives_back_the_matrix(outputs, inputs, sparsity, is_convolution, seed):
    generator = np.random.default_rng(seed)
    shape = (outputs, 1, 1, inputs) if is_convolution else (outputs, inputs)
    values = (generator.normal(size=shape) * (generator.random(shape) >= sparsity)).astype(np.float32)
    made = compress_matrix(values)
    parts = (made.order, made.dense_sizes, made.segments, made.indices, made.values)
    assert np.array_equal(unpack(shape, *parts), values)


def encode_all(dense):
    model = read_model(dense, where="dense")
    return encode_sparsity(
        dense, tensors=[each.tensor for each in find_sparse_candidates(model) if not each.obstacle]
    )


@pytest.mark.parametrize("width", [16, 300])
@pytest.mark.parametrize("kernels", ["builtin", "reference"])
def test_litert_unpacks_the_same_values(width, kernels):
    # 300 channels need indices of two bytes, and over 65,535 values segments of four.
    net = Network(size=4, channels=width)
    net.conv(width)
    net.conv(24)
    net.mean()
    net.dense(7, sparse=True)
    dense = net.build()
    encoded = encode_all(dense)
    assert width == 16 or len(encoded) < 0.6 * len(dense)
    samples = (np.random.default_rng(1).normal(size=(3, 4, 4, width)).astype(np.float32),)
    before, after = (run_litert(file, samples, kernels=kernels) for file in (dense, encoded))
    assert np.array_equal(before.outputs[0].raw, after.outputs[0].raw)


def test_a_whole_network_computes_the_same_in_litert():
    dense = mobilenet()
    encoded = encode_all(dense)
    samples = (np.random.default_rng(1).normal(size=(4, 32, 32, 3)).astype(np.float32),)
    before, after = (run_litert(file, samples).outputs[0].raw for file in (dense, encoded))
    # Where XNNPACK takes its sparse kernels, it adds in another order.
    assert np.allclose(before, after, rtol=1e-4, atol=1e-5 * np.abs(before).max())


def test_what_is_read_back_has_one_densify_for_each_tensor_and_survives_stripping():
    dense = mobilenet()
    encoded = encode_all(dense)
    model = read_model(encoded, where="encoded")
    unpacked = [op for op in model.ops if op.name == "DENSIFY"]
    assert len(unpacked) == sum(tensor.is_sparse for tensor in model.tensors) == 8
    assert all(model.tensors[op.inputs[0]].shape == model.tensors[op.outputs[0]].shape for op in unpacked)
    again = read_model(strip(encoded), where="stripped")
    assert [op.name for op in again.ops] == [op.name for op in model.ops]


def test_the_vectors_of_indices_are_aligned_as_the_schema_asks():
    encoded = encode_all(mobilenet(width=300, blocks=((300, 1),)))
    schema = load_schema()
    graph = schema.Model.GetRootAs(encoded, 0).Subgraphs(0)
    kinds = set()
    for tensor in (graph.Tensors(index) for index in range(graph.TensorsLength())):
        if tensor.Sparsity() is not None:
            last = tensor.Sparsity().DimMetadata(tensor.Sparsity().DimMetadataLength() - 1)
            for kind, table in (
                (last.ArraySegmentsType(), last.ArraySegments()),
                (last.ArrayIndicesType(), last.ArrayIndices()),
            ):
                kinds.add(kind)
                slot = (
                    table.Pos + 4 - int.from_bytes(encoded[table.Pos : table.Pos + 4], "little", signed=True)
                )
                offset = int.from_bytes(encoded[slot : slot + 2], "little") + table.Pos
                vector = offset + int.from_bytes(encoded[offset : offset + 4], "little")
                assert (vector + 4) % 4 == 0
    assert len(kinds) > 1


def test_what_cannot_be_stored_so_is_named_with_its_reason():
    dense = mobilenet()
    model = read_model(dense, where="dense")
    reasons = {model.ops[each.readers[0]].index: each.obstacle for each in find_sparse_candidates(model)}
    first = min(reasons)
    assert reasons[first] == "its kernel is larger than 1×1"
    with pytest.raises(ModelError, match="larger than 1×1"):
        encode_sparsity(dense, tensors=[model.ops[first].inputs[1]])
    with pytest.raises(ModelError, match="reads it as weights"):
        encode_sparsity(dense, tensors=[0])
    quantized = dense_int8()
    (candidate,) = find_sparse_candidates(read_model(quantized, where="quantized"))
    assert "it is int8" in candidate.obstacle
    encoded = encode_all(dense)
    assert not find_sparse_candidates(read_model(encoded, where="encoded")) or all(
        each.obstacle for each in find_sparse_candidates(read_model(encoded, where="encoded"))
    )


def test_no_tensors_leave_the_file_as_it_is():
    assert encode_sparsity(mobilenet(), tensors=()) == mobilenet()
