"""What a runtime has no kernel for is written in ops that it has, and computes the same."""

import math

import numpy as np
import pytest
from small_models import model, tensor, with_subgraphs

from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.ops import unsupported_ops
from edgeprune.tflite.read import read_model
from edgeprune.tflite.rewriting.rewrite import in_ops_of
from edgeprune.tflite.schema import load_schema

EVERY_INT8 = np.arange(-128, 128, dtype=np.int8).reshape(1, 256)
BOTH = (run_litert, run_tflm)


def int8(*shape, scale=1.0, zero_point=0, data=None):
    return tensor(shape, "INT8", scale=scale, zero_point=zero_point, data=data)


def options(kind, **values):
    made = getattr(load_schema(), kind)()
    for name, value in values.items():
        setattr(made, name, value)
    return made


def gelu(dtype="INT8", *, approximate=False):
    ends = [int8(1, 256, scale=0.05, zero_point=3), int8(1, 256, scale=0.03, zero_point=-100)]
    if dtype != "INT8":
        ends = [tensor((1, 256), dtype), tensor((1, 256), dtype)]
    return model(
        ends,
        [("GELU", (0,), (1,), options("GeluOptionsT", approximate=approximate))],
        inputs=[0],
        outputs=[1],
    )


def softplus():
    """EXP, plus 1, LOG; what lies between is too coarse for either end."""
    one = int8(scale=1.0, data=np.array(1, np.int8))
    ends = [int8(1, 256, scale=0.05), int8(1, 256, scale=3.0), one, int8(1, 256, scale=3.0)]
    ops = [
        ("EXP", (0,), (1,), None),
        ("ADD", (1, 2), (3,), options("AddOptionsT")),
        ("LOG", (3,), (4,), None),
    ]
    return model([*ends, int8(1, 256, scale=0.03, zero_point=-128)], ops, inputs=[0], outputs=[4])


def names(file):
    return [op.name for op in read_model(file, where="file").ops]


def exact_gelu(x):
    return 0.5 * x * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


@pytest.mark.parametrize("approximate", [False, True])
def test_gelu_of_int8_is_a_table_that_gives_the_numbers_of_litert_s_kernel(approximate) -> None:
    file = gelu(approximate=approximate)
    made = in_ops_of(file, runtime="tflm")
    assert names(made) == ["CAST", "ADD", "GATHER"]
    assert unsupported_ops(read_model(made, where="file"), runtime="tflm") == []
    wanted = run_litert(file, (EVERY_INT8,)).outputs[0].raw
    for run in BOTH:
        np.testing.assert_array_equal(run(made, (EVERY_INT8,)).outputs[0].raw, wanted)


@pytest.mark.parametrize("approximate", [False, True])
def test_gelu_of_floats_is_within_a_millionth(approximate) -> None:
    made = in_ops_of(gelu("FLOAT32", approximate=approximate), runtime="tflm")
    x = np.linspace(-9, 9, 256, dtype=np.float32).reshape(1, 256)
    wanted = exact_gelu(x.astype(np.float64))
    if approximate:
        wanted = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x.astype(np.float64) ** 3)))
    for run in BOTH:
        assert np.abs(run(made, (x,)).outputs[0].values - wanted).max() < 1e-6


def test_a_chain_is_one_table_that_rounds_once() -> None:
    made = in_ops_of(softplus(), runtime="tflm")
    assert names(made) == ["CAST", "ADD", "GATHER"]
    wanted = np.log1p(np.exp(0.05 * EVERY_INT8.astype(np.float64)))
    for run in BOTH:
        assert np.abs(run(made, (EVERY_INT8,)).outputs[0].values - wanted).max() <= 0.0151


def test_what_is_read_besides_stays_and_two_tables_share_their_index() -> None:
    tensors = [int8(1, 256, scale=0.02), *(int8(1, 256, scale=0.1) for _ in range(4))]
    ops = [
        ("NEG", (0,), (1,), None),  # lacking
        ("ABS", (0,), (2,), None),  # TFLM has it, and another op than a chain's reads it
        ("EXP", (2,), (3,), None),
        ("MAX_POOL_2D", (2,), (4,), None),
    ]
    made = read_model(
        in_ops_of(model(tensors, ops[:3], inputs=[0], outputs=[1, 2, 3]), runtime="tflm"), where="file"
    )
    assert [op.name for op in made.ops] == ["CAST", "ADD", "GATHER", "ABS", "GATHER"]
    assert made.ops[2].inputs[1] == made.ops[4].inputs[1]


def test_a_chain_that_ends_in_floats_has_a_table_before_its_end() -> None:
    tensors = [int8(1, 256, scale=0.02), int8(1, 256, scale=0.06), tensor((1, 256), "FLOAT32")]
    ops = [("EXP", (0,), (1,), None), ("DEQUANTIZE", (1,), (2,), None)]
    made = in_ops_of(model(tensors, ops, inputs=[0], outputs=[2]), runtime="tflm")
    assert names(made) == ["CAST", "ADD", "GATHER", "DEQUANTIZE"]
    wanted = np.exp(0.02 * EVERY_INT8.astype(np.float64))
    found = run_tflm(made, (EVERY_INT8,)).outputs[0].values
    inside = wanted < 127 * 0.06
    assert np.abs(found - wanted)[inside].max() <= 0.0301


