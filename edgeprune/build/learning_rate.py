"""The learning rate of a build: as asked, as compiled, or what a range test leaves of that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgeprune.build.job import Job

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.trainer import Trainer


def suit_learning_rate(job: Job, model: keras.Model, *, trainer: Trainer) -> Job:
    """The job with an optimizer whose learning rate neither harms the model nor gets it nowhere.

    Nothing is tested where somebody gave the rate or trains by a loop of their own, nor over several devices.

    Args:
        job: what was asked.
        model: what is trained first; not changed.
        trainer: of the job; its work keeps what was found.
    """
    from edgeprune.keras_bridge.training.rates import find_harmful_rate, suit_rate

    own = job.inputs.optimizing
    if own.is_asked or trainer.loop is not None or trainer.strategy is not None:
        return job
    if (finished := trainer.work.load("rate")) is not None:
        harmful = finished[1]["harmful"]
    else:
        trainer.progress.stage("try learning rates")
        harmful = find_harmful_rate(
            model, trainer.teacher, training=trainer.training, recovery=trainer.plan_recovery()
        )
        with trainer.work.finish("rate", {"harmful": harmful}):
            pass
    suited = suit_rate(own, harmful=harmful)
    trainer.progress.advance(0, detail=suited.describe())
    if suited.learning_rate != own.learning_rate:
        trainer.progress.note(
            f"learning rate {suited.learning_rate:.2g} instead of {own.learning_rate:g} ({own.origin}): "
            f"tried at rising rates, the model gets worse from {harmful:.2g} on"
        )
    return replace(job, inputs=replace(job.inputs, optimizing=suited))
