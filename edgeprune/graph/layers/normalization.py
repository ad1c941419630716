"""Normalisation with fixed statistics: BatchNormalization, Normalization, Rescaling."""

import numpy as np

from edgeprune.graph.channels import Call, Flow
from edgeprune.graph.opshape import OpShape
from edgeprune.graph.rules import LayerRule, Resized, keep, pass_on, rule


def _flow_batch_norm(call: Call) -> Flow:
    axis = call.layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list | tuple) else axis
    along = (*call.inner[0], call.inputs[0])
    ids = along[axis if axis < 0 else axis - 1]
    return pass_on(call, dict.fromkeys(call.layer.weights, (ids,)))


def _flow_layer_norm(call: Call) -> Flow:
    axes = call.layer.config.get("axis", -1)
    axes = [axes] if isinstance(axes, int) else list(axes)
    rank = len(call.input_shapes[0]) + 1
    if [a % rank for a in axes] != [rank - 1]:
        return keep(call, f"LayerNormalization over axes {axes}, not over channels alone")
    return pass_on(call, dict.fromkeys(call.layer.weights, call.inputs[:1]))


def _flow_rescaling(call: Call) -> Flow:
    if any(np.ndim(call.layer.config.get(key, 0)) for key in ("scale", "offset")):
        return keep(call, "Rescaling with one factor per channel")
    return pass_on(call)


def lower_scale_and_shift(resized: Resized) -> tuple[OpShape, ...]:
    """A multiplication and an addition of constants, as the converter writes what it cannot fuse."""
    shape = (1, *resized.output_shapes[0])
    return tuple(OpShape(op=op, name=resized.name, inputs=(shape,), output=shape) for op in ("MUL", "ADD"))


rule(
    LayerRule(
        kind="BatchNormalization",
        status="transparent",
        flow=_flow_batch_norm,
        lower=lower_scale_and_shift,
    )
)
rule(
    LayerRule(
        kind="LayerNormalization",
        status="transparent",
        flow=_flow_layer_norm,
        reads_values=True,
        lower=lower_scale_and_shift,
    )
)
rule(LayerRule(kind="Rescaling", status="transparent", flow=_flow_rescaling, lower=lower_scale_and_shift))
rule(
    LayerRule(
        kind="Normalization",
        status="kept",
        flow=lambda call: keep(call, "Normalization holds one mean and variance per channel of the input"),
        lower=lower_scale_and_shift,
        note="its input, nearly always the model's, keeps its channels",
    )
)
