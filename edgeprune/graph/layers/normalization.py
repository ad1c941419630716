"""Normalisations, and layers that multiply by constants.

Statistics over channels are taken over those that remain; `keras_bridge.masking` holds the masked references.
"""

from math import prod, sqrt

import numpy as np

from edgeprune.graph.channel_ids import Ids
from edgeprune.graph.layers.data_format import tie_columns
from edgeprune.graph.layers.rules import Call, Config, Flow, LayerRule, Resized, keep, pass_on, rule
from edgeprune.graph.opshape import OpShape, Shape


def _along(call: Call) -> tuple[Ids | None, ...]:
    return (*call.inner[0], call.inputs[0])


def _axes(config: Config, rank: int) -> list[int]:
    """The axes of a config, in order, counted from 0 without the batch, for tensors of `rank` without it."""
    value = config.get("axis", -1)
    return sorted(
        axis - 1 if axis > 0 else axis + rank for axis in ([value] if isinstance(value, int) else value)
    )


def _flow_with_weights_along_axes(call: Call) -> Flow:
    along = _along(call)
    ids = tuple(along[axis] for axis in _axes(call.layer.config, len(along)))
    return pass_on(call, dict.fromkeys(call.layer.weights, ids))


def _flow_group_norm(call: Call) -> Flow:
    """Whole groups go; a single one is a layer normalisation over everything."""
    along = _along(call)
    (axis,) = _axes(call.layer.config, len(along))
    groups = int(call.layer.config["groups"])
    ids = along[axis]
    if groups > 1:
        for k, others in enumerate(along):
            if k != axis and others is not None:
                call.space.freeze(others, f"normalised over together with others (layer '{call.layer.name}')")
        if ids is not None:
            tie_columns(call.space, ids.reshape(groups, -1).T, ids.size // groups)
    return pass_on(call, dict.fromkeys(call.layer.weights, (ids,)))


def _resize_group_norm(resized: Resized) -> Config:
    rank = len(resized.input_shapes[0])
    (axis,) = _axes(resized.config, rank)
    along = (*(None,) * rank, *resized.kept[0])[-rank:]
    groups, kept = int(resized.config["groups"]), along[axis]
    if groups == 1 or kept is None:
        return {}
    return {"groups": groups * int(kept.sum()) // kept.size}


def _share(resized: Resized) -> float:
    """How many of the values that are averaged remain."""
    return prod(resized.weight_shapes["scale"]) / prod(resized.old_weight_shapes["scale"])


def _resize_rms(resized: Resized) -> Config:
    # The mean of squares over fewer channels is larger by 1 / share if those that went were zeros.
    return {"epsilon": resized.config["epsilon"] / _share(resized)} if _share(resized) < 1 else {}


def _flow_rescaling(call: Call) -> Flow:
    for key in ("scale", "offset"):
        value = call.layer.config.get(key, 0)
        if isinstance(value, dict) or np.ndim(value):
            return keep(call, "Rescaling with one factor per channel")
    return pass_on(call)


def _flow_layer_scale(call: Call) -> Flow:
    return pass_on(call, dict.fromkeys(call.layer.weights, call.inputs[:1]))


def lower_scale_and_shift(resized: Resized) -> tuple[OpShape, ...]:
    """A multiplication and an addition of constants, as the converter writes what it cannot fuse."""
    return _elementwise(resized, "MUL", "ADD")


def _elementwise(resized: Resized, *ops: str) -> tuple[OpShape, ...]:
    shape = (1, *resized.output_shapes[0])
    return tuple(OpShape(op=op, name=resized.name, inputs=(shape,), output=shape) for op in ops)


def _lower_statistics(resized: Resized) -> tuple[OpShape, ...]:
    """Mean and variance, then scale and shift."""
    shape: Shape = (1, *resized.output_shapes[0])
    reduced = (*shape[:-1], 1)
    mean = OpShape(op="MEAN", name=resized.name, inputs=(shape,), output=reduced, window=(shape[-1], 1))
    return (
        mean,
        *_elementwise(resized, "SQUARED_DIFFERENCE"),
        mean,
        *_elementwise(resized, "MUL", "SUB", "ADD"),
    )


def _lower_squares(resized: Resized) -> tuple[OpShape, ...]:
    """The sum of squares, then a scale."""
    shape: Shape = (1, *resized.output_shapes[0])
    reduced = (*shape[:-1], 1)
    total = OpShape(op="SUM", name=resized.name, inputs=(shape,), output=reduced, window=(shape[-1], 1))
    return (*_elementwise(resized, "MUL"), total, *_elementwise(resized, "MUL", "MUL"))


rule(
    LayerRule(
        kind="BatchNormalization",
        status="transparent",
        flow=_flow_with_weights_along_axes,
        lower=lower_scale_and_shift,
    )
)
rule(
    LayerRule(
        kind="LayerNormalization",
        status="transparent",
        flow=_flow_with_weights_along_axes,
        reads_values=True,
        lower=_lower_statistics,
    )
)
rule(
    LayerRule(
        kind="GroupNormalization",
        status="transparent",
        flow=_flow_group_norm,
        resize=_resize_group_norm,
        reads_values=True,
        lower=_lower_statistics,
    )
)
rule(
    LayerRule(
        kind="RMSNormalization",
        status="transparent",
        flow=_flow_with_weights_along_axes,
        resize=_resize_rms,
        rescale=lambda resized: {"scale": sqrt(1 / _share(resized))},
        reads_values=True,
        lower=_lower_squares,
    )
)
rule(
    LayerRule(
        kind="UnitNormalization",
        status="transparent",
        flow=pass_on,
        reads_values=True,
        lower=_lower_squares,
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
rule(
    LayerRule(
        kind="keras.src.applications.convnext.LayerScale",
        status="transparent",
        flow=_flow_layer_scale,
        resize=lambda resized: {"projection_dim": resized.output_shapes[0][-1]},
        lower=lambda resized: _elementwise(resized, "MUL"),
    )
)
