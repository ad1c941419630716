"""Zeros in the kernels of an ordinary Keras model, brought in along a schedule and held there."""

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.errors import InfeasibleError
from edgeprune.graph.kernels import Kernel
from edgeprune.keras_bridge.training.kernel_training import find_kernel_variables
from edgeprune.keras_bridge.training.schedules import make_schedule, sparsity_at
from edgeprune.prune.masks import Pattern, Scope, Zeros, choose_zeros
from edgeprune.prune.schedules import Course


@dataclass(frozen=True, kw_only=True, slots=True)
class Sparsifying:
    """What is asked for.

    Attributes:
        pattern: what a mask looks like.
        schedule: a name in `SCHEDULES`.
        course: the schedule's parameters; its steps are optimizer steps.
        scope: whether every kernel gets the sparsity, or all of them together.
        keep: patterns of names of layers that stay dense.
    """

    pattern: Pattern
    schedule: str
    course: Course
    scope: Scope = "global"
    keep: tuple[str, ...] = ()


class SparsityCallback(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """Makes kernels sparse while a model trains: one more callback for `fit`, whatever the optimizer.

    Steps are counted from 0 over all calls of `fit`. After each step that the schedule names, masks are
    chosen anew from the magnitudes that the weights then have; a zero has the least and so stays one. The
    masks are applied after *every* step, because gradients and momentum move zeros, too.
    """

    def __init__(self, asked: Sparsifying) -> None:
        """Get ready; the model comes with `set_model`, as `fit` does it."""
        super().__init__()
        self.asked = asked
        self.step = 0
        self.zeros: dict[Kernel, Zeros] = {}
        self._variables: dict[Kernel, Any] = {}
        self._masks: dict[Kernel, Any] = {}
        self._schedule = make_schedule(asked.schedule, asked.course)
        self._updates = asked.course.update_steps()

    def set_model(self, model: keras.Model) -> None:
        """Finds the model's kernels. Raises InfeasibleError where there are none, RecipeError for `keep`."""
        if self._model is model:  # `fit` again: masks and steps go on
            return
        super().set_model(model)
        self._variables = find_kernel_variables(model, keep=self.asked.keep)
        if not self._variables:
            raise InfeasibleError("the model has no kernel that could become sparse", where=model.name)
        self._masks = {
            kernel: tf.Variable(tf.ones(kernel.shape, variable.dtype), trainable=False)
            for kernel, variable in self._variables.items()
        }
        self.zeros = {}

        @tf.function  # type: ignore[untyped-decorator]
        def apply() -> None:
            for kernel, variable in self._variables.items():
                variable.assign(variable * self._masks[kernel])

        self._apply = apply

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Moves the masks on if the schedule says so, and applies them."""
        if self.step in self._updates:
            course = self.asked.course  # TFMOT divides by the length of the way, which may be 0
            at_end = self.step >= course.end_step
            self.update(course.final_sparsity if at_end else sparsity_at(self._schedule, self.step))
        elif self.zeros:
            self._apply()
        self.step += 1

    def on_train_end(self, logs: Any = None) -> None:
        """Applies the masks to what the optimizer has averaged, if it averages weights."""
        if self.zeros:
            self._apply()

    def update(self, sparsity: float) -> None:
        """Chooses masks for a sparsity in [0, 1) from the weights as they are, and applies them."""
        values = {kernel: np.asarray(variable) for kernel, variable in self._variables.items()}
        self.zeros = choose_zeros(
            {kernel: np.abs(kernel.to_matrix(value)) for kernel, value in values.items()},
            pattern=self.asked.pattern,
            sparsity=sparsity,
            scope=self.asked.scope,
        )
        for kernel, zeros in self.zeros.items():
            self._masks[kernel].assign(kernel.from_matrix(~zeros))
        self._apply()


def list_zeros(model: keras.Model, *, keep: tuple[str, ...] = ()) -> dict[str, Zeros]:
    """Name of each kernel → (outputs, weights per output), True where its weights are zero."""
    variables = find_kernel_variables(model, keep=keep)
    return {kernel.name: kernel.to_matrix(np.asarray(v)) == 0 for kernel, v in variables.items()}
