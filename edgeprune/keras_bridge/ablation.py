"""What the loss says of a model without some of its branches or channels, before any recovery."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from edgeprune.graph.branches import Branch
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.surgery import mask_channels
from edgeprune.keras_bridge.bypassing import skip
from edgeprune.keras_bridge.calling import call
from edgeprune.keras_bridge.masking import switch_off
from edgeprune.keras_bridge.trace import Traced
from edgeprune.keras_bridge.train import Recovery, Training, distance, draw_batch, unpack
from edgeprune.keras_bridge.weights import assign_weights
from edgeprune.prune.criteria import Scores

SAMPLES = 256
_MASKED_SHARE = 0.25
_LEAST_RISE = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Ablation:
    """Measured losses.

    Attributes:
        branches: branch name → rise of the loss when it is skipped, at least 1e-6.
        per_score: rise of the loss per unit of score, over masks of a quarter of each family.
        samples: training samples they were measured on.
    """

    branches: dict[str, float]
    per_score: float
    samples: int

    def price(self, name: str) -> float:
        """A branch's importance in the unit of the channels' scores."""
        return self.branches[name] / self.per_score


def measure_ablations(
    model: keras.Model,
    traced: Traced,
    *,
    branches: Sequence[Branch],
    channels: ChannelMap,
    scores: Scores,
    training: Training,
    seed: int,
) -> Ablation:
    """How much the loss on training samples rises without each branch, and without the least channels.

    Without labels the loss is the distance from the model's own outputs.

    Args:
        model: the model; its weights are the same afterwards.
        traced: its trace.
        branches: what to skip, one at a time.
        channels: its channel map.
        scores: (groups,) importance of its channels.
        training: inputs, labels and loss.
        seed: of the samples.
    """
    drawing = Recovery(total_steps=1, batch_size=SAMPLES, seed=seed)
    batch, rows = draw_batch(training.inputs, recovery=drawing, step=0)
    inputs = [tf.constant(x) for x in batch]
    labels = None if training.labels is None else tf.constant(training.labels[rows])
    own = call(model, inputs, training=False)

    def measure() -> float:
        outputs = call(model, inputs, training=False)
        if labels is None:
            return float(distance(outputs, own, task=training.task, temperature=1.0))
        return float(tf.reduce_mean(training.task.loss(labels, unpack(outputs))))

    base = measure()
    rises = {}
    for branch in branches:
        with skip(traced, [branch]):
            rises[branch.name] = max(measure() - base, _LEAST_RISE)
    before = model.get_weights()
    total_rise, total_score = 0.0, 0.0
    try:
        for family in np.unique(channels.family[channels.prunable]).tolist():
            groups = np.flatnonzero(channels.prunable & (channels.family == family))
            least = groups[np.argsort(scores[groups], kind="stable")][: int(_MASKED_SHARE * len(groups))]
            kept = channels.everything
            kept[least] = False
            masked = mask_channels(traced.graph, channels, kept=kept)
            for name, operation in traced.layers.items():
                if masked.layers[name].weights:
                    assign_weights(operation, list(masked.layers[name].weights.values()))
            with switch_off(traced, channels, kept=kept):
                total_rise += max(measure() - base, 0.0)
            total_score += float(scores[least].sum())
    finally:
        assign_weights(model, before)
    per_score = total_rise / total_score if total_rise > 0 and total_score > 0 else _LEAST_RISE
    return Ablation(branches=rises, per_score=per_score, samples=len(batch[0]))
