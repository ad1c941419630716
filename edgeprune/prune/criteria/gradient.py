"""Criteria that ask what closing a channel does to the loss or to the outputs, from gradients."""

from collections.abc import Callable, Iterator

import numpy as np

from edgeprune.prune.criteria.criterion import Criterion, criterion
from edgeprune.prune.criteria.evidence import Evidence, Gradients, Scores


def _taylor(evidence: Evidence) -> Scores:
    """Σ over batches of (∂L/∂gate)², L the loss on labels.

    It estimates the square of what closing the channel adds to the loss, to first order (Molchanov et al.
    2019, "Importance estimation for neural network pruning"). Data without labels give the gradients of
    `hessian`.
    """
    return _square_gates(evidence, evidence.gradients)


def _hessian(evidence: Evidence) -> Scores:
    """½ Σ over batches of (∂L/∂gate)², L the loss at outputs drawn from the model's own predictions.

    For such outputs the mean square is the diagonal of the Fisher information, which is the Gauss-Newton
    part of the Hessian of the divergence between the model before and after. The gradient of that divergence
    is zero where pruning starts, so that half the Hessian is what closing a channel costs, to second order
    (LeCun et al. 1990, "Optimal brain damage"; for channels Theis et al. 2018, "Faster gaze prediction with
    dense networks and Fisher pruning", there with labels from data).
    """
    return 0.5 * _square_gates(evidence, evidence.fisher)


def _square_gates(evidence: Evidence, stream: Callable[[], Iterator[Gradients]] | None) -> Scores:
    """Σ over batches of the squared derivative by a gate on each channel, (groups,).

    The derivative is Σ w·∂L/∂w over all weights that read the channel; over those that make it where none
    reads it, as for the keys of an attention, which only meet its queries.
    """
    assert stream is not None  # score_groups looked
    reading = [
        (layer, weight, axis, groups)
        for layer, weight, axis, groups in evidence.axes()
        if (weight, axis) in evidence.channels.consumes[layer]
    ]
    is_read = np.zeros(evidence.channels.groups, dtype=bool)
    for _, _, _, groups in reading:
        is_read[groups] = True
    making = [
        (layer, weight, axis, groups)
        for layer, weight, axis, groups in evidence.axes()
        if not is_read[groups].all() and (weight, axis) not in evidence.channels.consumes[layer]
    ]
    totals = np.zeros(evidence.channels.groups)
    for gradients in stream():
        gate, made = np.zeros((2, evidence.channels.groups))
        for sums, axes in ((gate, reading), (made, making)):
            for layer, weight, axis, groups in axes:
                if weight not in gradients.get(layer, {}):  # whole numbers, such as a generator's state
                    continue
                product = evidence.graph.layers[layer].weights[weight] * gradients[layer][weight]
                others = tuple(a for a in range(product.ndim) if a != axis)
                np.add.at(sums, groups, product.sum(axis=others))
        totals += np.where(is_read, gate, made) ** 2
    return totals


criterion(
    Criterion(
        name="taylor",
        summary="first-order estimate of the loss when the channel goes, from gradients on training data",
        needs="gradients",
        score=_taylor,
    )
)
criterion(
    Criterion(
        name="hessian",
        summary="second-order estimate of how the outputs change when the channel goes; needs no labels",
        needs="fisher",
        score=_hessian,
    )
)
