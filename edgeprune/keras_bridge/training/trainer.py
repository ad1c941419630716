"""What fine-tunes models and scores them: the one thing that ways to a budget need of data and teacher."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import keras

from edgeprune.config.training_options import AS_GIVEN, Duration
from edgeprune.keras_bridge.data.augment import Augmentation
from edgeprune.keras_bridge.training.distribution import Strategy
from edgeprune.keras_bridge.training.evaluation import Evaluator
from edgeprune.keras_bridge.training.optimizers import Optimizing
from edgeprune.keras_bridge.training.own_loop import OwnLoop
from edgeprune.keras_bridge.training.recover import recover_with
from edgeprune.keras_bridge.training.train import Recovery, Training, steps_per_epoch
from edgeprune.progress import Checkpoints, Forgetful, Progress, Within


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Samples:
    """Data to look at a model with; unlike for a build, there need be no test set.

    Attributes:
        training: what gradients and activations are taken of.
        validation: scores models.
    """

    training: Training
    validation: Evaluator


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Trainer:
    """Trains students with the original as teacher.

    Attributes:
        teacher: the original, with BatchNorm statistics that suit the data; only run.
        training: what students are fine-tuned on, and gradients are taken of.
        evaluator: scores models on validation data.
        reference: what a student's score is compared with: the teacher's, on samples that it has not learnt.
        augmentation: what is done to training batches.
        optimizing: the optimizer of recovery.
        batch_size: samples per step.
        policy: the dtype policy that recovery computes under.
        loop: the owner's own training loop; None for Keras's `fit`.
        strategy: spreads each step over several devices; None for one.
        epochs: of fine-tuning, all that is done with this trainer together.
        duration: whether it goes on beyond them while that gains, and what time it may take.
        seed: of batches, augmentation and random choices.
        progress: is told about every optimizer step.
        work: keeps what is finished, so that an interrupted build goes on from there.
    """

    teacher: keras.Model
    training: Training
    evaluator: Evaluator
    reference: float
    augmentation: Augmentation
    optimizing: Optimizing
    batch_size: int
    policy: str = "float32"
    loop: OwnLoop | None = None
    strategy: Strategy | None = None
    epochs: int
    duration: Duration = AS_GIVEN
    seed: int
    progress: Progress
    work: Checkpoints

    def for_epochs(self, epochs: int) -> "Trainer":
        """The same with another number of epochs."""
        return replace(self, epochs=epochs)

    def on_trial(self, epochs: int) -> "Trainer":
        """The same for something that is tried: few epochs, within the stage that is on, nothing is kept."""
        return replace(
            self, epochs=epochs, duration=AS_GIVEN, progress=Within(self.progress), work=Forgetful()
        )

    def plan_recovery(self) -> Recovery:
        """How a student is fine-tuned for `epochs`."""
        recovery = Recovery(
            total_steps=0,
            batch_size=self.batch_size,
            optimizing=self.optimizing,
            augmentation=self.augmentation,
            policy=self.policy,
            loop=self.loop,
            strategy=self.strategy,
            seed=self.seed,
            distill_weight=self.training.teacher_share,
        )
        return replace(recovery, total_steps=self.epochs * steps_per_epoch(self.training, recovery))

    def recover_with(
        self,
        callback: keras.callbacks.Callback,
        model: keras.Model,
        *,
        rate: float = 1.0,
        around: Callable[[keras.Model], AbstractContextManager[None]] = nullcontext,
    ) -> tuple[keras.Model, float]:
        """A copy of the model, fine-tuned while a callback shapes its weights, and its validation metric.

        Args:
            callback: is told about the model and about each optimizer step, as `fit` does it.
            model: what is copied; not changed.
            rate: the learning rate as a multiple of the usual one.
            around: what the copy is trained within.

        Raises:
            InfeasibleError, RecipeError: as the callback's `set_model` does.
        """
        recovery = self.plan_recovery()
        return recover_with(
            callback,
            model,
            teacher=self.teacher,
            training=self.training,
            evaluator=self.evaluator,
            recovery=replace(recovery, faster=rate),
            progress=self.progress,
            around=around,
        )
