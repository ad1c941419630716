"""Data from a Python function of the user's own."""

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.checks import Tensor
from edgeprune.keras_bridge.data.sources import PARTS, Part, RawData, check_memory

CALLABLE_FIX = "return (train, test) or (train, test, val), each a tf.data.Dataset or a pair of arrays (x, y)"


def call_function(source: str, *, inputs: Sequence[Tensor], memory_limit_bytes: int) -> RawData:
    """What the Python function at `module:function` or `file.py:function` returns, as arrays.

    The function is called without arguments and returns (train, test), (train, test, val), or a dict with
    these keys. Each is a `tf.data.Dataset` of x or (x, y), batched or not, or arrays: x or (x, y). Of several
    inputs, x is a tuple in their order or a dict by their names.

    Raises:
        DataError: the function cannot be found, fails, or returns something else or too much.
    """
    function = _find_function(source)
    try:
        returned = function()
    except Exception as error:  # whatever the user's own code raises is an input error, not a bug of ours
        raise DataError(
            "the function failed",
            where=source,
            why=f"{type(error).__name__}: {' '.join(str(error).split())}",
            fix="run it on its own to see where",
        ) from error
    return take_parts(
        returned,
        source=source,
        inputs=inputs,
        memory_limit_bytes=memory_limit_bytes,
        said="the function returned",
        fix=CALLABLE_FIX,
    )


def take_parts(
    given: Any, *, source: str, inputs: Sequence[Tensor], memory_limit_bytes: int, said: str, fix: str
) -> RawData:
    """(train, test), (train, test, val), or a dict with these keys, as arrays.

    Args:
        given: each part a tf.data.Dataset or arrays, as `call_function` says.
        source: where it came from.
        inputs: of the model.
        memory_limit_bytes: largest amount of data to hold.
        said: how a message that tells what it is begins.
        fix: what to give, where it is something else.

    Raises:
        DataError: it is something else, or too much.
    """
    if isinstance(given, Mapping):
        found = {("val" if key == "validation" else key): value for key, value in given.items()}
    elif isinstance(given, tuple | list) and len(given) in (2, 3):
        found = dict(zip(("train", "test", "val"), given, strict=False))
    else:
        found = {}
    if "train" not in found or not set(found) <= set(PARTS):
        kind = sorted(map(str, given)) if isinstance(given, Mapping) else type(given).__name__
        raise DataError(f"{said} {kind}", where=source, fix=fix)
    parts: dict[str, Part | None] = {}
    remaining = memory_limit_bytes
    for name in PARTS:
        if found.get(name) is not None:
            part = _materialise(found[name], inputs=inputs, limit=remaining, where=f"{source} ({name})")
            remaining -= sum(array.nbytes for array in (*part.x, *(() if part.y is None else (part.y,))))
            parts[name] = part
    return RawData(parts=parts, source=source)


def _find_function(source: str) -> Callable[[], Any]:
    place, _, name = source.rpartition(":")
    module = _import_file(Path(place), source) if place.endswith(".py") else _import_module(place, source)
    function = getattr(module, name, None)
    if not callable(function):
        known = sorted(key for key, value in vars(module).items() if callable(value) and key[0] != "_")
        raise DataError(
            f"there is no function '{name}' in '{place}'",
            where=source,
            why=f"it has {', '.join(known[:8]) or 'none'}",
            fix="give one of its functions",
        )
    return function  # type: ignore[no-any-return]


def _import_file(path: Path, source: str) -> ModuleType:
    if not path.is_file():
        raise DataError("no such file", where=source, fix="give file.py:function or module:function")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # every .py file has one
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader
    assert loader is not None
    _run_import(lambda: loader.exec_module(module), source)
    return module


def _import_module(name: str, source: str) -> ModuleType:
    # A module beside the caller is found as by `python -m`, which a console script does not do by itself.
    sys.path.insert(0, str(Path.cwd()))
    try:
        module: ModuleType = _run_import(lambda: importlib.import_module(name), source)
        return module
    finally:
        sys.path.remove(str(Path.cwd()))


def _run_import(load: Callable[[], Any], source: str) -> Any:
    try:
        return load()
    except Exception as error:  # an import runs the user's own code
        raise DataError(
            "the module cannot be imported",
            where=source,
            why=f"{type(error).__name__}: {' '.join(str(error).split())}",
            fix="give file.py:function or module:function",
        ) from error


def _materialise(value: Any, *, inputs: Sequence[Tensor], limit: int, where: str) -> Part:
    """A dataset, or arrays, as arrays in memory."""
    if not hasattr(value, "element_spec"):
        part = _to_part(value, inputs=inputs, where=where)
        check_memory(sum(x.nbytes for x in part.x), limit=limit, where=where)
        return part
    # tf.data: -1 stands for an infinite dataset.
    if int(value.cardinality()) == -1:
        raise DataError("the dataset never ends", where=where, fix="leave .repeat() out, or add .take(n)")
    pieces: list[Part] = []
    used_bytes = 0
    for element in _iterate(value, where=where):
        part = _to_part(element, inputs=inputs, where=where)
        batched = part.x[0].ndim == len(inputs[0].shape)
        pieces.append(part if batched else _add_batch_axis(part))
        used_bytes += sum(x.nbytes for x in part.x) + (0 if part.y is None else part.y.nbytes)
        check_memory(used_bytes, limit=limit, where=where)
    if not pieces:
        raise DataError("the dataset is empty", where=where, fix="give at least one sample")
    x = tuple(np.concatenate(arrays) for arrays in zip(*(piece.x for piece in pieces), strict=True))
    labels = [piece.y for piece in pieces if piece.y is not None]
    return Part(x=x, y=np.concatenate(labels) if labels else None)


def _iterate(dataset: Any, *, where: str) -> Iterable[Any]:
    iterator = dataset.as_numpy_iterator()
    while True:
        try:
            element = next(iterator)
        except StopIteration:
            return
        except Exception as error:  # the pipeline runs the user's own code
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise DataError(
                "the dataset failed", where=where, why=why, fix="iterate over it to see"
            ) from error
        yield element


def _to_part(value: Any, *, inputs: Sequence[Tensor], where: str) -> Part:
    x, y = value, None
    if isinstance(value, tuple):
        if len(value) not in (1, 2):
            raise DataError(
                f"got a tuple of {len(value)}",
                where=where,
                why="sample weights are not used",
                fix=CALLABLE_FIX,
            )
        x, y = value[0], value[1] if len(value) == 2 else None
    if isinstance(x, Mapping):
        if missing := [tensor.name for tensor in inputs if tensor.name not in x]:
            raise DataError(
                f"there is nothing for the input '{missing[0]}'",
                where=where,
                why=f"the keys are {', '.join(sorted(map(str, x)))}",
                fix="name them as the model's inputs",
            )
        x = tuple(x[tensor.name] for tensor in inputs)
    arrays = tuple(np.asarray(item) for item in x) if isinstance(x, tuple) else (np.asarray(x),)
    arrays = tuple(a.astype(np.float32) if a.dtype == np.float64 else a for a in arrays)
    return Part(x=arrays, y=None if y is None else np.asarray(y))


def _add_batch_axis(part: Part) -> Part:
    return replace(part, x=tuple(x[None] for x in part.x), y=None if part.y is None else part.y[None])
