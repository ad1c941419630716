"""Criteria: how important each group of channels is. Higher scores are more important.

A criterion is one function from `Evidence` to one score per group. Add one by adding a record to a module of
this package, importing that module here, and an example to `tests/prune/test_criteria.py`.
"""

from edgeprune.prune.criteria import (
    activity,
    batch_norm,
    chance,
    gradient,
    magnitude,
    median,
    sensitivity,
)
from edgeprune.prune.criteria.criterion import CRITERIA, Criterion, refuse_without_data, score_groups
from edgeprune.prune.criteria.evidence import Activity, Curve, Evidence, Gradients, Scores
from edgeprune.prune.criteria.normalise import NORMALISERS, Normaliser

__all__ = [
    "CRITERIA",
    "NORMALISERS",
    "Activity",
    "Criterion",
    "Curve",
    "Evidence",
    "Gradients",
    "Normaliser",
    "Scores",
    "activity",
    "batch_norm",
    "chance",
    "gradient",
    "magnitude",
    "median",
    "refuse_without_data",
    "score_groups",
    "sensitivity",
]
