"""Ops that move, resize or reduce."""

from collections.abc import Iterator

import numpy as np
from small_models import tensor

from tests.firmware.c.example import (
    Example,
    int8,
    mover,
    options_of,
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


def more_move_examples() -> Iterator[Example]:
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
