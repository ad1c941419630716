"""What a model's outputs are scored against, on one set of inputs."""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.model.weights import assign_weights
from edgeprune.keras_bridge.training.task import Task
from edgeprune.keras_bridge.training.train import predict, reestimate_batch_norm


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evaluator:
    """Inputs, and what the outputs should be.

    Attributes:
        task: gives the metric.
        inputs: one array per model input, (samples, ...).
        labels: as in `Data`; for a reconstruction the input; without labels the original's outputs.
    """

    task: Task
    inputs: tuple[Array, ...]
    labels: Array | list[Array]

    def score_model(self, model: keras.Model) -> float:
        """The metric of a Keras model."""
        return self.score_outputs(predict(model, self.inputs))

    def score_outputs(self, outputs: Sequence[Array]) -> float:
        """The metric of outputs, one float array per model output, (samples, ...)."""
        return self.task.score(outputs[0] if len(outputs) == 1 else list(outputs), self.labels)

    def drop(self, *, before: float, after: float) -> float:
        """How much worse `after` is than `before`; see `Task.drop`."""
        return self.task.drop(before=before, after=after)


def sample_evaluator(evaluator: Evaluator, *, samples: int, seed: int) -> Evaluator:
    """The same evaluator on at most so many of its samples, drawn by the seed."""
    count = len(evaluator.inputs[0])
    if count <= samples:
        return evaluator
    rows = np.sort(np.random.default_rng([seed, 3]).choice(count, size=samples, replace=False))
    labels = evaluator.labels
    few = labels[rows] if isinstance(labels, np.ndarray) else [y[rows] for y in labels]
    return Evaluator(task=evaluator.task, inputs=tuple(x[rows] for x in evaluator.inputs), labels=few)


def settle_batch_norm(
    model: keras.Model, evaluator: Evaluator, *, inputs: tuple[Array, ...], seed: int
) -> tuple[keras.Model, float]:
    """The model and its score, or a copy with re-estimated BatchNorm statistics if that one scores better.

    Args:
        model: not changed.
        evaluator: scores both.
        inputs: training inputs, one array per model input.
        seed: of the batches.
    """
    before = evaluator.score_model(model)
    copy = copy_model(model)
    if not reestimate_batch_norm(copy, inputs, seed=seed):
        return model, before
    after = evaluator.score_model(copy)
    return (copy, after) if evaluator.drop(before=before, after=after) < 0 else (model, before)


def copy_model(model: keras.Model) -> keras.Model:
    """A model of the same layers and weights, not compiled."""
    copy = keras.models.clone_model(model)
    assign_weights(copy, model.get_weights())
    return copy


def make_evaluator(
    task: Task, original: keras.Model, *, inputs: tuple[Array, ...], labels: Array | None
) -> Evaluator:
    """An evaluator for these inputs; asks the original for its outputs where nothing else is to go by."""
    chosen = task.choose_labels(inputs, labels)
    if chosen is None:
        outputs = predict(original, inputs)
        return Evaluator(task=task, inputs=inputs, labels=outputs[0] if len(outputs) == 1 else outputs)
    return Evaluator(task=task, inputs=inputs, labels=chosen)
