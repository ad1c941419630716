"""Keras's distiller, with the losses as the model's owner compiled them, and a share that may change."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras.src.losses.loss import scale_loss_for_distribution

from edgeprune.keras_bridge.model.calling import call
from edgeprune.keras_bridge.training.distribution import is_across_machines
from edgeprune.keras_bridge.training.scores import OutputTask
from edgeprune.keras_bridge.training.task import Task

_EPSILON = 1e-7


class SoftenedOutputs(keras.distillation.DistillationLoss):  # type: ignore[misc] # Keras has no types
    """How far the student is from the teacher, averaged over the batch and summed over outputs."""

    teacher_layer_name = student_layer_name = None  # outputs, not features within

    def __init__(self, task: Task, *, temperature: float) -> None:
        """Get ready.

        Args:
            task: says what outputs are, and the weights of their losses.
            temperature: softens distributions.
        """
        self.task, self.temperature = task, temperature

    def compute_loss(self, teacher_outputs: Sequence[Any], student_outputs: Sequence[Any], **_: Any) -> Any:
        """The distance, a number."""
        total = tf.constant(0.0)
        for output, taught, predicted in zip(
            self.task.outputs, teacher_outputs, student_outputs, strict=True
        ):
            distance = distance_of(output, predicted, taught, temperature=self.temperature)
            total += (output.weight or 1.0) * distance
        return total


def distance_of(output: OutputTask, predicted: Any, taught: Any, *, temperature: float) -> Any:
    """How far one output is from the teacher's, averaged over places that are not masked.

    Classifiers: cross entropy between distributions softened by the temperature, times its square (Hinton et
    al. 2015). Everything else: mean squared difference.

    Args:
        output: what it is.
        predicted: the student's, (batch, ...).
        taught: the teacher's, likewise.
        temperature: for classifiers.
    """
    p, t = predicted, tf.stop_gradient(taught)
    mask = getattr(predicted, "_keras_mask", None)
    if output.output_kind == "classes":
        p, t = ((x if output.from_logits else tf.math.log(x + _EPSILON)) / temperature for x in (p, t))
        far = -(temperature**2) * tf.reduce_sum(tf.nn.softmax(t) * tf.nn.log_softmax(p), axis=-1)
    elif output.output_kind == "binary":
        t = tf.sigmoid(t) if output.from_logits else t
        p = tf.sigmoid(p) if output.from_logits else p
        far = keras.losses.binary_crossentropy(t, p)
    else:
        far = tf.reduce_mean(tf.square(p - t), axis=-1) if len(p.shape) > 1 else tf.square(p - t)
    if mask is None or len(mask.shape) != len(far.shape):
        return tf.reduce_mean(far)
    counts = tf.cast(mask, far.dtype)
    return tf.math.divide_no_nan(tf.reduce_sum(far * counts), tf.reduce_sum(counts))


class Recoverer(keras.distillation.Distiller):  # type: ignore[misc] # Keras has no types
    """A student that follows its labels and a teacher; `fit` is Keras's own.

    Attributes:
        share: the teacher's share of the loss, a variable in [0, 1].
    """

    def __init__(
        self, student: keras.Model, teacher: keras.Model, *, task: Task, temperature: float, follows: bool
    ) -> None:
        """Get ready.

        Args:
            student: what is trained.
            teacher: is frozen by this, so give a copy.
            task: losses of all outputs.
            temperature: see `SoftenedOutputs`.
            follows: whether the teacher is asked at all.
        """
        super().__init__(teacher, student, [SoftenedOutputs(task, temperature=temperature)])
        self.task, self.follows = task, follows
        self.share = tf.Variable(1.0, trainable=False, dtype=tf.float32)

    def compile(self, optimizer: Any, **settings: Any) -> None:
        """Only the optimizer is Keras's to know; the losses are in the task."""
        keras.Model.compile(self, optimizer=optimizer, loss=None, **settings)

    def call(self, inputs: Any, training: bool | None = None, **_: Any) -> list[Any]:
        """The student's outputs, a flat list."""
        return call(self.student, list(keras.tree.flatten(inputs)), training=bool(training))

    def _maybe_symbolic_build(self, *_: Any, **__: Any) -> None:
        """Nothing: all is built. Keras's, with several devices, takes a first batch and throws it away."""

    def train_step(self, data: Any) -> Any:
        """Keras's own; over machines, with numbers as arrays: it cannot average scalars there."""
        logs = super().train_step(data)
        if is_across_machines(self.distribute_strategy):
            return {name: tf.reshape(value, (1,)) for name, value in logs.items()}
        return logs

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """The labels' losses and the distance from the teacher, in their shares, and the layers' own."""
        # Layers' own losses are sums over weights or means over a replica's batch; so is the distance.
        total = tf.add_n([*self.student.losses, tf.constant(0.0)])
        if self.follows:
            taught = call(self.teacher, list(keras.tree.flatten(x)), training=False)
            total += self.share * self.distillation_losses[0].compute_loss(taught, y_pred)
        total = scale_loss_for_distribution(total)
        if y is not None:
            weights = None if sample_weight is None else list(keras.tree.flatten(sample_weight))
            labelled = self.task.loss(list(keras.tree.flatten(y)), y_pred, weights)
            total += (1 - self.share) * tf.cast(labelled, tf.float32)
        return total
