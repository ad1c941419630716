"""Fine-tuning a copy of a model while a Keras callback shapes its weights after each step."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

import keras

from edgeprune.keras_bridge.model.weights import copy_model
from edgeprune.keras_bridge.training.distribution import place
from edgeprune.keras_bridge.training.evaluation import Evaluator, settle_batch_norm
from edgeprune.keras_bridge.training.inference import forget_compiled
from edgeprune.keras_bridge.training.own_loop import make_tuner
from edgeprune.keras_bridge.training.train import Recovery, Trained, Training, steps_per_epoch
from edgeprune.progress import Progress


def recover_with(
    callback: keras.callbacks.Callback,
    model: keras.Model,
    *,
    teacher: keras.Model,
    training: Training,
    evaluator: Evaluator,
    recovery: Recovery,
    progress: Progress,
    around: Callable[[keras.Model], AbstractContextManager[None]] = nullcontext,
) -> tuple[keras.Model, float]:
    """A fine-tuned copy of the model with BatchNorm statistics estimated anew, and its validation metric.

    The teacher fades: all channels stay, so that the copy comes near the teacher, or beyond it.

    Args:
        callback: is told about the model and about each optimizer step, as `fit` does it.
        model: what is copied; not changed.
        teacher: what the copy follows; only run.
        training: inputs, labels and loss.
        evaluator: scores models on validation data.
        recovery: how to train, and for how many steps.
        progress: is told about every optimizer step, within the stage that is on.
        around: what the copy is trained within.

    Raises:
        InfeasibleError, RecipeError: as the callback's `set_model` does.
    """
    shaped = place(copy_model(model), recovery.strategy)
    callback.set_model(shaped)

    def advance() -> None:
        callback.on_train_batch_end(0)
        progress.advance()

    with around(shaped):
        tuner = make_tuner(shaped, teacher, training=training, recovery=replace(recovery, fading=True))
        trained = Trained(step=0, optimizer=[], losses=[])
        while (left := recovery.total_steps - trained.step) > 0:
            trained = tuner.tune(
                min(steps_per_epoch(training, recovery), left), start=trained, advance=advance
            )
            progress.advance(
                0, detail=f"validation {evaluator.task.metric} {evaluator.score_model(shaped):.3f}"
            )
    forget_compiled()  # what was compiled within `around` goes on as it was there
    callback.on_train_end()
    return settle_batch_norm(shaped, evaluator, source=training.source, seed=recovery.seed)
