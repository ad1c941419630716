"""How scores of different families are made comparable, for the global scope and the budget solver.

Raw scores are not: a kernel with more inputs has a larger norm, and a gradient criterion finds the channels
of a wide last layer worthless, which are redundant one by one but not together. Without any normalisation it
empties that layer.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from edgeprune.graph.channels import ChannelMap
from edgeprune.prune.criteria.evidence import Scores
from edgeprune.registry import Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Normaliser:
    """A way to make scores comparable across families.

    Attributes:
        name: as in `--normalise`.
        summary: one line for `edgeprune list normalisers`.
        normalise: (groups,) scores, not below 0, and the groups → (groups,) scores in the same order within
            each family.
    """

    name: str
    summary: str
    normalise: Callable[[Scores, ChannelMap], Scores]


NORMALISERS: Registry[Normaliser] = Registry("normaliser", listing="edgeprune list normalisers")


def _divide(scores: Scores, channels: ChannelMap, *, by: Callable[[Scores], float]) -> Scores:
    """Scores over one number per family; families whose number is 0 stay as they are."""
    found = scores.copy()
    for family in range(len(channels.family_names)):
        own = channels.family == family
        if own.any() and (scale := by(scores[own])) > 0:
            found[own] /= scale
    return found


def _lamp(scores: Scores, channels: ChannelMap) -> Scores:
    """A channel's squared score as a share of its own and all that are larger in its family.

    The best channel of every family scores 1 and goes last. After Lee et al. 2021, "Layer-adaptive sparsity
    for the magnitude-based pruning", there for single weights.
    """
    found = np.zeros_like(scores)
    for family in range(len(channels.family_names)):
        own = np.flatnonzero(channels.family == family)
        order = own[np.argsort(scores[own], kind="stable")]
        squares = scores[order] ** 2
        larger = np.cumsum(squares[::-1])[::-1]
        found[order] = squares / np.where(larger > 0, larger, 1)
    return found


for _name, _summary, _function in (
    (
        "mean",
        "divide by the family's mean: a channel counts by how it compares with its own layer's",
        lambda scores, channels: _divide(scores, channels, by=lambda own: float(own.mean())),
    ),
    (
        "max",
        "divide by the family's largest score: one outstanding channel makes the others cheap",
        lambda scores, channels: _divide(scores, channels, by=lambda own: float(own.max())),
    ),
    (
        "sum",
        "divide by the family's sum: each channel of a wide layer counts little",
        lambda scores, channels: _divide(scores, channels, by=lambda own: float(own.sum())),
    ),
    (
        "norm",
        "divide by the family's Euclidean norm (Molchanov et al. 2017)",
        lambda scores, channels: _divide(scores, channels, by=lambda own: float(np.sqrt((own**2).sum()))),
    ),
    ("lamp", "share among the family's larger scores, so that no layer is emptied (Lee et al. 2021)", _lamp),
    ("none", "as the criterion gives them", lambda scores, channels: scores),
):
    NORMALISERS.add(_name, Normaliser(name=_name, summary=_summary, normalise=_function))
