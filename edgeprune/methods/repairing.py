"""What a cut leaves, made good without training, where that shows on validation data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.data.batches import Source
    from edgeprune.keras_bridge.model.repair import Cut
    from edgeprune.keras_bridge.training.evaluation import Evaluator
    from edgeprune.keras_bridge.training.trainer import Samples


_JUDGED_ON = 256
"""Validation samples that say whether refitting helps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Repair:
    """What a repair made of a model.

    Attributes:
        metric: what decided.
        before, after: of the smaller model, on validation samples.
        layers: how many were refitted; 0 where that did not help.
        samples: they were refitted on.
        settled: whether BatchNorm statistics were estimated anew.
    """

    metric: str
    before: float
    after: float
    layers: int
    samples: int
    settled: bool

    def to_json(self) -> dict[str, Any]:
        """As `prune --json` has it."""
        return {name: getattr(self, name) for name in self.__slots__}


def repair_cut(cut: Cut, *, samples: Samples, seed: int) -> tuple[keras.Model, Repair]:
    """The smaller model with its layers refitted and BatchNorm statistics that suit, whichever of that helps.

    Args:
        cut: the smaller model and the original; not changed.
        samples: training samples to fit on, validation samples to judge on.
        seed: of choices.
    """
    from edgeprune.keras_bridge.training.evaluation import settle_batch_norm

    evaluator, source = samples.validation, samples.training.source
    refitted = refit_cut(cut, evaluator=evaluator, source=source, seed=seed)
    before = evaluator.score_model(cut.smaller)
    best, after = settle_batch_norm(refitted.model, evaluator, source=source, seed=seed)
    return best, Repair(
        metric=evaluator.task.metric,
        before=before,
        after=after,
        layers=refitted.layers,
        samples=refitted.samples,
        settled=best is not refitted.model,
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Refitted:
    """A smaller model whose layers give what they gave before, as near as they can, or as it was.

    Attributes:
        model: the better one.
        layers: how many were refitted; 0 where that did not help.
        samples: they were refitted on.
    """

    model: keras.Model
    layers: int
    samples: int


def refit_cut(cut: Cut, *, evaluator: Evaluator, source: Source, seed: int) -> Refitted:
    """The smaller model with its layers refitted, where that does better on validation samples.

    Args:
        cut: the smaller model and the original; not changed.
        evaluator: judges.
        source: of training samples.
        seed: of choices.
    """
    from edgeprune.keras_bridge.model.repair import count_samples, repair
    from edgeprune.keras_bridge.model.weights import copy_model
    from edgeprune.keras_bridge.training.evaluation import sample_evaluator
    from edgeprune.keras_bridge.training.inference import predict_once

    count = min(count_samples(cut.traced.graph), source.drawable)
    rows = np.random.default_rng([seed, 5]).choice(source.drawable, count, replace=False)
    fitted = copy_model(cut.smaller)
    layers = repair(replace(cut, smaller=fitted), inputs=source.take(np.sort(rows)).x, seed=seed)
    few = sample_evaluator(evaluator, samples=_JUDGED_ON, seed=seed)
    before, after = (
        few.score_all(partial(predict_once, model), scores=few.task.scores[:1])[few.task.metric]
        for model in (cut.smaller, fitted)
    )
    is_better = few.drop(before=before, after=after) < 0
    return Refitted(
        model=fitted if is_better else cut.smaller, layers=layers if is_better else 0, samples=count
    )
