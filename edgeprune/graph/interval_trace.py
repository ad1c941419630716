"""Bounds of every tensor of a graph, followed from the inputs: see `intervals.py` for what they mean."""

from collections.abc import Mapping

import numpy as np

from edgeprune.graph.interval_rules import INTERVAL_RULES
from edgeprune.graph.intervals import BoundedCall, Interval, unbounded
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.opshape import Shape


def trace_intervals(
    graph: LayerGraph,
    *,
    inputs: Mapping[str, Interval] | None = None,
    seen: Mapping[str, Interval] | None = None,
) -> dict[str, Interval]:
    """Tensor name → bounds that hold for every input within `inputs`.

    Args:
        graph: the model.
        inputs: model input → bounds; unbounded where it is not named.
        seen: tensor name → the smallest and largest values seen on data. Where the two are one value, that
            takes the place of wider bounds: the result then is no proof, but what the data say.
    """
    found = {name: (inputs or {}).get(name) or unbounded(graph.shapes[name]) for name in graph.inputs}
    for node in graph.nodes:
        call = BoundedCall(
            layer=graph.layers[node.layer],
            inputs=tuple(found[t] for t in node.inputs),
            input_shapes=tuple(graph.shapes[t] for t in node.inputs),
            output_shape=graph.shapes[node.outputs[0]],
            arguments=node.arguments,
        )
        for tensor in node.outputs:
            bounds = _bound(call) if len(node.outputs) == 1 else unbounded(graph.shapes[tensor])
            found[tensor] = _take_seen(bounds, (seen or {}).get(tensor))
    return found


def _bound(call: BoundedCall) -> Interval:
    known = INTERVAL_RULES.get(call.layer.kind)
    if known is None:
        return unbounded(call.output_shape)
    with np.errstate(all="ignore"):  # infinities are bounds here
        bounds = known(call)
    if not _fits(bounds, call.output_shape):  # an activation that changes the width
        return unbounded(call.output_shape)
    return Interval(
        low=np.where(np.isnan(bounds.low), -np.inf, bounds.low),
        high=np.where(np.isnan(bounds.high), np.inf, bounds.high),
    )


def _fits(bounds: Interval, shape: Shape) -> bool:
    return len(bounds.low.shape) == len(shape) and all(
        n in (1, size) for n, size in zip(bounds.low.shape, shape, strict=True)
    )


def _take_seen(bounds: Interval, seen: Interval | None) -> Interval:
    if seen is None or seen.low.ndim != bounds.low.ndim:
        return bounds
    constant = (seen.low == seen.high) & np.isfinite(seen.low) & ~(bounds.low == bounds.high)
    return Interval(
        low=np.where(constant, seen.low, bounds.low), high=np.where(constant, seen.high, bounds.high)
    )
