"""Convolutions of every kind, and pools."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from small_models import tensor

from tests.firmware.c.example import (
    ACTIVATIONS,
    PADDINGS,
    Example,
    int8,
    leave_out,
    options_of,
    out_size,
)


def window_options(kind, *, padding, stride, dilation, activation, **more):
    """Options of a convolution."""
    return options_of(
        kind,
        padding=PADDINGS[padding],
        stride_h=stride[0],
        stride_w=stride[1],
        dilation_h_factor=dilation[0],
        dilation_w_factor=dilation[1],
        fused_activation_function=ACTIVATIONS[activation],
        **more,
    )


def draw_bias(rng, scales, outputs, *, largest):
    """Biases in the scale of inputs of 0.05 and these weights."""
    values = rng.integers(-largest, largest, outputs).astype(np.int32)
    return tensor((outputs,), "INT32", scale=0.05 * scales, data=values)


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
    sparsity=0.0,
    weights=None,
    seed=0,
):
    rng = np.random.default_rng(seed)
    drawn = rng.integers(-largest, largest + 1, (outputs, *kernel, image[2] // groups)).astype(np.int8)
    weights = leave_out(drawn, sparsity) if weights is None else weights
    scales = rng.uniform(0.002, 0.006, outputs) if per_channel else np.array([0.004])
    size = [out_size(*each, padding) for each in zip(image[:2], kernel, stride, dilation, strict=True)]
    depth = weights[0].size
    out_scale = out_scale or 0.05 * 0.004 * largest * depth**0.5 * 0.5
    tensors = (
        int8((batches, *image), zero_point=zeros[0]),
        int8(weights.shape, scale=scales, data=weights),
        draw_bias(rng, scales, outputs, largest=3000),
        int8((batches, *size, outputs), scale=out_scale, zero_point=zeros[1]),
    )
    tensors[1].quantization.quantizedDimension = 0
    options = window_options(
        "Conv2D", padding=padding, stride=stride, dilation=dilation, activation=activation
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
    largest=127,
    seed=0,
):
    rng = np.random.default_rng(seed)
    outputs = image[2] * multiplier
    weights = rng.integers(-largest, 128, (1, *kernel, outputs)).astype(np.int8)
    scales = rng.uniform(0.002, 0.006, outputs)
    size = [out_size(*each, padding) for each in zip(image[:2], kernel, stride, dilation, strict=True)]
    tensors = (
        int8((batches, *image), zero_point=zeros[0]),
        int8(weights.shape, scale=scales, data=weights),
        draw_bias(rng, scales, outputs, largest=900),
        int8((batches, *size, outputs), scale=out_scale, zero_point=zeros[1]),
    )
    tensors[1].quantization.quantizedDimension = 3
    options = window_options(
        "DepthwiseConv2D",
        padding=padding,
        stride=stride,
        dilation=dilation,
        activation=activation,
        depth_multiplier=multiplier,
    )
    return Example(
        name=name, op="DEPTHWISE_CONV_2D", tensors=tensors, inputs=(0, 1, 2), outputs=(3,), options=options
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
        draw_bias(rng, scales, outputs, largest=900),
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


def behind_pad(example, margins, *, fill=None):
    """The example, its image cut by margins of ((above, below), (left, right)), which a PAD adds again."""
    padded = example.tensors[0]
    zero = int(padded.quantization.zeroPoint[0])
    cut = [0, *(sum(each) for each in margins), 0]
    known = [tensor((4, 2), "INT32", data=np.array([(0, 0), *margins, (0, 0)], np.int32))]
    if fill is not None:
        known.append(int8((), scale=0.05, zero_point=zero, data=np.array(fill, np.int8)))
    places = [len(example.tensors) + at for at in range(1 + len(known))]
    pad = ("PAD" if fill is None else "PADV2", places, [0], None)
    source = int8([size - less for size, less in zip(padded.shape, cut, strict=True)], zero_point=zero)
    return replace(example, tensors=(*example.tensors, source, *known), head=(pad,))


def padded_examples() -> Iterator[Example]:
    some = (((1, 0), (0, 1)), ((0, 1), (1, 1)), ((2, 2), (2, 2)))
    for margins in some:
        for stride in ((1, 1), (2, 2)):
            shape = {"image": (8, 9, 8), "stride": stride, "padding": "VALID"}
            name = f"behind a pad of {margins}, stride {stride}"
            yield behind_pad(conv_2d(f"conv {name}", outputs=5, **shape), margins)
            yield behind_pad(conv_2d(f"sparse conv {name}", sparsity=0.9, **shape), margins)
            yield behind_pad(depthwise(f"depthwise {name}", **shape), margins)
    ones = ((1, 1), (1, 1))
    valid = {"image": (7, 6, 3), "padding": "VALID"}
    yield behind_pad(conv_2d("conv of three channels behind a pad", **valid), ones)
    yield behind_pad(conv_2d("dilated conv behind a pad", dilation=(2, 2), **valid), ones)
    yield behind_pad(conv_2d("conv in groups behind a pad", groups=3, outputs=6, **valid), ones)
    yield behind_pad(depthwise("dilated depthwise behind a pad", dilation=(2, 2), **valid), ones)
    yield behind_pad(depthwise("depthwise behind a pad of other values", **valid), ones, fill=-7)
    yield behind_pad(depthwise("depthwise behind a pad of zeros", **valid), ones, fill=3)
    yield behind_pad(conv_2d("conv behind a pad as wide as its window", **valid), ((3, 0), (0, 3)))
    same = {**valid, "padding": "SAME"}
    yield behind_pad(conv_2d("padded conv behind a pad", **same), ones)


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


def run_examples() -> Iterator[Example]:
    """Runs of 16 inputs, one to six of them; activations whose lower limit is the zero point, or above."""
    for inputs in (7, 16, 20, 33, 64, 70, 96):
        for outputs in (4, 10):
            name = f"conv 1x1 of {inputs} to {outputs}"
            yield conv_2d(name, image=(3, 5, inputs), kernel=(1, 1), outputs=outputs, seed=inputs)
            relu = {"zeros": (-128, -128), "activation": "RELU"}
            yield conv_2d(f"{name} relu", image=(3, 5, inputs), kernel=(1, 1), outputs=outputs, **relu)
    for zero in (-128, -127, 0, 100):
        yield conv_2d(
            f"conv relu above {zero}", image=(5, 5, 16), outputs=9, zeros=(-3, zero), activation="RELU"
        )
        between = {"activation": "RELU_N1_TO_1", "out_scale": 0.02}
        yield conv_2d(
            f"conv relu -1 to 1 around {zero}", image=(5, 5, 16), outputs=9, zeros=(3, zero), **between
        )
        yield depthwise(f"depthwise relu above {zero}", image=(5, 5, 8), zeros=(-3, zero), activation="RELU")
    for zero in (-128, -127, -126):  # where halves below zero, which are many, can be seen
        halves = {"zeros": (3, zero), "out_scale": 0.05 * 0.004 * 16}
        small = {"largest": 3, "per_channel": False, "bias": False}
        yield conv_2d(
            f"conv by halves from {zero}", image=(8, 8, 2), kernel=(1, 1), outputs=8, **small, **halves
        )
        yield depthwise(f"depthwise by halves from {zero}", image=(8, 8, 8), kernel=(1, 1), **halves)
    for height, width in ((5, 9), (9, 5), (8, 5), (5, 8)):
        for stride in ((1, 1), (2, 2), (1, 2), (2, 1), (3, 1)):
            for padding in PADDINGS:
                name = f"depthwise {height}x{width} stride {stride} {padding}"
                yield depthwise(name, image=(height, width, 5), stride=stride, padding=padding, seed=height)


def sparse_examples() -> Iterator[Example]:
    for stride in ((1, 1), (2, 2)):
        for padding in PADDINGS:
            for width in (8, 9):
                yield conv_2d(
                    f"sparse conv stride {stride} {padding} {width}",
                    image=(6, width, 4),
                    stride=stride,
                    padding=padding,
                    sparsity=0.9,
                )
    yield conv_2d(
        "sparse conv 1x1", image=(5, 5, 32), kernel=(1, 1), outputs=9, sparsity=0.8, zeros=(-128, 3)
    )
    yield conv_2d("sparse conv of odd channels", image=(5, 7, 3), outputs=5, sparsity=0.8, activation="RELU")
    yield conv_2d("sparse conv dilated in height", image=(9, 6, 4), dilation=(3, 1), sparsity=0.9)
    yield conv_2d("sparse conv of batches", batches=3, image=(3, 3, 8), sparsity=0.9)
    yield conv_2d("sparse conv of long gaps", image=(2, 4, 1600), kernel=(1, 1), sparsity=0.996)
    yield conv_2d("sparse conv of many weights", image=(2, 4, 1600), kernel=(1, 1), sparsity=0.8, seed=2)
    yield conv_2d("deep conv with weights of -128", image=(3, 3, 130), outputs=6, largest=128, seed=3)
    yield conv_2d("sparse conv of nothing", image=(4, 4, 8), sparsity=1.0, out_scale=0.05)
    yield conv_2d("sparse conv with weights of -128", image=(4, 4, 16), largest=128, sparsity=0.8, seed=3)
    yield conv_2d("sparse conv that grows", image=(4, 4, 16), out_scale=1e-5, largest=3, sparsity=0.8)


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
    yield depthwise("depthwise 5x5 times two", image=(6, 9, 3), kernel=(5, 5), stride=(2, 2), multiplier=2)
    yield depthwise("depthwise 4x6", image=(7, 8, 4), kernel=(4, 6), padding="VALID")
    yield depthwise("depthwise 3x3 three apart", image=(7, 11, 4), stride=(3, 3))
    yield depthwise("depthwise 1x3", image=(1, 9, 4), kernel=(1, 3))
    yield depthwise("depthwise 2x2", image=(5, 5, 4), kernel=(2, 2), stride=(2, 2))
    yield depthwise("depthwise 7x7 over a small image", image=(3, 3, 4), kernel=(7, 7))
    yield depthwise("depthwise dilated", image=(8, 8, 4), dilation=(2, 2))
    yield depthwise("depthwise of batches", image=(4, 4, 4), batches=2)
    yield depthwise("depthwise zero points low", zeros=(-128, -128), activation="RELU6")
    yield depthwise("depthwise zero points high", zeros=(127, 127))
    yield depthwise("depthwise that saturates", out_scale=0.001)
    yield depthwise("depthwise that grows", out_scale=5e-5)


def tile_examples() -> Iterator[Example]:
    """Depthwise 3x3 of images that are large enough for Helium's tiles of 2x2 outputs."""
    for channels in (4, 5, 16, 17, 31, 48):
        height = -(-400 // channels)
        for width in (6, 7):
            name = f"depthwise tiles of {channels} channels, width {width}"
            yield depthwise(name, image=(height, width, channels), seed=channels)
    tall = {"image": (23, 9, 20)}
    yield depthwise("depthwise tiles without padding", **tall, padding="VALID")
    yield depthwise("depthwise tiles without padding, even", image=(24, 10, 20), padding="VALID")
    yield depthwise("depthwise tiles of batches", **tall, batches=2)
    yield depthwise("depthwise tiles relu", **tall, zeros=(-128, -128), activation="RELU")
    yield depthwise("depthwise tiles relu from above", **tall, zeros=(127, -30), activation="RELU")
    yield depthwise("depthwise tiles relu6", **tall, zeros=(5, -128), activation="RELU6", out_scale=0.04)
    yield depthwise("depthwise tiles that saturate", **tall, out_scale=0.001)
    yield depthwise("depthwise tiles that grow", **tall, out_scale=5e-5)
    yield depthwise("depthwise tiles with weights of -128", **tall, largest=128)
    yield depthwise("depthwise tiles of two columns", image=(40, 2, 40))
    yield depthwise("depthwise tiles of two rows", image=(2, 40, 150))
    for margins in (((1, 1), (1, 1)), ((3, 0), (0, 2)), ((0, 2), (3, 1)), ((6, 6), (0, 0))):
        padded = depthwise(f"depthwise tiles behind a pad of {margins}", image=(29, 12, 20), padding="VALID")
        yield behind_pad(padded, margins)


def pool_examples() -> Iterator[Example]:
    for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        for padding in PADDINGS:
            yield pool(f"{op} {padding}", op, padding=padding, kernel=(3, 2), stride=(2, 2))
        yield pool(f"{op} over all", op, kernel=(6, 7), stride=(6, 7))
        yield pool(f"{op} overlapping", op, kernel=(3, 3), stride=(1, 1), padding="SAME", activation="RELU")
        yield pool(f"{op} of one channel", op, image=(6, 6, 1), zero=-128)
        yield pool(f"{op} of eight channels", op, image=(5, 7, 8), kernel=(3, 2), padding="SAME")
        for channels in (7, 18):
            yield pool(
                f"{op} 5x5 of {channels} channels",
                op,
                image=(6, 5, channels),
                kernel=(5, 5),
                stride=(1, 1),
                padding="SAME",
                activation="RELU6",
            )


def transpose_conv_examples() -> Iterator[Example]:
    for padding in PADDINGS:
        yield transpose_conv(f"transpose conv {padding}", padding=padding)
        yield transpose_conv(
            f"transpose conv stride 1 {padding}", padding=padding, stride=(1, 1), zeros=(-128, 127)
        )
    yield transpose_conv("transpose conv without bias", kernel=(2, 2), bias=False)