def test_an_op_of_two_tensors_is_no_table() -> None:
    tensors = [int8(1, 4), int8(1, 4), int8(1, 4)]
    file = model(tensors, [("POW", (0, 1), (2,), None)], inputs=[0, 1], outputs=[2])
    assert in_ops_of(file, runtime="tflm") is file


def test_nor_is_one_with_a_number_for_each_channel() -> None:
    each = int8(4, data=np.array([1, 2, 3, 4], np.int8))
    file = model([int8(1, 4), each, int8(1, 4)], [("POW", (0, 1), (2,), None)], inputs=[0], outputs=[2])
    assert in_ops_of(file, runtime="tflm") is file


def test_files_that_lack_nothing_are_given_back() -> None:
    file = model([int8(1, 4), int8(1, 4)], [("ABS", (0,), (1,), None)], inputs=[0], outputs=[1])
    assert in_ops_of(file, runtime="tflm") is file
    assert names(in_ops_of(gelu(), runtime="litert")) == ["GELU"]


@pytest.mark.parametrize("times", [(1, 2, 1), (1, 3, 2), (1, 23, 1), (1, 1, 100)])
def test_tile_is_copies_side_by_side(times) -> None:
    x = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    wanted = np.tile(x, times)
    tensors = [
        tensor(x.shape, "FLOAT32"),
        tensor((3,), "INT32", data=np.array(times, np.int32)),
        tensor(wanted.shape, "FLOAT32"),
    ]
    file = model(tensors, [("TILE", (0, 1), (2,), None)], inputs=[0], outputs=[2])
    made = in_ops_of(file, runtime="tflm")
    assert all(len(op.inputs) <= 10 for op in read_model(made, where="file").ops)
    for run in BOTH:
        np.testing.assert_array_equal(run(made, (x,)).outputs[0].values, wanted)


def test_sign_any_and_select_are_written_in_what_there_is() -> None:
    x = np.array([[-2.0, 0.0, 1e-30, 5.0]], np.float32)
    signed = [tensor((1, 4), "FLOAT32"), tensor((1, 4), "FLOAT32")]
    made = in_ops_of(model(signed, [("SIGN", (0,), (1,), None)], inputs=[0], outputs=[1]), runtime="tflm")
    np.testing.assert_array_equal(run_tflm(made, (x,)).outputs[0].values, [[-1, 0, 1, 1]])

    tensors = [
        tensor((1, 4), "FLOAT32"),
        tensor((), "FLOAT32", data=np.float32(4)),
        tensor((1, 4), "BOOL"),
        tensor((1,), "INT32", data=np.array([1], np.int32)),
        tensor((1,), "BOOL"),
        tensor((1, 4), "FLOAT32"),
    ]
    ops = [
        ("GREATER", (0, 1), (2,), options("GreaterOptionsT")),
        ("REDUCE_ANY", (2, 3), (4,), options("ReducerOptionsT")),
        ("SELECT", (2, 0, 0), (5,), options("SelectOptionsT")),
    ]
    made = in_ops_of(model(tensors, ops, inputs=[0], outputs=[4, 5]), runtime="tflm")
    assert unsupported_ops(read_model(made, where="file"), runtime="tflm") == []
    for given in (x, x - 5):
        found = run_tflm(made, (given,)).outputs
        assert found[0].raw.tolist() == [bool((given > 4).any())]
        np.testing.assert_array_equal(found[1].values, given)


def test_bytes_of_a_camera_are_quantized_at_once() -> None:
    tensors = [
        tensor((1, 256), "UINT8"),
        tensor((1, 256), "FLOAT32"),
        int8(1, 256, scale=2.0, zero_point=-100),
    ]
    ops = [("CAST", (0,), (1,), None), ("QUANTIZE", (1,), (2,), None)]
    x = np.arange(256, dtype=np.uint8).reshape(1, 256)
    file = model(tensors, ops, inputs=[0], outputs=[2])
    made = in_ops_of(file, runtime="tflm")
    assert names(made) == ["QUANTIZE"]
    for run in BOTH:
        np.testing.assert_array_equal(run(made, (x,)).outputs[0].raw, run_litert(file, (x,)).outputs[0].raw)
    made = in_ops_of(model(tensors, ops[:1], inputs=[0], outputs=[1]), runtime="tflm")
    assert names(made) == ["DEQUANTIZE"]
    np.testing.assert_array_equal(run_tflm(made, (x,)).outputs[0].values, x.astype(np.float32))


def test_branches_are_rewritten_too() -> None:
    inner = ([tensor((1, 4), "FLOAT32"), tensor((1, 4), "FLOAT32")], [("SIGN", (0,), (1,), None)], ([0], [1]))
    outer = ([tensor((1, 4), "FLOAT32"), tensor((1, 4), "FLOAT32")], [("ABS", (0,), (1,), None)], ([0], [1]))
    made = read_model(in_ops_of(with_subgraphs(outer, inner), runtime="tflm"), where="file")
    assert [op.name for op in made.subgraphs[1].ops] == ["GREATER", "CAST", "LESS", "CAST", "SUB"]
