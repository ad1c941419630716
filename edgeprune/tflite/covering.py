"""Ranges that hold what is read: what a converter clips because two tensors must have one scale.

Ops such as SELECT and MAX_POOL_2D want their input in the scale of their output. TensorFlow's converter then
gives an input the output's narrower range, and clips it for everything else that reads it: a padded step of
-10 becomes 0 for the comparison that should have masked it.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

import numpy as np

from edgeprune.tflite.model import Model, Op, Tensor
from edgeprune.tflite.pairing import CONVERSIONS, pair_tensors
from edgeprune.tflite.ranges import LEVELS, Range

_COMPARISONS = ("EQUAL", "NOT_EQUAL")
_CLIPPED_STEPS = 1.5
"""Fixed scales (of sigmoids, for example) leave out one step, and zero points are rounded by half of one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """An activation that is compared with a constant for equality.

    Attributes:
        tensor: its index.
        value: the constant.
    """

    tensor: int
    value: float


def find_compared(model: Model) -> tuple[Compared, ...]:
    """Every activation of the main graph that EQUAL or NOT_EQUAL compares with one number.

    In a quantized file it is the quantized tensor, not the floats that are made of it for the comparison.
    """
    made_of = {op.outputs[0]: op.inputs[0] for op in model.ops if op.name in CONVERSIONS}
    found = []
    for op in model.ops:
        if op.name not in _COMPARISONS:
            continue
        for index, other in (op.inputs, op.inputs[::-1]):
            constant, tensor = model.tensors[other], made_of.get(index, index)
            if constant.is_constant and constant.dtype == "float32" and constant.elements == 1:
                assert constant.data is not None
                found.append(Compared(tensor=tensor, value=float(constant.data.view(np.float32)[0])))
    return tuple(found)


def can_hold(tensor: Tensor, value: float) -> bool:
    """Whether a quantized tensor has a number that is exactly this float."""
    limits, scale = np.iinfo(tensor.dtype), np.float32(tensor.scales[0])
    steps = int(np.rint(value / float(scale)))
    return int(limits.min) <= steps + int(tensor.zero_points[0]) <= int(limits.max) and np.float32(
        steps
    ) * scale == np.float32(value)


def cover_ranges(plain: Model, quantized: Model, ranges: Mapping[int, Range]) -> dict[int, Range]:
    """The ranges that a calibrated file needs instead of its own, so that no reader gets clipped values.

    A tensor that several ops read has to hold its whole range, and the number that it is compared with if
    that is in its range. All that have its scale are widened with it.

    Args:
        plain: the calibrated file.
        quantized: what the converter made of it.
        ranges: those of the calibrated file, by its tensors.

    Returns:
        Tensor of the calibrated file → (smallest, largest) value; empty where nothing is clipped.
    """
    pairs = pair_tensors(plain, quantized)
    together, readers = _find_same_scale(quantized, pairs), _count_readers(plain)
    compared = {pairs.get(c.tensor, -1): c.value for c in find_compared(quantized)}
    found: dict[int, Range] = {}
    for index, other in pairs.items():
        if other not in ranges or (readers[other] < 2 and other not in compared):
            continue
        tensor = quantized.tensors[index]
        low, high = ranges[other]
        value = compared.get(other)
        must_hold = value is not None and low <= value <= high and not can_hold(tensor, value)
        if must_hold or _is_clipped(tensor, ranges[other]):
            bottom, top = find_limits(tensor)
            wide = min(low, bottom), max(high, top)
            if value is not None and low <= value <= high:
                wide = hold_value(wide, value)
            for member in together[index]:
                old = found.get(pairs[member], wide)
                found[pairs[member]] = min(old[0], wide[0]), max(old[1], wide[1])
    return found


def hold_value(span: Range, value: float) -> Range:
    """The narrowest range around another one in which 8 bits have both 0 and `value`, as exact floats.

    Args:
        span: (smallest, largest), with 0 and `value` inside.
        value: what is to be held; where no step divides it, `span` itself is given back.
    """
    low, high = min(span[0], 0.0), max(span[1], 0.0)
    if value == 0 or high == low:
        return span
    most = int((LEVELS - 1) * abs(value) / (high - low))
    for steps in range(most, 0, -1):
        step = abs(value) / steps
        below, above = int(np.ceil(-low / step - 1e-9)), int(np.ceil(high / step - 1e-9))
        below = max(below, steps) if value < 0 else below
        if max(below + above, below + steps if value > 0 else 0) > LEVELS - 1:
            continue
        wide = float(np.float32(-below * step)), float(np.float32((LEVELS - 1 - below) * step))
        stored = np.float32((wide[1] - wide[0]) / (LEVELS - 1))
        if np.float32(steps) * stored == np.float32(abs(value)):
            return wide
    return span


def find_limits(tensor: Tensor) -> Range:
    """The least and the largest real number that a quantized tensor can hold."""
    limits, scale, zero = np.iinfo(tensor.dtype), float(tensor.scales[0]), int(tensor.zero_points[0])
    return (int(limits.min) - zero) * scale, (int(limits.max) - zero) * scale


def _is_clipped(tensor: Tensor, observed: Range) -> bool:
    (bottom, top), room = find_limits(tensor), _CLIPPED_STEPS * float(tensor.scales[0])
    return observed[0] < bottom - room or observed[1] > top + room


def _count_readers(model: Model) -> Counter[int]:
    """Tensor → how many ops read it; that it is an output counts as one."""
    return Counter(chain((t.index for t in model.outputs), *(set(op.inputs) for op in model.ops)))


def _find_same_scale(model: Model, pairs: Mapping[int, int]) -> dict[int, list[int]]:
    """Each tensor that is paired → those joined with it by ops that keep the scale, itself among them."""
    groups = {index: [index] for index in pairs}
    for op in model.ops:
        for one, other in _joined(op, pairs):
            a, b = model.tensors[one], model.tensors[other]
            same = a.scales[0] == b.scales[0] and a.zero_points[0] == b.zero_points[0]
            if same and groups[one] is not groups[other]:
                groups[one].extend(groups[other])
                for member in groups[other]:
                    groups[member] = groups[one]
    return groups


def _joined(op: Op, pairs: Mapping[int, int]) -> Iterator[tuple[int, int]]:
    for one in op.inputs:
        for other in op.outputs:
            if one in pairs and other in pairs:
                yield one, other
