"""Kernels of a Keras model while it trains: where their variables are, and keeping them to some values."""

from abc import ABC, abstractmethod
from typing import Any

import keras
import numpy as np

from edgeprune.graph.channels import name_channels
from edgeprune.graph.kernels import Kernel, find_kernels
from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.model.trace import trace


def find_kernel_variables(model: keras.Model, *, keep: tuple[str, ...] = ()) -> dict[Kernel, Any]:
    """Each kernel of a model with its Keras variable, in the order of the layers.

    Args:
        model: Functional or Sequential.
        keep: patterns of names of layers that are left out.

    Raises:
        RecipeError: a pattern matches no layer.
    """
    traced = trace(model)
    found = {}
    for kernel in find_kernels(traced.graph, name_channels(traced.graph), keep=keep):
        names = list(traced.graph.layers[kernel.layer].weights)
        found[kernel] = traced.layers[kernel.layer].weights[names.index(kernel.weight)]
    return found


class StraightThroughCallback(keras.callbacks.Callback, ABC):  # type: ignore[misc] # Keras has no types
    """Keeps kernels to some of all values while a model trains: one more callback, whatever the optimizer.

    The optimizer's step is taken from the projected weights, where the gradient is, but added to weights that
    are free and that this callback keeps (a straight-through estimator, as BinaryConnect has it: Courbariaux
    et al. 2015). So a weight can come over to another value by many small steps.
    """

    def __init__(self) -> None:
        """Get ready; the model comes with `set_model`, as `fit` does it."""
        super().__init__()
        self._variables: dict[Kernel, Any] = {}
        self._free: dict[Kernel, Array] = {}
        self._made: dict[Kernel, Array] = {}

    @abstractmethod
    def choose_kernels(self, model: keras.Model) -> dict[Kernel, Any]:
        """The kernels to be kept to some values, with their variables; raises where there are none."""

    @abstractmethod
    def project(self, kernel: Kernel, free: Array) -> Array:
        """The values that free weights become.

        Args:
            kernel: which one.
            free: (outputs, weights per output).
        """

    def set_model(self, model: keras.Model) -> None:
        """Chooses the model's kernels and projects them. Raises as `choose_kernels` does."""
        if self._model is model:  # `fit` again: free weights go on
            return
        super().set_model(model)
        self._variables = self.choose_kernels(model)
        self._free = {k: k.to_matrix(np.asarray(v)) for k, v in self._variables.items()}
        self._made = dict(self._free)
        self.on_train_batch_end(0)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Adds the optimizer's step to the free weights, and projects what comes out."""
        for kernel, variable in self._variables.items():
            stepped = kernel.to_matrix(np.asarray(variable))
            free = self._free[kernel] + (stepped - self._made[kernel])
            made = self.project(kernel, free).astype(stepped.dtype)
            self._free[kernel], self._made[kernel] = free, made
            variable.assign(kernel.from_matrix(made))
