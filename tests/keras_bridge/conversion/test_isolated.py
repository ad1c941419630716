"""The converter may crash or be killed: its process alone ends, with an error that says how."""

import sys

import keras
import pytest

from edgeprune.errors import ModelError, ToolFailedError, ToolStoppedError
from edgeprune.keras_bridge.conversion import isolated
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


def test_one_process_serves_all_conversions(fresh) -> None:
    convert(dense(), scheme="none")
    first = isolated._process.child
    convert(dense(), scheme="float16")
    assert isolated._process.child is first
