"""Refitting weights by least squares: exact where it can be, and nothing where it does not help."""

import numpy as np
import pytest

from edgeprune.prune.least_squares import refit

ROWS, HELD = 400, 100


def draw(blocks: int, columns: int, outputs: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = ((blocks, ROWS, columns), (blocks, columns, outputs), (blocks, outputs))
    x, weights, bias = (rng.standard_normal(shape) for shape in shapes)
    return x, weights, bias


@pytest.mark.parametrize("blocks", [1, 3])
def test_weights_that_explain_everything_are_found(blocks: int) -> None:
    x, weights, bias = draw(blocks, 6, 2)
    y = x @ weights + bias[:, None]
    found = refit(x, y, weights=np.zeros_like(weights), bias=np.zeros_like(bias), held=HELD)
    assert found is not None
    np.testing.assert_allclose(found[0], weights, atol=5e-3)
    np.testing.assert_allclose(found[1], bias, atol=5e-3)


def test_what_is_right_already_stays() -> None:
    x, weights, bias = draw(1, 6, 2)
    assert refit(x, x @ weights + bias[:, None], weights=weights, bias=bias, held=HELD) is None


def test_inputs_that_are_gone_are_made_good_by_those_that_go_with_them() -> None:
    x, weights, bias = draw(1, 6, 2)
    x[..., 5] = 0.5 * x[..., 0] - x[..., 1]
    y = x @ weights + bias[:, None]
    found = refit(x[..., :5], y, weights=weights[:, :5], bias=bias, held=HELD)
    assert found is not None
    np.testing.assert_allclose(x[..., :5] @ found[0] + found[1][:, None], y, atol=0.02)


def test_a_fit_that_does_worse_on_what_it_has_not_seen_is_left_out() -> None:
    x, _, _ = draw(1, 6, 2)
    noise = np.random.default_rng(1).standard_normal((1, ROWS, 2))
    assert refit(x, noise, weights=np.zeros((1, 6, 2)), bias=None, held=HELD) is None


def test_inputs_that_never_change_do_no_harm() -> None:
    x, weights, bias = draw(1, 6, 2)
    x[..., 2], x[..., 3] = 0.0, 4.0
    y = x @ weights
    for given in (bias, None):
        found = refit(x, y, weights=np.zeros_like(weights), bias=given, held=HELD)
        assert found is not None
        offset = found[1][:, None]
        np.testing.assert_allclose(x @ found[0] + offset, y, atol=0.05)


def test_without_biases_none_are_made() -> None:
    x, weights, bias = draw(1, 6, 2)
    found = refit(x, x @ weights + bias[:, None], weights=0 * weights, bias=None, held=HELD)
    assert found is not None
    assert not found[1].any()
