"""Fine-tuning with the original as teacher, by Keras's `fit`, resumable after any step.

Nothing here depends on how many steps were taken before: the batch, its augmentation and the learning rate of
a step follow from the seed and the step's number, and the optimizer's state is handed in and out as arrays. A
run that is cut in pieces therefore gives the same weights as one that is not.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from edgeprune.config.training_options import USUAL_BATCH
from edgeprune.errors import InfeasibleError, ModelError
from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.data.augment import Augmentation
from edgeprune.keras_bridge.data.batches import Batch, Source
from edgeprune.keras_bridge.model.weights import copy_model
from edgeprune.keras_bridge.training.distiller import Recoverer
from edgeprune.keras_bridge.training.distribution import Strategy, average, place, scope_of
from edgeprune.keras_bridge.training.inference import feed
from edgeprune.keras_bridge.training.optimizers import Optimizing
from edgeprune.keras_bridge.training.precision import computing_in
from edgeprune.keras_bridge.training.task import Task

USUAL_SHARE, WEIGHTED_SHARE = 0.9, 0.5
"""The teacher's share of the loss, and where samples or classes are weighted: it may know nothing of that."""
_WARM_UP_STEPS = 100
"""Over how many steps the learning rate rises at first; a tenth of all steps if those are fewer."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recovery:
    """How fine-tuning is done.

    Attributes:
        total_steps: optimizer steps of the whole build; the learning rate falls to zero along a half cosine.
        falls_from: the step from which it falls; None for never.
        batch_size: samples per step.
        optimizing: the optimizer.
        faster: multiplies its learning rate.
        distill_weight: share of the loss that compares with the teacher, in [0, 1]; 1 without labels.
        fading: whether that share falls to 0 along the build, where there are labels.
        temperature: softens both sides of that comparison for classifiers.
        augmentation: what is done to the batches.
        policy: the dtype policy that Keras's layers compute under meanwhile; see `precision.py`.
        loop: the owner's own training loop, an `OwnLoop`; None for Keras's `fit` with the teacher.
        strategy: spreads each step over several devices; None for one.
        seed: of batches and augmentation.
    """

    total_steps: int
    falls_from: int | None = 0
    batch_size: int = USUAL_BATCH
    optimizing: Optimizing = field(default_factory=Optimizing)
    faster: float = 1.0
    distill_weight: float = USUAL_SHARE
    fading: bool = False
    temperature: float = 4.0
    augmentation: Augmentation = field(default_factory=Augmentation)
    policy: str = "float32"
    loop: Any = None
    strategy: Strategy | None = None
    seed: int = 0

    def rate_at(self, step: int) -> float:
        """The learning rate of a step, counted from 0 over the whole build."""
        progress = 0.0
        if self.falls_from is not None:
            progress = (step - self.falls_from) / max(self.total_steps - self.falls_from, 1)
            progress = min(max(progress, 0.0), 1.0)
        warm = min((step + 1) / min(_WARM_UP_STEPS, 1 + self.total_steps // 10), 1.0)
        largest = self.faster * self.optimizing.learning_rate
        return largest * warm * 0.5 * (1 + float(np.cos(np.pi * progress)))

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
        source: of samples.
        task: gives the losses.
        is_labelled: whether there is something to learn beside the teacher's outputs.
    """

    source: Source
    task: Task
    is_labelled: bool

    @property
    def is_weighted(self) -> bool:
        """Whether some samples or classes count more than others."""
        return self.is_labelled and self.source.take(np.arange(1)).weights is not None

    @property
    def teacher_share(self) -> float:
        """What of the loss compares with the teacher.

        Nothing where some loss is the owner's own: that says what is wanted, and a cross entropy beside it
        pulls elsewhere. A U-Net with a Dice loss, at half its latency, had an IoU of 0.967 with the teacher
        and 0.982 without.
        """
        if self.is_labelled and any(output.has_own_loss for output in self.task.outputs):
            return 0.0
        return WEIGHTED_SHARE if self.is_weighted else USUAL_SHARE

    def draw(self, step: int, *, size: int, seed: int) -> Batch:
        """The batch of a step, with the labels that are trained on."""
        batch = self.source.draw(step, size=size, seed=seed)
        return self.task.complete(batch) if self.is_labelled else replace(batch, y=None, weights=None)


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


class Tunes(Protocol):
    """Something that fine-tunes one student piece by piece."""

    student: keras.Model

    def tune(self, steps: int, *, start: Trained, advance: Callable[[], None] = ...) -> Trained:
        """Trains for a number of steps and returns where the build stands then."""


