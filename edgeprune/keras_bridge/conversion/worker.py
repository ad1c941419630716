"""The child's side of `isolated.py`: TensorFlow's converter and calibrator, without the rest of TensorFlow.

`python -m edgeprune.keras_bridge.conversion.worker` reads pickled (name, arguments) from stdin, calls that
function of the compiled converter or calibrator, and writes a pickled `Answer` to what was stdout. What
TensorFlow itself says goes to stderr.
"""

import os
import pickle
import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

_API = "tensorflow.compiler.mlir.lite.python._pywrap_converter_api"
_LIBRARIES = "tensorflow.python.pywrap_tensorflow"
_CALIBRATION = "tensorflow.lite.python.optimize._pywrap_tensorflow_lite_calibration_wrapper"
CALIBRATION = "calibration."
"""What the names of the calibrator's functions begin with; the others are the converter's."""
NO_MEMORY = "out of memory"
"""Why there is no answer where there was no memory for one."""

Answer = tuple[bytes | None, str, list[bytes]]
"""The file that was made, or None; why there is none; what the converter noted about that, serialized."""


def load_converter() -> Any:
    """The compiled converter; its packages are left empty, since importing them takes seconds."""
    spec = find_spec("tensorflow")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    root = spec.submodule_search_locations[0]
    for module in (_API, _LIBRARIES, _CALIBRATION):
        parts = module.split(".")[:-1]
        for depth in range(1, len(parts) + 1):
            package = ModuleType(".".join(parts[:depth]))
            package.__path__ = [os.path.join(root, *parts[1:depth])]
            sys.modules.setdefault(package.__name__, package)
    import_module(_LIBRARIES)
    return import_module(_API)


class _Calibration:
    """The compiled calibrator: its functions, and those of the one calibration that is going on."""

    def __init__(self) -> None:
        self.wrapper: Any = None
        self.held: tuple[Any, ...] = ()

    def call(self, name: str, arguments: tuple[Any, ...]) -> bytes:
        """What the function gives back; nothing for those that give nothing."""
        module = import_module(_CALIBRATION)
        if name == "CalibrationWrapper":
            # The compiled part reads the model where it stands, and keeps nothing of it alive.
            self.wrapper, self.held = module.CalibrationWrapper(*arguments), arguments
            return b""
        function = getattr(module if name == "AddIntermediateTensors" else self.wrapper, name)
        return bytes(function(*arguments) or b"")


_calibration = _Calibration()


def answer(converter: Any, name: str, arguments: tuple[Any, ...]) -> Answer:
    """What a function of the converter or the calibrator makes of its arguments."""
    try:
        if name.startswith(CALIBRATION):
            return _calibration.call(name.removeprefix(CALIBRATION), arguments), "", []
        return bytes(getattr(converter, name)(*arguments)), "", []
    except MemoryError:
        return None, NO_MEMORY, []
    except Exception as error:  # noqa: BLE001 (the converter raises no other class)
        return None, str(error), list(converter.RetrieveCollectedErrors())


def main() -> None:
    """Answer until there are no more questions."""
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    converter = load_converter()
    while True:
        try:
            name, arguments = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        pickle.dump(answer(converter, name, arguments), replies)
        replies.flush()


if __name__ == "__main__":
    main()
