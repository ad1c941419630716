"""Fine-tuning with the original model as teacher: one training loop, resumable after any step.

Nothing here depends on how many steps were taken before: the batch, its augmentation and the learning rate of
a step follow from the seed and the step's number, and the optimizer's state is handed in and out as arrays. A
run that is cut in pieces therefore gives the same weights as one that is not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.data.augment import Augmentation
from edgeprune.keras_bridge.model.calling import call
from edgeprune.keras_bridge.training.task import Task

_EPSILON = 1e-7
_WARM_UP_STEPS = 100
"""Over how many steps the learning rate rises at first; a tenth of all steps if those are fewer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovery:
    """How fine-tuning is done.

    Attributes:
        total_steps: optimizer steps of the whole build; the learning rate falls to zero along a half cosine.
        batch_size: samples per step.
        learning_rate: largest learning rate, of Adam.
        distill_weight: share of the loss that compares with the teacher, in [0, 1]; 1 without labels.
        fading: whether that share falls to 0 along the build, where there are labels.
        temperature: softens both sides of that comparison for classifiers.
        augmentation: what is done to the batches.
        seed: of batches and augmentation.
    """

    total_steps: int
    batch_size: int = 32
    learning_rate: float = 1e-3
    distill_weight: float = 0.5
    fading: bool = False
    temperature: float = 2.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0 over the whole build."""
        progress = min(step / max(self.total_steps, 1), 1.0)
        warm = min((step + 1) / min(_WARM_UP_STEPS, 1 + self.total_steps // 10), 1.0)
        return self.learning_rate * warm * 0.5 * (1 + float(np.cos(np.pi * progress)))

    def weight_at(self, step: int, *, labelled: bool) -> float:
        """The teacher's share of the loss at a step, counted from 0 over the whole build.

        Where it fades, it falls to 0 along a straight line: a teacher helps a model that has just lost much,
        and holds back one that has become as good (teacher annealing: Clark et al. 2019, "BAM!"). Without
        labels the teacher is all there is.
        """
        if not labelled:
            return 1.0
        return self.distill_weight * (1 - step / max(self.total_steps, 1) if self.fading else 1.0)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Training:
    """What to train on.

    Attributes:
        inputs: one array per model input, (samples, ...).
        labels: (samples, ...) as the task's loss takes them, or None; then only the teacher is followed.
        task: gives the loss.
    """

    inputs: tuple[Array, ...]
    labels: Array | None
    task: Task


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """Where fine-tuning stands.

    Attributes:
        step: optimizer steps taken so far in the build.
        optimizer: its variables, to go on from; empty to start afresh.
        losses: mean loss of each piece.
    """

    step: int
    optimizer: list[Array]
    losses: list[float]


class Tuner:
    """Fine-tunes one student; keeps its compiled training step from one piece to the next."""

    def __init__(
        self, student: keras.Model, teacher: keras.Model, *, training: Training, recovery: Recovery
    ) -> None:
        """Get ready.

        Args:
            student: the model to train; its weights will change.
            teacher: the original; only run.
            training: what to train on.
            recovery: how to train.
        """
        self.student = student
        self._training, self._recovery = training, recovery
        self._optimizer = keras.optimizers.Adam(recovery.learning_rate)
        self._optimizer.build(student.trainable_variables)
        self._fresh = [np.asarray(variable) for variable in self._optimizer.variables]
        self._random_states = [v for v in student.variables if "seed_generator_state" in v.path]
        self._step = _make_step(student, teacher, self._optimizer, training, recovery)

    def tune(self, steps: int, *, start: Trained, advance: Callable[[], None] = lambda: None) -> Trained:
        """Trains for a number of steps and returns where the build stands then.

        Args:
            steps: optimizer steps to take now.
            start: where the build stands.
            advance: called after every step.
        """
        for variable, value in zip(self._optimizer.variables, start.optimizer or self._fresh, strict=True):
            variable.assign(value)
        losses = []
        for step in range(start.step, start.step + steps):
            _reseed(self._random_states, self._recovery.seed, step)
            batch, rows = draw_batch(self._training.inputs, recovery=self._recovery, step=step)
            self._optimizer.learning_rate = self._recovery.rate_at(step)
            labels = self._training.labels
            y = None if labels is None else tf.constant(labels[rows])
            weight = tf.constant(self._recovery.weight_at(step, labelled=y is not None), tf.float32)
            losses.append(float(self._step([tf.constant(x) for x in batch], y, weight)))
            advance()
        return Trained(
            step=start.step + steps,
            optimizer=[np.asarray(variable) for variable in self._optimizer.variables],
            losses=[*start.losses, float(np.mean(losses)) if losses else 0.0],
        )


def steps_per_epoch(training: Training, recovery: Recovery) -> int:
    """Optimizer steps of one pass over the data; the last, incomplete batch is left out."""
    count = len(training.inputs[0])
    return max(1, count // min(recovery.batch_size, count))


def draw_batch(inputs: Sequence[Array], *, recovery: Recovery, step: int) -> tuple[list[Array], Array]:
    """The batch of a step, float32 inputs and the rows it took.

    Every epoch is a new permutation, a pure function of seed and epoch; an incomplete last batch is left out.
    """
    count = len(inputs[0])
    size = min(recovery.batch_size, count)
    per_epoch = count // size
    epoch, index = divmod(step, per_epoch)
    order = _permutation(count, recovery.seed, epoch)
    rows = np.sort(order[index * size : (index + 1) * size])
    rng = np.random.default_rng([recovery.seed, step, 1])
    batch = [x[rows] for x in inputs]
    if len(batch) == 1 and batch[0].ndim == 4:
        batch = [recovery.augmentation.apply(batch[0], rng)]
    return [x.astype(np.float32) if x.dtype.kind in "uif" else x for x in batch], rows


_PERMUTATIONS: dict[tuple[int, int, int], Array] = {}


def _permutation(count: int, seed: int, epoch: int) -> Array:
    key = (count, seed, epoch)
    if key not in _PERMUTATIONS:
        _PERMUTATIONS.clear()
        _PERMUTATIONS[key] = np.random.default_rng([seed, epoch]).permutation(count)
    return _PERMUTATIONS[key]


def _reseed(states: Sequence[Any], seed: int, step: int) -> None:
    """Sets the state of all random layers (dropout): a step draws the same whatever came before it."""
    for i, state in enumerate(states):
        key = np.random.SeedSequence([seed, step, i, 2]).generate_state(2)
        state.assign(key.astype(state.dtype))


def _make_step(
    student: keras.Model,
    teacher: keras.Model,
    optimizer: Any,
    training: Training,
    recovery: Recovery,
) -> Callable[..., Any]:
    task = training.task
    labelled = training.labels is not None

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def step(inputs: Any, labels: Any, weight: Any) -> Any:
        with tf.GradientTape() as tape:
            predicted = call(student, inputs, training=True)
            loss = tf.add_n([*student.losses, tf.constant(0.0)])
            if recovery.distill_weight > 0 or not labelled:
                taught = call(teacher, inputs, training=False)
                loss += weight * distance(predicted, taught, task=task, temperature=recovery.temperature)
            if labelled:
                loss += (1 - weight) * tf.reduce_mean(task.loss(labels, unpack(predicted)))
        variables = student.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, variables), variables, strict=True))
        return loss

    return step  # type: ignore[no-any-return]


def unpack(outputs: list[Any]) -> Any:
    """A single output as it is, several as a list: what a loss takes."""
    return outputs[0] if len(outputs) == 1 else outputs


def distance(predicted: list[Any], taught: list[Any], *, task: Task, temperature: float) -> Any:
    """How far the student is from the teacher, averaged over the batch and summed over outputs.

    Classifiers: cross entropy between distributions softened by the temperature, times its square (Hinton et
    al. 2015). Everything else: mean squared difference.
    """
    total = tf.constant(0.0)
    for p, t in zip(predicted, taught, strict=True):
        t = tf.stop_gradient(t)
        if task.output_kind == "classes":
            p, t = ((x if task.from_logits else tf.math.log(x + _EPSILON)) / temperature for x in (p, t))
            soft = -tf.reduce_sum(tf.nn.softmax(t) * tf.nn.log_softmax(p), axis=-1)
            total += temperature**2 * tf.reduce_mean(soft)
        elif task.output_kind == "binary":
            t = tf.sigmoid(t) if task.from_logits else t
            p = tf.sigmoid(p) if task.from_logits else p
            total += tf.reduce_mean(keras.losses.binary_crossentropy(t, p))
        else:
            total += tf.reduce_mean(tf.square(p - t))
    return total


def predict(model: keras.Model, inputs: Sequence[Array], *, batch_size: int = 256) -> list[Array]:
    """Outputs of the model in inference mode, one array per output, (samples, ...) float32."""
    infer = _inference(model)
    pieces = []
    for i in range(0, len(inputs[0]), batch_size):
        batch = [tf.constant(x[i : i + batch_size].astype(np.float32)) for x in inputs]
        pieces.append([np.asarray(y) for y in infer(batch)])
    return [np.concatenate(outputs) for outputs in zip(*pieces, strict=True)]


@lru_cache(maxsize=2)
def _inference(model: keras.Model) -> Callable[..., Any]:
    """The model as a compiled function; kept, because the same models are asked again and again."""

    @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
    def infer(batch: Any) -> Any:
        return call(model, batch, training=False)

    return infer  # type: ignore[no-any-return]


def reestimate_batch_norm(
    model: keras.Model, inputs: Sequence[Array], *, batch_size: int = 128, batches: int = 64, seed: int
) -> int:
    """Sets the moving statistics of all BatchNormalization layers to their mean over some training batches.

    Returns:
        The number of layers re-estimated; 0 leaves the model as it was.
    """
    layers = [
        layer
        for layer in model._flatten_layers()
        if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable
    ]
    if not layers:
        return 0
    momenta = [layer.momentum for layer in layers]
    drawing = Recovery(total_steps=batches, batch_size=batch_size, seed=seed)
    count = min(batches, max(1, 2 * len(inputs[0]) // batch_size))
    for i in range(count):
        for layer in layers:
            layer.momentum = i / (i + 1)  # makes the moving average a plain mean
        batch, _ = draw_batch(inputs, recovery=drawing, step=i)
        call(model, [tf.constant(x) for x in batch], training=True)
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    return len(layers)
