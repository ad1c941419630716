"""Data that a Python program has: arrays, datasets, generators; or that a function of the user's returns."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.batches import Rows, hold
from edgeprune.keras_bridge.data.named_arrays import (
    find_classes,
    is_read,
    name_parts,
    read_class_weights,
)
from edgeprune.keras_bridge.data.parts import PARTS, Interface, RawData, arrange, to_array
from edgeprune.keras_bridge.data.streams import Unread, is_stream
from edgeprune.keras_bridge.data.user_function import call_function

IN_MEMORY = "data in memory"
"""What reports call the source of such data."""
_PART = (
    "a tf.data.Dataset, a PyDataset, something to iterate over, or arrays x, (x, y) or (x, y, sample_weight)"
)
_FIX = (
    "give (x, y, x_test, y_test), a dict with x_train, y_train, x_test and y_test, or (train, test), each "
    + _PART
)
_FUNCTION_FIX = f"return (train, test) or (train, test, val), each {_PART}"


def take_data(given: Any, *, interface: Interface) -> RawData:
    """Data as a Python program has them.

    Args:
        given: (x, y, x_test, y_test); a mapping with the keys of an `.npz` file; what a function given as
            data may return; or training data alone, a stream or an array.
        interface: of the model.

    Raises:
        DataError: they are something else.
    """
    if isinstance(given, Mapping) and any(str(key).startswith(("x_", "y_")) for key in given):
        named = {str(key): value for key, value in given.items()}
        arrays = {
            key: value if isinstance(value, Mapping) else to_array(value)
            for key, value in named.items()
            if is_read(key)
        }
        ignored = sorted(set(named) - set(arrays))
        return name_parts(arrays, interface, where=IN_MEMORY, ignored=ignored)
    if isinstance(given, tuple | list) and len(given) == 4:
        x, y, x_test, y_test = given
        given = {"train": _pair(x, y), "test": _pair(x_test, y_test)}
    elif isinstance(given, np.ndarray) or is_stream(given):
        given = {"train": given}
    return take_parts(given, interface=interface, source=IN_MEMORY, said="they are", fix=_FIX)


def take_function(source: str, *, interface: Interface) -> RawData:
    """What the Python function at `module:function` or `file.py:function` returns.

    It is called without arguments; once more for each pass, where it returns generators.

    Raises:
        DataError: the function cannot be found, fails, or returns something else.
    """
    returned = call_function(source)
    if isinstance(returned, Mapping) and any(str(key).startswith(("x_", "y_")) for key in returned):
        return take_data(returned, interface=interface)

    def again(part: str) -> Any:
        return _name_parts(call_function(source), source=source, said="", fix="")[part]

    return take_parts(
        returned,
        interface=interface,
        source=source,
        said="the function returned",
        fix=_FUNCTION_FIX,
        again=again,
    )


def take_parts(
    given: Any,
    *,
    interface: Interface,
    source: str,
    said: str,
    fix: str,
    again: Callable[[str], Any] | None = None,
) -> RawData:
    """(train, test), (train, test, val), or a dict with these keys.

    Args:
        given: each part a stream or arrays.
        interface: of the model.
        source: where it came from.
        said: how a message that tells what it is begins.
        fix: what to give, where it is something else.
        again: gives a part anew, by its name.

    Raises:
        DataError: it is something else.
    """
    parts = _name_parts(given, source=source, said=said, fix=fix)
    weights = parts.pop("class_weight", None)
    raw = RawData(
        parts={
            name: _open(
                parts[name],
                interface,
                where=f"{source} ({name})",
                again=None if again is None else partial(again, name),
            )
            for name in PARTS
            if parts.get(name) is not None
        },
        source=source,
    )
    return replace(raw, class_weights=read_class_weights(weights, interface, where=source))


def _name_parts(given: Any, *, source: str, said: str, fix: str) -> dict[str, Any]:
    if isinstance(given, Mapping):
        found = {("val" if key == "validation" else key): value for key, value in given.items()}
    elif isinstance(given, tuple | list) and len(given) in (2, 3):
        found = dict(zip(("train", "test", "val"), given, strict=False))
    else:
        found = {}
    if "train" not in found or not set(found) <= {*PARTS, "class_weight"}:
        kind = sorted(map(str, given)) if isinstance(given, Mapping) else type(given).__name__
        raise DataError(f"{said} {kind}", where=source, fix=fix)
    return found


def _open(value: Any, interface: Interface, *, where: str, again: Callable[[], Any] | None) -> Rows | Unread:
    if is_stream(value):
        return Unread(given=value, again=again)
    batch = arrange(value, interface, where=where)
    return hold(batch, classes=find_classes(batch.y))


def _pair(x: Any, y: Any) -> Any:
    return (x, y) if y is not None else (x,)
