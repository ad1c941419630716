"""Ranges that hold what is read."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeprune.tflite.covering import hold_value


def test_a_value_at_the_end_of_the_range_gets_a_whole_number_of_steps() -> None:
    # 255 steps from -10 to 1: 231 of 10/231 below zero, 24 above, which reach 1.04.
    low, high = hold_value((-10.0, 1.0), -10.0)
    assert low == pytest.approx(-10.0, abs=1e-5)
    assert high == pytest.approx(240 / 231, abs=0.02)


def test_zero_is_held_by_every_range() -> None:
    assert hold_value((-1.0, 3.0), 0.0) == (-1.0, 3.0)


def test_what_is_smaller_than_a_step_is_not_held() -> None:
    assert hold_value((-1000.0, 1000.0), 0.1) == (-1000.0, 1000.0)


@given(
    low=st.floats(-1e3, 0, width=32),
    high=st.floats(0.125, 1e3, width=32),
    share=st.floats(-1.0, 1.0).filter(lambda share: abs(share) > 0.1),
)
def test_the_range_holds_the_value_and_what_it_had(low: float, high: float, share: float) -> None:
    value = float(np.float32(share * (high if share > 0 else -low)))
    wide = hold_value((low, high), value)
    if wide == (low, high):
        return
    assert wide[0] <= low + 1e-4 * (high - low)
    assert wide[1] >= high - 1e-4 * (high - low)
    scale = np.float32((wide[1] - wide[0]) / 255)
    zero = np.rint(-128 - wide[0] / float(scale))
    steps = np.rint(value / float(scale))
    assert -128 <= steps + zero <= 127
    assert np.float32(steps) * scale == np.float32(value)
