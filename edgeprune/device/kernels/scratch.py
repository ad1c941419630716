"""Scratch buffers that an op's kernel asks of the tensor arena, by kernel library.

The sizes follow CMSIS-NN's `arm_*_get_buffer_size` and the kernels of TFLM (both August 2026).
"""

from math import prod
from typing import Literal

from edgeprune.graph.opshape import OpShape
from edgeprune.tflite.arena import align

Kernels = Literal["reference", "cmsis-nn plain", "cmsis-nn dsp", "cmsis-nn mve"]
"""Whose scratch buffers count: TFLM's reference kernels, or CMSIS-NN on cores without DSP instructions
(Cortex-M0+, M3), with them (M4, M7, M33) or with vectors (M55, M85)."""


def scratch_bytes(op: OpShape, kernels: Kernels) -> tuple[int, ...]:
    """Scratch buffers an op asks for on a device, in bytes, in the order it asks; () for most ops."""
    if op.op in ("MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN"):
        axes = max(len(op.inputs[0]) - 2, 1) if op.inputs else 1
        sums = (4 * prod(op.output),) if op.op in ("MEAN", "SUM") else ()
        return (*sums, 4 * len(op.inputs[0]) if op.inputs else 16, 4 * axes)
    if op.op == "UNIDIRECTIONAL_SEQUENCE_LSTM" and op.filter:
        # CMSIS-NN needs three buffers of int16 state, the reference kernel four.
        return (2 * (op.filter[0] // 4),) * (4 if kernels == "reference" else 3)
    if op.op == "SVDF":
        filters = op.filter[0] if op.filter else op.output[-1]
        return (4 * filters, 4 * op.output[-1])
    if kernels == "reference" or op.dtype not in ("int8", "int16"):
        return ()
    if op.op == "CONV_2D" and op.filter:
        return _positive(_conv_scratch(op, kernels))
    if op.op == "DEPTHWISE_CONV_2D" and op.filter:
        return _positive(_depthwise_scratch(op, kernels))
    if op.op == "AVERAGE_POOL_2D" and kernels == "cmsis-nn dsp":
        return (4 * op.output[-1],)
    if op.dtype == "int16":
        return ()
    if op.op == "FULLY_CONNECTED" and op.filter and len(op.output) > 2 and op.filter[1] % 4 == 0:
        # Taken as a 1x1 convolution, which wants scales per channel.
        return (8 * op.filter[0],)
    if op.op == "FULLY_CONNECTED" and op.filter and op.weights_decoded and kernels == "cmsis-nn mve":
        # Sums of constant weights are kept in the tail; of decoded ones they are made anew each time.
        return (4 * op.filter[0],)
    if op.op == "TRANSPOSE_CONV" and op.filter:
        return _transpose_conv_scratch(op, kernels)
    return ()


def _conv_scratch(op: OpShape, kernels: Kernels) -> int:
    assert op.filter is not None
    _, height, width, depth = op.filter
    if (height, width) == (1, 1) and op.dilation == (1, 1) and op.inputs[0][3] == depth:
        return 0
    if kernels != "cmsis-nn mve":
        return 4 * align(height * width * op.inputs[0][3], to=4)
    full = 4 * align(height * width * op.inputs[0][3])
    in_height, in_width, channels = op.inputs[0][1:]
    whole_row = in_height == 1 and height == 1 and op.dilation == (1, 1) and depth == channels
    if not whole_row or op.stride[1] * channels % 4:
        return full
    # A window that slides along one row only copies the ends of the row.
    out_width, stride = op.output[2], op.stride[1]
    total = (out_width - 1) * stride + width - in_width
    pad = max(total, 0) // 2
    odd = total % 2
    right = max(1, (pad + odd + stride - 1) // stride) if pad + odd else 0
    left = max(1, (pad + stride - 1) // stride) if pad else 0
    if right + left > out_width:
        return full
    ends = (width * channels + pad * channels, (width - 1) * channels + (right if odd else pad) * channels)
    return max(ends)


def _depthwise_scratch(op: OpShape, kernels: Kernels) -> int:
    assert op.filter is not None
    _, height, width, channels = op.filter
    inputs = op.inputs[0][3]
    # Built by GCC, CMSIS-NN takes this way from two channels on.
    if kernels == "cmsis-nn mve" and inputs == 1 and channels > 1:
        window = height * width * channels
        return 4 * align(height * width) + window
    if inputs != channels or op.dilation != (1, 1):
        return 0
    if kernels == "cmsis-nn mve":
        return 4 * 124 * width * height
    # The int8 kernel has a 3x3 variant that works in place.
    if kernels != "cmsis-nn dsp" or ((height, width) == (3, 3) and op.dtype == "int8"):
        return 0
    return 2 * inputs * height * width


def _transpose_conv_scratch(op: OpShape, kernels: Kernels) -> tuple[int, ...]:
    assert op.filter is not None
    channels, height, width, depth = op.filter
    if max(op.stride) <= 2 and depth > 16:
        column = align(height * width * depth, to=16 if kernels == "cmsis-nn mve" else 4)
        return (4 * column, channels * height * width * depth)
    across = (op.inputs[0][2] - 1) * op.stride[1] + max(width, op.stride[0])
    return (4 * across * channels * max(height, op.stride[0]), 0)


def _positive(size: int) -> tuple[int, ...]:
    return (size,) if size > 0 else ()
