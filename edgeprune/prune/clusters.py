"""Clusters: few values for all weights of an output, so that each is stored as a short index into a table.

A kernel is a matrix here, (outputs, weights per output); see `graph/kernels.py`. Every row has a table of its
own, because a quantized convolution has a scale per output. The values are those of k-means in one dimension
(Lloyd 1982, "Least squares quantization in PCM"): what an interval of weights is replaced by is their mean.
"""

import numpy as np
import numpy.typing as npt

from edgeprune.graph.layergraph import Array

Indices = npt.NDArray[np.int64]

ROUNDS = 50
"""Rounds of k-means at most; most of what there is to gain is gained in the first twenty."""


def find_values(matrix: Array, count: int) -> Array:
    """The best values for each row: (outputs, count), rising along a row.

    Args:
        matrix: (outputs, weights per output).
        count: values per row, at least 2.
    """
    rows = matrix.astype(np.float64)
    shares = (np.arange(count) + 0.5) / count
    low, high = rows.min(axis=1, keepdims=True), rows.max(axis=1, keepdims=True)
    # The best values are denser where weights are, but less so than the weights.
    values: Array = (np.quantile(rows, shares, axis=1).T + low + (high - low) * shares) / 2
    for _ in range(ROUNDS):
        indices = assign(rows, values)
        moved = take_means(rows, indices, otherwise=values)
        if np.allclose(moved, values, rtol=0, atol=1e-7 * float(np.abs(rows).max(initial=0.0))):
            break
        values = moved
    return values


def assign(matrix: Array, values: Array) -> Indices:
    """(outputs, weights per output): the index of the nearest value in the row of each weight.

    Args:
        matrix: (outputs, weights per output).
        values: (outputs, count), rising along a row.
    """
    halfway = (values[:, 1:] + values[:, :-1]) / 2
    # One search for all rows: each row is moved into an interval of its own.
    low = np.minimum(matrix.min(axis=1), halfway.min(axis=1))[:, None]
    span = np.maximum(matrix.max(axis=1), halfway.max(axis=1))[:, None] - low
    shift = 2 * np.arange(len(matrix), dtype=np.float64)[:, None]
    place = [(x - low) / np.where(span > 0, span, 1) + shift for x in (halfway, matrix)]
    found = np.searchsorted(place[0].ravel(), place[1].ravel()).reshape(matrix.shape)
    return np.asarray(found - halfway.shape[1] * np.arange(len(matrix))[:, None])


def take_means(matrix: Array, indices: Indices, *, otherwise: Array) -> Array:
    """(outputs, count): the mean of the weights that have each index, and `otherwise` where none has it."""
    rows, count = otherwise.shape
    places = (indices + count * np.arange(rows)[:, None]).ravel()
    members = np.bincount(places, minlength=rows * count).reshape(rows, count)
    sums = np.bincount(places, weights=matrix.ravel().astype(np.float64), minlength=rows * count)
    return np.where(members > 0, sums.reshape(rows, count) / np.maximum(members, 1), otherwise)
