"""How far a student is from the original: what its recovery is foreseen by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.data.batches import Source
from edgeprune.keras_bridge.training.distiller import SoftenedOutputs
from edgeprune.keras_bridge.training.evaluation import settled
from edgeprune.keras_bridge.training.inference import predict

if TYPE_CHECKING:
    from edgeprune.keras_bridge.training.trainer import Trainer

_SAMPLES = 1_000


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Distance:
    """The teacher's part of the loss of recovery, less what the teacher itself would have, on fixed samples.

    Attributes:
        inputs: one array per model input.
        outputs: the original's.
        loss: of recovery.
        floor: what it says of the original.
        source: of training samples, for BatchNorm statistics.
        seed: of their choice.
    """

    inputs: tuple[Array, ...]
    outputs: list[Array]
    loss: SoftenedOutputs
    floor: float
    source: Source
    seed: int

    def of(self, model: keras.Model) -> float:
        """How far the model is, with BatchNorm statistics that suit it; it keeps its own."""
        with settled(model, self.source, seed=self.seed):
            found = predict(model, self.inputs)
        return max(float(self.loss.compute_loss(self.outputs, found)) - self.floor, 0.0)


def make_distance(trainer: Trainer) -> Distance:
    """From the trainer's teacher, on validation samples."""
    source, seed = trainer.evaluator.source, trainer.seed
    count = source.drawable
    rows = np.random.default_rng([seed, 19]).choice(count, min(count, _SAMPLES), replace=False)
    inputs = source.take(np.sort(rows)).x
    outputs = predict(trainer.teacher, inputs)
    loss = SoftenedOutputs(trainer.training.task, temperature=trainer.plan_recovery().temperature)
    floor = float(loss.compute_loss(outputs, outputs))
    return Distance(
        inputs=inputs, outputs=outputs, loss=loss, floor=floor, source=trainer.training.source, seed=seed
    )
