"""Criteria that look at what a channel does on data, without labels."""

from edgeprune.prune.criteria.criterion import Criterion, criterion
from edgeprune.prune.criteria.evidence import Activity, Evidence, Scores
from edgeprune.prune.criteria.fallback import fill_gaps


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

    Hu et al. 2016, "Network trimming". It tells channels apart only behind ReLU or its like; elsewhere all
    score 1. Channels that no layer with weights reads are ranked by `fill_gaps`.
    """
    return fill_gaps(_activity(evidence).nonzero, evidence)


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
