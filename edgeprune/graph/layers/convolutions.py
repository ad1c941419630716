"""Convolutions of every rank: plain, grouped, transposed, depthwise, separable."""

from collections.abc import Callable

import numpy as np

from edgeprune.graph.channel_ids import Axes, Ids
from edgeprune.graph.layers.activations import guard_activation
from edgeprune.graph.layers.convolution_ops import (
    lower_conv,
    lower_depthwise,
    lower_separable,
    lower_transposed,
)
from edgeprune.graph.layers.data_format import is_channels_first, lay_channels, read_channels, tie_columns
from edgeprune.graph.layers.kept import unknown_weights
from edgeprune.graph.layers.rules import Call, Config, Flow, LayerRule, Resized, keep, rule

LORA = ("lora_kernel_a", "lora_kernel_b")


def _flow_conv(call: Call) -> Flow:
    if reason := unknown_weights(call, "kernel", "bias", *LORA):
        return keep(call, reason)
    kernel = call.layer.weights["kernel"]
    groups = int(call.layer.config.get("groups", 1))
    read = read_channels(call)
    if groups > 1 and kernel.shape[-2] == 1:
        # Each group reads one channel and goes with it.
        output = np.repeat(read, kernel.shape[-1] // groups)
        return _finish(call, output, {"kernel": (*_none(call), None, output)})
    output = call.space.fresh(kernel.shape[-1], name=call.layer.name)
    tie_columns(call.space, read, groups)
    tie_columns(call.space, output, groups)
    read = read[: kernel.shape[-2]]
    axes: Axes = {
        "kernel": (*_none(call), read, output),
        "lora_kernel_a": (*_none(call), read, None),
        "lora_kernel_b": (None, output),
    }
    return _finish(call, output, axes, reads=("kernel", "lora_kernel_a"), axis=-2)


def _flow_transposed(call: Call) -> Flow:
    if reason := unknown_weights(call, "kernel", "bias"):
        return keep(call, reason)
    output = call.space.fresh(call.layer.weights["kernel"].shape[-2], name=call.layer.name)
    axes: Axes = {"kernel": (*_none(call), output, read_channels(call))}
    return _finish(call, output, axes, reads=("kernel",), axis=-1)


def _flow_depthwise(call: Call) -> Flow:
    if reason := unknown_weights(call, "kernel", "bias"):
        return keep(call, reason)
    read = read_channels(call)
    output = np.repeat(read, call.layer.weights["kernel"].shape[-1])
    return _finish(call, output, {"kernel": (*_none(call), read, None)})


def _flow_separable(call: Call) -> Flow:
    if reason := unknown_weights(call, "depthwise_kernel", "pointwise_kernel", "bias"):
        return keep(call, reason)
    read = read_channels(call)
    multiplier = call.layer.weights["depthwise_kernel"].shape[-1]
    output = call.space.fresh(call.layer.weights["pointwise_kernel"].shape[-1], name=call.layer.name)
    axes: Axes = {
        "depthwise_kernel": (*_none(call), read, None),
        "pointwise_kernel": (*_none(call), np.repeat(read, multiplier), output),
    }
    return _finish(call, output, axes, reads=("pointwise_kernel",), axis=-2)


def _none(call: Call) -> tuple[None, ...]:
    """No channels lie along the axes of a kernel that span the window."""
    return (None,) * (len(call.input_shapes[0]) - 1)


def _finish(call: Call, output: Ids, axes: Axes, *, reads: tuple[str, ...] = (), axis: int = -1) -> Flow:
    guard_activation(call, output)
    _guard_bias(call, output)
    last, inner = lay_channels(call, output)
    weights = call.layer.weights
    return Flow(
        outputs=(last,),
        inner=(inner,),
        axes={name: ids for name, ids in {**axes, "bias": (output,)}.items() if name in weights},
        consumes=tuple((name, weights[name].ndim + axis) for name in reads if name in weights),
    )


def _guard_bias(call: Call, output: Ids) -> None:
    """Freezes the channels of a layer that Keras would add its bias to along the wrong axis.

    On TensorFlow `keras.ops.add` takes a vector as long as the last axis for a bias of that axis. With
    channels first that is the width of the image: the number of channels must not become the same.
    """
    width = call.output_shapes[0][-1]
    if is_channels_first(call.layer.config) and "bias" in call.layer.weights and output.size >= (width or 0):
        reason = "Keras cannot tell a bias of channels first from the image's width"
        call.space.freeze(output, f"{reason} (layer '{call.layer.name}')")


def _resize_conv(resized: Resized) -> Config:
    filters = resized.weight_shapes["kernel"][-1]
    *_, old_read, old_filters = resized.old_weight_shapes["kernel"]
    groups = int(resized.config.get("groups", 1))
    if groups > 1 and old_read == 1:
        return {"filters": filters, "groups": groups * filters // old_filters}
    return {"filters": filters}


def _resize_by(weight: str, axis: int) -> Callable[[Resized], Config]:
    return lambda resized: {"filters": resized.weight_shapes[weight][axis]}


for _rank in (1, 2, 3):
    rule(
        LayerRule(
            kind=f"Conv{_rank}D", status="prunable", flow=_flow_conv, resize=_resize_conv, lower=lower_conv
        )
    )
    rule(
        LayerRule(
            kind=f"Conv{_rank}DTranspose",
            status="prunable",
            flow=_flow_transposed,
            resize=_resize_by("kernel", -2),
            lower=lower_transposed,
        )
    )
for _rank in (1, 2):
    rule(
        LayerRule(
            kind=f"DepthwiseConv{_rank}D", status="transparent", flow=_flow_depthwise, lower=lower_depthwise
        )
    )
    rule(
        LayerRule(
            kind=f"SeparableConv{_rank}D",
            status="prunable",
            flow=_flow_separable,
            resize=_resize_by("pointwise_kernel", -1),
            lower=lower_separable,
        )
    )
