"""What a channel scores on which a criterion has nothing to say."""

import numpy as np

from edgeprune.prune.criteria.evidence import Evidence, Scores
from edgeprune.prune.criteria.magnitude import measure_norms


def fill_gaps(scores: Scores, evidence: Evidence) -> Scores:
    """The scores, with every NaN replaced by the channel's l2 norm on the scale of the scores that are known.

    The scale is mean score over mean norm: of the channel's own family where any of it is known, so that the
    two kinds rank fairly beside each other; else of all that is known; else 1.

    Args:
        scores: (groups,) NaN where nothing is known.
        evidence: the model.
    """
    norms, family = measure_norms(evidence, power=2), evidence.channels.family
    known = ~np.isnan(scores)
    overall = _scale(scores[known], norms[known]) or 1.0
    found = scores.copy()
    for f in np.unique(family[~known]).tolist():
        gaps, rest = (family == f) & ~known, (family == f) & known
        found[gaps] = norms[gaps] * (_scale(scores[rest], norms[rest]) or overall)
    return found


def _scale(scores: Scores, norms: Scores) -> float:
    return float(scores.mean() / norms.mean()) if len(norms) and norms.mean() > 0 else 0.0
