"""Fine-tuning a student by the build's own recovery: the one place here that knows how the build does it.

Every baseline is trained by this, so that it has the teacher, the learning rates, the data and their order
that the build's own students have.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from edgeprune.build.artefact import Artefact, make_artefact
from edgeprune.build.job import Job, make_trainer
from edgeprune.build.requantize import requantize
from edgeprune.methods.method import Applied
from edgeprune.progress import Progress


class Course:
    """Recovery in pieces, of a student that may be another, narrower one in each."""

    def __init__(self, job: Job, *, progress: Progress) -> None:
        """At its start, for all epochs of the job."""
        from edgeprune.keras_bridge.training.train import Trained

        self._trainer = make_trainer(job, progress=progress)
        self._recovery = self._trainer.plan_recovery()
        self._trained = Trained(step=0, optimizer=[], losses=[])
        self._tuner: Any = None

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole course."""
        return self._recovery.total_steps

    def tune(self, student: Any, steps: int) -> Any:
        """The student after some of the steps; the optimizer starts afresh with another student."""
        from edgeprune.keras_bridge.training.own_loop import make_tuner

        if self._tuner is None or self._tuner.student is not student:
            trainer = self._trainer
            self._tuner = make_tuner(
                student, trainer.teacher, training=trainer.training, recovery=self._recovery
            )
            self._trained = replace(self._trained, optimizer=[])
        self._trained = self._tuner.tune(steps, start=self._trained, advance=self._trainer.progress.advance)
        return self._tuner.student

    def finish(self, student: Any) -> Applied:
        """The student after the steps that are left, with BatchNorm statistics that suit it."""
        from edgeprune.keras_bridge.training.evaluation import settle_batch_norm

        student = self.tune(student, self.steps - self._trained.step)
        trainer = self._trainer
        settled, score = settle_batch_norm(
            student, trainer.evaluator, source=trainer.training.source, seed=trainer.seed
        )
        return Applied(model=settled, accuracy=score)


def make_file(applied: Applied, job: Job, *, progress: Progress) -> Artefact:
    """The model as the build makes its file: int8, with the ladder that repairs what quantizing costs."""
    artefact, _ = requantize(make_artefact(applied.model, job), job, applied=applied, progress=progress)
    return artefact


def make_fresh(model: Any, *, seed: int) -> Any:
    """A model of the same architecture with random weights; constants of Normalization layers stay."""
    import keras

    from edgeprune.keras_bridge.model.weights import clone

    keras.utils.set_random_seed(seed)
    fresh = clone(model)
    for layer, given in zip(fresh._flatten_layers(), model._flatten_layers(), strict=True):
        if isinstance(layer, keras.layers.Normalization):
            layer.set_weights([np.asarray(weight) for weight in given.get_weights()])
            layer.finalize_state()
    fresh.trainable = True
    return fresh
