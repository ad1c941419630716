"""Few values for the weights of each output of an ordinary Keras model, while it is trained."""

from typing import Any

import keras
import numpy as np

from edgeprune.errors import InfeasibleError
from edgeprune.graph.channels import name_channels
from edgeprune.graph.kernels import Kernel, find_kernels
from edgeprune.keras_bridge.trace import trace
from edgeprune.prune.clusters import assign, find_values, take_means

PER_VALUE = 2
"""Weights per value that a row must have at least: with fewer, its table takes what the indices save."""


class ClusterCallback(keras.callbacks.Callback):  # type: ignore[misc] # Keras has no types
    """Keeps each row of a kernel to a few values: one more callback for `fit`, whatever the optimizer.

    The optimizer's step is taken from the clustered weights, where the gradient is, but added to weights that
    are not clustered and that this callback keeps (a straight-through estimator, as BinaryConnect has it:
    Courbariaux et al. 2015). So a weight can come over to the next value by many small steps. Values are
    means, taken anew after each step.
    """

    def __init__(self, values: int, *, keep: tuple[str, ...] = ()) -> None:
        """Get ready; the model comes with `set_model`, as `fit` does it.

        Args:
            values: per output, at least 2.
            keep: patterns of names of layers that are left as they are.
        """
        super().__init__()
        self.values, self.keep = values, keep
        self._variables: dict[Kernel, Any] = {}

    def set_model(self, model: keras.Model) -> None:
        """Finds the model's kernels and clusters them; InfeasibleError where none has enough weights."""
        if self._model is model:  # `fit` again: free weights and tables go on
            return
        super().set_model(model)
        traced = trace(model)
        kernels = find_kernels(traced.graph, name_channels(traced.graph), keep=self.keep)
        self._variables.clear()
        for kernel in kernels:
            names = list(traced.graph.layers[kernel.layer].weights)
            self._variables[kernel] = traced.layers[kernel.layer].weights[names.index(kernel.weight)]
            if kernel.to_matrix(np.asarray(self._variables[kernel])).shape[1] < PER_VALUE * self.values:
                del self._variables[kernel]
        if not self._variables:
            raise InfeasibleError(
                f"no kernel has {PER_VALUE * self.values} weights per output, for {self.values} values",
                where=model.name,
            )
        self._free = {k: k.to_matrix(np.asarray(v)) for k, v in self._variables.items()}
        self._tables = {k: find_values(free, self.values) for k, free in self._free.items()}
        self._made = dict(self._free)
        self.on_train_batch_end(0)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Adds the optimizer's step to the free weights, and clusters what comes out."""
        for kernel, variable in self._variables.items():
            stepped = kernel.to_matrix(np.asarray(variable))
            free = self._free[kernel] + (stepped - self._made[kernel])
            indices = assign(free, self._tables[kernel])
            table = take_means(free, indices, otherwise=self._tables[kernel])
            made = np.take_along_axis(table, indices, axis=1).astype(stepped.dtype)
            self._free[kernel], self._tables[kernel], self._made[kernel] = free, table, made
            variable.assign(kernel.from_matrix(made))
