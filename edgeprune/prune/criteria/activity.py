"""Criteria that look at what a channel does on data, without labels."""

import numpy as np

from edgeprune.prune.criteria.criterion import Criterion, criterion
from edgeprune.prune.criteria.evidence import Activity, Evidence, Scores
from edgeprune.prune.criteria.fallback import fill_gaps

_NEVER_ZERO = 1e-4
"""Share of zeros in data that counts as none."""


def _activity(evidence: Evidence) -> Activity:
    assert evidence.activity is not None  # score_groups looked
    return evidence.activity()


def _measure_magnitude(evidence: Evidence) -> Scores:
    """Mean absolute activation in front of the layers that read the channel.

    Molchanov et al. 2017, "Pruning convolutional neural networks for resource efficient inference". Channels
    that no layer with weights reads are ranked by `fill_gaps`.
    """
    return fill_gaps(_activity(evidence).magnitude, evidence)


def _count_nonzero(evidence: Evidence) -> Scores:
    """1 − the average percentage of zeros, in front of the layers that read the channel.

    Hu et al. 2016, "Network trimming". It has nothing to say of families without a ReLU or its like, where
    no channel is ever zero; these, and channels that no layer with weights reads, are ranked by `fill_gaps`.
    """
    scores, family = _activity(evidence).nonzero.copy(), evidence.channels.family
    for f in np.unique(family).tolist():
        own = family == f
        if np.nan_to_num(scores[own], nan=1.0).min() >= 1 - _NEVER_ZERO:
            scores[own] = np.nan
    return fill_gaps(scores, evidence)


criterion(
    Criterion(
        name="activation",
        summary="mean absolute activation of the channel on training data (Molchanov et al. 2017)",
        needs="activity",
        score=_measure_magnitude,
    )
)
criterion(
    Criterion(
        name="apoz",
        summary="how often the channel is not zero behind its ReLU, on training data (Hu et al. 2016)",
        needs="activity",
        score=_count_nonzero,
    )
)
