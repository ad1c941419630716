"""Ops that rearrange, look up, compare, order or sum up."""

from collections.abc import Iterator

import numpy as np
from small_models import tensor

from tests.firmware.c.example import ACTIVATIONS, Example, binary, int8, mover, options_of, typed, unary


def constant(values, dtype="INT32"):
    array = np.array(values, dtype.lower())
    return tensor(array.shape, dtype, data=array)


def rearranging_examples() -> Iterator[Example]:
    for axes in ([1], [-1], [1, 2]):
        yield mover(f"reverse {axes}", "REVERSE_V2", (1, 3, 4), [(1, 3, 4)], constants=[axes])
    yield mover("broadcast to", "BROADCAST_TO", (3, 1, 2), [(2, 3, 4, 2)], constants=[[2, 3, 4, 2]])
    yield mover(
        "depth to space",
        "DEPTH_TO_SPACE",
        (1, 2, 3, 12),
        [(1, 4, 6, 3)],
        options=options_of("DepthToSpace", block_size=2),
    )
    yield mover(
        "space to depth",
        "SPACE_TO_DEPTH",
        (1, 4, 6, 3),
        [(1, 2, 3, 12)],
        options=options_of("SpaceToDepth", block_size=2),
    )
    yield mover(
        "space to batch",
        "SPACE_TO_BATCH_ND",
        (2, 4, 6, 3),
        [(12, 2, 2, 3)],
        constants=[[2, 3], [[0, 0], [0, 0]]],
    )
    yield mover(
        "space to batch with a margin",
        "SPACE_TO_BATCH_ND",
        (1, 3, 5, 2),
        [(4, 3, 4, 2)],
        constants=[[2, 2], [[1, 2], [0, 3]]],
        zero=0,
    )
    yield mover(
        "batch to space",
        "BATCH_TO_SPACE_ND",
        (8, 2, 3, 2),
        [(2, 3, 4, 2)],
        constants=[[2, 2], [[1, 0], [0, 2]]],
    )
    for mode, margins, shape in (
        (0, [[0, 0], [2, 1], [1, 3]], (1, 6, 8)),
        (1, [[0, 0], [3, 1], [1, 4]], (1, 7, 9)),
    ):
        options = options_of("MirrorPad", mode=mode)
        yield mover(
            f"mirror pad {mode}", "MIRROR_PAD", (1, 3, 4), [shape], constants=[margins], options=options
        )


def gathering_examples() -> Iterator[Example]:
    for axis, batch, shape, places, to in (
        (0, 0, (5, 3), [4, 0, 0, 2], (4, 3)),
        (-1, 0, (2, 3, 4), [[3, 1], [0, 2]], (2, 3, 2, 2)),
        (1, 1, (2, 4, 3), [[3, 0], [1, 1]], (2, 2, 3)),
    ):
        options = options_of("Gather", axis=axis, batch_dims=batch)
        yield mover(f"gather {axis} {batch}", "GATHER", shape, [to], constants=[places], options=options)
    table = np.random.default_rng(3).integers(-128, 128, (7, 4)).astype(np.int8)
    yield Example(
        name="embedding lookup",
        op="EMBEDDING_LOOKUP",
        tensors=(constant([6, 0, 3]), int8((7, 4), data=table), int8((3, 4))),
        inputs=(0, 1),
        outputs=(2,),
    )


def extreme_examples() -> Iterator[Example]:
    for op in ("REDUCE_MAX", "REDUCE_MIN"):
        for axes, to in (([1, 2], (2, 4)), ([-1], (2, 3, 5)), ([0], (3, 5, 4))):
            options = options_of("Reducer", keep_dims=False)
            yield mover(f"{op} {axes}", op, (2, 3, 5, 4), [to], constants=[axes], options=options)
    for op, kind in (("ARG_MAX", "ArgMax"), ("ARG_MIN", "ArgMin")):
        for axis, to in ((-1, (2, 3)), (1, (2, 5))):
            tensors = (int8((2, 3, 5)), constant([axis]), tensor(to, "INT32"))
            options = options_of(kind, output_type=2)
            yield Example(
                name=f"{op} {axis}", op=op, tensors=tensors, inputs=(0, 1), outputs=(2,), options=options
            )


