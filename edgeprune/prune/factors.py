"""Kernels as products of smaller ones: truncated SVD and Tucker-2, of the weights or of what they put out.

A kernel `W` of shape (*window, read, made), seen as a matrix of window × read by made, is approximated by
`W V Vᵀ`: the columns of `V` are the first eigenvectors of the outputs' covariance `Wᵀ C W`, where `C` is the
covariance of what the layer reads. They are the right singular vectors of the whitened kernel `C^½ W`, so
that no approximation of that rank has outputs nearer to the layer's own (Eckart & Young 1936; for layers on
data Zhang et al. 2015, "Accelerating Very Deep Convolutional Networks"). Without data `C` is the identity:
the truncated SVD of the weights (Denton et al. 2014).

    SVD        (*window, read, made)  →  (*window, read, r), (1, …, r, made)
    Tucker-2   (*window, read, made)  →  (1, …, read, r), (*window, r, s), (1, …, s, made)

Tucker-2 (Kim et al. 2016, "Compression of Deep Convolutional Neural Networks") projects the channels read as
well, likewise whitened by their second moments; its two projections are found one at a time (HOSVD).
"""

from dataclasses import dataclass

import numpy as np

from edgeprune.graph.layergraph import Array

Ranks = tuple[int, ...]
"""(r,) for SVD, (r, s) for Tucker-2."""

_RIDGE_OUT, _RIDGE_IN = 1e-8, 1e-4
"""Share of white noise in what was seen, so that directions no sample has are still told apart by weights."""
_LEAST_ENERGY = 1e-8
"""Of the largest, below which directions are not scaled up further to balance the factors."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Moments:
    """What a layer reads and puts out on data, over all samples and positions.

    Attributes:
        read: (read, read) second moments of the channels it reads; None where there is no window.
        mean: (made,) means of the kernel's outputs, bias aside.
        made: (made, made) their covariance.
    """

    read: Array | None
    mean: Array
    made: Array


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Factors:
    """What takes the place of a layer's weights.

    Attributes:
        kernels: two, or three for Tucker-2, in the order in which they are applied.
        bias: (made,) of the last of them; None for none.
    """

    kernels: tuple[Array, ...]
    bias: Array | None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Basis:
    """Directions by falling energy.

    Attributes:
        vectors: (n, n) one direction a column.
        energies: (n,) what of the outputs lies along each, not negative.
    """

    vectors: Array
    energies: Array

    def lost(self, rank: int) -> float:
        """Fraction of the energy beyond the first `rank` directions."""
        total = float(self.energies.sum())
        return float(self.energies[rank:].sum()) / total if total else 0.0

    def balance(self, rank: int) -> Array:
        """(rank,) by what the first directions are multiplied, so that both sides span the same range."""
        floor = _LEAST_ENERGY * float(self.energies[0]) or 1.0
        scales: Array = np.maximum(self.energies[:rank], floor) ** -0.25
        return scales


class Factoring:
    """One kernel, ready to be factorised at any rank."""

    def __init__(self, kernel: Array, *, bias: Array | None = None, moments: Moments | None = None) -> None:
        """Find the directions.

        Args:
            kernel: (*window, read, made).
            bias: (made,), or None.
            moments: of what the layer reads and puts out; None to go by the weights alone.
        """
        self.kernel, self.bias, self.moments = kernel, bias, moments
        self._wide = kernel.astype(np.float64)
        *self.window, self.read, self.made = kernel.shape
        flat = self._wide.reshape(-1, self.made)
        read, made = (None, None) if moments is None else (moments.read, moments.made)
        self._outputs = _find_basis(_mix(flat.T @ flat, made, share=_RIDGE_OUT))
        if self.has_window:
            seen = _mix(np.eye(self.read), read, share=_RIDGE_IN)
            self._whiten, self._colour = _find_roots(seen)
            whitened = self._colour @ np.moveaxis(self._wide, -2, 0).reshape(self.read, -1)
            self._inputs = _find_basis(whitened @ whitened.T)

    @property
    def has_window(self) -> bool:
        """Whether more than one position is summed over, without which Tucker-2 is SVD."""
        return int(np.prod(self.window)) > 1

    def lost(self, ranks: Ranks) -> float:
        """Fraction of the variance of the layer's outputs that goes; for Tucker-2 an upper bound.

        Without data it is the fraction of the kernel's squared Frobenius norm: the squares of the singular
        values beyond the rank.
        """
        if len(ranks) == 1:
            return self._outputs.lost(ranks[0])
        return self._inputs.lost(ranks[0]) + self._outputs.lost(ranks[1])

    def factorise(self, ranks: Ranks) -> Factors:
        """The factors at these ranks, float32, their scales balanced so that int8 serves both."""
        vectors = self._outputs.vectors[:, : ranks[-1]]
        scales = self._outputs.balance(ranks[-1])
        reduced, last = self._wide @ (vectors * scales), (vectors / scales).T
        kernels = [reduced, self._pointwise(last)]
        if len(ranks) == 2:
            kernels = [*self._narrow(reduced, ranks[0]), kernels[1]]
        bias = self.bias
        if self.moments is not None:
            missing: Array = self.moments.mean - vectors @ (vectors.T @ self.moments.mean)
            bias = missing if bias is None else bias + missing
        return Factors(
            kernels=tuple(kernel.astype(np.float32) for kernel in _level(kernels)),
            bias=None if bias is None else bias.astype(np.float32),
        )

    def _narrow(self, kernel: Array, rank: int) -> tuple[Array, Array]:
        """A kernel behind one that keeps `rank` mixtures of the channels it reads."""
        vectors, scales = self._inputs.vectors[:, :rank], self._inputs.balance(rank)
        first = self._whiten @ (vectors * scales)
        inner = np.einsum("rc,...cm->...rm", (vectors / scales).T @ self._colour, kernel)
        return self._pointwise(first), inner

    def _pointwise(self, matrix: Array) -> Array:
        return matrix.reshape((1,) * len(self.window) + matrix.shape)


def _mix(assumed: Array, seen: Array | None, *, share: float) -> Array:
    """Second moments with a share of those that white noise would have; those alone where none were seen."""
    if seen is None:
        return assumed
    size = float(np.trace(assumed)) or 1.0
    mixed: Array = seen + share * (float(np.trace(seen)) or 1.0) / size * assumed
    return mixed


def _find_basis(matrix: Array) -> _Basis:
    energies, vectors = np.linalg.eigh(matrix)
    return _Basis(vectors=vectors[:, ::-1], energies=np.maximum(energies[::-1], 0.0))


def _find_roots(matrix: Array) -> tuple[Array, Array]:
    """The inverse square root of a positive definite matrix, and its square root."""
    values, vectors = np.linalg.eigh(matrix)
    roots = np.sqrt(values)
    return (vectors / roots) @ vectors.T, (vectors * roots) @ vectors.T


def _level(kernels: list[Array]) -> list[Array]:
    """The same product, of kernels with one norm: what trains them takes steps of one size."""
    norms = [float(np.linalg.norm(kernel)) or 1.0 for kernel in kernels]
    mean = float(np.exp(np.mean(np.log(norms))))
    return [kernel * (mean / norm) for kernel, norm in zip(kernels, norms, strict=True)]
