"""Real factors as integers, rounded exactly as TFLM's reference kernels round them.

TFLM builds its kernels without `TFLITE_SINGLE_ROUNDING`, so a product is rounded twice: to the high half of
64 bits, and again by the shift.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.tflite.model import Tensor

Integers = NDArray[np.int64]

INT8_MIN, INT8_MAX = -128, 127
_CEILINGS = {"RELU6": 6.0, "RELU_N1_TO_1": 1.0}
_FLOORS = {"RELU": 0.0, "RELU6": 0.0, "RELU_N1_TO_1": -1.0}


@dataclass(frozen=True, kw_only=True, slots=True)
class Factor:
    """A real factor: multiplier / 2^31 * 2^shift.

    Attributes:
        multiplier: in [2^30, 2^31), or 0.
        shift: in [-31, 31).
    """

    multiplier: int
    shift: int

    def scale(self, values: Integers) -> Integers:
        """The values times the factor, as `rescale` in the generated C computes it."""
        wide = np.asarray(values, np.int64) << max(self.shift, 0)
        high = (wrap(wide) * self.multiplier + (1 << 30)) >> 31
        return divide_by_power_of_two(high, max(-self.shift, 0))


def quantize_factor(real: float) -> Factor:
    """The nearest `Factor` of a real number ≥ 0; below 2^-32 it is 0."""
    if real == 0.0:
        return Factor(multiplier=0, shift=0)
    fraction, shift = math.frexp(real)
    multiplier = round_half_away(fraction * (1 << 31))
    if multiplier == 1 << 31:
        multiplier, shift = multiplier // 2, shift + 1
    return Factor(multiplier=0, shift=0) if shift < -31 else Factor(multiplier=multiplier, shift=shift)


def round_half_away(value: float) -> int:
    """The nearest integer; halves go away from zero, as in C's round()."""
    return int(math.copysign(math.floor(abs(value) + 0.5), value))


def divide_by_power_of_two(values: Integers, exponent: int) -> Integers:
    """The values / 2^exponent, halves rounded away from zero."""
    if exponent == 0:
        return values
    return (values + (1 << (exponent - 1)) - (values < 0)) >> exponent


def wrap(values: Any) -> Integers:
    """Values as 32-bit registers hold them."""
    return np.asarray(values, np.int64).astype(np.uint32).astype(np.int32).astype(np.int64)


def activation_range(activation: str, output: Tensor) -> tuple[int, int]:
    """Smallest and largest value that a fused activation lets through.

    Args:
        activation: "NONE", "RELU", "RELU6" or "RELU_N1_TO_1".
        output: the tensor it writes.
    """
    zero_point = int(output.zero_points[0]) if output.zero_points.size else 0
    limits = np.iinfo(output.dtype)

    def quantize(real: float) -> int:
        return zero_point + round_half_away(float(np.float32(real) / output.scales[0]))

    low, high = int(limits.min), int(limits.max)
    if activation in _FLOORS:
        low = max(low, quantize(_FLOORS[activation]))
    if activation in _CEILINGS:
        high = min(high, quantize(_CEILINGS[activation]))
    return low, high
