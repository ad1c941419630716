"""Layers that leave channels alone: pooling, padding, cropping, up-sampling, dropout."""

from math import prod

from edgeprune.graph.channels import Call, Flow
from edgeprune.graph.opshape import OpShape
from edgeprune.graph.rules import LayerRule, Resized, keep, one_op, pass_on, rule


def _flow_pass(call: Call) -> Flow:
    if call.layer.config.get("data_format", "channels_last") == "channels_first":
        return keep(call, "data_format channels_first is not supported")
    return Flow(outputs=call.inputs)


def _lower_pool(resized: Resized, op: str) -> tuple[OpShape, ...]:
    window = resized.config["pool_size"]
    strides = resized.config.get("strides") or window
    window, strides = ((v, v) if isinstance(v, int) else tuple(v) for v in (window, strides))
    return (
        OpShape(
            op=op,
            name=resized.name,
            inputs=((1, *resized.input_shapes[0]),),
            output=(1, *resized.output_shapes[0]),
            window=(window[0], window[-1]),
            stride=(strides[0], strides[-1]),
            padding=str(resized.config.get("padding", "valid")).upper(),
        ),
    )


def _lower_global(resized: Resized, op: str) -> tuple[OpShape, ...]:
    return one_op(resized, op, window=(prod(resized.input_shapes[0][:-1]), 1))


for _kind, _op in (("AveragePooling2D", "AVERAGE_POOL_2D"), ("MaxPooling2D", "MAX_POOL_2D")):
    rule(
        LayerRule(
            kind=_kind,
            status="transparent",
            flow=_flow_pass,
            lower=lambda resized, op=_op: _lower_pool(resized, op),  # type: ignore[misc]
        )
    )
for _kind, _op in (("GlobalAveragePooling2D", "MEAN"), ("GlobalMaxPooling2D", "REDUCE_MAX")):
    rule(
        LayerRule(
            kind=_kind,
            status="transparent",
            flow=_flow_pass,
            lower=lambda resized, op=_op: _lower_global(resized, op),  # type: ignore[misc]
        )
    )
for _kind, _op in (
    ("ZeroPadding2D", "PAD"),
    ("Cropping2D", "STRIDED_SLICE"),
    ("UpSampling2D", "RESIZE_NEAREST_NEIGHBOR"),
):
    rule(
        LayerRule(
            kind=_kind,
            status="transparent",
            flow=_flow_pass,
            lower=lambda resized, op=_op: one_op(resized, op),  # type: ignore[misc]
        )
    )
for _kind in (
    "Dropout",
    "SpatialDropout1D",
    "SpatialDropout2D",
    "GaussianDropout",
    "GaussianNoise",
    "AlphaDropout",
    "ActivityRegularization",
    "Identity",
):
    rule(LayerRule(kind=_kind, status="transparent", flow=pass_on))
