"""The criterion that every other one has to beat."""

import numpy as np

from edgeprune.prune.criteria.criterion import Criterion, criterion

criterion(
    Criterion(
        name="random",
        summary="random scores: the baseline that every other criterion has to beat",
        score=lambda evidence: np.random.default_rng(evidence.seed).uniform(
            0.5, 1.5, evidence.channels.groups
        ),
    )
)
