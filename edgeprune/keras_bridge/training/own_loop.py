"""The owner's own training loop in the place of ours: `--train file.py:function`."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras

from edgeprune.errors import RecipeError
from edgeprune.keras_bridge.data.user_function import find_function
from edgeprune.keras_bridge.model.inference_form import compile_alike
from edgeprune.keras_bridge.training.distribution import place, scope_of
from edgeprune.keras_bridge.training.train import (
    Recovery,
    Trained,
    Training,
    Tuner,
    Tunes,
    refuse_frozen,
    steps_per_epoch,
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class OwnLoop:
    """A loop that trains a model.

    Attributes:
        function: `(model, epochs, callbacks) → None`; the model is compiled as the original was.
        source: where it comes from, for messages.
        original: how models are compiled.
    """

    function: Callable[..., Any]
    source: str
    original: keras.Model


def open_loop(source: str, original: keras.Model) -> OwnLoop:
    """The loop at `module:function` or `file.py:function`. Raises DataError."""
    return OwnLoop(function=find_function(source), source=source, original=original)


def make_tuner(
    student: keras.Model, teacher: keras.Model, *, training: Training, recovery: Recovery
) -> Tunes:
    """What fine-tunes a student: the owner's loop where there is one, else Keras's `fit` with the teacher.

    Its `student` is the model itself, or a copy that several devices share.
    """
    if recovery.loop is None:
        return Tuner(student, teacher, training=training, recovery=recovery)
    refuse_frozen(student)
    placed = place(student, recovery.strategy)
    with scope_of(recovery.strategy):
        return _OwnTuner(placed, recovery.loop, per_epoch=steps_per_epoch(training, recovery))


class _OwnTuner:
    """Fine-tunes one student by the owner's loop, in whole epochs."""

    def __init__(self, student: keras.Model, loop: OwnLoop, *, per_epoch: int) -> None:
        self.student, self._loop, self._per_epoch = student, loop, per_epoch
        compile_alike(loop.original, student)

    def tune(self, steps: int, *, start: Trained, advance: Callable[[], None] = lambda: None) -> Trained:
        """Trains for as many epochs as these steps are, one at least; what the callbacks miss is made up for.

        Raises:
            RecipeError: the loop failed.
        """
        if steps <= 0:
            return replace(start, losses=[*start.losses, 0.0])
        course = _Course(advance, steps)
        epochs = max(1, round(steps / self._per_epoch))
        _call(self._loop, self.student, epochs, [course])
        course.finish()
        return replace(start, step=start.step + steps, losses=[*start.losses, course.loss])


def _call(loop: OwnLoop, model: keras.Model, epochs: int, callbacks: Sequence[Any]) -> None:
    try:
        loop.function(model, epochs, list(callbacks))
    except (Exception, SystemExit) as error:  # the owner's own code
        last = traceback.extract_tb(error.__traceback__)[-1]
        raise RecipeError(
            "the training loop failed",
            where=loop.source,
            why=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}, in {last.name}, line "
            f"{last.lineno}",
            fix="it is called as train(model, epochs, callbacks); run it on the original model to see",
        ) from error


class _Course(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """Tells of each step, as often as was planned: masks and progress go by it."""

    def __init__(self, advance: Callable[[], None], steps: int) -> None:
        super().__init__()
        self._advance, self._left, self.loss = advance, steps, 0.0

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        self.loss = float((logs or {}).get("loss", self.loss))
        if self._left > 0:
            self._left -= 1
            self._advance()

    def finish(self) -> None:
        """The steps that the loop told nobody of."""
        while self._left > 0:
            self._left -= 1
            self._advance()
