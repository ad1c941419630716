"""A criterion that looks for channels others can stand in for: distance from the geometric median."""

import numpy as np

from edgeprune.graph.channel_ids import Ids
from edgeprune.graph.layergraph import Array
from edgeprune.prune.criteria.criterion import Criterion, criterion
from edgeprune.prune.criteria.evidence import Evidence, Scores


def _sum_distances(evidence: Evidence) -> Scores:
    """Σ over the family's other channels of ‖w − w'‖, where w are all weights that make a channel.

    The channel nearest to the geometric median of its family has the smallest sum, and the others can stand
    in for it (He et al. 2019, "Filter pruning via geometric median for deep convolutional neural networks
    acceleration"). Channels of one family that no kernel makes side by side cannot be compared: their sum is
    that over the others, scaled up to the whole family.
    """
    scores, family = np.zeros(evidence.channels.groups), evidence.channels.family
    kernels = list(evidence.making_axes())
    for f in range(len(evidence.channels.family_names)):
        members = np.flatnonzero(family == f)
        place = np.full(evidence.channels.groups, -1)
        place[members] = np.arange(len(members))
        squares = np.zeros((len(members), len(members)))
        compared = np.zeros_like(squares, dtype=bool)
        for array, axis, groups in kernels:
            if not (place[groups] >= 0).any():
                continue
            found, vectors = _gather(array, axis, groups, wanted=place >= 0)
            rows = np.ix_(place[found], place[found])
            lengths = (vectors**2).sum(axis=1)
            squares[rows] += np.maximum(lengths[:, None] + lengths - 2 * vectors @ vectors.T, 0)
            compared[rows] = True
        others = np.maximum(compared.sum(axis=1) - 1, 1)
        np.fill_diagonal(squares, 0)  # rounding leaves a little there
        scores[members] = np.sqrt(squares).sum(axis=1) * (len(members) - 1) / others
    return scores


def _gather(array: Array, axis: int, groups: Ids, *, wanted: Array) -> tuple[Ids, Array]:
    """The wanted groups on an axis, and one vector of weights each.

    A group that has several slices (the gates of a recurrent unit) has them one after the other in its
    vector, as far as all groups have that many.
    """
    slices = np.moveaxis(array, axis, 0).reshape(len(groups), -1).astype(np.float64)
    chosen = np.flatnonzero(wanted[groups])
    chosen = chosen[np.argsort(groups[chosen], kind="stable")]
    found, first, counts = np.unique(groups[chosen], return_index=True, return_counts=True)
    vectors = [slices[chosen[first + k]] for k in range(int(counts.min()))]
    return found, np.concatenate(vectors, axis=1)


criterion(
    Criterion(
        name="fpgm",
        summary="distance of the channel's weights from those of all others of its family (He et al. 2019)",
        score=_sum_distances,
    )
)
