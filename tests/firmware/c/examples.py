"""Small examples of every op the C engine compiles: shapes, paddings, scales and zero points at their ends.

All examples together are one model, so that TFLM, the C compiler and the emulator each run once.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from small_models import model, tensor

from edgeprune.tflite.schema import load_schema

SAMPLES = 12


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Example:
    """One op with its tensors: `inputs` and `outputs` are places among them."""

    name: str
    op: str
    tensors: tuple
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: object = None


def options_of(kind, **values):
    """The options of an op, for example `options_of("Pool2D", stride_w=2)`; enums are given as numbers."""
    made = getattr(load_schema(), f"{kind}OptionsT")()
    for name, value in values.items():
        parts = name.split("_")
        setattr(made, parts[0] + "".join(part.capitalize() for part in parts[1:]), value)
    return made


ACTIVATIONS = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
PADDINGS = {"SAME": 0, "VALID": 1}


def int8(shape, *, scale=0.05, zero_point=0, data=None):
    return tensor(shape, "INT8", scale=scale, zero_point=zero_point, data=data)


def out_size(size, kernel, stride, dilation, padding):
    reach = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == "SAME" else (size + stride - reach) // stride


def conv_2d(
    name,
    *,
    image=(5, 6, 4),
    outputs=4,
    kernel=(3, 3),
    stride=(1, 1),
    dilation=(1, 1),
    padding="SAME",
    activation="NONE",
    zeros=(3, -5),
    batches=1,
    groups=1,
    per_channel=True,
    out_scale=None,
    bias=True,
    largest=127,
    seed=0,
):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-largest, largest + 1, (outputs, *kernel, image[2] // groups)).astype(np.int8)
    scales = rng.uniform(0.002, 0.006, outputs) if per_channel else np.array([0.004])
    size = [out_size(*each, padding) for each in zip(image[:2], kernel, stride, dilation, strict=True)]
    depth = weights[0].size
    out_scale = out_scale or 0.05 * 0.004 * largest * depth**0.5 * 0.5
    tensors = (
        int8((batches, *image), zero_point=zeros[0]),
        int8(weights.shape, scale=scales, data=weights),
        tensor(
            (outputs,), "INT32", scale=0.05 * scales, data=rng.integers(-3000, 3000, outputs).astype(np.int32)
        ),
        int8((batches, *size, outputs), scale=out_scale, zero_point=zeros[1]),
    )
    tensors[1].quantization.quantizedDimension = 0
    options = options_of(
        "Conv2D",
        padding=PADDINGS[padding],
        stride_h=stride[0],
        stride_w=stride[1],
        dilation_h_factor=dilation[0],
        dilation_w_factor=dilation[1],
        fused_activation_function=ACTIVATIONS[activation],
    )
    return Example(
        name=name,
        op="CONV_2D",
        tensors=tensors,
        inputs=(0, 1, 2) if bias else (0, 1, -1),
        outputs=(3,),
        options=options,
    )


def depthwise(
    name,
    *,
    image=(6, 7, 4),
    multiplier=1,
    kernel=(3, 3),
    stride=(1, 1),
    dilation=(1, 1),
    padding="SAME",
    activation="NONE",
    zeros=(3, -5),
    batches=1,
    out_scale=0.08,
    seed=0,
):
    rng = np.random.default_rng(seed)
    outputs = image[2] * multiplier
    weights = rng.integers(-127, 128, (1, *kernel, outputs)).astype(np.int8)
    scales = rng.uniform(0.002, 0.006, outputs)
    size = [out_size(*each, padding) for each in zip(image[:2], kernel, stride, dilation, strict=True)]
    tensors = (
        int8((batches, *image), zero_point=zeros[0]),
        int8(weights.shape, scale=scales, data=weights),
        tensor(
            (outputs,), "INT32", scale=0.05 * scales, data=rng.integers(-900, 900, outputs).astype(np.int32)
        ),
        int8((batches, *size, outputs), scale=out_scale, zero_point=zeros[1]),
    )
    tensors[1].quantization.quantizedDimension = 3
    options = options_of(
        "DepthwiseConv2D",
        padding=PADDINGS[padding],
        stride_h=stride[0],
        stride_w=stride[1],
        dilation_h_factor=dilation[0],
        dilation_w_factor=dilation[1],
        depth_multiplier=multiplier,
        fused_activation_function=ACTIVATIONS[activation],
    )
    return Example(
        name=name, op="DEPTHWISE_CONV_2D", tensors=tensors, inputs=(0, 1, 2), outputs=(3,), options=options
    )


def fully_connected(
    name,
    *,
    rows=1,
    inputs=16,
    outputs=8,
    activation="NONE",
    zeros=(3, -5),
    per_channel=False,
    largest=127,
    out_scale=None,
    seed=0,
):
    rng = np.random.default_rng(seed)
    weights = rng.integers(-largest, largest + 1, (outputs, inputs)).astype(np.int8)
    scales = rng.uniform(0.002, 0.006, outputs) if per_channel else np.array([0.0041])
    out_scale = out_scale or 0.05 * 0.004 * largest * inputs**0.5 * 0.5
    tensors = (
        int8((rows, inputs), zero_point=zeros[0]),
        int8(weights.shape, scale=scales, data=weights),
        tensor(
            (outputs,), "INT32", scale=0.05 * scales, data=rng.integers(-3000, 3000, outputs).astype(np.int32)
        ),
        int8((rows, outputs), scale=out_scale, zero_point=zeros[1]),
    )
    options = options_of("FullyConnected", fused_activation_function=ACTIVATIONS[activation])
    return Example(
        name=name, op="FULLY_CONNECTED", tensors=tensors, inputs=(0, 1, 2), outputs=(3,), options=options
    )


def pool(
    name, op, *, image=(6, 7, 3), kernel=(2, 2), stride=(2, 2), padding="VALID", activation="NONE", zero=4
):
    size = [out_size(*each, 1, padding) for each in zip(image[:2], kernel, stride, strict=True)]
    tensors = (int8((1, *image), zero_point=zero), int8((1, *size, image[2]), zero_point=zero))
    options = options_of(
        "Pool2D",
        padding=PADDINGS[padding],
        stride_h=stride[0],
        stride_w=stride[1],
        filter_height=kernel[0],
        filter_width=kernel[1],
        fused_activation_function=ACTIVATIONS[activation],
    )
    return Example(name=name, op=op, tensors=tensors, inputs=(0,), outputs=(1,), options=options)


def binary(
    name,
    op,
    left=(1, 4, 5, 3),
    right=(1, 4, 5, 3),
    *,
    scales=(0.05, 0.03, 0.07),
    zeros=(3, -7, 5),
    activation="NONE",
    constant=False,
):
    shape = np.broadcast_shapes(left, right)
    data = np.random.default_rng(1).integers(-128, 128, right).astype(np.int8) if constant else None
    tensors = (
        int8(left, scale=scales[0], zero_point=zeros[0]),
        int8(right, scale=scales[1], zero_point=zeros[1], data=data),
        int8(shape, scale=scales[2], zero_point=zeros[2]),
    )
    kind = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul"}.get(op)
    options = options_of(kind, fused_activation_function=ACTIVATIONS[activation]) if kind else None
    return Example(name=name, op=op, tensors=tensors, inputs=(0, 1), outputs=(2,), options=options)


def unary(name, op, *, shape=(1, 256), scale=0.05, zero=0, out_scale=0.05, out_zero=0, options=None):
    tensors = (int8(shape, scale=scale, zero_point=zero), int8(shape, scale=out_scale, zero_point=out_zero))
    return Example(name=name, op=op, tensors=tensors, inputs=(0,), outputs=(1,), options=options)


def mover(name, op, shape, out_shapes, *, constants=(), first=False, options=None, zero=9):
    """An op that moves elements; int32 constants come after the input, or before it with `first`."""
    known = [tensor(np.shape(each), "INT32", data=np.array(each, np.int32)) for each in constants]
    image = [int8(shape, zero_point=zero)]
    inputs = [*known, *image] if first else [*image, *known]
    outputs = [int8(each, zero_point=zero) for each in out_shapes]
    return Example(
        name=name,
        op=op,
        tensors=(*inputs, *outputs),
        inputs=tuple(range(len(inputs))),
        outputs=tuple(range(len(inputs), len(inputs) + len(outputs))),
        options=options,
    )


def conv_examples() -> Iterator[Example]:
    for stride in ((1, 1), (2, 2), (1, 2)):
        for padding in PADDINGS:
            yield conv_2d(f"conv stride {stride} {padding}", stride=stride, padding=padding)
    yield conv_2d("conv of one channel", image=(7, 5, 1), kernel=(4, 3), outputs=8)
    yield conv_2d("conv of three channels", image=(8, 8, 3), outputs=5, stride=(2, 2))
    yield conv_2d("conv of six channels to seven", image=(4, 5, 6), outputs=7)
    yield conv_2d("conv 1x1", image=(3, 5, 8), kernel=(1, 1), outputs=12)
    yield conv_2d("conv 1x1 of odd channels", image=(3, 5, 7), kernel=(1, 1), outputs=3)
    yield conv_2d("conv 1x1 stride 2", image=(5, 5, 8), kernel=(1, 1), stride=(2, 2))
    yield conv_2d("conv 5x5", image=(6, 6, 4), kernel=(5, 5))
    yield conv_2d("conv wider than the image", image=(2, 2, 4), kernel=(5, 5))
    yield conv_2d("conv 1-D", image=(1, 12, 4), kernel=(1, 5), stride=(1, 2))
    yield conv_2d("conv down a column", image=(12, 1, 4), kernel=(5, 1))
    yield conv_2d("conv over the whole image", image=(3, 3, 4), padding="VALID", outputs=9)
    yield conv_2d("conv dilated", image=(9, 9, 4), dilation=(2, 2))
    yield conv_2d("conv dilated in height", image=(9, 6, 4), dilation=(3, 1), padding="VALID")
    yield conv_2d("conv in groups", image=(4, 4, 6), groups=2, outputs=4)
    yield conv_2d("conv of batches", batches=3, image=(3, 3, 4))
    yield conv_2d("conv per tensor", per_channel=False)
    yield conv_2d("conv without bias", bias=False)
    yield conv_2d("conv zero points low", zeros=(-128, -128), activation="RELU")
    yield conv_2d("conv zero points high", zeros=(127, 127), activation="RELU")
    yield conv_2d("conv relu6", activation="RELU6", out_scale=0.04, zeros=(0, -20))
    yield conv_2d("conv relu -1 to 1", activation="RELU_N1_TO_1", out_scale=0.01)
    yield conv_2d("conv that saturates", out_scale=0.0005)
    yield conv_2d("conv that vanishes", out_scale=9000.0)
    yield conv_2d("conv that grows", out_scale=1e-5, largest=3)
    yield conv_2d("conv of heavy weights", image=(2, 3, 640), kernel=(1, 1), seed=2)
    yield conv_2d("conv with weights of -128", largest=128, seed=3)


def depthwise_examples() -> Iterator[Example]:
    for stride in ((1, 1), (2, 2)):
        for padding in PADDINGS:
            for width in (6, 7):
                yield depthwise(
                    f"depthwise stride {stride} {padding} {width}",
                    image=(6, width, 4),
                    stride=stride,
                    padding=padding,
                )
    yield depthwise("depthwise of three channels", image=(5, 5, 3))
    yield depthwise("depthwise of one channel", image=(9, 8, 1), multiplier=8, kernel=(5, 4), stride=(2, 2))
    yield depthwise("depthwise times three", image=(5, 5, 2), multiplier=3)
    yield depthwise("depthwise 5x5", image=(7, 7, 4), kernel=(5, 5))
    yield depthwise("depthwise 1x3", image=(1, 9, 4), kernel=(1, 3))
    yield depthwise("depthwise 2x2", image=(5, 5, 4), kernel=(2, 2), stride=(2, 2))
    yield depthwise("depthwise 7x7 over a small image", image=(3, 3, 4), kernel=(7, 7))
    yield depthwise("depthwise dilated", image=(8, 8, 4), dilation=(2, 2))
    yield depthwise("depthwise of batches", image=(4, 4, 4), batches=2)
    yield depthwise("depthwise zero points low", zeros=(-128, -128), activation="RELU6")
    yield depthwise("depthwise zero points high", zeros=(127, 127))
    yield depthwise("depthwise that saturates", out_scale=0.001)
    yield depthwise("depthwise that grows", out_scale=5e-5)


def fully_connected_examples() -> Iterator[Example]:
    for inputs in (1, 3, 16, 20, 33):
        for outputs in (1, 8, 10):
            yield fully_connected(f"dense {inputs} to {outputs}", inputs=inputs, outputs=outputs)
    yield fully_connected("dense of rows", rows=3, inputs=12, outputs=5)
    yield fully_connected("dense per channel", per_channel=True)
    yield fully_connected("dense zero points low", zeros=(-128, -128), activation="RELU")
    yield fully_connected("dense zero points high", zeros=(127, 127))
    yield fully_connected("dense that saturates", out_scale=1e-3)
    yield fully_connected("dense that grows", out_scale=1e-5, largest=3)
    yield fully_connected("dense of heavy weights", inputs=1200, seed=2)
    yield fully_connected("dense with weights of -128", largest=128, seed=5)


def pool_examples() -> Iterator[Example]:
    for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        for padding in PADDINGS:
            yield pool(f"{op} {padding}", op, padding=padding, kernel=(3, 2), stride=(2, 2))
        yield pool(f"{op} over all", op, kernel=(6, 7), stride=(6, 7))
        yield pool(f"{op} overlapping", op, kernel=(3, 3), stride=(1, 1), padding="SAME", activation="RELU")
        yield pool(f"{op} of one channel", op, image=(6, 6, 1), zero=-128)


def binary_examples() -> Iterator[Example]:
    for op in ("ADD", "SUB", "MUL"):
        yield binary(f"{op}", op)
        yield binary(f"{op} of equal scales", op, scales=(0.05, 0.05, 0.05))
        yield binary(f"{op} zero points low", op, zeros=(-128, -128, -128), activation="RELU")
        yield binary(f"{op} zero points high", op, zeros=(127, 127, 127))
        yield binary(f"{op} far apart", op, scales=(0.9, 0.001, 0.4))
        yield binary(f"{op} relu6", op, scales=(0.05, 0.05, 0.04), activation="RELU6")
        yield binary(f"{op} saturating", op, scales=(0.5, 0.3, 0.01) if op == "MUL" else (0.5, 0.3, 0.1))
        yield binary(f"{op} of a row", op, right=(1, 1, 1, 3))
        yield binary(f"{op} of a column", op, right=(1, 4, 1, 1))
        yield binary(f"{op} of a number", op, right=(1, 1, 1, 1), constant=True)
        yield binary(f"{op} of a constant", op, constant=True)
        yield binary(f"{op} both ways", op, left=(1, 4, 1, 3), right=(1, 1, 5, 3))


def lookup_examples() -> Iterator[Example]:
    for scale in (0.01, 0.05, 0.3):
        for zero in (-128, 0, 127):
            yield unary(
                f"logistic {scale} {zero}",
                "LOGISTIC",
                scale=scale,
                zero=zero,
                out_scale=1 / 256,
                out_zero=-128,
            )
            yield unary(f"tanh {scale} {zero}", "TANH", scale=scale, zero=zero, out_scale=1 / 128)
            yield unary(f"relu {scale} {zero}", "RELU", scale=scale, zero=zero, out_scale=0.06, out_zero=-20)
            yield unary(
                f"relu6 {scale} {zero}", "RELU6", scale=scale, zero=zero, out_scale=scale, out_zero=zero
            )
            yield unary(
                f"quantize {scale} {zero}", "QUANTIZE", scale=scale, zero=zero, out_scale=0.07, out_zero=5
            )
            leaky = options_of("LeakyRelu", alpha=0.2)
            yield unary(
                f"leaky relu {scale} {zero}",
                "LEAKY_RELU",
                scale=scale,
                zero=zero,
                out_scale=0.06,
                options=leaky,
            )
    for scale, out_scale in ((0.05, 0.05), (0.02, 0.03), (0.4, 0.4)):
        yield unary(
            f"hard swish {scale}", "HARD_SWISH", scale=scale, zero=-3, out_scale=out_scale, out_zero=-100
        )


def softmax_examples() -> Iterator[Example]:
    for scale in (0.01, 0.1, 0.7):
        for shape in ((1, 2), (1, 10), (3, 5)):
            options = options_of("Softmax", beta=1.0)
            yield unary(
                f"softmax {scale} {shape}",
                "SOFTMAX",
                shape=shape,
                scale=scale,
                out_scale=1 / 256,
                out_zero=-128,
                options=options,
            )


def mover_examples() -> Iterator[Example]:
    yield mover("reshape", "RESHAPE", (1, 4, 6), [(1, 24)], options=options_of("Reshape", new_shape=[1, 24]))
    yield mover("pad", "PAD", (1, 3, 4, 2), [(1, 6, 5, 2)], constants=[[[0, 0], [1, 2], [0, 1], [0, 0]]])
    yield mover(
        "pad channels", "PAD", (1, 2, 3, 4), [(1, 2, 3, 7)], constants=[[[0, 0], [0, 0], [0, 0], [1, 2]]]
    )
    for order in ((0, 2, 1, 3), (0, 3, 1, 2), (0, 1, 3, 2), (3, 2, 1, 0)):
        shape = (1, 3, 4, 5)
        to = tuple(shape[axis] for axis in order)
        yield mover(
            f"transpose {order}", "TRANSPOSE", shape, [to], constants=[order], options=options_of("Transpose")
        )
    for axis in (1, 3):
        pieces = [(1, 2, 4, 6)] * 2 if axis == 1 else [(1, 4, 4, 2)] * 3
        yield mover(
            f"split {axis}",
            "SPLIT",
            (1, 4, 4, 6),
            pieces,
            constants=[[axis]],
            first=True,
            options=options_of("Split", num_splits=len(pieces)),
        )
    yield mover(
        "strided slice",
        "STRIDED_SLICE",
        (1, 6, 7, 2),
        [(1, 2, 3, 2)],
        constants=[[0, 1, 0, 0], [1, 5, 7, 2], [1, 2, 3, 1]],
        options=options_of("StridedSlice"),
    )
    yield mover(
        "strided slice backwards",
        "STRIDED_SLICE",
        (1, 6),
        [(1, 6)],
        constants=[[0, -1], [1, -7], [1, -1]],
        options=options_of("StridedSlice"),
    )
    yield mover(
        "strided slice that drops a dimension",
        "STRIDED_SLICE",
        (1, 5, 3),
        [(1, 3)],
        constants=[[0, 2, 0], [1, 3, 3], [1, 1, 1]],
        options=options_of("StridedSlice", shrink_axis_mask=2),
    )
    for axis in (1, 2, 3):
        shapes = [(1, 3, 4, 2), (1, 3, 4, 2)]
        total = list(shapes[0])
        total[axis] *= 2
        yield Example(
            name=f"concatenation {axis}",
            op="CONCATENATION",
            tensors=(*(int8(shape) for shape in shapes), int8(total)),
            inputs=(0, 1),
            outputs=(2,),
            options=options_of("Concatenation", axis=axis),
        )


def mean_examples() -> Iterator[Example]:
    for axes, to in (
        ((1, 2), (2, 4)),
        ((3,), (2, 3, 5)),
        ((1,), (2, 5, 4)),
        ((2, 3), (2, 3)),
        ((0,), (3, 5, 4)),
    ):
        for op in ("MEAN", "SUM"):
            example = mover(
                f"{op} {axes}",
                op,
                (2, 3, 5, 4),
                [to],
                constants=[list(axes)],
                options=options_of("Reducer", keep_dims=False),
            )
            example.tensors[2].quantization.scale = np.array([0.03 if op == "MEAN" else 0.4], np.float32)
            yield example


def lstm(name, *, steps=4, inputs=6, units=5, zeros=(3, -5), cell_power=-11, clip=10.0, seed=0):
    rng = np.random.default_rng(seed)
    cell_scale = 2.0**cell_power
    weights = [
        int8((units, n), scale=0.006, data=rng.integers(-127, 128, (units, n)).astype(np.int8))
        for n in [inputs] * 4 + [units] * 4
    ]
    biases = [
        tensor((units,), "INT32", scale=0.0003, data=rng.integers(-3000, 3000, units).astype(np.int32))
        for _ in range(4)
    ]
    states = [
        int8((1, units), scale=0.008, zero_point=zeros[1]),
        tensor((1, units), "INT16", scale=cell_scale),
    ]
    for state in states:
        state.isVariable = True
    tensors = (
        int8((1, steps, inputs), zero_point=zeros[0]),
        *weights,
        *biases,
        *states,
        int8((1, steps, units), scale=0.008, zero_point=zeros[1]),
    )
    places = (*range(9), -1, -1, -1, 9, 10, 11, 12, -1, -1, 13, 14, -1, -1, -1, -1)
    options = options_of("UnidirectionalSequenceLSTM", fused_activation_function=4, cell_clip=clip)
    return Example(
        name=name,
        op="UNIDIRECTIONAL_SEQUENCE_LSTM",
        tensors=tensors,
        inputs=places,
        outputs=(15,),
        options=options,
    )


def transpose_conv(
    name,
    *,
    image=(3, 4, 3),
    outputs=2,
    kernel=(3, 3),
    stride=(2, 2),
    padding="SAME",
    zeros=(3, -5),
    bias=True,
):
    rng = np.random.default_rng(0)
    weights = rng.integers(-127, 128, (outputs, *kernel, image[2])).astype(np.int8)
    scales = rng.uniform(0.002, 0.006, outputs)
    size = [
        n * s if padding == "SAME" else (n - 1) * s + k
        for n, s, k in zip(image[:2], stride, kernel, strict=True)
    ]
    tensors = (
        tensor((4,), "INT32", data=np.array([1, *size, outputs], np.int32)),
        int8(weights.shape, scale=scales, data=weights),
        int8((1, *image), zero_point=zeros[0]),
        tensor(
            (outputs,), "INT32", scale=0.05 * scales, data=rng.integers(-900, 900, outputs).astype(np.int32)
        ),
        int8((1, *size, outputs), scale=0.09, zero_point=zeros[1]),
    )
    options = options_of("TransposeConv", padding=PADDINGS[padding], stride_h=stride[0], stride_w=stride[1])
    return Example(
        name=name,
        op="TRANSPOSE_CONV",
        tensors=tensors,
        inputs=(0, 1, 2, 3) if bias else (0, 1, 2),
        outputs=(4,),
        options=options,
    )


def more_examples() -> Iterator[Example]:
    yield lstm("lstm")
    yield lstm("lstm of a wide cell state", cell_power=-13, zeros=(-128, 127), clip=0.0)
    yield lstm("lstm of a narrow cell state", cell_power=-9, seed=3)
    for padding in PADDINGS:
        yield transpose_conv(f"transpose conv {padding}", padding=padding)
        yield transpose_conv(
            f"transpose conv stride 1 {padding}", padding=padding, stride=(1, 1), zeros=(-128, 127)
        )
    yield transpose_conv("transpose conv without bias", kernel=(2, 2), bias=False)
    for op in ("MAXIMUM", "MINIMUM"):
        yield binary(op, op, scales=(0.05, 0.05, 0.05), zeros=(3, 3, 3))
        yield binary(f"{op} of a row", op, right=(1, 1, 1, 3), scales=(0.05, 0.05, 0.05), zeros=(3, 3, 3))
    yield binary("prelu", "PRELU", right=(1, 1, 3), constant=True)
    yield binary(
        "prelu zero points at ends", "PRELU", right=(4, 5, 3), constant=True, zeros=(-128, 127, -128)
    )
    for aligned, centred in ((False, False), (True, False), (False, True)):
        for kind, op in (
            ("ResizeNearestNeighbor", "RESIZE_NEAREST_NEIGHBOR"),
            ("ResizeBilinear", "RESIZE_BILINEAR"),
        ):
            for size in ((6, 8), (5, 3), (7, 2)):
                options = options_of(kind, align_corners=aligned, half_pixel_centers=centred)
                yield mover(
                    f"{op} {size} {aligned} {centred}",
                    op,
                    (1, 3, 4, 2),
                    [(1, *size, 2)],
                    constants=[size],
                    options=options,
                )
    for left, right, adj_x, adj_y in (
        ((2, 3, 4), (2, 4, 5), False, False),
        ((2, 4, 3), (2, 4, 5), True, False),
        ((1, 2, 3, 4), (1, 2, 5, 4), False, True),
        ((1, 2, 3, 4), (1, 1, 4, 2), False, False),
    ):
        rows = left[-1] if adj_x else left[-2]
        columns = right[-2] if adj_y else right[-1]
        tensors = (
            int8(left, scale=0.05, zero_point=3),
            int8(right, scale=0.04, zero_point=-6),
            int8((*left[:-2], rows, columns), scale=0.2, zero_point=5),
        )
        options = options_of("BatchMatMul", adj_x=adj_x, adj_y=adj_y)
        yield Example(
            name=f"batch matmul {left} {right}",
            op="BATCH_MATMUL",
            tensors=tensors,
            inputs=(0, 1),
            outputs=(2,),
            options=options,
        )
    yield mover(
        "squeeze", "SQUEEZE", (1, 4, 1, 6), [(4, 6)], options=options_of("Squeeze", squeeze_dims=[0, 2])
    )
    yield mover(
        "expand dims", "EXPAND_DIMS", (4, 6), [(4, 1, 6)], constants=[[1]], options=options_of("ExpandDims")
    )
    yield mover("unpack", "UNPACK", (2, 3, 4), [(2, 4)] * 3, options=options_of("Unpack", num=3, axis=1))
    yield mover(
        "slice",
        "SLICE",
        (1, 5, 6),
        [(1, 2, 3)],
        constants=[[0, 2, 1], [1, 2, 3]],
        options=options_of("Slice"),
    )
    yield mover(
        "split v",
        "SPLIT_V",
        (1, 4, 6),
        [(1, 4, 2), (1, 4, 4)],
        constants=[[2, 4], [2]],
        options=options_of("SplitV", num_splits=2),
    )
    yield Example(
        name="pack",
        op="PACK",
        tensors=(int8((2, 3)), int8((2, 3)), int8((2, 2, 3))),
        inputs=(0, 1),
        outputs=(2,),
        options=options_of("Pack", values_count=2, axis=1),
    )
    fill = tensor((1,), "INT8", scale=0.05, zero_point=9, data=np.array([-77], np.int8))
    padded = mover("pad with a value", "PADV2", (1, 3, 2), [(1, 5, 2)], constants=[[[0, 0], [1, 1], [0, 0]]])
    yield Example(
        name=padded.name, op="PADV2", tensors=(*padded.tensors, fill), inputs=(0, 1, 3), outputs=(2,)
    )
    for zero in (-128, 7):
        yield Example(
            name=f"dequantize {zero}",
            op="DEQUANTIZE",
            tensors=(int8((1, 256), scale=0.0371, zero_point=zero), tensor((1, 256), "FLOAT32")),
            inputs=(0,),
            outputs=(1,),
        )
        yield Example(
            name=f"quantize floats {zero}",
            op="QUANTIZE",
            tensors=(tensor((1, 256), "FLOAT32"), int8((1, 256), scale=0.0371, zero_point=zero)),
            inputs=(0,),
            outputs=(1,),
        )


EXAMPLES: tuple[Callable[[], Iterator[Example]], ...] = (
    conv_examples,
    depthwise_examples,
    fully_connected_examples,
    pool_examples,
    binary_examples,
    lookup_examples,
    softmax_examples,
    mover_examples,
    mean_examples,
    more_examples,
)


@lru_cache(maxsize=1)
def all_examples() -> tuple[Example, ...]:
    return tuple(example for group in EXAMPLES for example in group())


def join(examples) -> tuple[bytes, list[str]]:
    """One model of all examples side by side, and for each of its outputs the example's name."""
    tensors, ops, inputs, outputs, names = [], [], [], [], []
    for example in examples:
        start = len(tensors)
        tensors += example.tensors
        places = [start + at if at >= 0 else -1 for at in example.inputs]
        ends = [start + at for at in example.outputs]
        ops.append((example.op, places, ends, example.options))
        inputs += [
            at for at in places if at >= 0 and tensors[at].content is None and not tensors[at].isVariable
        ]
        outputs += ends
        names += [example.name] * len(ends)
    return model(tensors, ops, inputs=inputs, outputs=outputs), names


def random_inputs(parsed, *, samples=SAMPLES, seed=0):
    """Random inputs; the first samples are the smallest value, the largest, and every value in turn."""
    rng = np.random.default_rng(seed)
    arrays = []
    for each in parsed.inputs:
        if each.dtype == "float32":
            arrays.append((rng.standard_normal((samples, *each.shape)) * 3).astype(np.float32))
            continue
        array = rng.integers(-128, 128, (samples, *each.shape)).astype(np.int8)
        array[0], array[1] = -128, 127
        array[2].reshape(-1)[:] = np.arange(each.elements) - 128
        arrays.append(array)
    return tuple(arrays)
