"""Layers that make channels: convolutions and Dense."""

from math import prod

import numpy as np

from edgeprune.graph.channels import Axes, Call, Flow
from edgeprune.graph.layergraph import Array
from edgeprune.graph.layers.activations import activation_name, guard_activation, lower_activation
from edgeprune.graph.opshape import OpShape
from edgeprune.graph.rules import Config, LayerRule, Resized, keep, rule


def _kept_because(call: Call) -> str:
    """Why a convolution cannot be pruned as it is configured; "" if it can."""
    config = call.layer.config
    if config.get("data_format", "channels_last") == "channels_first":
        return "data_format channels_first is not supported"
    if config.get("groups", 1) != 1:
        return f"grouped convolution (groups={config['groups']})"
    return ""


def _with_bias(call: Call, axes: Axes, output: Array) -> Axes:
    return {**axes, "bias": (output,)} if "bias" in call.layer.weights else axes


def _flow_conv2d(call: Call) -> Flow:
    if reason := _kept_because(call):
        return keep(call, reason)
    output = call.space.fresh(call.layer.weights["kernel"].shape[-1], name=call.layer.name)
    guard_activation(call, output)
    axes = _with_bias(call, {"kernel": (None, None, call.inputs[0], output)}, output)
    return Flow(outputs=(output,), axes=axes, consumes=(("kernel", 2),))


def _flow_depthwise(call: Call) -> Flow:
    if reason := _kept_because(call):
        return keep(call, reason)
    multiplier = call.layer.weights["kernel"].shape[-1]
    output = np.repeat(call.inputs[0], multiplier)
    guard_activation(call, output)
    axes = _with_bias(call, {"kernel": (None, None, call.inputs[0], None)}, output)
    return Flow(outputs=(output,), axes=axes)


def _flow_separable(call: Call) -> Flow:
    if reason := _kept_because(call):
        return keep(call, reason)
    multiplier = call.layer.weights["depthwise_kernel"].shape[-1]
    output = call.space.fresh(call.layer.weights["pointwise_kernel"].shape[-1], name=call.layer.name)
    guard_activation(call, output)
    axes: Axes = {
        "depthwise_kernel": (None, None, call.inputs[0], None),
        "pointwise_kernel": (None, None, np.repeat(call.inputs[0], multiplier), output),
    }
    return Flow(outputs=(output,), axes=_with_bias(call, axes, output), consumes=(("pointwise_kernel", 2),))


def _flow_dense(call: Call) -> Flow:
    output = call.space.fresh(call.layer.weights["kernel"].shape[-1], name=call.layer.name)
    guard_activation(call, output)
    axes = _with_bias(call, {"kernel": (call.inputs[0], output)}, output)
    return Flow(outputs=(output,), axes=axes, inner=call.inner, consumes=(("kernel", 0),))


def _pair(config: Config, key: str) -> tuple[int, int]:
    value = config.get(key, (1, 1))
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


def _conv_op(resized: Resized, op: str, filter_: tuple[int, ...], last: int) -> OpShape:
    output = resized.output_shapes[0]
    return OpShape(
        op=op,
        name=resized.name,
        inputs=((1, *resized.input_shapes[0]),),
        output=(1, *output[:-1], last),
        filter=filter_,
        stride=_pair(resized.config, "strides"),
        dilation=_pair(resized.config, "dilation_rate"),
        padding=str(resized.config.get("padding", "valid")).upper(),
        has_bias=True,
    )


def _lower_conv2d(resized: Resized) -> tuple[OpShape, ...]:
    h, w, cin, cout = resized.weight_shapes["kernel"]
    conv = _conv_op(resized, "CONV_2D", (cout, h, w, cin), cout)
    return (conv, *lower_activation(resized, activation_name(resized.config)))


def _lower_depthwise(resized: Resized) -> tuple[OpShape, ...]:
    h, w, cin, multiplier = resized.weight_shapes["kernel"]
    conv = _conv_op(resized, "DEPTHWISE_CONV_2D", (1, h, w, cin * multiplier), cin * multiplier)
    return (conv, *lower_activation(resized, activation_name(resized.config)))


def _lower_separable(resized: Resized) -> tuple[OpShape, ...]:
    h, w, cin, multiplier = resized.weight_shapes["depthwise_kernel"]
    cout = resized.weight_shapes["pointwise_kernel"][-1]
    depthwise = _conv_op(resized, "DEPTHWISE_CONV_2D", (1, h, w, cin * multiplier), cin * multiplier)
    pointwise = OpShape(
        op="CONV_2D",
        name=resized.name,
        inputs=(depthwise.output,),
        output=(1, *resized.output_shapes[0]),
        filter=(cout, 1, 1, cin * multiplier),
        padding="VALID",
        has_bias=True,
    )
    return (depthwise, pointwise, *lower_activation(resized, activation_name(resized.config)))


def _lower_dense(resized: Resized) -> tuple[OpShape, ...]:
    cin, cout = resized.weight_shapes["kernel"]
    rows = prod(resized.output_shapes[0][:-1])
    dense = OpShape(
        op="FULLY_CONNECTED",
        name=resized.name,
        inputs=((rows, cin),),
        output=(rows, cout),
        filter=(cout, cin),
        has_bias=True,
    )
    return (dense, *lower_activation(resized, activation_name(resized.config)))


rule(
    LayerRule(
        kind="Conv2D",
        status="prunable",
        flow=_flow_conv2d,
        resize=lambda resized: {"filters": resized.weight_shapes["kernel"][-1]},
        lower=_lower_conv2d,
    )
)
rule(LayerRule(kind="DepthwiseConv2D", status="transparent", flow=_flow_depthwise, lower=_lower_depthwise))
rule(
    LayerRule(
        kind="SeparableConv2D",
        status="prunable",
        flow=_flow_separable,
        resize=lambda resized: {"filters": resized.weight_shapes["pointwise_kernel"][-1]},
        lower=_lower_separable,
    )
)
rule(
    LayerRule(
        kind="Dense",
        status="prunable",
        flow=_flow_dense,
        resize=lambda resized: {"units": resized.weight_shapes["kernel"][-1]},
        lower=_lower_dense,
    )
)
