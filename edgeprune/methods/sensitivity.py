"""How much of each group of channels a model can do without: its metric against pruning ratio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeprune.errors import InfeasibleError, RecipeError
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.kept_layers import summarise_reasons
from edgeprune.methods.ranking import Ranking
from edgeprune.progress import Progress
from edgeprune.prune.criteria import CRITERIA, Curve, score_groups
from edgeprune.prune.sweeps import Sweep, plan_sweeps

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.model.trace import Traced
    from edgeprune.keras_bridge.training.trainer import Samples


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """The curves of a model.

    Attributes:
        criterion: in whose order channels were switched off.
        metric: of the task; `higher_is_better` says which way it counts.
        higher_is_better: whether it is a score (True) or an error (False).
        samples: validation samples that each point was measured on.
        available: validation samples there are.
        whole: the metric of the model with all its channels.
        max_drop: largest drop that is allowed, as in `--max-drop`.
        families: one row for each family that may lose channels: name, channels, layers, points (ratio,
            removed, metric, drop) and largest_ratio, up to which every drop keeps to `max_drop`.
    """

    criterion: str
    metric: str
    higher_is_better: bool
    samples: int
    available: int
    whole: float
    max_drop: float
    families: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """The `sensitivity` part of `inspect --json`."""
        return {name: getattr(self, name) for name in self.__slots__}


def study_sensitivity(
    model: keras.Model,
    traced: Traced,
    *,
    channels: ChannelMap,
    samples: Samples,
    ranking: Ranking,
    max_drop: float,
    progress: Progress,
) -> Study:
    """The metric on validation data with more and more of one family switched off, family by family.

    Args:
        model: what to look at; its weights are the same afterwards.
        traced: its trace.
        channels: its channel map.
        samples: what to rank channels and to measure on.
        ranking: in which order channels are switched off; not by `sensitivity`, which looks at curves itself.
        max_drop: largest drop that is allowed, as in `Task.drop`.
        progress: is told of every measurement.

    Raises:
        RecipeError: the criterion is `sensitivity`.
        InfeasibleError: no channel may go.
    """
    from edgeprune.keras_bridge.training.curves import measure_curves
    from edgeprune.keras_bridge.training.evaluation import sample_evaluator
    from edgeprune.keras_bridge.training.evidence import SENSITIVITY_SAMPLES, gather_evidence

    chosen, seed = CRITERIA[ranking.criterion], ranking.seed
    if chosen.needs == "curves":
        raise RecipeError(
            f"criterion '{chosen.name}' cannot say in what order its own curves take channels away",
            where="--criterion",
            fix="choose another one, for example taylor",
        )
    progress.stage("rank channels")
    evidence = gather_evidence(
        model, traced, channels=channels, training=samples.training, evaluator=None, seed=seed
    )
    evaluator = sample_evaluator(samples.validation, samples=SENSITIVITY_SAMPLES, seed=seed)
    sweeps = plan_sweeps(channels, scores=score_groups(chosen, evidence))
    if not sweeps:
        raise InfeasibleError(
            "no channel of this model may be removed",
            why=summarise_reasons(channels),
            fix="'edgeprune inspect MODEL' without --sensitivity lists the reasons per layer",
        )
    progress.stage("measure sensitivity", total=sum(len(sweep.counts) for sweep in sweeps))
    whole, curves = measure_curves(
        model, traced, channels=channels, sweeps=sweeps, evaluator=evaluator, advance=progress.advance
    )
    return Study(
        criterion=chosen.name,
        metric=evaluator.task.metric,
        higher_is_better=evaluator.task.higher_is_better,
        samples=evaluator.samples,
        available=samples.validation.samples,
        whole=whole,
        max_drop=max_drop,
        families=[
            _describe(sweep, curve, channels=channels, whole=whole, max_drop=max_drop)
            for sweep, curve in zip(sweeps, curves, strict=True)
        ],
    )


def _describe(
    sweep: Sweep, curve: Curve, *, channels: ChannelMap, whole: float, max_drop: float
) -> dict[str, Any]:
    measured = {
        int(count): (float(metric), float(drop))
        for count, metric, drop in zip(curve.counts, curve.metrics, curve.drops, strict=True)
    }
    points, largest, is_within = [], 0.0, True
    for ratio, count in zip(sweep.ratios, sweep.count_of.tolist(), strict=True):
        metric, drop = measured.get(count, (whole, 0.0))
        is_within = is_within and drop <= max_drop
        largest = ratio if is_within else largest
        points.append({"ratio": ratio, "removed": count, "metric": metric, "drop": drop})
    members = set(sweep.order.tolist())
    return {
        "name": sweep.family,
        "channels": len(sweep.order),
        "layers": [
            layer
            for layer, by_weight in channels.axes.items()
            if by_weight and not members.isdisjoint(np.unique(channels.made[layer]).tolist())
        ],
        "points": points,
        "largest_ratio": largest,
    }
