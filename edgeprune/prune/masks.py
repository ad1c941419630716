"""Masks: which weights become zero. Unstructured, in blocks, or at most n of every m in a row.

A kernel is a matrix here, (outputs, weights per output); see `graph/kernels.py`. Its weights fall into
*units* that go together: single weights, or blocks. Units are ranked by their mean magnitude; across kernels
by the LAMP score of it (Lee et al. 2021, "Layer-adaptive Sparsity for the Magnitude-based Pruning"): its
square over the sum of all squares in the kernel that are no smaller. The largest unit of a kernel scores 1,
so that no kernel is emptied before all are.
"""

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
import numpy.typing as npt

from edgeprune.errors import RecipeError
from edgeprune.graph.layergraph import Array

Zeros = npt.NDArray[np.bool_]
Kind = Literal["unstructured", "block", "n_of_m"]
Scope = Literal["local", "global"]
Key = TypeVar("Key", bound=Hashable)

MAX_GROUP = 64
MAX_BLOCK = 256
_BLOCK = re.compile(r"(\d+)x(\d+)")
_N_OF_M = re.compile(r"(\d+):(\d+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pattern:
    """What a mask looks like.

    Attributes:
        kind: "unstructured", "block" or "n_of_m".
        first, second: rows and columns of a block; or n and m: of every m weights in a row at most n stay.
    """

    kind: Kind = "unstructured"
    first: int = 1
    second: int = 1

    def __str__(self) -> str:
        """As it is written on the command line."""
        match self.kind:
            case "block":
                return f"{self.first}x{self.second}"
            case "n_of_m":
                return f"{self.first}:{self.second}"
        return self.kind

    @property
    def own_sparsity(self) -> float | None:
        """The sparsity that makes the pattern whole: 0.5 for 2:4; None for the others."""
        return 1 - self.first / self.second if self.kind == "n_of_m" else None


UNSTRUCTURED = Pattern()


def parse_pattern(text: str) -> Pattern:
    """The pattern that "unstructured", "4x1" (outputs by weights per output) or "2:4" stands for.

    Raises:
        RecipeError: it stands for none.
    """
    if text == "unstructured":
        return UNSTRUCTURED
    if block := _BLOCK.fullmatch(text):
        rows, columns = map(int, block.groups())
        if rows * columns > 1 and max(rows, columns) <= MAX_BLOCK:
            return Pattern(kind="block", first=rows, second=columns)
    if group := _N_OF_M.fullmatch(text):
        n, m = map(int, group.groups())
        if 0 < n < m <= MAX_GROUP:
            return Pattern(kind="n_of_m", first=n, second=m)
    raise RecipeError(
        f"'{text}' is no mask",
        fix="give unstructured, a block of outputs by weights such as 4x1, or n of m that stay, such as 2:4",
    )


def choose_zeros(
    magnitudes: Mapping[Key, Array], *, pattern: Pattern, sparsity: float, scope: Scope = "local"
) -> dict[Key, Zeros]:
    """Which weights of each kernel become zero, for a sparsity as close as the pattern's units allow.

    With n of m, the weights that the pattern wants gone go first. Below the pattern's own sparsity some of
    them are still there; beyond it others go, too, and the pattern holds all the same.

    Args:
        magnitudes: kernel → (outputs, weights per output), absolute values.
        pattern: what the mask looks like.
        sparsity: fraction of zeros, in [0, 1).
        scope: "local" for that sparsity in every kernel, "global" over all of them together.

    Returns:
        Kernel → an array of the same shape, True where a weight becomes zero.
    """
    units = {key: _form_units(matrix, pattern) for key, matrix in magnitudes.items()}
    if scope == "local":
        gone = {key: _take_least(found, sparsity, scores=found.scores) for key, found in units.items()}
    else:
        gone = _take_least_of_all(units, sparsity)
    return {key: gone[key][found.of_weight] for key, found in units.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Units:
    """The units of one kernel.

    Attributes:
        of_weight: (outputs, weights per output) the unit of each weight.
        scores: (units,) mean magnitude.
        sizes: (units,) number of weights.
        tiers: (units,) all of tier 0 go before any of tier 1.
    """

    of_weight: npt.NDArray[np.int64]
    scores: Array
    sizes: npt.NDArray[np.int64]
    tiers: npt.NDArray[np.int64]


def _form_units(matrix: Array, pattern: Pattern) -> _Units:
    rows, columns = matrix.shape
    tiers = np.zeros(matrix.size, dtype=np.int64)
    if pattern.kind == "block":
        blocks_in_row = -(-columns // pattern.second)
        down, across = np.arange(rows) // pattern.first, np.arange(columns) // pattern.second
        of_weight = down[:, None] * blocks_in_row + across[None, :]
        tiers = tiers[: int(of_weight.max(initial=-1)) + 1]
    else:
        of_weight = np.arange(matrix.size).reshape(matrix.shape)
    if pattern.kind == "n_of_m":
        tiers = (~_goes_by_pattern(matrix, pattern)).astype(np.int64).ravel()
    sizes = np.bincount(of_weight.ravel(), minlength=len(tiers))
    sums = np.bincount(of_weight.ravel(), weights=matrix.ravel().astype(np.float64), minlength=len(tiers))
    return _Units(of_weight=of_weight, scores=sums / np.maximum(sizes, 1), sizes=sizes, tiers=tiers)


def _goes_by_pattern(matrix: Array, pattern: Pattern) -> Zeros:
    """True for the m - n smallest of every m weights in a row; of a shorter last group n stay, too."""
    n, m = pattern.first, pattern.second
    rows, columns = matrix.shape
    padded = np.full((rows, -(-columns // m) * m), -1.0)
    padded[:, :columns] = matrix
    groups = padded.reshape(-1, m)
    goes = np.ones(groups.shape, dtype=bool)
    largest = np.argsort(-groups, axis=1, kind="stable")[:, :n]
    np.put_along_axis(goes, largest, values=False, axis=1)
    return goes.reshape(padded.shape)[:, :columns]


def _take_least(units: _Units, sparsity: float, *, scores: Array) -> Zeros:
    """(units,) True for the least units that together have `sparsity` of all weights, rounded."""
    order = np.lexsort((scores, units.tiers))
    taken = np.cumsum(units.sizes[order]) <= round(sparsity * float(units.sizes.sum()))
    gone = np.zeros(len(units.sizes), dtype=bool)
    gone[order[taken]] = True
    return gone


def _take_least_of_all(units: Mapping[Key, _Units], sparsity: float) -> dict[Key, Zeros]:
    if not units:
        return {}
    together = _Units(
        of_weight=np.empty(0, dtype=np.int64),
        scores=np.concatenate([_lamp(found) for found in units.values()]),
        sizes=np.concatenate([found.sizes for found in units.values()]),
        tiers=np.concatenate([found.tiers for found in units.values()]),
    )
    gone = _take_least(together, sparsity, scores=together.scores)
    ends = np.cumsum([len(found.sizes) for found in units.values()])[:-1]
    return dict(zip(units, np.split(gone, ends), strict=True))


def _lamp(units: _Units) -> Array:
    """(units,) in [0, 1]: the square of each score over the sum of those that are no smaller."""
    squares = np.square(units.scores.astype(np.float64))
    order = np.argsort(squares, kind="stable")
    no_smaller = np.cumsum(squares[order][::-1])[::-1]
    scores = np.empty_like(squares)
    scores[order] = squares[order] / np.maximum(no_smaller, np.finfo(np.float64).tiny)
    return scores
