"""The metric of a model with more and more of one family switched off, family by family."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layers.rules import rule_for
from edgeprune.graph.surgery import Kept, mask_channels
from edgeprune.keras_bridge.model.calling import call
from edgeprune.keras_bridge.model.masking import switch_off
from edgeprune.keras_bridge.model.trace import Traced
from edgeprune.keras_bridge.model.weights import assign_weights
from edgeprune.keras_bridge.training.evaluation import Evaluator
from edgeprune.keras_bridge.training.inference import feed
from edgeprune.prune.criteria import Curve
from edgeprune.prune.sweeps import Sweep

_BATCH_SIZE = 256


def measure_curves(
    model: keras.Model,
    traced: Traced,
    *,
    channels: ChannelMap,
    sweeps: Sequence[Sweep],
    evaluator: Evaluator,
    advance: Callable[..., None] = lambda steps=1, *, detail="": None,
) -> tuple[float, tuple[Curve, ...]]:
    """The metric of the whole model, and one curve for each sweep.

    Args:
        model: its weights change while this runs, and are the same afterwards.
        traced: its trace.
        channels: its channel map.
        sweeps: what to switch off.
        evaluator: scores the masked models.
        advance: told of every masked model that was scored.
    """
    whole = evaluator.score_model(model)
    curves = []
    for sweep in sweeps:
        metrics = []
        for count in sweep.counts.tolist():
            kept = channels.everything
            kept[sweep.order[:count]] = False
            metrics.append(_score_masked(model, traced, channels, kept=kept, evaluator=evaluator))
            advance(1, detail=sweep.family)
        drops = [evaluator.drop(before=whole, after=metric) for metric in metrics]
        curves.append(
            Curve(
                family=sweep.family,
                order=sweep.order,
                counts=sweep.counts,
                metrics=np.array(metrics, dtype=np.float64),
                drops=np.array(drops, dtype=np.float64),
            )
        )
    return whole, tuple(curves)


def _score_masked(
    model: keras.Model, traced: Traced, channels: ChannelMap, *, kept: Kept, evaluator: Evaluator
) -> float:
    touched = [
        name
        for name, by_weight in channels.axes.items()
        if any(
            not kept[groups].all() for along in by_weight.values() for groups in along if groups is not None
        )
    ]
    with _masked_weights(traced, channels, kept=kept, layers=touched):
        if not _masks_need_calls(traced, touched):
            return evaluator.score_model(model)
        with switch_off(traced, channels, kept=kept):
            return evaluator.score_outputs(_predict_eagerly(model, evaluator.inputs))


def _masks_need_calls(traced: Traced, touched: Sequence[str]) -> bool:
    """Whether setting weights is not enough, so that a function compiled before would give other outputs."""
    kinds = {layer.kind for layer in traced.graph.layers.values()}
    changed = {traced.graph.layers[name].kind for name in touched}
    # Normalization computes with copies of its weights.
    return any(rule_for(kind).reads_values for kind in kinds) or "Normalization" in changed


@contextmanager
def _masked_weights(
    traced: Traced, channels: ChannelMap, *, kept: Kept, layers: Sequence[str]
) -> Iterator[None]:
    """While the block runs, these layers have the weights of the masked graph."""
    own = replace(traced.graph, layers={name: traced.graph.layers[name] for name in layers})
    masked = mask_channels(own, channels, kept=kept)
    try:
        for name in layers:
            assign_weights(traced.layers[name], list(masked.layers[name].weights.values()))
        yield
    finally:
        for name in layers:
            assign_weights(traced.layers[name], list(own.layers[name].weights.values()))


def _predict_eagerly(model: keras.Model, inputs: Sequence[Any]) -> list[Any]:
    pieces = []
    for i in range(0, len(inputs[0]), _BATCH_SIZE):
        batch = [
            keras.ops.convert_to_tensor(x) for x in feed(model, [x[i : i + _BATCH_SIZE] for x in inputs])
        ]
        pieces.append([np.asarray(y) for y in call(model, batch, training=False)])
    return [np.concatenate(outputs) for outputs in zip(*pieces, strict=True)]
