"""Numbers that nobody can compute with are named at the door: in weights, data, ranges and sizes."""

import io
import json
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from small_models import dense_int8, model, tensor

from edgeprune.errors import DataError, ModelError, OpError
from edgeprune.firmware.c.engine import write_engine
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.data.npz import read_members
from edgeprune.runtimes.golden import draw_inputs
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.tflite.ops import unsupported_ops
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import pack, unpack


def poisoned(tiny: Path, place: Path, *, value: float, count: int = 2) -> Path:
    """The tiny model with so many weights of its dense layer set to a value."""
    made = keras.models.load_model(tiny / "tiny.keras", compile=False)
    dense = next(layer for layer in made.layers if isinstance(layer, keras.layers.Dense))
    kernel, bias = dense.get_weights()
    kernel.flat[:count] = value
    dense.set_weights([kernel, bias])
    made.save(place / "poisoned.keras")
    return place / "poisoned.keras"


def reconfigured(tiny: Path, place: Path, kind: str, **values: object) -> Path:
    """The tiny model with other values in the config of its first layer of a kind."""
    with zipfile.ZipFile(tiny / "tiny.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    entry = next(each for each in config["config"]["layers"] if each["class_name"] == kind)
    entry["config"] |= values
    members["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(place / "odd.keras", "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return place / "odd.keras"


@pytest.mark.parametrize(
    ("value", "said"),
    [(np.nan, "NaN"), (np.inf, "infinity"), (-np.inf, "infinity"), (3e38, "3e+38"), (-3e38, "-3e+38")],
)
def test_weights_are_named_with_how_many_are_wrong(tiny, tmp_path, edgeprune, value, said) -> None:
    file = poisoned(tiny, tmp_path, value=value)
    ended = edgeprune("convert", file, "--scheme", "none", "--output", tmp_path / "out.tflite")
    assert ended.code == 3
    assert f"poisoned.keras: the weight 'dense/kernel' holds {said} (2 of 96 values" in ended.err
    assert not (tmp_path / "out.tflite").exists()


COMMANDS = {
    "build": ("--device", "cortex-m7", "--output", "out"),
    "inspect": ("--device", "cortex-m7"),
    "prune": ("--ratio", "0.5", "--output", "out.keras"),
    "sparsify": ("--sparsity", "0.5", "--output", "out.keras"),
    "quantize": ("--output", "out.tflite"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_that_door(tiny, tmp_path, edgeprune, monkeypatch, command) -> None:
    monkeypatch.chdir(tmp_path)
    file = poisoned(tiny, tmp_path, value=np.inf)
    ended = edgeprune(command, file, "--data", tiny / "tiny.npz", *COMMANDS[command])
    assert ended.code == 3
    assert "the weight 'dense/kernel' holds infinity" in ended.err


@pytest.mark.parametrize(("value", "said"), [(1e38, "1e+38"), (np.nan, "NaN"), (np.inf, "infinity")])
def test_data_are_named_with_their_first_sample(tiny, tmp_path, edgeprune, value, said) -> None:
    with np.load(tiny / "tiny.npz") as file:
        arrays = dict(file)
    arrays["x_train"][7, 0, 0, 0] = value
    np.savez(tmp_path / "data.npz", **arrays)
    ended = edgeprune(
        *("quantize", tiny / "tiny.keras", "--data", tmp_path / "data.npz"),
        *("--output", tmp_path / "out.tflite"),
    )
    assert ended.code == 3
    assert f"x_train holds {said}, first in sample 7" in ended.err


def test_activations_beyond_any_scale_are_named() -> None:
    """Weights and data may be computed with, and still their products may not."""
    image = keras.Input((4,))
    rows = keras.layers.Dense(3, kernel_initializer=keras.initializers.Constant(1e20))(image)
    made = keras.Model(image, keras.layers.Dense(2, name="last")(rows))
    with pytest.raises(DataError, match=r"an activation takes values from .*e\+3\d .* representative"):
        convert(made, scheme="int8", representative=[np.full((8, 4), 1e11, np.float32)])


def zeros() -> bytes:
    """SOFTMAX over values of which the quantizer saw nothing but 0."""
    options = load_schema().SoftmaxOptionsT()
    options.beta = 1.0
    ends = [tensor((1, 4), scale=7.8e-9), tensor((1, 4), scale=1 / 256, zero_point=-128)]
    return model(ends, [("SOFTMAX", (0,), (1,), options)], inputs=[0], outputs=[1])


def test_a_softmax_of_zeros_is_refused_for_tflm_with_the_reason(place, edgeprune) -> None:
    """As all-zero weights make it: its kernel ends the process."""
    (found,) = unsupported_ops(read_model(zeros(), where="zeros"), runtime="tflm")
    assert "scale is as small as 7.8e-09" in found.reason
    (place / "zeros.tflite").write_bytes(zeros())
    ended = edgeprune("check", "zeros.tflite", "--device", "cortex-m7")
    assert ended.code == 1, ended.err
    assert "look for weights that are all zero" in " ".join(ended.out.split())
    assert edgeprune("check", "zeros.tflite", "--device", "pixel-6").code == 0
    with pytest.raises(OpError, match="too small"):
        write_engine(zeros(), directory=place / "c")


def test_a_runtime_that_crashes_on_a_softmax_of_zeros_says_why() -> None:
    with pytest.raises(ModelError, match=r"crashed with SIGABRT .*as small as 7\.8e-09.*never trained"):
        run_litert(zeros(), (np.zeros((1, 1, 4), np.int8),), package="tflite-runtime", kernels="reference")


HUGE = {
    "an input of 1e9 x 1e9": ("InputLayer", {"batch_shape": [None, 10**9, 10**9, 1]}),
    "a filter for each person": ("Conv2D", {"filters": 10**10}),
    "a window of 1e5 x 1e5": ("Conv2D", {"kernel_size": [100_000, 100_000], "padding": "same"}),
    "units beyond 64 bits": ("Dense", {"units": 10**30}),
    "strides of 1e30": ("Conv2D", {"strides": [1e30, 1e30]}),
}


@pytest.mark.parametrize("kind", HUGE)
def test_a_config_that_asks_for_more_than_its_file_holds_is_refused(tiny, tmp_path, edgeprune, kind) -> None:
    layer, values = HUGE[kind]
    file = reconfigured(tiny, tmp_path, layer, **values)
    begun = time.monotonic()
    ended = edgeprune("inspect", file, "--device", "cortex-m7")
    assert ended.code == 3, ended.err
    assert ended.err.count("error: ") == 1
    assert time.monotonic() - begun < 10


def test_samples_without_number_are_refused_before_they_are_drawn(place, edgeprune) -> None:
    for command in (
        ("run", "model.tflite", "--device", "cortex-m7", "--on", "host"),
        ("agree", "model.tflite"),
        ("firmware", "model.tflite", "--device", "cortex-m7", "--project", "cmake"),
        ("firmware", "model.tflite", "--device", "cortex-m7", "--project", "cmake", "--runtime", "c"),
    ):
        ended = edgeprune(*command, "--samples", 999_999_999_999)
        assert ended.code == 3, ended.err
        assert "999999999999 samples of 2 bytes are too many to draw" in ended.err
        assert "ask for at most 134217728 with --samples" in ended.err
    with pytest.raises(DataError, match="too many"):
        draw_inputs(read_model(dense_int8(), where="dense"), samples=1 << 40, seed=0)


def test_firmware_asks_whether_a_model_fits_before_it_draws_samples(place, edgeprune) -> None:
    packed = unpack(dense_int8(), where="dense")
    for index, width in ((0, 2), (3, 3)):
        packed.subgraphs[0].tensors[index].shape = np.array([10_000_000, width], np.int32)
    (place / "large.tflite").write_bytes(pack(packed))
    for more in ((), ("--runtime", "c")):
        ended = edgeprune("firmware", "large.tflite", "--device", "cortex-m7", "--project", "cmake", *more)
        assert ended.code == 1, ended.err
        assert "inputs and outputs take 50000000 bytes" in ended.err


def test_an_archive_of_very_many_members_is_refused(tiny, tmp_path, edgeprune) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for number in range(30_000):
            archive.writestr(f"x_train_{number}", b"")
    (tmp_path / "many.keras").write_bytes(stream.getvalue())
    (tmp_path / "many.npz").write_bytes(stream.getvalue())
    for arguments in (
        ("inspect", tmp_path / "many.keras", "--device", "cortex-m7"),
        ("quantize", tiny / "tiny.keras", "--data", tmp_path / "many.npz", "--output", tmp_path / "o.tflite"),
    ):
        begun = time.monotonic()
        ended = edgeprune(*arguments)
        assert ended.code == 3
        assert "members" in ended.err
        assert time.monotonic() - begun < 10


def test_arrays_of_one_file_are_not_all_unpacked_into_memory(tmp_path, monkeypatch) -> None:
    """Zeros take a thousandth of their size; each of these arrays alone is small enough to be read."""
    many = {f"x_train_{number}": np.zeros((1 << 12, 256), np.float32) for number in range(4)}
    np.savez_compressed(tmp_path / "many.npz", **many)
    monkeypatch.setattr("edgeprune.keras_bridge.data.npz.LOADED_BYTES", 10 << 20)
    with zipfile.ZipFile(tmp_path / "many.npz") as archive:
        arrays = read_members(archive, path=tmp_path / "many.npz")
    assert [isinstance(array, np.memmap) for array in arrays.values()] == [False, False, True, True]
