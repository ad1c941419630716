"""Few values for the weights of each row: the nearest, and the best."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edgeprune.prune.clusters import assign, find_values, take_means

MATRICES = arrays(
    np.float64,
    st.tuples(st.integers(1, 5), st.integers(1, 40)),
    elements=st.floats(-100, 100, width=32),
)


@settings(deadline=None, derandomize=True)
@given(MATRICES, st.integers(2, 9))
def test_every_weight_gets_the_nearest_value_of_its_row(matrix: np.ndarray, count: int) -> None:
    values = find_values(matrix, count)
    assert values.shape == (len(matrix), count)
    assert np.all(np.diff(values, axis=1) >= 0)
    chosen = np.take_along_axis(values, assign(matrix, values), axis=1)
    nearest = np.abs(matrix[:, :, None] - values[:, None, :]).min(axis=2)
    np.testing.assert_allclose(np.abs(matrix - chosen), nearest, atol=1e-9)


def test_a_row_of_few_values_is_kept_as_it_is() -> None:
    matrix = np.array([[1.0, 1, 2, 2], [3, 4, 3, 4], [5, 5, 5, 5]])
    values = find_values(matrix, 2)
    np.testing.assert_array_equal(np.take_along_axis(values, assign(matrix, values), axis=1), matrix)


@pytest.mark.parametrize("count", [4, 16])
def test_they_are_better_than_values_at_equal_distances(count: int) -> None:
    matrix = np.random.default_rng(0).normal(size=(8, 500))
    low, high = matrix.min(axis=1, keepdims=True), matrix.max(axis=1, keepdims=True)
    even = low + (high - low) * (np.arange(count) + 0.5) / count

    def error(values: np.ndarray) -> float:
        return float(np.mean((matrix - np.take_along_axis(values, assign(matrix, values), axis=1)) ** 2))

    assert error(find_values(matrix, count)) < 0.87 * error(even)


def test_a_value_that_no_weight_has_stays_where_it_is() -> None:
    indices = np.array([[0, 0, 2]])
    means = take_means(np.array([[1.0, 3.0, 9.0]]), indices, otherwise=np.array([[0.0, 7.0, 8.0]]))
    np.testing.assert_array_equal(means, [[2.0, 7.0, 9.0]])