def summing_examples() -> Iterator[Example]:
    for reverse in (False, True):
        for exclusive in (False, True):
            options = options_of("Cumsum", reverse=reverse, exclusive=exclusive)
            example = mover(
                f"cumsum {reverse} {exclusive}",
                "CUMSUM",
                (2, 5, 3),
                [(2, 5, 3)],
                constants=[[1]],
                options=options,
            )
            example.tensors[2].quantization.scale = np.array([0.13], np.float32)
            yield example
    for zero in (-128, 11):
        parts = tuple(int8((3, 5), scale=0.05, zero_point=zero) for _ in range(3))
        tensors = (*parts, int8((3, 5), scale=0.11, zero_point=-20))
        yield Example(name=f"add n {zero}", op="ADD_N", tensors=tensors, inputs=(0, 1, 2), outputs=(3,))
    for scale in (0.01, 0.1, 0.7):
        for shape in ((1, 2), (1, 10), (3, 50)):
            yield unary(
                f"log softmax {scale} {shape}",
                "LOG_SOFTMAX",
                shape=shape,
                scale=scale,
                out_scale=1 / 16,
                out_zero=127,
            )
    for zero in (-128, 0, 127):
        for shape in ((1, 3), (4, 32), (2, 900)):
            yield unary(
                f"l2 normalization {zero} {shape}",
                "L2_NORMALIZATION",
                shape=shape,
                zero=zero,
                out_scale=1 / 128,
                options=options_of("L2Norm", fused_activation_function=ACTIVATIONS["NONE"]),
            )


def more_element_examples() -> Iterator[Example]:
    yield unary("abs", "ABS", scale=0.05, zero=-7, out_scale=0.05, out_zero=-128)
    yield unary("abs rescaled", "ABS", scale=0.05, zero=9, out_scale=0.031, out_zero=-100)
    for scale, out_scale in ((0.05, 0.02), (0.3, 0.01), (0.002, 0.1)):
        yield unary(f"rsqrt {scale}", "RSQRT", scale=scale, zero=-128, out_scale=out_scale, out_zero=-128)
    for scales in ((0.05, 0.03, 0.07), (0.5, 0.5, 2.0), (0.9, 0.001, 3.0)):
        yield binary(f"squared difference {scales}", "SQUARED_DIFFERENCE", scales=scales)
    yield binary("squared difference of a row", "SQUARED_DIFFERENCE", right=(1, 1, 1, 3), constant=True)
    for source in ("int8", "float32", "int32", "bool"):
        for target in ("int8", "int32", "float32", "int16"):
            tensors = (typed(source, (1, 256)), typed(target, (1, 256)))
            if source == "int32":  # values that an int8 holds
                head = (("CAST", (2,), (0,), None),)
                tensors = (*tensors, int8((1, 256)))
            else:
                head = ()
            yield Example(
                name=f"cast {source} {target}",
                op="CAST",
                tensors=tensors,
                inputs=(0,),
                outputs=(1,),
                head=head,
            )
    number = tensor((), "INT8", scale=0.05, data=np.array(-7, np.int8))
    yield Example(
        name="fill", op="FILL", tensors=(constant([2, 3]), number, int8((2, 3))), inputs=(0, 1), outputs=(2,)
    )
    yield Example(
        name="zeros like", op="ZEROS_LIKE", tensors=(int8((2, 3)), int8((2, 3))), inputs=(0,), outputs=(1,)
    )


def comparing_examples() -> Iterator[Example]:
    for op in ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL"):
        for name, right, scales in (
            ("", (1, 8, 8, 4), (0.05, 0.05)),
            (" of a row", (1, 1, 1, 4), (0.05, 0.03)),
        ):
            tensors = (
                int8((1, 8, 8, 4), scale=scales[0], zero_point=3),
                int8(right, scale=scales[1], zero_point=-5),
                tensor((1, 8, 8, 4), "BOOL"),
            )
            yield Example(name=f"{op}{name}", op=op, tensors=tensors, inputs=(0, 1), outputs=(2,))
        tensors = (tensor((1, 8, 8, 4), "FLOAT32"), tensor((1, 1), "FLOAT32"), tensor((1, 8, 8, 4), "BOOL"))
        yield Example(name=f"{op} of floats", op=op, tensors=tensors, inputs=(0, 1), outputs=(2,))
    for op in ("LOGICAL_AND", "LOGICAL_OR"):
        tensors = (tensor((3, 4), "BOOL"), tensor((3, 4), "BOOL"), tensor((3, 4), "BOOL"))
        yield Example(name=op, op=op, tensors=tensors, inputs=(0, 1), outputs=(2,))
    tensors = (tensor((3, 4), "BOOL"), tensor((3, 4), "BOOL"))
    yield Example(name="not", op="LOGICAL_NOT", tensors=tensors, inputs=(0,), outputs=(1,))
    for when, left in (((3, 4), (3, 4)), ((3, 1), (1, 4))):
        for dtype in ("int8", "float32", "int16"):
            tensors = (tensor(when, "BOOL"), typed(dtype, left), typed(dtype, (3, 4)), typed(dtype, (3, 4)))
            yield Example(
                name=f"select {dtype} {when}", op="SELECT_V2", tensors=tensors, inputs=(0, 1, 2), outputs=(3,)
            )
    mask = tensor((1, 4), "BOOL", data=np.array([[True, False, False, True]]))
    tensors = (mask, int8((3, 4)), int8((3, 4)), int8((3, 4)))
    yield Example(
        name="select by a constant", op="SELECT_V2", tensors=tensors, inputs=(0, 1, 2), outputs=(3,)
    )
