"""Fixed-point functions as gemmlowp defines them, for tables that are computed while compiling.

A Qm.n number is an integer that stands for itself times 2^-n; all here have 32 bits, one for the sign.
"""

import numpy as np

from edgeprune.firmware.c.scaling import Factor, Integers, divide_by_power_of_two

_ONE = (1 << 31) - 1
# exp(-2^k) as Q0.31, for k from -2 on.
_EXP_OF_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
_EXP_OF_MINUS_EIGHTH, _THIRD = 1895147668, 715827883
_HALF_SQRT_2 = 1518500250
# 48/17 and -32/17 as Q2.29: the first guess of a Newton-Raphson division.
_GUESS_OFFSET, _GUESS_SLOPE = 1515870810, -1010580540


def exp_of_negative(values: Integers, *, integer_bits: int) -> Integers:
    """exp(x) as Q0.31 for x ≤ 0, given with that many integer bits."""
    fraction_bits = 31 - integer_bits
    quarter = 1 << (fraction_bits - 2)
    within = (values & (quarter - 1)) - quarter
    result = _exp_between_minus_quarter_and_0(within << integer_bits)
    remainder = within - values
    for place, factor in enumerate(_EXP_OF_POWERS, start=-2):
        if place < integer_bits:
            bit = 1 << (fraction_bits + place)
            result = np.where(remainder & bit, _multiply(result, factor), result)
    return np.where(values == 0, _ONE, result)


def logistic(values: Integers, *, integer_bits: int) -> Integers:
    """1 / (1 + exp(-x)) as Q0.31."""
    positive = reciprocal_of_one_plus(exp_of_negative(-np.abs(values), integer_bits=integer_bits))
    result = np.where(values > 0, positive, _ONE - positive)
    return np.where(values == 0, 1 << 30, result)


def tanh(values: Integers, *, integer_bits: int) -> Integers:
    """Hyperbolic tangent as Q0.31."""
    # The same bits with one more integer bit are twice the number.
    exponential = exp_of_negative(-np.abs(values), integer_bits=integer_bits + 1)
    quotient = _divide_by_half_of_one_plus(exponential) - (1 << 29)
    positive = _saturate(quotient << 2)
    return np.where(values == 0, 0, np.where(values < 0, -positive, positive))


def inverse_square_root(value: int) -> Factor:
    """1 / sqrt(value) for an integer ≥ 1, by five steps of Newton and Raphson from 1, in Q3.28."""
    if value <= 1:
        return Factor(multiplier=_ONE, shift=0)
    right = 11
    while value >= 1 << 29:
        value //= 4
        right += 1
    pairs = (32 - value.bit_length() - 1) // 2 - 1
    right -= pairs
    half = (value << (2 * pairs)) >> 1
    quarter = (half + 1) >> 1
    x = 1 << 28
    for _ in range(5):
        # Products of Q3.28 are Q6.25, and of three Q9.22.
        cube = int(_multiply(int(_multiply(x, x)), x)) << 6
        x = (int(_multiply((1 << 28) + (1 << 27), x)) - int(_multiply(quarter, cube))) << 3
    root = int(_multiply(x, _HALF_SQRT_2))
    return Factor(multiplier=root << max(-right, 0), shift=-max(right, 0))


def reciprocal_of_one_plus(values: Integers) -> Integers:
    """1 / (1 + x) as Q0.31 for x in [0, 1), Q0.31."""
    return _saturate(_divide_by_half_of_one_plus(values) << 1)


def _divide_by_half_of_one_plus(values: Integers) -> Integers:
    """2 / (1 + x) as Q2.29, by three steps of Newton and Raphson."""
    half = (values + _ONE + 1) >> 1  # the sum is never negative, so this rounds half up
    result = _GUESS_OFFSET + _multiply(half, _GUESS_SLOPE)
    for _ in range(3):
        error = (1 << 29) - _multiply(half, result)
        result = result + _saturate(_multiply(result, error) << 2)
    return result


def _exp_between_minus_quarter_and_0(values: Integers) -> Integers:
    """exp(x), Q0.31 to Q0.31: a Taylor series around -1/8."""
    x = values + (1 << 28)
    square = _multiply(x, x)
    cube = _multiply(square, x)
    fourth = divide_by_power_of_two(_multiply(square, square), 2)
    series = divide_by_power_of_two(_multiply(fourth + cube, _THIRD) + square, 1)
    return _EXP_OF_MINUS_EIGHTH + _multiply(x + series, _EXP_OF_MINUS_EIGHTH)


def _multiply(left: Integers | int, right: Integers | int) -> Integers:
    return np.asarray((np.int64(1) * left * right + (1 << 30)) >> 31)


def _saturate(values: Integers) -> Integers:
    return np.clip(values, -(1 << 31), _ONE)
