"""Ops on int16 with int8 weights, and on float32."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import numpy as np
from small_models import tensor

from tests.firmware.c.example import ACTIVATIONS, PADDINGS, Example, mover, options_of, out_size, typed
from tests.firmware.c.examples_windows import window_options


def draw_weights(dtype, shape, *, axis, seed=0):
    """Weights, for integers with a scale for each channel."""
    rng = np.random.default_rng(seed)
    if dtype == "float32":
        return tensor(shape, "FLOAT32", data=rng.standard_normal(shape).astype(np.float32))
    scales = rng.uniform(0.002, 0.01, shape[axis]).astype(np.float32)
    made = tensor(shape, "INT8", scale=scales, data=rng.integers(-128, 128, shape).astype(np.int8))
    made.quantization.quantizedDimension = axis
    return made


def draw_bias(dtype, outputs, *, short=False):
    rng = np.random.default_rng(7)
    if dtype == "float32":
        return tensor((outputs,), "FLOAT32", data=rng.standard_normal(outputs).astype(np.float32))
    kind = "int32" if short else "int64"
    values = rng.integers(-(1 << 24), 1 << 24, outputs).astype(kind)
    return tensor((outputs,), kind.upper(), scale=np.full(outputs, 1e-5, np.float32), data=values)


def weighted(name, op, dtype, *, image, weights, output, options, axis=0, bias=True, short=False, scale=0.01):
    """A convolution or dense layer; TRANSPOSE_CONV has its output's shape in front."""
    tensors = [typed(dtype, image, scale=0.001), draw_weights(dtype, weights, axis=axis)]
    inputs = [0, 1]
    if op == "TRANSPOSE_CONV":
        tensors.append(tensor((4,), "INT32", data=np.array(output, np.int32)))
        inputs = [2, 1, 0]
    if bias:
        inputs.append(len(tensors))
        tensors.append(draw_bias(dtype, weights[axis], short=short))
    tensors.append(typed(dtype, output, scale=scale))
    return Example(
        name=f"{name} {dtype}",
        op=op,
        tensors=tuple(tensors),
        inputs=tuple(inputs),
        outputs=(len(tensors) - 1,),
        options=options,
    )


