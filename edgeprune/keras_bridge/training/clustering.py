"""Few values for the weights of each output of an ordinary Keras model, while it is trained."""

from typing import Any

import keras
import numpy as np

from edgeprune.errors import InfeasibleError
from edgeprune.graph.kernels import Kernel
from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.training.kernel_training import StraightThroughCallback, find_kernel_variables
from edgeprune.prune.clusters import assign, find_values, take_means

PER_VALUE = 2
"""Weights per value that a row must have at least: with fewer, its table takes what the indices save."""


class ClusterCallback(StraightThroughCallback):
    """Keeps each row of a kernel to a few values, which are means, taken anew after each step."""

    def __init__(self, values: int, *, keep: tuple[str, ...] = ()) -> None:
        """Get ready; the model comes with `set_model`, as `fit` does it.

        Args:
            values: per output, at least 2.
            keep: patterns of names of layers that are left as they are.
        """
        super().__init__()
        self.values, self.keep = values, keep
        self._tables: dict[Kernel, Array] = {}

    def choose_kernels(self, model: keras.Model) -> dict[Kernel, Any]:
        """Those with enough weights per output; InfeasibleError where none has, RecipeError for `keep`."""
        self._tables = {}
        least = PER_VALUE * self.values
        found = find_kernel_variables(model, keep=self.keep)
        large = {k: v for k, v in found.items() if k.to_matrix(np.asarray(v)).shape[1] >= least}
        if not large:
            raise InfeasibleError(
                f"no kernel has {least} weights per output, for {self.values} values", where=model.name
            )
        return large

    def project(self, kernel: Kernel, free: Array) -> Array:
        """The nearest values of each row's table."""
        if kernel not in self._tables:
            self._tables[kernel] = find_values(free, self.values)
        indices = assign(free, self._tables[kernel])
        self._tables[kernel] = take_means(free, indices, otherwise=self._tables[kernel])
        return np.take_along_axis(self._tables[kernel], indices, axis=1)
