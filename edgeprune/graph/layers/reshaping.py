"""Layers that move elements about without changing them: Flatten, Reshape, Permute.

A Reshape lays the ids out in the tensor's full shape, cuts them anew, and looks along which axis they differ.
Where they differ along several, those of the other axes can only go together.
"""

from dataclasses import replace

import numpy as np

from edgeprune.graph.channel_ids import FIXED, Ids, fixed
from edgeprune.graph.layers.data_format import is_channels_first
from edgeprune.graph.layers.rules import Call, Config, Flow, LayerRule, Resized, keep, one_op, rule
from edgeprune.graph.opshape import OpShape


def reshape(call: Call) -> Flow:
    """The flow of a layer that gives its first input another shape and leaves the order of its elements."""
    old, new = call.input_shapes[0], call.output_shapes[0]
    if old == new:
        return Flow(outputs=call.inputs[:1], inner=call.inner[:1])
    if any(not d for d in (*old, *new)):
        return keep(call, "a dimension that is not fixed is moved")
    along = _alive((*call.inner[0], call.inputs[0]))
    if not along:
        return Flow(outputs=(fixed(new[-1] if new else 1),), inner=((None,) * max(len(new) - 1, 0),))
    *others, axis = sorted(along, key=lambda k: (along[k].size, k))
    for k in others:
        call.space.freeze(along[k], f"channels along two axes are reshaped (layer '{call.layer.name}')")
    lying = along[axis].reshape([-1 if k == axis else 1 for k in range(len(old))])
    full = np.broadcast_to(lying, old).reshape(new or (1,))
    differs = [k for k in range(full.ndim) if (full != full.take([0], axis=k)).any()] or [full.ndim - 1]
    axis = differs[-1]
    lines = np.unique(np.moveaxis(full, axis, -1).reshape(-1, full.shape[axis]), axis=0)
    for other in lines[1:]:
        call.space.tie(lines[0], other)
    result: list[Ids | None] = [lines[0] if k == axis else None for k in range(full.ndim)]
    *inner, last = result
    return Flow(outputs=(fixed(full.shape[-1]) if last is None else last,), inner=(tuple(inner),))


def _alive(along: tuple[Ids | None, ...]) -> dict[int, Ids]:
    """The axes along which there are channels."""
    return {k: ids for k, ids in enumerate(along) if ids is not None and (ids != FIXED).any()}


def permute(call: Call, order: tuple[int, ...]) -> Flow:
    """The flow of a transposition: axis k of the output is axis `order[k]` of the input, batch left out."""
    along = (*call.inner[0], call.inputs[0])
    *inner, last = (along[k] for k in order)
    width = call.output_shapes[0][-1]
    return Flow(outputs=(fixed(width) if last is None else last,), inner=(tuple(inner),))


def _flow_permute(call: Call) -> Flow:
    return permute(call, tuple(d - 1 for d in call.layer.config["dims"]))


def _flow_flatten(call: Call) -> Flow:
    rank = len(call.input_shapes[0])
    if rank < 2 or not is_channels_first(call.layer.config):
        return reshape(call)
    # Keras puts the channels last before it flattens.
    order = (*range(1, rank), 0)
    shape = tuple(call.input_shapes[0][k] for k in order)
    moved = permute(replace(call, output_shapes=(shape,)), order)
    assert moved.inner is not None
    return reshape(replace(call, inputs=moved.outputs, inner=moved.inner, input_shapes=(shape,)))


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


rule(LayerRule(kind="Flatten", status="transparent", flow=_flow_flatten, lower=_lower_reshape))
rule(
    LayerRule(
        kind="Reshape",
        status="transparent",
        flow=reshape,
        resize=_resize_reshape,
        lower=_lower_reshape,
    )
)
rule(LayerRule(kind="Permute", status="transparent", flow=_flow_permute, lower=_lower_reshape))
