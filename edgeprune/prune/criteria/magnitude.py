"""Criteria that look at the size of weights: l1 and l2."""

import numpy as np

from edgeprune.prune.criteria.criterion import Criterion, criterion
from edgeprune.prune.criteria.evidence import Evidence, Scores


def measure_norms(evidence: Evidence, *, power: int) -> Scores:
    """(Σ |w|^power)^(1/power) over the weights that make a channel, (groups,).

    Li et al. 2017, "Pruning filters for efficient ConvNets", for power 1.
    """
    totals = np.zeros(evidence.channels.groups)
    for array, axis, groups in evidence.making_axes():
        others = tuple(a for a in range(array.ndim) if a != axis)
        np.add.at(totals, groups, (np.abs(array.astype(np.float64)) ** power).sum(axis=others))
    norms: Scores = totals ** (1 / power)
    return norms


criterion(
    Criterion(
        name="l2",
        summary="Euclidean norm of the weights that make the channel",
        score=lambda evidence: measure_norms(evidence, power=2),
    )
)
criterion(
    Criterion(
        name="l1",
        summary="sum of absolute weights that make the channel (Li et al. 2017)",
        score=lambda evidence: measure_norms(evidence, power=1),
    )
)
