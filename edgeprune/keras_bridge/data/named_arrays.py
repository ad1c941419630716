"""Arrays by the names that they have in an `.npz` file, or in a dict that is given in its place.

x_train, x_val, x_test     inputs; of several x_train_<input>, or x_train_0, x_train_1, …
y_train, …                 labels, likewise by the model's outputs
w_train, …                 what each sample counts, or sample_weight_train, …; for all outputs, or for each
class_names                in the order of the class numbers
class_weight               what the samples of each class count, by its number
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.batches import Array, Arrays, Batch, Rows, hold
from edgeprune.keras_bridge.data.parts import PARTS, Interface, Port, RawData, pick_named

WEIGHT_PREFIX = "sample_weight"
_PREFIXES = ("x_", "y_", "w_", WEIGHT_PREFIX)
_ABOUT_CLASSES = ("class_names", "class_weight")
_ONE_HOT_BYTES = 256 * 2**20
"""Labels of this size and more are not searched for rows that are one-hot."""


def is_read(key: str) -> bool:
    """Whether a key is one of those that mean something here."""
    return key.startswith(_PREFIXES) or key in _ABOUT_CLASSES


def name_parts(
    arrays: Mapping[str, Any],
    interface: Interface,
    *,
    where: str,
    ignored: Sequence[str] = (),
    origin: str = "",
) -> RawData:
    """Arrays under the names that they have in an `.npz` file, as parts.

    Args:
        arrays: by keys that `is_read`; mapped ones are read where they are wanted.
        interface: of the model.
        where: the source, for messages.
        ignored: names of what else there was.
        origin: how they are read, as in `Source`.

    Raises:
        DataError: there is no `x_train`, labels or weights lack their inputs, or a key belongs to nothing.
    """
    named = _rename_weights(arrays, where=where)
    _refuse_unknown(named, interface, where=where)
    _refuse_odd(named, where=where)
    batches = {part: pick_named(named, part, interface, where=where) for part in PARTS}
    if batches["train"] is None:
        raise DataError(
            "there is no x_train",
            where=where,
            why=f"it holds {', '.join([*sorted(arrays), *ignored][:8]) or 'nothing'}",
            fix="save it with np.savez(path, x_train=…, y_train=…, x_test=…, y_test=…)",
        )
    for part, batch in batches.items():
        _refuse_halves(named, part, batch, where=where)
    names = named.get("class_names")
    return RawData(
        parts={part: _hold(batch, origin=origin) for part, batch in batches.items() if batch is not None},
        source=where,
        notes=(f"Not used: {', '.join(ignored)}.",) if ignored else (),
        class_names=None if names is None else tuple(str(name) for name in np.asarray(names).reshape(-1)),
        class_weights=read_class_weights(named.get("class_weight"), interface, where=where),
    )


def find_classes(y: Arrays | None) -> Array | None:
    """(samples,) class numbers in the labels of one output: integers, or rows that are one-hot; else None."""
    if y is None or len(y) != 1:
        return None
    labels = y[0]
    single = labels.ndim == 1 or (labels.ndim == 2 and labels.shape[1] == 1)
    if single:
        return np.asarray(labels.reshape(-1)) if labels.dtype.kind in "iub" else None
    if labels.ndim != 2 or labels.dtype.kind not in "iubf" or labels.nbytes >= _ONE_HOT_BYTES:
        return None
    ones = np.asarray(labels == 1)
    if not labels.shape[1] or not ((labels == 0) | ones).all() or not (ones.sum(axis=1) == 1).all():
        return None
    return np.asarray(ones.argmax(axis=1))


def _rename_weights(arrays: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """With `w_…` for `sample_weight_…`."""
    renamed: dict[str, Any] = {}
    for key, array in arrays.items():
        short = key.replace(WEIGHT_PREFIX, "w", 1) if key.startswith(WEIGHT_PREFIX) else key
        if short != key and short in arrays:
            raise DataError(f"there are both {short} and {key}", where=where, fix="leave one of them out")
        renamed[short] = array
    return renamed


def _expected(interface: Interface) -> Iterator[str]:
    for letter, tensors in (("x", interface.inputs), ("y", interface.outputs), ("w", interface.outputs)):
        for part in PARTS:
            yield f"{letter}_{part}"
            for number, tensor in enumerate(tensors):
                yield from (f"{letter}_{part}_{tensor.name}", f"{letter}_{part}_{number}")


def _refuse_unknown(named: Mapping[str, Any], interface: Interface, *, where: str) -> None:
    unknown = sorted(set(named) - set(_expected(interface)) - set(_ABOUT_CLASSES))
    if not unknown:
        return
    key = unknown[0]
    kind, tensors = ("input", interface.inputs) if key.startswith("x_") else ("output", interface.outputs)
    letter = key[0]
    plural = f"{kind}s are" if len(tensors) > 1 else f"{kind} is"
    example = f"{letter}_train" + (f"_{tensors[0].name}" if len(tensors) > 1 else "")
    raise DataError(
        f"it is not clear what {key} is for",
        where=where,
        why=f"the parts are {', '.join(PARTS)}; the model's {plural} {_list_names(tensors)}",
        fix=f"name it as {example}, or leave it out",
    )


def _refuse_odd(named: Mapping[str, Any], *, where: str) -> None:
    """Refuse single numbers, and weights that are none."""
    for key, array in named.items():
        if key in _ABOUT_CLASSES:
            continue
        if array.ndim == 0:
            raise DataError(
                f"{key} is a single number", where=where, fix="give one per sample, samples on the first axis"
            )
        if key.startswith("w_") and array.dtype.kind not in "uifb":
            raise DataError(
                f"{key} is of the type {array.dtype}, not numbers", where=where, fix="save it as float32"
            )


def _list_names(tensors: Sequence[Port]) -> str:
    return ", ".join(f"'{tensor.name}'" for tensor in tensors)


def _refuse_halves(named: Mapping[str, Any], part: str, batch: Batch | None, *, where: str) -> None:
    """Refuse labels or weights without inputs, and weights without labels."""
    found = [letter for letter in "yw" if any(key.startswith(f"{letter}_{part}") for key in named)]
    if batch is None and found:
        key = f"{found[0]}_{part}"
        raise DataError(
            f"there is {key}, but no x_{part}", where=where, fix=f"add x_{part}, or leave {key} out"
        )
    if batch is not None and batch.weights is not None and batch.y is None:
        raise DataError(
            f"there is w_{part}, but no y_{part}", where=where, fix=f"add y_{part}, or leave w_{part} out"
        )


def read_class_weights(given: Any, interface: Interface, *, where: str) -> dict[int, float] | None:
    """What the samples of each class count: a mapping, or one number per class. Raises DataError."""
    if given is None:
        return None
    pairs = given.items() if isinstance(given, Mapping) else enumerate(np.asarray(given).reshape(-1))
    try:
        weights = {int(number): float(weight) for number, weight in pairs}
    except (TypeError, ValueError) as error:
        raise DataError(
            "class_weight holds something else than numbers", where=where, fix="give one number per class"
        ) from error
    if wrong := [number for number, weight in weights.items() if not 0 <= weight < np.inf]:
        raise DataError(
            f"class_weight is {weights[wrong[0]]:g} for class {wrong[0]}",
            where=where,
            fix="give one number per class, 0 or more",
        )
    classes = interface.outputs[0].shape[-1] if len(interface.outputs) == 1 else None
    if not isinstance(given, Mapping) and classes not in (None, 1, len(weights)):
        raise DataError(
            f"class_weight has {len(weights)} numbers, the model tells {classes} classes apart",
            where=where,
            fix="give one number per class, in the order of the class numbers",
        )
    return weights


def _hold(batch: Batch, *, origin: str) -> Rows:
    rows = hold(batch, classes=find_classes(batch.y), origin=origin)

    def fetch(numbers: Array) -> Batch:
        picked = rows.fetch(numbers)
        return Batch(
            x=tuple(map(_plain, picked.x)),
            y=None if picked.y is None else tuple(map(_plain, picked.y)),
            weights=None if picked.weights is None else tuple(w.astype(np.float32) for w in picked.weights),
        )

    return replace(rows, fetch=fetch)


def _plain(array: Array) -> Array:
    """Aligned and in the machine's byte order; a copy where it must be."""
    return np.require(array, array.dtype.newbyteorder("="), "A")
