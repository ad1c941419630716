"""The TFLite schema as Python classes, without importing the package that carries them.

Three packages ship the file that `flatc` generates from TFLite's schema. Importing any of them starts an
inference runtime, and in TensorFlow's case takes seconds, so the one file is loaded by its path.
"""

import sys
from functools import cache
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

from edgeprune.errors import ToolMissingError

_HOMES = (
    ("tflite_micro", "tensorflow/lite/micro/python/schema_py_generated.py"),
    ("tflite_micro", "tensorflow/lite/python/schema_py_generated.py"),
    ("ai_edge_litert", "schema_py_generated.py"),
    ("tensorflow", "lite/python/schema_py_generated.py"),
)
_MODULE = "edgeprune.tflite._generated_schema"


@cache
def load_schema() -> ModuleType:
    """The generated schema module, from the first installed package that has it (about 0.15 s).

    Raises:
        ToolMissingError: no installed package carries it.
    """
    for package, path in _HOMES:
        found = find_spec(package)
        for folder in (found.submodule_search_locations or ()) if found else ():
            file = Path(folder) / path
            if file.is_file():
                return _load(file)
    raise ToolMissingError(
        "the TFLite schema is not installed",
        why=f"none of {', '.join(dict.fromkeys(package for package, _ in _HOMES))} carries it",
        fix="install edgeprune's dependencies, or the package tflite-micro",
    )


def _load(file: Path) -> ModuleType:
    spec = spec_from_file_location(_MODULE, file)
    if spec is None or spec.loader is None:
        raise ToolMissingError("the TFLite schema cannot be loaded", where=str(file))
    module = module_from_spec(spec)
    sys.modules[_MODULE] = module
    spec.loader.exec_module(module)
    return module


@cache
def enum_names(enum: str) -> dict[int, str]:
    """Names by number of one of the schema's enums, for example "BuiltinOperator"."""
    members = vars(getattr(load_schema(), enum))
    return {number: name for name, number in members.items() if isinstance(number, int)}
