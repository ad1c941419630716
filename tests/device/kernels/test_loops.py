"""Counts in closed form against the loops that they stand for."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgeprune.device.kernels.loops import count_taps


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    inside=st.integers(1, 30),
    outside=st.integers(1, 30),
    window=st.integers(1, 12),
    stride=st.integers(1, 7),
    dilation=st.integers(1, 7),
)
def test_taps_are_as_many_as_a_loop_over_all_positions_finds(inside, outside, window, stride, dilation):
    before = max((outside - 1) * stride + (window - 1) * dilation + 1 - inside, 0) // 2
    found = sum(
        0 <= output * stride - before + tap * dilation < inside
        for output in range(outside)
        for tap in range(window)
    )
    assert count_taps(inside, outside, window, stride, dilation) == found


@pytest.mark.parametrize(
    ("sizes", "taps"),
    # SAME, 3 taps, 400 million positions: one tap of the last window lies outside.
    [((400_000_000, 200_000_000, 3, 2, 1), 599_999_999), ((10**9, 10**9, 1, 1, 1), 10**9)],
)
def test_any_size_takes_no_time(sizes, taps):
    assert count_taps(*sizes) == taps