def convolutions(dtype) -> Iterator[Example]:
    for name, kernel, stride, dilation, padding, activation, groups in (
        ("conv", (3, 3), (1, 1), (1, 1), "SAME", "NONE", 1),
        ("conv valid", (3, 2), (2, 1), (1, 1), "VALID", "RELU6", 1),
        ("conv dilated", (3, 3), (1, 1), (2, 2), "SAME", "RELU", 1),
        ("conv in groups", (1, 1), (1, 1), (1, 1), "SAME", "RELU_N1_TO_1", 2),
    ):
        sizes = [
            out_size(size, k, s, d, padding)
            for size, k, s, d in zip((5, 6), kernel, stride, dilation, strict=True)
        ]
        options = window_options(
            "Conv2D", padding=padding, stride=stride, dilation=dilation, activation=activation
        )
        given = {
            "image": (2, 5, 6, 4),
            "weights": (6, *kernel, 4 // groups),
            "output": (2, *sizes, 6),
            "options": options,
        }
        yield weighted(name, "CONV_2D", dtype, **given)
        if dtype == "int16":
            yield weighted(f"{name} with a short bias", "CONV_2D", dtype, short=True, **given)
    yield weighted("conv without bias", "CONV_2D", dtype, bias=False, **given)
    for name, multiplier, stride in (("depthwise", 1, (1, 1)), ("depthwise of two", 2, (2, 1))):
        sizes = [out_size(size, 3, s, 1, "SAME") for size, s in zip((5, 6), stride, strict=True)]
        options = window_options(
            "DepthwiseConv2D",
            padding="SAME",
            stride=stride,
            dilation=(1, 1),
            activation="RELU",
            depth_multiplier=multiplier,
        )
        yield weighted(
            name,
            "DEPTHWISE_CONV_2D",
            dtype,
            image=(1, 5, 6, 4),
            weights=(1, 3, 3, 4 * multiplier),
            axis=3,
            output=(1, *sizes, 4 * multiplier),
            options=options,
        )
    for padding, output in (("SAME", (1, 6, 10, 3)), ("VALID", (1, 7, 11, 3))):
        options = options_of(
            "TransposeConv",
            padding=PADDINGS[padding],
            stride_h=2,
            stride_w=2,
            fused_activation_function=ACTIVATIONS["NONE"],
        )
        yield weighted(
            f"transpose conv {padding}",
            "TRANSPOSE_CONV",
            dtype,
            image=(1, 3, 5, 4),
            weights=(3, 3, 3, 4),
            output=output,
            options=options,
        )
    for rows, activation, bias in ((1, "NONE", True), (3, "RELU", True), (2, "RELU6", False)):
        options = options_of(
            "FullyConnected", fused_activation_function=ACTIVATIONS[activation], keep_num_dims=False
        )
        given = {"image": (rows, 30), "weights": (9, 30), "output": (rows, 9), "options": options}
        example = weighted(
            f"dense {rows} {activation}", "FULLY_CONNECTED", dtype, bias=bias, scale=0.02, **given
        )
        if dtype == "int16":  # TFLM takes one scale, or one for each output
            yield weighted(
                f"dense {rows} {activation} short", "FULLY_CONNECTED", dtype, short=True, scale=0.02, **given
            )
        yield example


def pairs(dtype, *ops) -> Iterator[Example]:
    for op in ops:
        for name, right, scales in (
            ("", (1, 4, 5, 3), (0.001, 0.0007, 0.0015)),
            (" of a row", (1, 1, 1, 3), (0.001, 0.001, 0.001)),
            (" far apart", (1, 4, 5, 3), (0.03, 0.0001, 0.02)),
        ):
            if op in ("MUL", "SQUARED_DIFFERENCE"):
                scales = (*scales[:2], 0.02)
            if op in ("MAXIMUM", "MINIMUM"):
                scales = (0.001,) * 3
            if op == "PRELU":
                right = (1, 1, 3)
            tensors = (
                typed(dtype, (1, 4, 5, 3), scale=scales[0]),
                typed(dtype, right, scale=scales[1]),
                typed(dtype, (1, 4, 5, 3), scale=scales[2]),
            )
            kind = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div"}.get(op)
            options = (
                options_of(kind, fused_activation_function=ACTIVATIONS["RELU6" if name else "NONE"])
                if kind
                else None
            )
            if op == "SQUARED_DIFFERENCE":
                options = options_of("SquaredDifference")
            yield Example(
                name=f"{op}{name} {dtype}",
                op=op,
                tensors=tensors,
                inputs=(0, 1),
                outputs=(2,),
                options=options,
            )


def singles(dtype, *ops, scales=((0.001, 0.001),), options=None) -> Iterator[Example]:
    for op in ops:
        for scale, out_scale in scales:
            tensors = (
                typed(dtype, (2, 300), scale=scale),
                typed(dtype, (2, 300), scale=out_scale),
            )
            yield Example(
                name=f"{op} {dtype} {scale} {out_scale}",
                op=op,
                tensors=tensors,
                inputs=(0,),
                outputs=(1,),
                options=options,
            )


def moved(dtype, example) -> Example:
    """The same with elements of another type."""
    made = [replace_type(each, dtype) if each.type == int8_type() else each for each in example.tensors]
    return replace(example, name=f"{example.name} {dtype}", tensors=tuple(made))


def int8_type():
    return typed("int8", (1,)).type


def replace_type(each, dtype):
    content = each.content
    made = typed(dtype, tuple(int(size) for size in each.shape), scale=0.001)
    if content is not None:
        made.content = content.view(np.int8).astype(dtype).view(np.uint8)
    return made


def moves(dtype) -> Iterator[Example]:
    yield moved(dtype, mover("pad", "PAD", (1, 3, 2), [(1, 5, 2)], constants=[[[0, 0], [1, 1], [0, 0]]]))
    yield moved(
        dtype,
        mover(
            "transpose",
            "TRANSPOSE",
            (1, 3, 4),
            [(4, 1, 3)],
            constants=[[2, 0, 1]],
            options=options_of("Transpose"),
        ),
    )
    options = options_of("ResizeNearestNeighbor", align_corners=False, half_pixel_centers=False)
    yield moved(
        dtype,
        mover(
            "resize",
            "RESIZE_NEAREST_NEIGHBOR",
            (1, 3, 4, 2),
            [(1, 6, 7, 2)],
            constants=[[6, 7]],
            options=options,
        ),
    )
    yield moved(dtype, mover("reverse", "REVERSE_V2", (1, 3, 4), [(1, 3, 4)], constants=[[1]]))


def reductions(dtype) -> Iterator[Example]:
    for op in ("MEAN", "SUM"):
        for axes, to, keep in (
            ([1, 2], (2, 4), False),
            ([-1], (2, 3, 5), False),
            ([1, 2], (2, 1, 1, 4), True),
        ):
            example = mover(
                f"{op} {axes} {keep}",
                op,
                (2, 3, 5, 4),
                [to],
                constants=[axes],
                options=options_of("Reducer", keep_dims=keep),
            )
            made = moved(dtype, example)
            if dtype != "float32":
                made.tensors[2].quantization.scale = np.array([0.0008 if op == "MEAN" else 0.004], np.float32)
            yield made


def pools(dtype) -> Iterator[Example]:
    for op in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
        for kernel, stride, padding, activation in (
            ((2, 2), (2, 2), "VALID", "NONE"),
            ((3, 3), (1, 2), "SAME", "RELU"),
        ):
            sizes = [
                out_size(size, k, s, 1, padding) for size, k, s in zip((5, 6), kernel, stride, strict=True)
            ]
            options = options_of(
                "Pool2D",
                padding=PADDINGS[padding],
                stride_h=stride[0],
                stride_w=stride[1],
                filter_height=kernel[0],
                filter_width=kernel[1],
                fused_activation_function=ACTIVATIONS[activation],
            )
            tensors = (typed(dtype, (1, 5, 6, 3), scale=0.001), typed(dtype, (1, *sizes, 3), scale=0.001))
            yield Example(
                name=f"{op} {kernel} {dtype}",
                op=op,
                tensors=tensors,
                inputs=(0,),
                outputs=(1,),
                options=options,
            )


def softmaxes(dtype) -> Iterator[Example]:
    options = options_of("Softmax", beta=1.0)
    for scale in (0.0003, 0.002) if dtype == "int16" else (1.0,):
        for shape in ((1, 2), (1, 300), (3, 11)):
            tensors = (typed(dtype, shape, scale=scale), typed(dtype, shape, scale=2.0**-15))
            yield Example(
                name=f"softmax {shape} {scale} {dtype}",
                op="SOFTMAX",
                tensors=tensors,
                inputs=(0,),
                outputs=(1,),
                options=options,
            )


def products(dtype) -> Iterator[Example]:
    for name, left, right, flags in (
        ("", (2, 3, 4), (2, 4, 5), (False, False)),
        (" transposed", (2, 4, 3), (1, 5, 4), (True, True)),
    ):
        tensors = (typed(dtype, left, scale=0.001), typed(dtype, right, scale=0.001))
        tensors = (*tensors, typed(dtype, (2, 3, 5), scale=0.05))
        options = options_of("BatchMatMul", adj_x=flags[0], adj_y=flags[1])
        yield Example(
            name=f"matmul{name} {dtype}",
            op="BATCH_MATMUL",
            tensors=tensors,
            inputs=(0, 1),
            outputs=(2,),
            options=options,
        )


def quantizing() -> Iterator[Example]:
    for source, target in (
        ("float32", "int16"),
        ("int8", "int16"),
        ("int16", "int8"),
        ("int16", "int16"),
        ("int16", "int32"),
        ("int32", "int8"),
        ("int32", "int16"),
        ("int8", "int32"),
        ("int16", "float32"),
    ):
        scales = {"int8": 0.05, "int16": 0.0004, "int32": 0.00001, "float32": None}
        tensors = (
            typed(source, (1, 256), scale=scales[source]),
            typed(target, (1, 256), scale=scales[target]),
        )
        op = "DEQUANTIZE" if target == "float32" else "QUANTIZE"
        yield Example(name=f"{op} {source} {target}", op=op, tensors=tensors, inputs=(0,), outputs=(1,))


def lstms() -> Iterator[Example]:
    rng = np.random.default_rng(4)
    for name, units, steps, major, clip in (("", 5, 4, False, 0.0), (" clipped", 3, 2, True, 0.3)):
        draw = partial(draw_floats, rng)
        weights = [draw((units, n)) for n in [6] * 4 + [units] * 4] + [draw((units,)) for _ in range(4)]
        shape = (steps, 2) if major else (2, steps)
        states = [tensor((2, units), "FLOAT32"), tensor((2, units), "FLOAT32")]
        for state in states:
            state.isVariable = True
        ends = (tensor((*shape, 6), "FLOAT32"), tensor((*shape, units), "FLOAT32"))
        yield Example(
            name=f"lstm of floats{name}",
            op="UNIDIRECTIONAL_SEQUENCE_LSTM",
            tensors=(ends[0], *weights, *states, ends[1]),
            inputs=(*range(9), -1, -1, -1, 9, 10, 11, 12, -1, -1, 13, 14, -1, -1, -1, -1),
            outputs=(15,),
            options=options_of(
                "UnidirectionalSequenceLSTM",
                fused_activation_function=4,
                cell_clip=clip,
                time_major=major,
            ),
        )


def draw_floats(rng, shape):
    return tensor(shape, "FLOAT32", data=rng.standard_normal(shape).astype(np.float32))


def float_examples() -> Iterator[Example]:
    yield from convolutions("float32")
    two = ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "PRELU", "FLOOR_DIV")
    yield from pairs("float32", *two)
    yield from singles("float32", "ABS", "NEG", "SQUARE", "RELU", "RELU6", "HARD_SWISH", "ELU", "LOGISTIC")
    yield from singles("float32", "TANH", "EXP", "LOG", "SQRT", "RSQRT", "SIN", "COS")
    yield from singles("float32", "FLOOR", "CEIL", "ROUND")
    for alpha in (0.2, -0.3):
        leaky = options_of("LeakyRelu", alpha=alpha)
        yield from singles("float32", "LEAKY_RELU", scales=((alpha, alpha),), options=leaky)
    yield from moves("float32")
    yield from reductions("float32")
    yield from pools("float32")
    yield from softmaxes("float32")
    yield from products("float32")
    yield from lstms()
    tensors = tuple(tensor((3, 5), "FLOAT32") for _ in range(4))
    yield Example(name="add n float32", op="ADD_N", tensors=tensors, inputs=(0, 1, 2), outputs=(3,))
    for reverse, exclusive in ((False, True), (True, False)):
        options = options_of("Cumsum", reverse=reverse, exclusive=exclusive)
        shape = (2, 5, 3)
        example = mover(f"cumsum {reverse}", "CUMSUM", shape, [shape], constants=[[1]], options=options)
        yield moved("float32", example)
    options = options_of("L2Norm", fused_activation_function=ACTIVATIONS["NONE"])
    yield from singles("float32", "L2_NORMALIZATION", options=options)
    yield from singles("float32", "LOG_SOFTMAX")
    for aligned, centred in ((False, False), (True, False), (False, True)):
        options = options_of("ResizeBilinear", align_corners=aligned, half_pixel_centers=centred)
        example = mover(
            f"bilinear {aligned} {centred}",
            "RESIZE_BILINEAR",
            (2, 3, 4, 2),
            [(2, 6, 7, 2)],
            constants=[[6, 7]],
            options=options,
        )
        yield moved("float32", example)


