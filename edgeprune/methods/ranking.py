"""Ranking the channels of a model that is looked at or pruned by ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeprune.config.build_options import DataSource
from edgeprune.config.training_options import AS_COMPILED, TrainingOptions
from edgeprune.graph.channels import ChannelMap
from edgeprune.prune.criteria import (
    CRITERIA,
    NORMALISERS,
    Evidence,
    Scores,
    refuse_without_data,
    score_groups,
)

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.model.trace import Traced
    from edgeprune.keras_bridge.training.trainer import Samples


@dataclass(frozen=True, kw_only=True, slots=True)
class Ranking:
    """By what channels are ranked.

    Attributes:
        criterion: a name in `CRITERIA`.
        normalise: a name in `NORMALISERS`; None for the criterion's own way.
        data: what `load_data` takes.
        training: how the model is trained and judged.
        seed: of splits, batches, probes and random scores.
    """

    criterion: str = "l2"
    normalise: str | None = None
    data: DataSource | None = None
    training: TrainingOptions = AS_COMPILED
    seed: int = 0

    def check(self) -> None:
        """Raises before any work is spent on a model.

        Raises:
            UnknownNameError: there is no such criterion or normaliser.
            DataError: the criterion needs data and there are none.
        """
        chosen = CRITERIA[self.criterion]
        NORMALISERS[self.normalise or chosen.normalise]
        if self.data is None:
            refuse_without_data(chosen)


def rank_channels(
    model: keras.Model, traced: Traced, *, channels: ChannelMap, ranking: Ranking, samples: Samples | None
) -> Scores:
    """(groups,) scores, comparable across families.

    Args:
        model: what to rank the channels of; not changed.
        traced: its trace.
        channels: its channel map.
        ranking: by what.
        samples: what the criterion may look at; None where it needs no data.
    """
    evidence = Evidence(graph=traced.graph, channels=channels, seed=ranking.seed)
    if samples is not None:
        from edgeprune.keras_bridge.training.evidence import gather_evidence

        evidence = gather_evidence(
            model,
            traced,
            channels=channels,
            training=samples.training,
            evaluator=samples.validation,
            seed=ranking.seed,
        )
    return score_groups(CRITERIA[ranking.criterion], evidence, normalise=ranking.normalise)
