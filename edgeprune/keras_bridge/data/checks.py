"""What can be wrong with data for a model; each fault is named with its place and the way to mend it."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import DataError

CHUNK_SAMPLES = 4096  # so that checking does not double the memory


class Tensor(Protocol):
    """An input or output of a model; Keras's own fit.

    Attributes:
        name: for messages.
        shape: batch dimension first; None where unknown.
    """

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def shape(self) -> Any:
        """Batch dimension first; None where unknown."""


def check_inputs(arrays: Sequence[NDArray[Any]], *, inputs: Sequence[Tensor], part: str, where: str) -> None:
    """Refuse arrays that the model cannot be fed.

    Args:
        arrays: one per input, (samples, ...).
        inputs: of the model.
        part: "train", "val" or "test".
        where: the source, for messages.

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
            raise DataError(
                f"{key} is of the type {x.dtype}, not numbers", where=where, fix="save it as float32 or uint8"
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
        _check_finite(x, key=key, where=where)


def flatten_labels(y: NDArray[Any], *, outputs: Sequence[Tensor]) -> NDArray[Any]:
    """Class numbers of shape (samples, ..., 1) as (samples, ...); everything else as it is."""
    if y.dtype.kind not in "iub" or y.ndim < 2 or y.shape[-1] != 1:
        return y
    spatial = len(outputs) == 1 and y.ndim == len(outputs[0].shape) and outputs[0].shape[-1] != 1
    return y[..., 0] if y.ndim == 2 or spatial else y


def check_labels(y: NDArray[Any], *, samples: int, outputs: Sequence[Tensor], part: str, where: str) -> None:
    """Refuse labels that cannot belong to the model's output.

    Args:
        y: (samples, ...).
        samples: how many inputs there are.
        outputs: of the model.
        part: "train", "val" or "test".
        where: the source, for messages.

    Raises:
        DataError: a wrong type, shape or number, NaN, or class numbers that the output does not have.
    """
    key = f"y_{part}"
    if len(outputs) != 1:
        raise DataError(
            f"{key} holds labels, but the model has {len(outputs)} outputs",
            where=where,
            why="labels for several outputs are not supported yet",
            fix="leave the labels out: recovery then follows the original model's outputs",
        )
    if y.dtype.kind not in "uifb":
        raise DataError(
            f"{key} is of the type {y.dtype}, not numbers",
            where=where,
            fix="number the classes from 0, for example with np.unique(y, return_inverse=True)[1]",
        )
    if len(y) != samples:
        raise DataError(
            f"{key} has {len(y)} labels for {samples} samples in x_{part}",
            where=where,
            fix="give one label per sample, in the same order",
        )
    _check_finite(y, key=key, where=where)
    shape = tuple(outputs[0].shape[1:])
    classes = shape[-1] if shape else 1
    if _fits(y.shape[1:], shape) or (y.ndim == 1 and shape == (1,)):
        return
    if not _fits(y.shape[1:], shape[:-1]):
        raise DataError(
            f"{key} has the shape {_describe(y.shape[1:])} per sample, the model's output {_describe(shape)}",
            where=where,
            fix=f"give class numbers from 0 to {classes - 1}, or labels of the output's shape",
        )
    if y.dtype.kind == "f":
        raise DataError(
            f"{key} is of the type {y.dtype}, but the model tells {classes} classes apart",
            where=where,
            fix="save class numbers as integers, y.astype('int64'), or one label per output",
        )
    wrong = np.unique(y[(y < 0) | (y >= classes)]) if y.dtype.kind != "b" else np.array([])
    if len(wrong):
        named = ", ".join(str(value) for value in wrong[:5]) + (", …" if len(wrong) > 5 else "")
        from_one = int(y.min()) == 1 and int(y.max()) == classes
        raise DataError(
            f"{key} holds {named}, but the model's output has the classes 0 to {classes - 1}",
            where=where,
            fix="number the classes from 0: y - 1"
            if from_one
            else "use the labels the model was trained with",
        )


def find_range_mismatch(
    parts: Mapping[str, Sequence[NDArray[Any]]], *, inputs: Sequence[Tensor]
) -> list[str]:
    """Sentences about inputs that are scaled otherwise in one part than in the training data."""
    notes = []
    for name in ("val", "test"):
        for x, reference, tensor in zip(parts.get(name, ()), parts["train"], inputs, strict=False):
            here, there = _spread(x), _spread(reference)
            if min(here, there) > 0 and max(here, there) > 20 * min(here, there):
                notes.append(
                    f"Input '{tensor.name}' spans {x.min():g} to {x.max():g} in x_{name}, but "
                    f"{reference.min():g} to {reference.max():g} in x_train: is one of them not scaled?"
                )
    return notes


def _spread(x: NDArray[Any]) -> float:
    return float(x.max()) - float(x.min())


def _check_shape(x: NDArray[Any], *, tensor: Tensor, key: str, where: str) -> None:
    given, wanted = x.shape[1:], tuple(tensor.shape[1:])
    if _fits(given, wanted):
        return
    if _fits((*given, 1), wanted):
        fix = "add the channel axis: x[..., None], or np.expand_dims(x, -1)"
    elif _fits(x.shape, wanted):
        fix = "add the batch axis: x[None]"
    elif len(given) == len(wanted) == 3 and _fits((*given[1:], given[0]), wanted):
        fix = "put the channels last: np.moveaxis(x, 1, -1)"
    elif None not in wanted and np.prod(given) == np.prod(wanted):
        fix = f"reshape it: x.reshape(-1, {', '.join(map(str, wanted))})"
    else:
        fix = "prepare the data as for the model's training"
    raise DataError(
        f"{key} has the shape {_describe(given)} per sample, "
        f"the model's input '{tensor.name}' {_describe(wanted)}",
        where=where,
        fix=fix,
    )


def _check_finite(x: NDArray[Any], *, key: str, where: str) -> None:
    if x.dtype.kind != "f":
        return
    for start in range(0, len(x), CHUNK_SAMPLES):
        finite = np.isfinite(x[start : start + CHUNK_SAMPLES])
        if not finite.all():
            row = start + int(np.argmin(finite.reshape(len(finite), -1).all(axis=1)))
            kind = "NaN" if np.isnan(x[row]).any() else "infinity"
            raise DataError(
                f"{key} holds {kind}, first in sample {row}",
                where=where,
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
