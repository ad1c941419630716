"""Criteria: how important each group of channels is. Higher scores are more important.

A criterion is one function from `Evidence` to one score per group. Add one by adding a record here and an
example to `tests/prune/test_criteria.py`.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeprune.errors import DataError
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import Array, LayerGraph
from edgeprune.registry import Registry

Scores = npt.NDArray[np.float64]
Gradients = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What a criterion may look at.

    Attributes:
        graph, channels: the model and its groups.
        gradients: yields, batch by batch, the loss gradient of every weight (layer → weight → array of the
            weight's shape); None where there is no data.
        seed: for criteria that draw numbers.
    """

    graph: LayerGraph
    channels: ChannelMap
    gradients: Callable[[], Iterator[Gradients]] | None = None
    seed: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """A way to score groups.

    Attributes:
        name: as in `--criterion`.
        summary: one line for `edgeprune list criteria`.
        needs_data: whether it looks at gradients.
        score: the function; returns (groups,) floats, not below 0.
    """

    name: str
    summary: str
    needs_data: bool
    score: Callable[[Evidence], Scores]


CRITERIA: Registry[Criterion] = Registry("criterion", listing="edgeprune list criteria")


def score_groups(criterion: Criterion, evidence: Evidence) -> Scores:
    """Scores of all groups, (groups,) floats, divided by their family's mean.

    The division makes families comparable. Without it a gradient criterion empties the last layers of a
    network, whose channels are redundant one by one but not together.

    Args:
        criterion: what to rank by.
        evidence: the model, and gradients where the criterion needs them.

    Raises:
        DataError: the criterion needs data and there are none.
    """
    if criterion.needs_data and evidence.gradients is None:
        raise DataError(
            f"criterion '{criterion.name}' ranks channels by gradients",
            why="no data were given",
            fix="pass --data, or choose --criterion l2",
        )
    return _divide_by_family_mean(criterion.score(evidence), evidence.channels)


def _divide_by_family_mean(scores: Scores, channels: ChannelMap) -> Scores:
    families = len(channels.family_names)
    totals = np.bincount(channels.family, weights=scores, minlength=families)
    counts = np.maximum(np.bincount(channels.family, minlength=families), 1)
    means = totals / counts
    normalised: Scores = scores / np.where(means > 0, means, 1)[channels.family]
    return normalised


def _sum_by_group(evidence: Evidence, power: int) -> Scores:
    """Σ |w|^power over the weights that make a channel: kernels' output axes, not biases or norms."""
    totals = np.zeros(evidence.channels.groups)
    for layer, weight, axis, groups in _axes(evidence):
        array = evidence.graph.layers[layer].weights[weight]
        if array.ndim < 2 or (weight, axis) in evidence.channels.consumes[layer]:
            continue
        others = tuple(a for a in range(array.ndim) if a != axis)
        np.add.at(totals, groups, (np.abs(array.astype(np.float64)) ** power).sum(axis=others))
    return totals


def _axes(evidence: Evidence) -> Iterator[tuple[str, str, int, npt.NDArray[np.int64]]]:
    for layer, by_weight in evidence.channels.axes.items():
        for weight, axes in by_weight.items():
            for axis, groups in enumerate(axes):
                if groups is not None:
                    yield layer, weight, axis, groups


def _taylor(evidence: Evidence) -> Scores:
    """Σ over batches of (Σ w·∂L/∂w over all weights that read the group)².

    The inner sum is the derivative of the loss by a gate on the channel, so the square estimates the loss
    of closing it (Molchanov et al. 2019, "Importance estimation for neural network pruning").
    """
    assert evidence.gradients is not None
    totals = np.zeros(evidence.channels.groups)
    for gradients in evidence.gradients():
        gate = np.zeros(evidence.channels.groups)
        for layer, weight, axis, groups in _axes(evidence):
            if (weight, axis) not in evidence.channels.consumes[layer]:
                continue
            product = evidence.graph.layers[layer].weights[weight] * gradients[layer][weight]
            others = tuple(a for a in range(product.ndim) if a != axis)
            np.add.at(gate, groups, product.sum(axis=others))
        totals += gate**2
    return totals


CRITERIA.add(
    "l2",
    Criterion(
        name="l2",
        summary="Euclidean norm of the weights that make the channel; needs no data",
        needs_data=False,
        score=lambda evidence: np.sqrt(_sum_by_group(evidence, 2)),
    ),
)
CRITERIA.add(
    "l1",
    Criterion(
        name="l1",
        summary="sum of absolute weights that make the channel; needs no data",
        needs_data=False,
        score=lambda evidence: _sum_by_group(evidence, 1),
    ),
)
CRITERIA.add(
    "taylor",
    Criterion(
        name="taylor",
        summary="first-order estimate of the loss when the channel goes, from gradients on training data",
        needs_data=True,
        score=_taylor,
    ),
)
CRITERIA.add(
    "random",
    Criterion(
        name="random",
        summary="random scores: the baseline that every other criterion has to beat",
        needs_data=False,
        score=lambda evidence: np.random.default_rng(evidence.seed).uniform(
            0.5, 1.5, evidence.channels.groups
        ),
    ),
)
