"""Weights fitted to what a layer put out before, by ridge regression towards the present ones."""

import numpy as np

from edgeprune.graph.layergraph import Array

RIDGES = (1e-3, 1e-2, 1e-1)
"""What a squared change of a weight counts, relative to the mean square of what it is multiplied with."""
LEAST_GAIN = 0.01
"""Fraction of the squared error, held out, that a fit must take away."""


def refit(x: Array, y: Array, *, weights: Array, bias: Array | None, held: int) -> tuple[Array, Array] | None:
    """Weights and biases with which `x` gives `y`, or None where the present ones do as well.

    Blocks are independent problems, side by side: one for a dense layer, one per channel of a depthwise one.
    With biases, means are fitted exactly, and the rest is fitted without them.

    Args:
        x: (blocks, rows, columns).
        y: (blocks, rows, outputs).
        weights: (blocks, columns, outputs), the present ones.
        bias: (blocks, outputs), likewise; None where there are none.
        held: how many rows, the last ones, are left out of the fit and choose the ridge.

    Returns:
        (blocks, columns, outputs) and (blocks, outputs), zeros where there are no biases.
    """
    offset = np.zeros((len(x), y.shape[-1]), x.dtype) if bias is None else bias
    fitted, shown = (x[:, :-held], y[:, :-held]), (x[:, -held:], y[:, -held:])
    gap: Array = fitted[1] - fitted[0] @ weights
    mean_x, mean_gap = np.zeros_like(x[:, :1]), np.zeros_like(y[:, :1])
    if bias is not None:
        mean_x, mean_gap = fitted[0].mean(axis=1, keepdims=True), gap.mean(axis=1, keepdims=True)
    centred = fitted[0] - mean_x
    across = centred.swapaxes(1, 2)
    gram, cross = (
        np.asarray(product, np.float64) for product in (across @ centred, across @ (gap - mean_gap))
    )
    size = np.trace(gram, axis1=1, axis2=2)[:, None, None] / gram.shape[-1]
    best, least = None, (1 - LEAST_GAIN) * _error(*shown, weights, offset)
    for ridge in RIDGES:
        loaded = gram + (ridge * size + np.finfo(np.float64).tiny) * np.eye(gram.shape[-1])
        try:
            change = np.linalg.solve(loaded, cross)
        except np.linalg.LinAlgError:
            continue
        found = weights + change
        shift = offset if bias is None else (mean_gap - mean_x @ change)[:, 0]
        if (error := _error(*shown, found, shift)) < least:
            best, least = (found, shift), error
    return best


def _error(x: Array, y: Array, weights: Array, offset: Array) -> float:
    return float(np.square(y - x @ weights - offset[:, None]).sum())
