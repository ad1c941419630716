"""TensorFlow's converter and calibrator in a process of their own: where they crash, edgeprune goes on.

The process starts with the first conversion and ends with this one; starting it takes half a second.
"""

import atexit
import pickle
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tensorflow.compiler.mlir.lite.python import wrap_converter
from tensorflow.lite.python.convert_phase import ConverterError
from tensorflow.lite.python.optimize import calibrator

from edgeprune.children import describe_ending, ending_error, has_crashed, python_command, python_environment
from edgeprune.errors import EdgepruneError, ModelError
from edgeprune.keras_bridge.conversion.worker import CALIBRATION, NO_MEMORY, Answer

_TAIL_CHARACTERS = 500


@contextmanager
def isolated() -> Iterator[None]:
    """While the block runs, conversions and calibrations happen in the other process.

    Raises:
        ModelError: the converter crashed.
        ToolStoppedError: it was killed.
        ToolFailedError: it ended otherwise.
        MemoryError: it had not enough memory.
    """
    noted: list[bytes] = []
    problem: EdgepruneError | None = None

    def ask(name: str, *arguments: Any) -> bytes:
        nonlocal problem
        try:
            made, why, errors = _process.ask(name, arguments)
        except EdgepruneError as error:
            problem = error
            raise
        noted[:] = errors
        if made is None and why == NO_MEMORY:
            _process.end()  # and what it holds with it
            raise MemoryError(why)
        if made is None:
            raise RuntimeError(why)
        return made

    def convert(model_flags: bytes, flags: bytes, content: bytes | None, debug_info: bytes | None) -> bytes:
        return ask("Convert", model_flags, flags, content, False, debug_info)

    def quantize(*arguments: Any) -> bytes:
        return ask("ExperimentalMlirQuantizeModel", *arguments)

    replaced = {
        "wrapped_convert": convert,
        "wrapped_experimental_mlir_quantize": quantize,
        "wrapped_retrieve_collected_errors": lambda: [noted.pop(0) for _ in tuple(noted)],
    }
    plain = {name: getattr(wrap_converter, name) for name in replaced}
    for name, function in replaced.items():
        setattr(wrap_converter, name, function)
    plain_calibration = calibrator._calibration_wrapper
    calibrator._calibration_wrapper = _Calibration(ask)
    try:
        yield
    except (ConverterError, ValueError) as error:
        if problem is None:
            raise
        raise problem from error  # TensorFlow made an error of its own of it
    finally:
        for name, function in plain.items():
            setattr(wrap_converter, name, function)
        calibrator._calibration_wrapper = plain_calibration


class _Calibration:
    """Stands for TensorFlow's compiled calibrator, and for the one calibration that is going on."""

    def __init__(self, ask: Callable[..., bytes]) -> None:
        self.ask = ask

    def CalibrationWrapper(self, *arguments: Any) -> "_Calibration":  # noqa: N802 (its name there)
        """A calibration begins: the next samples are for this model."""
        self.ask(f"{CALIBRATION}CalibrationWrapper", *arguments)
        return self

    def __getattr__(self, name: str) -> Callable[..., bytes]:
        return lambda *arguments: self.ask(f"{CALIBRATION}{name}", *arguments)


class _Process:
    """The other process, started when it is needed, and again after it has ended."""

    def __init__(self) -> None:
        self.child: subprocess.Popen[bytes] | None = None
        self.log: Any = None

    def __del__(self) -> None:
        """Ends it: nobody can ask it any more."""
        self.end()

    def ask(self, name: str, arguments: tuple[Any, ...]) -> Answer:
        """The converter's answer. Raises as `isolated` says."""
        child = self.child or self._start()
        assert child.stdin is not None
        assert child.stdout is not None
        try:
            pickle.dump((name, arguments), child.stdin)
            child.stdin.flush()
            answer: Answer = pickle.load(child.stdout)
        except (EOFError, BrokenPipeError, pickle.UnpicklingError) as error:
            raise self._explain(child.wait()) from error
        except BaseException:  # an interrupt, say: what it answers now belongs to no question
            self.end()
            raise
        return answer

    def _start(self) -> subprocess.Popen[bytes]:
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 (`end` closes it)
        self.child = subprocess.Popen(
            python_command("edgeprune.keras_bridge.conversion.worker"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.log,
            env=python_environment(),
            start_new_session=True,
        )
        return self.child

    def _explain(self, code: int) -> EdgepruneError:
        self.log.seek(0)
        said = self.log.read().decode(errors="replace").strip()[-_TAIL_CHARACTERS:]
        self.end()
        if has_crashed(code):
            return ModelError(
                f"TensorFlow's converter {describe_ending(code)} on the model",
                why=" ".join(said.split()),
                fix="--scheme none shows whether quantization is the cause; look for unusual layers",
            )
        return ending_error("TensorFlow's converter", code, why=said)

    def end(self) -> None:
        """Ends the process, if there is one."""
        child, self.child = self.child, None
        if child is None:
            return
        child.kill()
        child.wait()
        for stream in (child.stdin, child.stdout, self.log):
            with suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()


_process = _Process()
atexit.register(_process.end)
