"""The TFLite ops that convolutions become; see `convolutions.py`."""

from dataclasses import replace

from edgeprune.graph.layers.activations import activation_name, lower_activation
from edgeprune.graph.layers.data_format import shape_in_tflite
from edgeprune.graph.layers.rules import Config, Resized
from edgeprune.graph.opshape import OpShape, Shape


def lower_conv(resized: Resized) -> tuple[OpShape, ...]:
    """CONV_2D for sequences and images, CONV_3D for volumes."""
    *window, read, filters = resized.weight_shapes["kernel"]
    op = "CONV_3D" if len(window) == 3 else "CONV_2D"
    return _with_activation(resized, *_convolve(resized, op, (filters, *_flat(window), read), filters))


def lower_depthwise(resized: Resized) -> tuple[OpShape, ...]:
    """DEPTHWISE_CONV_2D."""
    *window, read, multiplier = resized.weight_shapes["kernel"]
    made = read * multiplier
    return _with_activation(
        resized, *_convolve(resized, "DEPTHWISE_CONV_2D", (1, *_flat(window), made), made)
    )


def lower_separable(resized: Resized) -> tuple[OpShape, ...]:
    """DEPTHWISE_CONV_2D and a CONV_2D of 1 × 1."""
    *window, read, multiplier = resized.weight_shapes["depthwise_kernel"]
    made, filters = read * multiplier, resized.weight_shapes["pointwise_kernel"][-1]
    ops = _convolve(resized, "DEPTHWISE_CONV_2D", (1, *_flat(window), made), made)
    pointwise = OpShape(
        op="CONV_2D",
        name=resized.name,
        inputs=(ops[-1].output,),
        output=shape_in_tflite(resized.output_shapes[0], resized.config),
        filter=(filters, 1, 1, made),
        padding="VALID",
        has_bias=True,
    )
    return _with_activation(resized, *ops, pointwise)


def lower_transposed(resized: Resized) -> tuple[OpShape, ...]:
    """TRANSPOSE_CONV for sequences and images, CONV_3D_TRANSPOSE for volumes."""
    *window, filters, read = resized.weight_shapes["kernel"]
    op = "CONV_3D_TRANSPOSE" if len(window) == 3 else "TRANSPOSE_CONV"
    return _with_activation(resized, *_convolve(resized, op, (filters, *_flat(window), read), filters))


def _with_activation(resized: Resized, *ops: OpShape) -> tuple[OpShape, ...]:
    return (*ops, *lower_activation(resized, activation_name(resized.config)))


def _convolve(resized: Resized, op: str, filter_: Shape, channels: int) -> tuple[OpShape, ...]:
    config = resized.config
    read = shape_in_tflite(resized.input_shapes[0], config)
    conv = OpShape(
        op=op,
        name=resized.name,
        inputs=(read,),
        output=(*shape_in_tflite(resized.output_shapes[0], config)[:-1], channels),
        filter=filter_,
        stride=_pair(config, "strides"),
        dilation=_pair(config, "dilation_rate"),
        padding=str(config.get("padding", "valid")).upper(),
        has_bias=True,
    )
    if conv.padding != "CAUSAL":
        return (conv,)
    # What is padded on the left alone is padded by an op of its own.
    window, dilation = filter_[2], conv.dilation[1]
    padded = (*read[:2], read[2] + (window - 1) * dilation, read[3])
    pad = OpShape(op="PAD", name=resized.name, inputs=(read,), output=padded)
    return (pad, replace(conv, inputs=(padded,), padding="VALID"))


def _flat(window: list[int]) -> tuple[int, ...]:
    return (1, *window) if len(window) == 1 else tuple(window)


def _pair(config: Config, key: str) -> tuple[int, int]:
    value = config.get(key, (1, 1))
    if isinstance(value, int):
        return (value, value)
    return (1, int(value[0])) if len(value) == 1 else (int(value[-2]), int(value[-1]))
