import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_models import dense_int8, model, tensor

from edgeprune.errors import DataError
from edgeprune.runtimes.samples import Outputs, dequantize, group, quantize, ungroup
from edgeprune.tflite.read import read_model

DENSE = read_model(dense_int8(), where="dense")


def test_halves_are_rounded_away_from_zero():
    values = np.array([0.5, 1.5, 2.5, -0.5, -1.5, 0.49999997, -0.49999997])
    assert quantize(values, scale=1.0, zero_point=0, dtype="int8").tolist() == [1, 2, 3, -1, -2, 0, 0]


def test_values_beyond_the_type_are_clamped():
    values = np.array([1e9, -1e9, np.inf, -np.inf])
    assert quantize(values, scale=0.5, zero_point=3, dtype="int8").tolist() == [127, -128, 127, -128]


def test_the_zero_point_stands_for_zero():
    assert quantize(np.array([0.0, 1.0]), scale=0.25, zero_point=-10, dtype="int8").tolist() == [-10, -6]
    assert dequantize(np.array([-10, -6], np.int8), scale=0.25, zero_point=-10).tolist() == [0.0, 1.0]


def test_nan_is_refused():
    with pytest.raises(DataError, match="NaN"):
        quantize(np.array([np.nan]), scale=1.0, zero_point=0, dtype="int8")


@given(raw=st.integers(-128, 127), scale=st.floats(2**-12, 128, width=32), zero_point=st.integers(-128, 127))
def test_quantizing_a_dequantized_value_gives_it_back(raw, scale, zero_point):
    real = dequantize(np.array([raw], np.int8), scale=scale, zero_point=zero_point)
    assert quantize(real, scale=scale, zero_point=zero_point, dtype="int8").tolist() == [raw]


def test_floats_are_quantized_and_integers_of_the_own_type_are_not():
    floats = group(DENSE, (np.array([[1.6, -2.4]]),)).inputs[0]
    assert floats.tolist() == [[[2, -2]]]
    own = np.array([[7, 8]], np.int8)
    assert group(DENSE, (own,)).inputs[0].tolist() == [[[7, 8]]]


def test_pixels_of_another_integer_type_are_real_numbers():
    assert group(DENSE, (np.array([[200, 5]], np.uint8),)).inputs[0].tolist() == [[[127, 5]]]


def test_samples_are_grouped_by_the_models_batch_and_come_back_in_order():
    pairs = [tensor((2, 3), scale=1.0), tensor((2, 3), scale=1.0)]
    batched = read_model(model(pairs, [("RELU", (0,), (1,), None)], inputs=[0], outputs=[1]), where="b2")
    samples = np.arange(15, dtype=np.int8).reshape(5, 3)
    invocations = group(batched, (samples,))
    assert (invocations.inputs[0].shape, invocations.batch) == ((3, 2, 3), 2)
    assert np.array_equal(ungroup(invocations.inputs[0], invocations), samples)


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ((), "takes 1 inputs, 0 were given"),
        ((np.zeros((1, 2)), np.zeros((1, 2))), "takes 1 inputs, 2 were given"),
        ((np.zeros((4, 3)),), r"samples have the shape \(3,\), the input takes \(2,\)"),
        ((np.zeros((0, 2)),), "no samples"),
        ((np.array([["a", "b"]]),), "the model takes int8"),
    ],
)
def test_samples_that_do_not_fit_are_refused(inputs, reason):
    with pytest.raises(DataError, match=reason):
        group(DENSE, inputs)


def test_outputs_without_a_scale_are_their_own_values():
    assert Outputs(raw=np.array([[1.5]], np.float32), scale=0.0, zero_point=0).values.tolist() == [[1.5]]
    assert Outputs(raw=np.array([[4]], np.int8), scale=0.5, zero_point=2).values.tolist() == [[1.0]]


def shaped(*shapes: tuple[int, ...], output: tuple[int, ...] = (1,)):
    """A file with such inputs, and a constant output."""
    constant = tensor(output, "FLOAT32", data=np.zeros(output, np.float32))
    tensors = [*(tensor(shape, "FLOAT32") for shape in shapes), constant]
    ends = list(range(len(shapes)))
    return read_model(model(tensors, [], inputs=ends, outputs=[len(shapes)]), where="shaped")


def test_inputs_that_have_no_batch_are_taken_whole():
    invocations = group(shaped((100,), (1,)), (np.zeros((3, 100)), np.ones((3, 1))))
    assert [array.shape for array in invocations.inputs] == [(3, 100), (3, 1)]
    assert (invocations.batch, invocations.samples) == (0, 3)


def test_scalars_keep_their_rank():
    invocations = group(shaped((), (1, 2)), (np.arange(3.0), np.zeros((3, 2))))
    assert [array.shape for array in invocations.inputs] == [(3,), (3, 1, 2)]


def test_a_model_without_inputs_makes_one_sample():
    assert group(shaped(), ()).samples == 1


def test_one_value_for_a_whole_batch_of_others_is_refused():
    with pytest.raises(DataError, match="one value for 4 samples"):
        group(shaped((4, 2), (3, 5)), (np.zeros((8, 2)), np.zeros((8, 3, 5))))


@pytest.mark.parametrize(
    ("inputs", "output", "batch"),
    [
        ([(4, 2)], (4, 3), 4),
        ([(1, 2), (1, 9)], (1, 3), 1),
        ([(49, 40)], (12,), 0),
        ([(100,), (1,)], (100,), 0),
        ([()], (1,), 0),
        ([], (1,), 1),
    ],
)
def test_a_batch_is_the_first_dimension_that_all_ends_share(inputs, output, batch):
    assert shaped(*inputs, output=output).batch == batch
