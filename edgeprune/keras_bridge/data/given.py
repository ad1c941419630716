"""Data that are in memory already: arrays, or tf.data datasets."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from edgeprune.keras_bridge.data.checks import Tensor
from edgeprune.keras_bridge.data.function import take_parts
from edgeprune.keras_bridge.data.sources import RawData, check_memory, name_parts

IN_MEMORY = "data in memory"
"""What reports call the source of such data."""
_FIX = (
    "give (x, y, x_test, y_test), a dict with x_train, y_train, x_test and y_test, or (train, test), each a "
    "tf.data.Dataset or a pair of arrays (x, y)"
)


def take_data(given: Any, *, inputs: Sequence[Tensor], memory_limit_bytes: int) -> RawData:
    """Data as a Python program has them, as arrays.

    Args:
        given: (x, y, x_test, y_test); a mapping with the keys of an `.npz` file; what a function given as
            data may return; or training data alone, a tf.data.Dataset or an array.
        inputs: of the model.
        memory_limit_bytes: largest amount of data to hold.

    Raises:
        DataError: they are something else, or too much.
    """
    if isinstance(given, Mapping) and any(str(key).startswith(("x_", "y_")) for key in given):
        named = {str(key): value for key, value in given.items()}
        used = [key for key in named if key.startswith(("x_", "y_")) or key == "class_names"]
        arrays = {key: np.asarray(named[key]) for key in used}
        check_memory(sum(a.nbytes for a in arrays.values()), limit=memory_limit_bytes, where=IN_MEMORY)
        ignored = sorted(set(named) - set(used))
        return name_parts(arrays, inputs=inputs, where=IN_MEMORY, ignored=ignored)
    if isinstance(given, tuple | list) and len(given) == 4:
        x, y, x_test, y_test = given
        given = {"train": _pair(x, y), "test": _pair(x_test, y_test)}
    elif hasattr(given, "element_spec") or isinstance(given, np.ndarray):
        given = {"train": given}
    return take_parts(
        given,
        source=IN_MEMORY,
        inputs=inputs,
        memory_limit_bytes=memory_limit_bytes,
        said="they are",
        fix=_FIX,
    )


def _pair(x: Any, y: Any) -> Any:
    return (x, y) if y is not None else (x,)