class Tuner:
    """Fine-tunes one student; keeps its compiled training step from one piece to the next."""

    def __init__(
        self, student: keras.Model, teacher: keras.Model, *, training: Training, recovery: Recovery
    ) -> None:
        """Get ready.

        Args:
            student: the model to train; its weights will change, unless several devices need a copy of it.
            teacher: the original; only run.
            training: what to train on.
            recovery: how to train.

        Raises:
            ModelError: all layers of the student are frozen.
        """
        refuse_frozen(student)
        self.student = place(student, recovery.strategy)
        self._training, self._recovery = training, recovery
        with scope_of(recovery.strategy):
            self._optimizer = recovery.optimizing.make()
            self._optimizer.build(self.student.trainable_variables)
            self._fresh = [np.asarray(variable) for variable in self._optimizer.variables]
            self._recoverer = Recoverer(
                self.student,
                copy_model(teacher),
                task=training.task,
                temperature=recovery.temperature,
                follows=recovery.distill_weight > 0 or not training.is_labelled,
            )
            # Not XLA: what it compiles differs from one machine to the next.
            self._recoverer.compile(self._optimizer, jit_compile=False)

    def tune(self, steps: int, *, start: Trained, advance: Callable[[], None] = lambda: None) -> Trained:
        """Trains for a number of steps and returns where the build stands then.

        Args:
            steps: optimizer steps to take now.
            start: where the build stands.
            advance: called after every step.

        Raises:
            InfeasibleError: the loss is no longer a number.
        """
        if steps <= 0:
            return replace(start, losses=[*start.losses, 0.0])
        for variable, value in zip(self._optimizer.variables, start.optimizer or self._fresh, strict=True):
            variable.assign(value)
        course = _Course(
            self._recoverer,
            recovery=self._recovery,
            labelled=self._training.is_labelled,
            start=start.step,
            advance=advance,
        )
        with computing_in(self._recovery.policy, self.student, self._recoverer.teacher):
            history = self._recoverer.fit(
                _stream(self._batches(start.step, steps)),
                steps_per_epoch=steps,
                epochs=1,
                verbose=0,
                shuffle=False,
                callbacks=[course],
            )
        average(self.student.non_trainable_variables, self._recovery.strategy)
        return Trained(
            step=start.step + steps,
            optimizer=[np.asarray(variable) for variable in self._optimizer.variables],
            losses=[*start.losses, float(history.history["loss"][-1])],
        )

    def _batches(self, start: int, steps: int) -> Iterator[tuple[Any, ...]]:
        """What `fit` takes, no batch more than it will use: a stream goes on where this ends."""
        for step in range(start, start + steps):
            batch = draw_batch(self._training, recovery=self._recovery, step=step)
            x = tuple(feed(self.student, batch.x))
            if batch.y is None:
                yield (x,)
            elif batch.weights is None:
                yield x, batch.y
            else:
                yield x, batch.y, batch.weights


def _stream(batches: Iterator[tuple[Any, ...]]) -> tf.data.Dataset:
    """The batches, the next ones made while the model is busy; sizes in which the first two differ are open.

    Handed a generator, Keras makes the same with tf.data's autotuning, whose thread may then hold up the end
    of each `fit` for as long as 10 s.
    """
    first = list(islice(batches, 2))

    def describe(*arrays: Array) -> tf.TensorSpec:
        sizes = [{array.shape[axis] for array in arrays} for axis in range(1, arrays[0].ndim)]
        known = (size.pop() if len(size) == 1 else None for size in sizes)
        return tf.TensorSpec((None, *known), arrays[0].dtype)

    stream = tf.data.Dataset.from_generator(
        lambda: chain(first, batches), output_signature=tf.nest.map_structure(describe, *first)
    )
    options = tf.data.Options()
    options.autotune.enabled = False
    return stream.prefetch(2).with_options(options)


def refuse_frozen(model: keras.Model) -> None:
    """Raises ModelError where there is nothing to train."""
    if not model.trainable_variables:
        raise ModelError(
            "every layer is frozen, so that nothing can be fine-tuned",
            where=model.name,
            why="the model was saved with trainable=False",
            fix="set model.trainable = True, or that of the layers that may change, and save it again; "
            "'edgeprune prune' removes channels without training",
        )


class _Course(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """What changes from step to step: learning rate, the teacher's share, the state of random layers."""

    def __init__(
        self,
        recoverer: Recoverer,
        *,
        recovery: Recovery,
        labelled: bool,
        start: int,
        advance: Callable[[], None],
    ) -> None:
        super().__init__()
        self._recoverer, self._recovery, self._labelled = recoverer, recovery, labelled
        self._step, self._advance = start, advance
        self._states = [v for v in recoverer.student.variables if "seed_generator_state" in v.path]

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        _reseed(self._states, self._recovery.seed, self._step)
        self._recoverer.optimizer.learning_rate = self._recovery.rate_at(self._step)
        self._recoverer.share.assign(self._recovery.weight_at(self._step, labelled=self._labelled))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self._step += 1
        loss = (logs or {}).get("loss", 0.0)
        if not np.isfinite(loss):
            raise InfeasibleError(
                f"the loss became {loss} at step {self._step} of fine-tuning",
                where=self._recoverer.student.name,
                why=f"learning rate {self._recovery.optimizing.describe()}",
                fix="give a smaller --learning-rate, or look for labels and weights that make it so",
            )
        self._advance()


def steps_per_epoch(training: Training, recovery: Recovery) -> int:
    """Optimizer steps of one pass over the data; the last, incomplete batch is left out."""
    return training.source.per_epoch(recovery.batch_size)


def draw_batch(training: Training, *, recovery: Recovery, step: int) -> Batch:
    """The batch of a step, its images changed as the recovery says."""
    batch = training.draw(step, size=recovery.batch_size, seed=recovery.seed)
    if len(batch.x) == 1 and batch.x[0].ndim == 4:
        rng = np.random.default_rng([recovery.seed, step, 1])
        changed = recovery.augmentation.apply(batch.x[0], rng)
        y = (changed,) if training.task.label_kind == "reconstruction" and training.is_labelled else batch.y
        batch = replace(batch, x=(changed,), y=y)
    return batch


def _reseed(states: Sequence[Any], seed: int, step: int) -> None:
    """Sets the state of all random layers (dropout): a step draws the same whatever came before it."""
    for i, state in enumerate(states):
        key = np.random.SeedSequence([seed, step, i, 2]).generate_state(2)
        state.assign(key.astype(state.dtype))
