"""Masks, with numbers that can be redone by hand, and the laws they keep."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeprune.errors import RecipeError
from edgeprune.prune.masks import UNSTRUCTURED, Pattern, choose_zeros, parse_pattern

ROW = np.array([[4.0, 1.0, 3.0, 2.0, 8.0, 7.0, 6.0, 5.0]])


def zeros_of(matrix: np.ndarray, mask: str, sparsity: float) -> np.ndarray:
    return choose_zeros({"w": matrix}, pattern=parse_pattern(mask), sparsity=sparsity)["w"]


def test_the_smallest_weights_become_zero() -> None:
    assert zeros_of(ROW, "unstructured", 0.5).tolist() == [[True, True, True, True] + [False] * 4]
    assert zeros_of(ROW, "unstructured", 0.25).tolist() == [[False, True, False, True] + [False] * 4]


def test_blocks_go_by_their_mean() -> None:
    matrix = np.array([[1.0, 9.0, 1.0], [1.0, 1.0, 6.0], [2.0, 2.0, 2.0], [2.0, 2.0, 2.0]])
    # 2x1: means 1, 5, 3.5 above and 2, 2, 2 below.
    assert zeros_of(matrix, "2x1", 0.5).astype(int).tolist() == [[1, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 0]]


def test_blocks_at_the_edge_are_smaller() -> None:
    matrix = np.array([[5.0, 5.0, 1.0], [5.0, 5.0, 1.0], [4.0, 4.0, 9.0]])
    assert zeros_of(matrix, "2x2", 0.3).astype(int).tolist() == [[0, 0, 1], [0, 0, 1], [0, 0, 0]]


def test_two_of_four_stay() -> None:
    assert zeros_of(ROW, "2:4", 0.5).astype(int).tolist() == [[0, 1, 0, 1, 0, 0, 1, 1]]


def test_below_its_own_sparsity_a_pattern_is_on_its_way() -> None:
    assert zeros_of(ROW, "2:4", 0.25).astype(int).tolist() == [[0, 1, 0, 1, 0, 0, 0, 0]]


def test_beyond_its_own_sparsity_a_pattern_holds() -> None:
    assert zeros_of(ROW, "2:4", 0.75).astype(int).tolist() == [[1, 1, 1, 1, 0, 0, 1, 1]]


def test_of_a_short_last_group_n_stay_as_well() -> None:
    assert zeros_of(ROW[:, :6], "2:4", 0.34).astype(int).tolist() == [[0, 1, 0, 1, 0, 0]]


def test_global_scope_leaves_every_kernel_its_largest_weight() -> None:
    rng = np.random.default_rng(0)
    kernels = {
        name: np.abs(rng.normal(0, scale, (8, 16))) for name, scale in (("small", 1e-3), ("large", 1.0))
    }
    zeros = choose_zeros(kernels, pattern=UNSTRUCTURED, sparsity=0.95, scope="global")
    assert sum(z.sum() for z in zeros.values()) == round(0.95 * 256)
    for name, matrix in kernels.items():
        assert not zeros[name].ravel()[matrix.argmax()]
        assert zeros[name].mean() > 0.8  # the scale of a kernel means nothing behind a BatchNorm


@pytest.mark.parametrize("text", ["", "4", "1x1", "2:2", "0:4", "4x", "2:400", "999x9", "random", "2:4 "])
def test_what_is_no_mask_is_refused(text: str) -> None:
    with pytest.raises(RecipeError, match="is no mask"):
        parse_pattern(text)


@pytest.mark.parametrize("text", ["unstructured", "4x1", "1x16", "2:4", "4:8"])
def test_a_pattern_is_written_as_it_is_read(text: str) -> None:
    assert str(parse_pattern(text)) == text


@settings(max_examples=200, deadline=None)
@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 33),
    mask=st.sampled_from(["unstructured", "4x1", "2x3", "2:4", "1:4", "4:8"]),
    sparsity=st.floats(0, 0.98),
    scope=st.sampled_from(["local", "global"]),
    seed=st.integers(0, 99),
)
def test_masks_keep_their_pattern_and_come_as_close_as_it_allows(
    rows: int, columns: int, mask: str, sparsity: float, scope: str, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    pattern = parse_pattern(mask)
    kernels = {i: np.abs(rng.normal(size=(rows, columns))) for i in range(2)}
    zeros = choose_zeros(kernels, pattern=pattern, sparsity=sparsity, scope=scope)  # type: ignore[arg-type]
    again = choose_zeros(kernels, pattern=pattern, sparsity=sparsity / 2, scope=scope)  # type: ignore[arg-type]
    asked = sparsity * rows * columns * (1 if scope == "local" else 2)
    found = [z.sum() for z in zeros.values()] if scope == "local" else [sum(z.sum() for z in zeros.values())]
    unit = pattern.first * pattern.second if pattern.kind == "block" else 1
    for count in found:
        assert asked - unit <= count <= asked + 0.5 + 1e-9
    for key, zero in zeros.items():
        assert zero[again[key]].all(), "a mask grows with its sparsity"
        assert_pattern(zero, pattern, sparsity)


def assert_pattern(zero: np.ndarray, pattern: Pattern, sparsity: float) -> None:
    rows, columns = zero.shape
    if pattern.kind == "block":
        for i in range(0, rows, pattern.first):
            for j in range(0, columns, pattern.second):
                block = zero[i : i + pattern.first, j : j + pattern.second]
                assert block.all() or not block.any()
    whole = pattern.kind == "n_of_m" and columns % pattern.second == 0
    if whole and sparsity >= 1 - pattern.first / pattern.second + 1 / columns:
        stays = (~zero).reshape(-1, pattern.second).sum(axis=1)
        assert stays.max(initial=0) <= pattern.first
