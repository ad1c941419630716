"""The converter may crash or be killed: its process alone ends, with an error that says how."""

import sys

import keras
import numpy as np
import pytest

from edgeprune.errors import ModelError, OpError, ToolFailedError, ToolStoppedError
from edgeprune.keras_bridge.conversion import isolated
from edgeprune.keras_bridge.conversion.calibrate import calibrate, calibrate_again
from edgeprune.keras_bridge.conversion.convert import convert

ENDINGS = {
    "SIGSEGV": ("os.kill(os.getpid(), signal.SIGSEGV)", ModelError, "crashed with SIGSEGV on the model"),
    "SIGABRT": ("os.abort()", ModelError, "crashed with SIGABRT on the model"),
    "SIGKILL": ("os.kill(os.getpid(), signal.SIGKILL)", ToolStoppedError, "SIGKILL: out of memory?"),
    "an exit": ("print('no disk', file=sys.stderr); os._exit(3)", ToolFailedError, "no disk"),
}


@pytest.fixture
def fresh():
    """The converter's process of this test, and of no other."""
    isolated._process.end()
    yield
    isolated._process.end()


def dense(value: float = 0.5) -> keras.Model:
    image = keras.Input((4,))
    return keras.Model(
        image, keras.layers.Dense(3, kernel_initializer=keras.initializers.Constant(value))(image)
    )


@pytest.mark.parametrize("kind", ENDINGS)
def test_how_the_converter_ended_is_said_and_the_next_conversion_works(fresh, monkeypatch, kind) -> None:
    code, error, said = ENDINGS[kind]
    program = f"import os, signal, sys; sys.stdin.buffer.read(1); {code}"
    with monkeypatch.context() as patched:
        patched.setattr(isolated, "python_command", lambda module: [sys.executable, "-c", program])
        with pytest.raises(error, match=said):
            convert(dense(), scheme="none")
    assert convert(dense(), scheme="none")[4:8] == b"TFL3"


SAMPLES = [np.ones((4, 4), np.float32)]


@pytest.mark.parametrize(
    ("code", "error", "said"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", ModelError, "crashed with SIGSEGV on the model"),
        ("os.kill(os.getpid(), signal.SIGKILL)", ToolStoppedError, "SIGKILL: out of memory?"),
        ("raise_memory_error()", MemoryError, "out of memory"),
    ],
)
def test_so_is_how_the_calibrator_did(fresh, monkeypatch, code, error, said) -> None:
    """With too little memory LiteRT writes to where there is none; that ended edgeprune with 139."""
    program = (
        "import os, signal\n"
        "from edgeprune.keras_bridge.conversion import worker\n"
        "def raise_memory_error():\n"
        "    raise MemoryError\n"
        f"worker._calibration.call = lambda name, arguments: {code}\n"
        "worker.main()"
    )
    with monkeypatch.context() as patched:
        patched.setattr(isolated, "python_command", lambda module: [sys.executable, "-c", program])
        with pytest.raises(error, match=said):
            calibrate(dense(), representative=SAMPLES)
    assert calibrate(dense(), representative=SAMPLES)[4:8] == b"TFL3"


def test_an_index_beyond_its_table_is_an_error_of_the_data(fresh) -> None:
    """Samples that are taken later, to calibrate on more, ended with 70."""
    rows = keras.Input((3,), dtype="int32")
    summed = keras.layers.GlobalAveragePooling1D()(keras.layers.Embedding(5, 4)(rows))
    right = np.zeros((2, 3), np.int32)
    calibrated = calibrate(keras.Model(rows, summed), representative=[right])
    for wrong in (5, 10**9, -1, -(2**31)):
        with pytest.raises(OpError, match=r"cannot run GATHER .* look for indices below 0 or beyond"):
            calibrate_again(calibrated, representative=[np.full((2, 3), wrong, np.int32)])


def test_one_process_serves_all_conversions(fresh) -> None:
    convert(dense(), scheme="none")
    first = isolated._process.child
    convert(dense(), scheme="float16")
    assert isolated._process.child is first
