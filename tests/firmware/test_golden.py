import io

import numpy as np
import pytest
from firmware.projects import golden_zeros
from small_models import dense_int8, model, tensor

from edgeprune.errors import DataError
from edgeprune.firmware.golden import crc8, fit_golden, format_samples, render_golden
from edgeprune.runtimes.golden import Golden, load_golden, save_golden
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


def lone_array():
    stream = io.BytesIO()
    np.save(stream, np.zeros(3))
    return stream.getvalue()


def other_arrays():
    stream = io.BytesIO()
    np.savez(stream, other=np.zeros(3))
    return stream.getvalue()


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 no archive", b"not one at all", lone_array(), other_arrays()]
)
def test_a_file_that_holds_no_golden_samples_is_refused_with_what_to_do(tmp_path, content):
    (tmp_path / "golden.npz").write_bytes(content)
    with pytest.raises(DataError, match="golden samples cannot be read") as error:
        load_golden(tmp_path / "golden.npz", DENSE)
    assert error.value.fix == "build again, where TFLM is installed, or give samples with --data"


def test_half_an_archive_is_refused_too(tmp_path):
    save_golden(tmp_path / "golden.npz", numbered(5))
    whole = (tmp_path / "golden.npz").read_bytes()
    for size in range(0, len(whole), 101):
        (tmp_path / "golden.npz").write_bytes(whole[:size])
        with pytest.raises(DataError, match="cannot be read"):
            load_golden(tmp_path / "golden.npz", DENSE)


def test_floats_are_literals_of_floats():
    assert format_samples(np.array([[1.0, -0.5]], np.float32)).split() == ["{", "1.0f,", "-0.5f,", "},"]


def test_the_check_wants_every_output_to_agree():
    tensors = [tensor((1, 4)) for _ in range(3)]
    ops = [("RELU", (0,), (1,), None), ("RELU6", (0,), (2,), None)]
    two = read_model(model(tensors, ops, inputs=[0], outputs=[1, 2]), where="two")
    values = render_golden(golden_zeros(two), two)
    first, second = values["compare_outputs"].split(" &&\n")
    assert "kGoldenOutput0[sample]" in first
    assert "kGoldenOutput1[sample]" in second
    assert values["golden_declarations"].count("extern const int8_t kGolden") == 3


def test_the_origin_of_samples_stays_inside_its_comment():
    evil = Golden(inputs=numbered(1).inputs, outputs=numbered(1).outputs, origin="a\nb \\")
    assert render_golden(evil, DENSE)["origin"] == "a?b ?"


@pytest.mark.parametrize(
    ("room_bytes", "is_exact", "samples", "as_crc", "takes"),
    [
        (None, True, 4, False, 20),  # 2 bytes of input and 3 of output each
        (20, True, 4, False, 20),
        (19, True, 4, True, 12),
        (12, True, 4, True, 12),
        (11, True, 3, True, 9),
        (11, False, 2, False, 10),
        (4, False, 0, False, 0),
        (2, True, 0, False, 0),
        (-100, True, 0, False, 0),
    ],
)
def test_samples_fit_the_flash_that_is_left(room_bytes, is_exact, samples, as_crc, takes):
    found = fit_golden(numbered(4), room_bytes=room_bytes, is_exact=is_exact)
    assert (found.golden.samples, found.as_crc, found.bytes) == (samples, as_crc, takes)
    assert (found.note == "") == (samples == 4 and not as_crc)


def test_the_checksum_is_that_of_smbus():
    assert crc8(b"123456789") == 0xF4


def test_outputs_of_floats_have_no_checksum():
    floats = Golden(
        inputs=(np.zeros((2, 1), np.int8),), outputs=(np.zeros((2, 9), np.float32),), origin="made by a test"
    )
    assert not fit_golden(floats, room_bytes=20, is_exact=True).as_crc
