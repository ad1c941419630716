import numpy as np
import pytest
from firmware.projects import golden_zeros
from small_models import dense_int8

from edgeprune.errors import DataError
from edgeprune.firmware.golden import Golden, format_samples, load_golden, save_golden
from edgeprune.tflite.read import read_model

DENSE = read_model(dense_int8(), where="dense")


def numbered(samples):
    """So many samples for DENSE, numbered in their first values."""
    inputs = np.zeros((samples, 1, 2), np.int8)
    outputs = np.zeros((samples, 1, 3), np.int8)
    inputs[:, 0, 0], outputs[:, 0, 0] = np.arange(samples), 100 + np.arange(samples)
    return Golden(inputs=(inputs,), outputs=(outputs,), origin="made by a test", labels=("a", "b", "c"))


def test_the_first_samples_are_taken_of_inputs_and_outputs_alike():
    golden = numbered(5).take(2)
    assert golden.samples == 2
    assert golden.inputs[0][:, 0, 0].tolist() == [0, 1]
    assert golden.outputs[0][:, 0, 0].tolist() == [100, 101]
    assert (golden.origin, golden.labels) == ("made by a test", ("a", "b", "c"))
    assert numbered(5).take(9).samples == 5


@pytest.mark.parametrize(
    "other",
    [
        dense_int8(activation="FLOAT32", weights="FLOAT32"),  # of the same shapes
        dense_int8(activation="INT16"),
    ],
)
def test_samples_of_another_type_belong_to_another_model(tmp_path, other):
    save_golden(tmp_path / "golden.npz", golden_zeros(read_model(other, where="other")))
    with pytest.raises(DataError, match="belong to another model"):
        load_golden(tmp_path / "golden.npz", DENSE)


def test_outputs_are_compared_with_the_model_as_inputs_are(tmp_path):
    golden = numbered(2)
    wide = Golden(inputs=golden.inputs, outputs=(np.zeros((2, 1, 4), np.int8),), origin="")
    save_golden(tmp_path / "golden.npz", wide)
    with pytest.raises(DataError, match=r"int8\(1, 4\) stands for int8\(1, 3\)"):
        load_golden(tmp_path / "golden.npz", DENSE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_c_cannot_write_down_is_refused(value):
    with pytest.raises(DataError, match="NaN or infinity"):
        format_samples(np.array([[1.0, value]], np.float32))


def test_numbers_stand_twenty_to_a_line_and_samples_in_braces_of_their_own():
    text = format_samples(np.arange(42, dtype=np.int16).reshape(2, 21))
    lines = text.splitlines()
    assert [line.count(",") for line in lines] == [0, 20, 1, 1, 0, 20, 1, 1]
    assert lines[1].strip().startswith("0, 1, 2,")
    assert lines[6].strip() == "41,"
