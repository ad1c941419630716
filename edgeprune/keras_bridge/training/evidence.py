"""Everything that criteria may look at, measured when they do."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import keras

from edgeprune.graph.channels import ChannelMap
from edgeprune.keras_bridge.model.activity import measure_activity
from edgeprune.keras_bridge.model.trace import Traced
from edgeprune.keras_bridge.training.curves import measure_curves
from edgeprune.keras_bridge.training.evaluation import Evaluator, sample_evaluator
from edgeprune.keras_bridge.training.gradients import iterate_gradients
from edgeprune.keras_bridge.training.train import Training
from edgeprune.prune.criteria import CRITERIA, Curve, Evidence, score_groups
from edgeprune.prune.sweeps import plan_sweeps

SENSITIVITY_SAMPLES = 1000
"""On how many validation samples, at most, each point of a curve is measured."""
SENSITIVITY_RATIOS = (0.1, 0.3, 0.5, 0.7, 0.9)
"""Where the curves of criterion `sensitivity` are measured: half as finely as by `inspect`."""
ORDER_CRITERION = "taylor"
"""In what order channels are switched off along the curves of criterion `sensitivity`."""


def gather_evidence(
    model: keras.Model,
    traced: Traced,
    *,
    channels: ChannelMap,
    training: Training,
    evaluator: Evaluator | None,
    seed: int,
) -> Evidence:
    """What criteria may look at; nothing is measured before it is asked for.

    Args:
        model: what is to be pruned; not changed.
        traced: its trace.
        channels: its channel map.
        training: what gradients and activations are taken of.
        evaluator: scores masked models on validation data; None where no curves can be had.
        seed: of batches and random scores.
    """
    unlabelled = replace(training, is_labelled=False)
    evidence = Evidence(
        graph=traced.graph,
        channels=channels,
        gradients=lambda: iterate_gradients(model, traced, training=training, seed=seed),
        fisher=lambda: iterate_gradients(model, traced, training=unlabelled, seed=seed),
        activity=lambda: measure_activity(model, traced, channels=channels, training=training, seed=seed),
        seed=seed,
    )
    return (
        evidence
        if evaluator is None
        else replace(evidence, curves=_curves(model, traced, evidence, evaluator))
    )


def _curves(
    model: keras.Model, traced: Traced, evidence: Evidence, evaluator: Evaluator
) -> Callable[[], Sequence[Curve]]:
    def measure() -> Sequence[Curve]:
        scores = score_groups(CRITERIA[ORDER_CRITERION], evidence)
        few = sample_evaluator(evaluator, samples=SENSITIVITY_SAMPLES, seed=evidence.seed)
        sweeps = plan_sweeps(evidence.channels, scores=scores, ratios=SENSITIVITY_RATIOS)
        _, curves = measure_curves(model, traced, channels=evidence.channels, sweeps=sweeps, evaluator=few)
        return curves

    return measure
