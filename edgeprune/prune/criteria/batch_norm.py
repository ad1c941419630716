"""A criterion that reads what training has left of each channel: the scale of its BatchNormalization."""

import numpy as np

from edgeprune.prune.criteria.criterion import Criterion, criterion
from edgeprune.prune.criteria.evidence import Evidence, Scores
from edgeprune.prune.criteria.fallback import fill_gaps


def _mean_scales(evidence: Evidence) -> Scores:
    """Mean |γ| of the BatchNormalization layers that the channel passes.

    Liu et al. 2017, "Learning efficient convolutional networks through network slimming". Channels that pass
    none, or one without a scale, are ranked by `fill_gaps`.
    """
    totals, counts = np.zeros((2, evidence.channels.groups))
    for layer, weight, _, groups in evidence.axes():
        if evidence.graph.layers[layer].kind == "BatchNormalization" and weight == "gamma":
            np.add.at(totals, groups, np.abs(evidence.graph.layers[layer].weights[weight]))
            np.add.at(counts, groups, 1)
    return fill_gaps(np.where(counts > 0, totals / np.maximum(counts, 1), np.nan), evidence)


criterion(
    Criterion(
        name="bn_scale",
        summary="scale of the channel's BatchNormalization (Liu et al. 2017), l2 where it has none",
        score=_mean_scales,
    )
)
