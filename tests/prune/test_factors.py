"""Factors: nothing lost at full rank, the singular values left out below it, outputs before weights."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeprune.prune.factors import Factoring, Factors, Moments

SHAPES = [(12, 7), (5, 9), (3, 3, 4, 6), (3, 8, 5), (1, 1, 6, 10)]


def draw(shape: tuple[int, ...], *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def patches(kernel: np.ndarray, *, samples: int = 400, seed: int = 1) -> np.ndarray:
    """(samples, window × read) of which some directions are far stronger than others, and none is centred."""
    size = kernel[..., 0].size
    mixing = draw((size, size), seed=seed) * np.logspace(0, -2, size)
    return draw((samples, size), seed=seed + 1) @ mixing + draw((size,), seed=seed + 2)


def see(kernel: np.ndarray, x: np.ndarray) -> Moments:
    """The moments that such patches have; every position of the window reads the same channels."""
    channels = x.reshape(-1, kernel.shape[-2])
    made = x @ kernel.reshape(-1, kernel.shape[-1])
    return Moments(
        read=channels.T @ channels / len(channels), mean=made.mean(axis=0), made=np.cov(made.T, bias=True)
    )


def product_of(factors: Factors) -> np.ndarray:
    """The kernel that the factors are together."""
    *inner, last = (kernel.astype(np.float64) for kernel in factors.kernels)
    matrix = last.reshape(last.shape[-2:])
    if len(inner) == 1:
        return inner[0] @ matrix
    first = inner[0].reshape(inner[0].shape[-2:])
    return np.einsum("ir,...rs->...is", first, inner[1]) @ matrix


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("aware", [False, True])
def test_at_full_rank_the_product_is_the_kernel(shape: tuple[int, ...], aware: bool) -> None:
    kernel = draw(shape)
    factoring = Factoring(kernel, moments=see(kernel, patches(kernel)) if aware else None)
    full = min(kernel[..., 0].size, shape[-1])
    for ranks in [(full,), *([(shape[-2], full)] if factoring.has_window else [])]:
        assert factoring.lost(ranks) == pytest.approx(0, abs=1e-6)
        np.testing.assert_allclose(product_of(factoring.factorise(ranks)), kernel, atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES)
def test_below_it_the_error_is_the_singular_values_left_out(shape: tuple[int, ...]) -> None:
    kernel = draw(shape)
    singular = np.linalg.svd(kernel.reshape(-1, shape[-1]), compute_uv=False)
    factoring = Factoring(kernel)
    for rank in range(1, len(singular)):
        error = np.sum((product_of(factoring.factorise((rank,))) - kernel) ** 2)
        assert error == pytest.approx(np.sum(singular[rank:] ** 2), rel=1e-4)
        assert factoring.lost((rank,)) == pytest.approx(error / np.sum(kernel**2), rel=1e-4)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(st.sampled_from(SHAPES), st.integers(1, 4), st.integers(0, 1000))
def test_on_the_samples_it_saw_no_factoring_by_weights_is_better(
    shape: tuple[int, ...], rank: int, seed: int
) -> None:
    kernel, bias = draw(shape, seed=seed), draw(shape[-1:], seed=seed)
    x = patches(kernel, seed=seed)

    def error(factoring: Factoring) -> float:
        factors = factoring.factorise((rank,))
        assert factors.bias is not None
        made = x @ product_of(factors).reshape(-1, shape[-1]) + factors.bias
        return float(np.sum((made - x @ kernel.reshape(-1, shape[-1]) - bias) ** 2))

    aware = error(Factoring(kernel, bias=bias, moments=see(kernel, x)))
    assert aware <= error(Factoring(kernel, bias=bias)) * (1 + 1e-4)


def test_what_is_lost_is_the_fraction_of_the_variance_of_the_outputs() -> None:
    kernel = draw((12, 7))
    x = patches(kernel)
    factoring = Factoring(kernel, moments=see(kernel, x))
    factors = factoring.factorise((3,))
    whole = x @ kernel
    error = np.sum((x @ product_of(factors) + factors.bias - whole) ** 2)
    assert factoring.lost((3,)) == pytest.approx(error / np.sum((whole - whole.mean(axis=0)) ** 2), rel=1e-3)


def test_tucker_loses_no_more_than_its_two_sides_together() -> None:
    kernel = draw((3, 3, 8, 6))
    factoring = Factoring(kernel)
    for ranks in [(1, 1), (4, 3), (7, 5)]:
        error = np.sum((product_of(factoring.factorise(ranks)) - kernel) ** 2) / np.sum(kernel**2)
        assert error <= factoring.lost(ranks) * (1 + 1e-6)


def test_channels_that_are_copies_cost_nothing_to_mix() -> None:
    """Two channels that always read the same are one: a rank of Tucker-2 less, seen on data alone."""
    kernel = draw((3, 2, 4))
    copied = np.repeat(draw((50, 3, 1), seed=3), 2, axis=2)
    moments = see(kernel, copied.reshape(50, -1))
    assert Factoring(kernel, moments=moments).lost((1, 4)) < 1e-3
    assert Factoring(kernel).lost((1, 4)) > 0.05


def test_factors_are_of_one_size() -> None:
    kernel = 100 * draw((3, 3, 8, 6))
    norms = [np.linalg.norm(k) for k in Factoring(kernel).factorise((4, 4)).kernels]
    assert max(norms) == pytest.approx(min(norms), rel=1e-5)


def test_a_layer_that_puts_out_nothing_is_factorised_all_the_same() -> None:
    factors = Factoring(np.zeros((4, 3))).factorise((1,))
    np.testing.assert_array_equal(product_of(factors), np.zeros((4, 3)))
