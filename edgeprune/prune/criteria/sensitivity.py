"""A criterion that has measured what it says: the metric's drop along each family's curve."""

import numpy as np

from edgeprune.prune.criteria.criterion import Criterion, criterion
from edgeprune.prune.criteria.evidence import Curve, Evidence, Scores
from edgeprune.prune.criteria.fallback import fill_gaps

_SHARE_OF_RANK = 1e-3
"""Keeps the order of channels on a flat piece of a curve, without outweighing any measured drop."""


def _score_curves(evidence: Evidence) -> Scores:
    """The drop per channel where the channel goes, on each family's curve; it never falls along a curve.

    The curve is made to rise (a metric that recovers does so by chance) and replaced by the largest convex
    curve below it, so that what goes first is what costs least, and the scores of the channels that are gone
    add up to a lower bound of their family's drop. The order of channels is that of the criterion with which
    the curves were measured. The idea of looking at curves is Li et al.'s, 2017, "Pruning filters for
    efficient ConvNets".
    """
    assert evidence.curves is not None  # score_groups looked
    curves = [curve for curve in evidence.curves() if len(curve.counts)]
    slopes = [slopes_of(curve) for curve in curves]
    typical = float(np.mean(np.concatenate(slopes))) if slopes else 0.0
    scores = np.full(evidence.channels.groups, np.nan)
    for curve, slope in zip(curves, slopes, strict=True):
        ranks = np.arange(1, len(slope) + 1) / len(slope)
        scores[curve.order] = slope + _SHARE_OF_RANK * (typical or 1.0) * ranks
    return fill_gaps(scores, evidence)


def slopes_of(curve: Curve) -> Scores:
    """(channels,) the drop per channel at each place of `curve.order`, from the convex curve below."""
    counts = np.concatenate([[0], curve.counts])
    drops = np.maximum.accumulate(np.concatenate([[0.0], curve.drops]))
    corners = [0]
    while corners[-1] < len(counts) - 1:
        last = corners[-1]
        steps = (drops[last + 1 :] - drops[last]) / (counts[last + 1 :] - counts[last])
        # The flattest way on; of several the longest.
        corners.append(last + 1 + int(np.flatnonzero(steps == steps.min())[-1]))
    slopes = np.diff(drops[corners]) / np.diff(counts[corners])
    places = np.searchsorted(counts[corners][1:], np.arange(1, len(curve.order) + 1))
    found: Scores = slopes[np.minimum(places, len(slopes) - 1)]
    return found


criterion(
    Criterion(
        name="sensitivity",
        summary="measured drop of the metric per channel, family by family, on validation data",
        needs="curves",
        normalise="none",
        score=_score_curves,
    )
)
