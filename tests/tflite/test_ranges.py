"""Ranges of activations: what clipping makes of a distribution."""

import numpy as np
import pytest

from edgeprune.tflite.ranges import BINS, Histogram, clip_to_least_error, clip_to_percentile


def make_histogram(values: np.ndarray) -> Histogram:
    histogram = Histogram(low=float(values.min()), high=float(values.max()))
    histogram.add(values)
    return histogram


def quantize(values: np.ndarray, low: float, high: float) -> np.ndarray:
    step = (high - low) / 255
    return np.clip(np.rint((values - low) / step), 0, 255) * step + low


OUTLIERS = np.append(np.random.default_rng(0).normal(size=200_000), [40.0, -35.0])


def test_all_values_are_counted_once() -> None:
    histogram = make_histogram(OUTLIERS)
    assert histogram.counts.sum() == OUTLIERS.size
    assert histogram.counts.shape == histogram.centres.shape == (BINS,)


def test_a_percentile_leaves_out_what_is_rare_and_keeps_zero_inside() -> None:
    low, high = clip_to_percentile(make_histogram(OUTLIERS), kept=0.9999)
    assert -6 < low < -3
    assert 3 < high < 6
    low, _ = clip_to_percentile(make_histogram(np.linspace(2.0, 3.0, 1000)), kept=0.99)
    assert low == 0.0


def test_the_range_of_least_error_has_less_error_than_the_observed_one() -> None:
    low, high = clip_to_least_error(make_histogram(OUTLIERS))
    observed = np.mean((OUTLIERS - quantize(OUTLIERS, OUTLIERS.min(), OUTLIERS.max())) ** 2)
    assert np.mean((OUTLIERS - quantize(OUTLIERS, low, high)) ** 2) < 0.7 * observed


@pytest.mark.parametrize("values", [np.linspace(-1, 1, 5000), np.linspace(0, 1, 5000)])
def test_a_distribution_without_tails_keeps_its_range(values: np.ndarray) -> None:
    low, high = clip_to_least_error(make_histogram(values))
    assert (low, high) == pytest.approx((values.min(), values.max()), abs=0.02)
