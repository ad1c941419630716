"""Samples on their way into and out of an artefact: quantized, grouped by invocation, and back."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import DataError
from edgeprune.tflite.model import NUMPY_TYPES, Model, Tensor
from edgeprune.tflite.read import read_model

Array = NDArray[Any]

_FULL_STEPS = np.float32(1e10)
_CACHED = 1 << 16
"""How many values are worked on at a time: what comes between stays in the processor's cache."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outputs:
    """One output of an artefact for many samples.

    Attributes:
        raw: (samples, ...) in the artefact's own type.
        scale, zero_point: its quantization; scale 0.0 where it is not quantized.
    """

    raw: Array
    scale: float
    zero_point: int

    @property
    def values(self) -> NDArray[np.float32]:
        """(samples, ...) as real numbers: scale * (raw - zero_point)."""
        if self.scale == 0.0:
            return self.raw.astype(np.float32)
        return dequantize(self.raw, scale=self.scale, zero_point=self.zero_point)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Invocations:
    """Samples as the artefact takes them.

    Attributes:
        inputs: one array per input, (invocations, *the input's shape), in the artefact's own types.
        batch: samples per invocation, or 0 where the model has no batch dimension.
        samples: number of samples; the last invocation may be filled up with zeros.
    """

    inputs: tuple[Array, ...]
    batch: int
    samples: int


State = Literal["none", "reset", "sequence"]
"""What a file keeps between inferences: nothing; variables, reset before each sample; or resources, which
only a new interpreter starts afresh, so that all samples are one sequence."""


def find_state(model: Model) -> State:
    """What the file keeps between inferences."""
    if model.has_resources:
        return "sequence"
    return "reset" if model.is_stateful else "none"


def quantize(values: Array, *, scale: float, zero_point: int, dtype: str) -> Array:
    """Integers: values / scale, rounded half away from zero, plus zero_point, clamped to the type.

    The arithmetic is float32, as in TFLite's QUANTIZE op, so that the result is the same bit for bit.

    Args:
        values: real numbers of any shape.
        scale: real numbers per step, above 0.
        zero_point: the integer that stands for 0.
        dtype: the integer type, for example "int8".

    Raises:
        DataError: a value is NaN.
    """
    values = np.asarray(values)
    quantized = np.empty(values.size, dtype)
    flat, step, limits = values.reshape(-1), np.float32(scale), np.iinfo(dtype)
    for start in range(0, flat.size, _CACHED):
        piece = slice(start, start + _CACHED)
        steps = flat[piece].astype(np.float32) / step
        if np.isnan(steps).any():
            raise DataError("a sample holds NaN", fix="remove it, or fill the gap")
        # Infinities have no fraction; every integer type is long full at this limit.
        np.clip(steps, -_FULL_STEPS, _FULL_STEPS, out=steps)
        whole = np.trunc(steps)
        # The distance to the whole number is exact in float32, so halves are found as such.
        whole += np.copysign(np.abs(steps - whole) >= 0.5, steps)
        quantized[piece] = np.clip(whole.astype(np.float64) + zero_point, limits.min, limits.max)
    return quantized.reshape(values.shape)


def dequantize(raw: Array, *, scale: float, zero_point: int) -> NDArray[np.float32]:
    """Real numbers: scale * (raw - zero_point) in float32, as TFLite's DEQUANTIZE op computes them."""
    return (np.float32(scale) * (raw.astype(np.int64) - zero_point)).astype(np.float32)


def as_real(tflite: bytes, inputs: tuple[Array, ...]) -> tuple[Array, ...]:
    """The samples as `group` has to get them where all of them are real numbers, whatever their type.

    Images of the type uint8, say, are real numbers for the Keras model, but for a file whose quantized input
    is a uint8, too, they would be steps of its scale.

    Args:
        tflite: the artefact.
        inputs: one array per input of the model, each (samples, ...).
    """
    tensors = read_model(tflite, where="the artefact").inputs
    if len(tensors) != len(inputs):
        return inputs  # for `group` to refuse
    return tuple(
        x.astype(np.float32) if tensor.scales.size and x.dtype.kind in "iu" else x
        for x, tensor in zip(inputs, tensors, strict=True)
    )


