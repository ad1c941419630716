"""Arrays among the arguments of a call: `x * scale` holds its `scale` there, and it must be pruned with x.

An array is named by its path in the arguments: "x2", or "operands/1" for the second of several operands.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from edgeprune.graph.layergraph import Array


def find_arrays(arguments: Mapping[str, Any]) -> dict[str, Array]:
    """Path → array, for every array among the arguments that has an axis; scalars are left out."""
    return {
        path: value for path, value in _walk(arguments, "") if isinstance(value, np.ndarray) and value.ndim
    }


def replace_arguments(arguments: Mapping[str, Any], changed: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments with those at the paths in `changed` replaced."""
    return {name: _replace(value, name, changed) for name, value in arguments.items()}


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            yield from _walk(item, f"{path}/{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for i, item in enumerate(value):
            yield from _walk(item, f"{path}/{i}")
    else:
        yield path, value


def _replace(value: Any, path: str, changed: Mapping[str, Any]) -> Any:
    if path in changed:
        return changed[path]
    if isinstance(value, Mapping):
        return {name: _replace(item, f"{path}/{name}", changed) for name, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_replace(item, f"{path}/{i}", changed) for i, item in enumerate(value))
    return value
