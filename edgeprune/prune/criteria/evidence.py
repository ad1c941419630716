"""What criteria may look at: the model, and what was measured on data."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeprune.graph.channel_ids import Ids
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import Array, LayerGraph

Scores = npt.NDArray[np.float64]
Gradients = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Activity:
    """How much the layers that read a channel see of it, on data.

    Attributes:
        magnitude: (groups,) mean absolute activation; NaN where no layer with weights reads the group.
        nonzero: (groups,) fraction of activations that are not zero; NaN likewise.
    """

    magnitude: Scores
    nonzero: Scores


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Curve:
    """What a family costs when its least important channels are switched off.

    Attributes:
        family: its name.
        order: (channels,) its groups that may go, the least important first.
        counts: (points,) how many of them were off; increasing, from 1.
        metrics: (points,) the metric of the masked model.
        drops: (points,) how much worse that is than the dense model; see `Task.drop`.
    """

    family: str
    order: Ids
    counts: npt.NDArray[np.int64]
    metrics: Scores
    drops: Scores


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What a criterion may look at; what takes data is None where there are none.

    Attributes:
        graph, channels: the model and its groups.
        gradients: yields, batch by batch, the loss gradient of every weight (layer → weight → array of the
            weight's shape).
        fisher: the same for outputs drawn from the model's own predictions, so that no labels are looked at.
        activity: what readers see of each group.
        curves: the measured drop of each family that may lose channels.
        seed: for criteria that draw numbers.
    """

    graph: LayerGraph
    channels: ChannelMap
    gradients: Callable[[], Iterator[Gradients]] | None = None
    fisher: Callable[[], Iterator[Gradients]] | None = None
    activity: Callable[[], Activity] | None = None
    curves: Callable[[], Sequence[Curve]] | None = None
    seed: int = 0

    def axes(self) -> Iterator[tuple[str, str, int, Ids]]:
        """Layer, weight, axis and the group of each slice, for every weight axis that holds channels."""
        for layer, by_weight in self.channels.axes.items():
            for weight, along in by_weight.items():
                for axis, groups in enumerate(along):
                    if groups is not None:
                        yield layer, weight, axis, groups

    def making_axes(self) -> Iterator[tuple[Array, int, Ids]]:
        """Array, axis and groups for the output axes of kernels: what makes channels, no biases or norms."""
        for layer, weight, axis, groups in self.axes():
            array = self.graph.layers[layer].weights[weight]
            if array.ndim > 1 and (weight, axis) not in self.channels.consumes[layer]:
                yield array, axis, groups
