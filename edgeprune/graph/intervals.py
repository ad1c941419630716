"""What values a tensor can have: lower and upper bounds, followed through the graph from the inputs.

Interval arithmetic (Moore, "Interval Analysis", 1966): each layer kind maps bounds of its inputs to bounds of
its output (see `interval_rules.py`; a kind without a record gives no bounds). The bounds hold for every input
within the assumed range, so a channel whose bounds meet is a constant, and that is a proof.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from edgeprune.graph.layergraph import Layer
from edgeprune.graph.opshape import Shape

Bounds = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """Bounds of a tensor.

    Attributes:
        low, high: one axis per axis of the tensor, batch left out; each of the tensor's size, or 1 where the
            bounds are the same all along. Infinite where nothing is known.
    """

    low: Bounds
    high: Bounds

    def by_channel(self, width: int) -> "Interval":
        """The bounds of each of `width` channels over all positions; the other axes become 1."""
        others = tuple(range(self.low.ndim - 1))
        shape = (*(1,) * len(others), width)
        return Interval(
            low=np.broadcast_to(self.low.min(axis=others, keepdims=True), shape),
            high=np.broadcast_to(self.high.max(axis=others, keepdims=True), shape),
        )

    def with_zero(self) -> "Interval":
        """The bounds once zeros may stand among the values: padding."""
        return Interval(low=np.minimum(self.low, 0.0), high=np.maximum(self.high, 0.0))

    def constants(self, width: int) -> Bounds:
        """(width,) the value of each channel that has one value at all positions; NaN for the others."""
        bounds = self.by_channel(width)
        same = (bounds.low == bounds.high) & np.isfinite(bounds.low)
        return np.where(same, bounds.low, np.nan).reshape(width)


@dataclass(frozen=True, kw_only=True, slots=True)
class BoundedCall:
    """One call of a layer, as a record of `interval_rules.py` sees it.

    Attributes:
        layer: the layer.
        inputs: bounds of what it reads.
        input_shapes, output_shape: without batch; None stands for a dimension that is not fixed.
        arguments: as in `Node`.
    """

    layer: Layer
    inputs: tuple[Interval, ...]
    input_shapes: tuple[Shape, ...]
    output_shape: Shape
    arguments: Mapping[str, Any] = field(default_factory=dict)


def unbounded(shape: Shape) -> Interval:
    """What is known of a tensor of which nothing is known."""
    return filled(shape, -np.inf, np.inf)


def filled(shape: Shape, low: float, high: float) -> Interval:
    """The same bounds for all values of a tensor."""
    ones = (1,) * len(shape)
    return Interval(low=np.full(ones, low), high=np.full(ones, high))