def group(model: Model, inputs: tuple[Array, ...]) -> Invocations:
    """Samples as the model takes them: floats quantized where its inputs are, grouped by its batch size.

    Args:
        model: the artefact.
        inputs: one array per input of the model, each (samples, ...). What follows is the input's shape, or
            that without its first dimension, which then is the batch. An array of the input's own type is
            taken as it is; any other holds real numbers, which are quantized where the input is. A model
            without inputs takes none, and makes one sample.

    Raises:
        DataError: their number, shapes, types or sample counts do not fit the model.
    """
    if len(inputs) != len(model.inputs):
        names = ", ".join(f"'{tensor.name}' {tensor.shape}" for tensor in model.inputs)
        raise DataError(
            f"the model takes {len(model.inputs)} inputs, {len(inputs)} were given",
            where=model.where,
            fix=f"give one array for each: {names}",
        )
    counts = {len(array) if array.ndim else 0 for array in inputs} or {1}
    if len(counts) != 1 or counts == {0}:
        raise DataError(
            "the inputs hold different numbers of samples" if len(counts) > 1 else "there are no samples",
            where=model.where,
        )
    batches = {
        tensor.shape[0]
        for tensor, array in zip(model.inputs, inputs, strict=True)
        if _takes_batches(tensor, array, model.where)
    }
    if len(batches) > 1 or (len(batches) == 1 and 0 in batches):
        raise DataError("its inputs have different batch sizes", where=model.where)
    batch = batches.pop() if batches else 0
    grouped = tuple(
        _grouped(_typed(array, tensor, model.where), tensor, batch, model.where)
        for tensor, array in zip(model.inputs, inputs, strict=True)
    )
    return Invocations(inputs=grouped, batch=batch, samples=counts.pop())


def _takes_batches(tensor: Tensor, array: Array, where: str) -> bool:
    """Whether the input's first dimension counts samples: the array has one sample for each of it."""
    if array.shape[1:] == tensor.shape:
        return False
    if tensor.shape and array.shape[1:] == tensor.shape[1:]:
        return True
    raise DataError(
        f"samples have the shape {array.shape[1:]}, the input takes {tensor.shape[1:] or tensor.shape}",
        where=f"{where}: input '{tensor.name}'",
        fix="reshape the samples",
    )


def _typed(array: Array, tensor: Tensor, where: str) -> Array:
    place = f"{where}: input '{tensor.name}'"
    if tensor.dtype not in NUMPY_TYPES:
        raise DataError(f"an input of type {tensor.dtype} cannot be filled", where=place)
    wanted = np.dtype(NUMPY_TYPES[tensor.dtype])
    if array.dtype == wanted:
        return array
    if tensor.scales.size == 1 and wanted.kind in "iu" and array.dtype.kind in "fiub":
        return quantize(
            array, scale=float(tensor.scales[0]), zero_point=int(tensor.zero_points[0]), dtype=tensor.dtype
        )
    if wanted.kind == "f" and array.dtype.kind in "fiub":
        return array.astype(wanted)
    raise DataError(
        f"is {array.dtype}, the model takes {tensor.dtype}", where=place, fix="convert the samples"
    )


def _grouped(array: Array, tensor: Tensor, batch: int, where: str) -> Array:
    if array.shape[1:] == tensor.shape:
        if batch > 1:
            raise DataError(
                f"has one value for {batch} samples",
                where=f"{where}: input '{tensor.name}'",
                why="other inputs take samples in batches",
                fix="give samples for as many inferences, or convert the model with a batch of 1",
            )
        return np.ascontiguousarray(array)
    padding = -len(array) % batch
    if padding:
        array = np.concatenate([array, np.zeros((padding, *array.shape[1:]), array.dtype)])
    return np.ascontiguousarray(array.reshape(-1, *tensor.shape))


def ungroup(stacked: Array, invocations: Invocations) -> Array:
    """(samples, ...) from (invocations, *an output's shape)."""
    output = stacked.shape[1:]
    if invocations.batch and output and output[0] == invocations.batch:
        stacked = stacked.reshape(-1, *output[1:])
    return stacked[: invocations.samples]
