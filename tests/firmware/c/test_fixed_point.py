import math

import numpy as np
import pytest

from edgeprune.firmware.c.fixed_point import exp_of_negative, logistic, reciprocal_of_one_plus, tanh
from edgeprune.firmware.c.scaling import Factor, divide_by_power_of_two, quantize_factor, round_half_away

REAL = np.linspace(-7.9, 7.9, 200)


def fixed(values, *, integer_bits):
    return np.round(np.asarray(values) * 2 ** (31 - integer_bits)).astype(np.int64)


def test_the_functions_are_close_to_the_real_ones():
    values = fixed(REAL, integer_bits=4)
    assert logistic(values, integer_bits=4) / 2**31 == pytest.approx(1 / (1 + np.exp(-REAL)), abs=1e-6)
    assert tanh(values, integer_bits=4) / 2**31 == pytest.approx(np.tanh(REAL), abs=1e-6)
    below = fixed(-np.abs(REAL), integer_bits=5)
    assert exp_of_negative(below, integer_bits=5) / 2**31 == pytest.approx(np.exp(-np.abs(REAL)), abs=1e-6)
    unit = np.linspace(0, 0.99, 50)
    reciprocal = reciprocal_of_one_plus(fixed(unit, integer_bits=0)) / 2**31
    assert reciprocal == pytest.approx(1 / (1 + unit), abs=1e-6)


def test_halves_are_rounded_away_from_zero():
    assert [round_half_away(value) for value in (0.5, -0.5, 1.4, -1.6)] == [1, -1, 1, -2]
    assert divide_by_power_of_two(np.array([3, -3, 2, -2, 5]), 1).tolist() == [2, -2, 1, -1, 3]


def test_a_factor_is_a_multiplier_and_a_shift():
    assert quantize_factor(0.5) == Factor(multiplier=1 << 30, shift=0)
    assert quantize_factor(0.75) == Factor(multiplier=3 << 29, shift=0)
    assert quantize_factor(4.0) == Factor(multiplier=1 << 30, shift=3)
    assert quantize_factor(2.0**-40) == Factor(multiplier=0, shift=0)
    assert quantize_factor(math.nextafter(1.0, 0.0)) == Factor(multiplier=1 << 30, shift=1)


def test_scaling_rounds_twice():
    # 5 * 0.25: the product 1.25 becomes 3 halves (2.5 away from zero), then 1.5 becomes 2.
    assert quantize_factor(0.25).scale(np.array([5])).tolist() == [2]
