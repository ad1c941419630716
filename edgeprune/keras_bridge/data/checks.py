"""What can be wrong with data for a model; each fault is named with its place and the way to mend it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.parts import Port
from edgeprune.tflite.ranges import LARGEST


def check_inputs(
    arrays: Sequence[NDArray[Any]], *, inputs: Sequence[Port], part: str, where: str, start: int = 0
) -> None:
    """Refuse arrays that the model cannot be fed.

    Args:
        arrays: one per input, (samples, ...).
        inputs: of the model.
        part: "train", "val" or "test".
        where: the source, for messages.
        start: number of the first sample, for messages.

    Raises:
        DataError: a wrong number of arrays, type, shape or number of samples, or NaN or infinity.
    """
    if len(arrays) != len(inputs):
        names = ", ".join(f"'{tensor.name}'" for tensor in inputs)
        raise DataError(
            f"x_{part} is {_count(len(arrays), 'array')}, but the model has {_count(len(inputs), 'input')}",
            where=where,
            why=f"its inputs are {names}",
            fix=f"give one array per input, x_{part}_0, x_{part}_1, … or x_{part}_{inputs[0].name}, …"
            if len(inputs) > 1
            else f"give x_{part} alone",
        )
    for index, (x, tensor) in enumerate(zip(arrays, inputs, strict=True)):
        key = f"x_{part}" if len(inputs) == 1 else f"x_{part}_{index} (input '{tensor.name}')"
        if x.dtype.kind not in "uifb":
            kind = "text" if x.dtype.kind in "US" or _holds_text(x) else str(x.dtype)
            raise DataError(
                f"{key} is of the type {x.dtype}, not numbers"
                if kind != "text"
                else f"{key} holds text, not numbers",
                where=where,
                fix="save it as float32 or uint8"
                if kind != "text"
                else "turn text into integer tokens before the model (call TextVectorization outside it): "
                "no .tflite runtime of a device takes strings",
            )
        if x.ndim == 0 or len(x) == 0:
            raise DataError(f"{key} is empty", where=where, fix="give at least one sample")
        if len(x) != len(arrays[0]):
            raise DataError(
                f"{key} has {len(x)} samples, but the first input has {len(arrays[0])}",
                where=where,
                fix="give each input one row per sample",
            )
        _check_shape(x, tensor=tensor, key=key, where=where)
        _check_finite(x, key=key, where=where, start=start)


def flatten_labels(y: NDArray[Any], *, output: Port) -> NDArray[Any]:
    """Class numbers of shape (samples, ..., 1) as (samples, ...), whole floats among them as integers."""
    classes = output.shape[-1] if len(output.shape) > 1 else 1
    if output.is_free:
        return y
    if y.ndim >= 2 and y.shape[-1] == 1 and (y.dtype.kind in "iub" or (classes != 1 and _are_whole(y))):
        spatial = y.ndim == len(output.shape) and classes != 1
        y = y[..., 0] if y.ndim == 2 or spatial else y
    numbers = y.shape[1:] == tuple(output.shape[1:-1]) and classes != 1
    if numbers and _are_whole(y):
        y = y.astype(np.int64)
    return y


def _recall_order(outputs: Sequence[Port]) -> str:
    if len(outputs) < 2:
        return ""
    return f" (a tuple is taken in the model's order: {', '.join(output.name for output in outputs)})"


def _are_whole(y: NDArray[Any]) -> bool:
    return y.dtype.kind == "f" and bool((np.rint(y) == y).all())


def check_labels(
    y: NDArray[Any],
    *,
    samples: int,
    output: Port,
    part: str,
    where: str,
    outputs: Sequence[Port] = (),
    start: int = 0,
) -> None:
    """Refuse labels that cannot belong to an output of the model.

    Args:
        y: (samples, ...).
        samples: how many inputs there are.
        output: of the model; a loss of one's own takes labels of any shape.
        part: "train", "val" or "test".
        where: the source, for messages.
        outputs: all of the model; of several, this one's name is told.
        start: number of the first sample, for messages.

    Raises:
        DataError: a wrong type, shape or number, NaN, or class numbers that the output does not have.
    """
    key = f"y_{part}" + (f"_{output.name}" if len(outputs) > 1 else "")
    if y.dtype.kind not in "uifb":
        raise DataError(
            f"{key} is of the type {y.dtype}, not numbers",
            where=where,
            fix="number the classes from 0, for example with np.unique(y, return_inverse=True)[1]",
        )
    if y.ndim == 0 or len(y) != samples:
        count = "no" if y.ndim == 0 else len(y)
        raise DataError(
            f"{key} has {count} labels for {samples} samples in x_{part}",
            where=where,
            fix="give one label per sample, in the same order",
        )
    _check_finite(y, key=key, where=where, start=start)
    shape = tuple(output.shape[1:])
    classes = shape[-1] if shape else 1
    if output.is_free or _fits(y.shape[1:], shape) or _fits((*y.shape[1:], 1), shape):
        return
    if not _fits(y.shape[1:], shape[:-1]):
        raise DataError(
            f"{key} has the shape {_describe(y.shape[1:])} per sample, the model's output {_describe(shape)}",
            where=where,
            fix=f"give class numbers from 0 to {(classes or 1) - 1}, or labels of the output's shape"
            + _recall_order(outputs),
        )
    if y.dtype.kind == "f":
        raise DataError(
            f"{key} is of the type {y.dtype}, but the model tells {classes} classes apart",
            where=where,
            fix="save class numbers as integers, y.astype('int64'), or one label per output",
        )
    if classes is None or y.dtype.kind == "b":
        return
    outside = (y < 0) | (y >= classes)
    for ignored in output.ignored:
        outside &= y != ignored
    wrong = np.unique(y[outside])
    if len(wrong):
        named = ", ".join(str(value) for value in wrong[:5]) + (", …" if len(wrong) > 5 else "")
        from_one = int(y.min()) == 1 and int(y.max()) == classes
        fix = "use the labels the model was trained with"
        if from_one:
            fix = "number the classes from 0: y - 1"
        elif len(wrong) == 1 and len(shape) > 1:
            fix += (
                f"; if {wrong[0]} means no label, compile the model with SparseCategoricalCrossentropy("
                f"ignore_class={wrong[0]}) and save it again"
            )
        raise DataError(
            f"{key} holds {named}, but the model's output has the classes 0 to {classes - 1}",
            where=where,
            fix=fix,
        )


def check_weights(weights: NDArray[Any], *, samples: int, part: str, where: str) -> None:
    """Refuse sample weights that are no weights, with a DataError."""
    key = f"w_{part}"
    if weights.ndim == 0 or len(weights) != samples:
        raise DataError(
            f"{key} has {0 if weights.ndim == 0 else len(weights)} weights for {samples} samples in x_{part}",
            where=where,
            fix="give one weight per sample, in the same order",
        )
    _check_finite(weights, key=key, where=where)
    if (weights < 0).any():
        raise DataError(f"{key} holds negative weights", where=where, fix="give weights from 0")


def _holds_text(x: NDArray[Any]) -> bool:
    return x.dtype.kind == "O" and x.size > 0 and isinstance(x.reshape(-1)[0], str | bytes)


def find_range_mismatch(
    part: str,
    spans: Sequence[tuple[float, float]],
    *,
    train: Sequence[tuple[float, float]],
    inputs: Sequence[Port],
) -> list[str]:
    """Sentences about inputs that are scaled otherwise in one part than in the training data.

    Args:
        part: "val" or "test".
        spans: smallest and largest value of each input there.
        train: likewise in the training data.
        inputs: of the model.
    """
    notes = []
    for (low, high), (least, most), tensor in zip(spans, train, inputs, strict=True):
        here, there = high - low, most - least
        if min(here, there) > 0 and max(here, there) > 20 * min(here, there):
            notes.append(
                f"Input '{tensor.name}' spans {low:g} to {high:g} in x_{part}, but "
                f"{least:g} to {most:g} in x_train: is one of them not scaled?"
            )
    return notes


def _check_shape(x: NDArray[Any], *, tensor: Port, key: str, where: str) -> None:
    given, wanted = x.shape[1:], tuple(tensor.shape[1:])
    if _fits(given, wanted):
        return
    if _fits((*given, 1), wanted):
        fix = "add the channel axis: x[..., None], or np.expand_dims(x, -1)"
    elif _fits(x.shape, wanted):
        fix = "add the batch axis: x[None]"
    elif len(given) == len(wanted) == 3 and _fits((*given[1:], given[0]), wanted):
        fix = "put the channels last: np.moveaxis(x, 1, -1)"
    elif None not in wanted and np.prod(given) == np.prod(wanted):  # type: ignore[arg-type]
        fix = f"reshape it: x.reshape(-1, {', '.join(map(str, wanted))})"
    else:
        fix = "prepare the data as for the model's training"
    raise DataError(
        f"{key} has the shape {_describe(given)} per sample, "
        f"the model's input '{tensor.name}' {_describe(wanted)}",
        where=where,
        fix=fix,
    )


def _check_finite(x: NDArray[Any], *, key: str, where: str, start: int = 0) -> None:
    if x.dtype.kind != "f":
        return
    # The comparison is false for NaN, too; half precision holds nothing that large.
    finite = np.abs(x) <= (LARGEST if x.dtype.itemsize > 2 else np.finfo(x.dtype).max)
    if not finite.all():
        row = int(np.argmin(finite.reshape(len(finite), -1).all(axis=1)))
        largest = np.abs(x[row]).max()
        kind = f"{largest:.3g}" if np.isfinite(largest) else "infinity"
        raise DataError(
            f"{key} holds {'NaN' if np.isnan(x[row]).any() else kind}, first in sample {start + row}",
            where=where,
            why="" if not np.isfinite(largest) else f"numbers up to {LARGEST:g} can be computed with",
            fix="remove such samples, or replace the values with np.nan_to_num",
        )


def _fits(given: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(given) == len(wanted) and all(w is None or g == w for g, w in zip(given, wanted, strict=True))


def _describe(shape: Sequence[int | None]) -> str:
    return (
        f"({', '.join('?' if size is None else str(size) for size in shape)}{',' if len(shape) == 1 else ''})"
    )


def _count(number: int, noun: str) -> str:
    return f"{'one' if number == 1 else number} {noun}{'' if number == 1 else 's'}"
