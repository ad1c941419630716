"""Kernels: the weights that are multiplied with channels, each as a matrix of outputs by what is summed up.

Rows and columns stand in the order in which TFLite stores a filter: a row is one output channel, its columns
are the window's positions and, fastest, the channels read.
"""

from dataclasses import dataclass

import numpy as np

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.kept_layers import find_layers
from edgeprune.graph.layergraph import Array, LayerGraph

_SUFFIX = "kernel"  # of all weights that Keras multiplies with: "kernel", "recurrent_kernel", "query/kernel"


@dataclass(frozen=True, kw_only=True, slots=True)
class Kernel:
    """Where one kernel is, and how it becomes a matrix.

    Attributes:
        layer: name of the layer.
        weight: name of the weight in that layer.
        shape: of the Keras weight.
        outputs: its axes that tell outputs apart.
        summed: its axes that are summed over, the window's positions first.
    """

    layer: str
    weight: str
    shape: tuple[int, ...]
    outputs: tuple[int, ...]
    summed: tuple[int, ...]

    @property
    def name(self) -> str:
        """As tables and messages call it: "conv2d/kernel"."""
        return f"{self.layer}/{self.weight}"

    @property
    def size(self) -> int:
        """Number of weights."""
        return int(np.prod(self.shape))

    def to_matrix(self, weight: Array) -> Array:
        """(outputs, weights per output) from an array of `shape`."""
        rows = int(np.prod([self.shape[axis] for axis in self.outputs]))
        return np.transpose(weight, (*self.outputs, *self.summed)).reshape(rows, -1)

    def from_matrix(self, matrix: Array) -> Array:
        """The inverse of `to_matrix`."""
        order = (*self.outputs, *self.summed)
        shape = [self.shape[axis] for axis in order]
        return np.transpose(matrix.reshape(shape), np.argsort(order))


def find_kernels(
    graph: LayerGraph, channels: ChannelMap, *, keep: tuple[str, ...] = ()
) -> tuple[Kernel, ...]:
    """All kernels of a graph in the order of its layers; embeddings and vectors are none.

    Args:
        graph: the layer graph.
        channels: of the same graph.
        keep: patterns of layer names whose kernels are left out.

    Raises:
        RecipeError: a pattern matches no layer.
    """
    kept = {n for pattern in keep for n in find_layers(channels, pattern, asked_by=f"--keep {pattern}")}
    found = []
    for layer in graph.layers.values():
        if layer.name in kept:
            continue
        consumed = channels.consumes.get(layer.name, ())
        for weight, array in layer.weights.items():
            if weight.endswith(_SUFFIX) and array.ndim >= 2:
                read = tuple(axis for name, axis in consumed if name == weight)
                outputs, summed = _split_axes(layer.kind, weight, array.ndim, read)
                kernel = Kernel(
                    layer=layer.name, weight=weight, shape=array.shape, outputs=outputs, summed=summed
                )
                found.append(kernel)
    return tuple(found)


def _split_axes(
    kind: str, weight: str, rank: int, read: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """(axes of outputs, axes summed over), given the axes that read channels."""
    if weight.endswith("depthwise_kernel") or (kind.startswith("DepthwiseConv") and weight == _SUFFIX):
        return (rank - 2, rank - 1), tuple(range(rank - 2))
    if not read:  # a layer that no rule follows
        return (rank - 1,), tuple(range(rank - 1))
    summed = (*range(min(*read, rank - 2)), *read)  # a transposed convolution reads along its last axis
    return tuple(axis for axis in range(rank) if axis not in summed), summed