def whole_examples() -> Iterator[Example]:
    for op, kind in (("ADD", "Add"), ("SUB", "Sub"), ("MUL", "Mul")):
        tensors = tuple(typed("int32", (3, 40)) for _ in range(3))
        for each in tensors:
            each.quantization = None
        options = options_of(kind, fused_activation_function=ACTIVATIONS["NONE"])
        yield Example(
            name=f"{op} int32", op=op, tensors=tensors, inputs=(0, 1), outputs=(2,), options=options
        )


def wide_examples() -> Iterator[Example]:
    yield from convolutions("int16")
    yield from pairs("int16", "ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE")
    tensors = (typed("int16", (1, 4, 3)), typed("int8", (1, 1, 3)), typed("int16", (1, 4, 3), scale=0.07))
    yield Example(name="prelu int16", op="PRELU", tensors=tensors, inputs=(0, 1), outputs=(2,))
    yield from singles("int16", "RELU", "ABS", scales=((0.001, 0.001), (0.001, 0.0007)))
    yield from singles("int16", "RELU6", scales=((0.001, 0.001),))
    for alpha in (0.2, -0.3):
        leaky = options_of("LeakyRelu", alpha=alpha)
        yield from singles(
            "int16", "LEAKY_RELU", scales=((0.001, 0.0012), (0.002, 0.002 + alpha / 1e6)), options=leaky
        )
    yield from singles("int16", "LOGISTIC", "TANH", scales=((2.0**-12, 2.0**-15), (0.0007, 2.0**-15)))
    yield from singles("int16", "TANH", scales=((2.0**-11, 2.0**-15),))
    yield from moves("int16")
    yield from reductions("int16")
    yield from pools("int16")
    yield from softmaxes("int16")
    yield from products("int16")
    yield from quantizing()
