"""Layers that move elements about without changing them: Flatten, Reshape, Permute.

All three are one idea: lay the ids out in the tensor's full shape, move them as the layer moves the data,
and look at what stands along the new last axis. Where one slice of it holds several ids, those can only go
together.
"""

from collections.abc import Callable

import numpy as np

from edgeprune.graph.channels import Call, Flow, Ids
from edgeprune.graph.opshape import OpShape
from edgeprune.graph.rules import Config, LayerRule, Resized, keep, one_op, rule


def move_channels(call: Call, move: Callable[[Ids], Ids]) -> Flow:
    """The flow of a layer that moves elements by `move`, a function on an array of the input's shape."""
    shape = call.input_shapes[0]
    if any(not d for d in (*shape, *call.output_shapes[0])):
        return keep(call, "a dimension that is not fixed is moved")
    full = np.broadcast_to(call.inputs[0], shape)
    slices = move(full).reshape(-1, call.output_shapes[0][-1])
    slices = np.unique(slices, axis=0)
    for other in slices[1:]:
        call.space.tie(slices[0], other)
    return Flow(outputs=(slices[0],), axes={})


def _flow_reshape(call: Call) -> Flow:
    return move_channels(call, lambda full: full.reshape(call.output_shapes[0]))


def _flow_permute(call: Call) -> Flow:
    order = [d - 1 for d in call.layer.config["dims"]]
    return move_channels(call, lambda full: full.transpose(order))


def _resize_reshape(resized: Resized) -> Config:
    *leading, last = resized.output_shapes[0]
    if not all((*leading, last)):  # kept as it was
        return {}
    # The last dimension is left open: a Reshape that is called twice may have two widths by now.
    return {"target_shape": [*leading, -1]}


def _lower_reshape(resized: Resized) -> tuple[OpShape, ...]:
    if resized.input_shapes == resized.output_shapes:
        return ()
    return one_op(resized, "TRANSPOSE" if resized.kind == "Permute" else "RESHAPE")


rule(LayerRule(kind="Flatten", status="transparent", flow=_flow_reshape, lower=_lower_reshape))
rule(
    LayerRule(
        kind="Reshape",
        status="transparent",
        flow=_flow_reshape,
        resize=_resize_reshape,
        lower=_lower_reshape,
    )
)
rule(LayerRule(kind="Permute", status="transparent", flow=_flow_permute, lower=_lower_reshape))
