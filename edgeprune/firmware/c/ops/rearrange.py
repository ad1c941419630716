"""Ops that put elements elsewhere or repeat them: REVERSE_V2, TILE, DEPTH_TO_SPACE and their kin."""

from itertools import product

from edgeprune.firmware.c.broadcast import broadcast_strides, row_strides
from edgeprune.firmware.c.layer import Layer, Site, emits, shape_4d, zero_point
from edgeprune.firmware.c.ops.copies import Move, emit_moves


@emits("REVERSE_V2")
def emit_reverse(site: Site) -> Layer:
    """The input backwards along some dimensions."""
    shape = site.input().shape
    gone = {site.place_axis(int(axis), len(shape)) for axis in site.constant(1).reshape(-1)}
    strides = row_strides(shape)
    move = Move(
        shape=shape,
        start=sum((shape[axis] - 1) * strides[axis] for axis in gone),
        strides=tuple(-step if axis in gone else step for axis, step in enumerate(strides)),
        target_strides=strides,
    )
    return emit_moves(site, [move], sources=[0])


@emits("BROADCAST_TO")
def emit_broadcast(site: Site) -> Layer:
    """The input repeated along dimensions of size 1."""
    shape = site.output().shape
    strides = broadcast_strides(site.input().shape, shape)
    move = Move(shape=shape, strides=strides, target_strides=row_strides(shape))
    return emit_moves(site, [move], sources=[0])


@emits("TILE")
def emit_tile(site: Site) -> Layer:
    """The input several times along each dimension."""
    sizes, times = site.input().shape, [int(each) for each in site.constant(1).reshape(-1)]
    box = tuple(each for pair in zip(times, sizes, strict=True) for each in pair)
    strides = tuple(each for step in row_strides(sizes) for each in (0, step))
    move = Move(shape=box, strides=strides, target_strides=row_strides(box))
    return emit_moves(site, [move], sources=[0])


@emits("DEPTH_TO_SPACE", "SPACE_TO_DEPTH")
def emit_blocks(site: Site) -> Layer:
    """Blocks of pixels from the channels of one, or into them."""
    block = int(site.op.options["block_size"])
    spreads = site.op.name == "DEPTH_TO_SPACE"
    deep, wide = (site.input(), site.output()) if spreads else (site.output(), site.input())
    batches, height, width, _ = shape_4d(deep.shape)
    channels = shape_4d(wide.shape)[3]
    box = (batches, height, block, width, block, channels)
    of_wide = row_strides(box)
    pixel = block * block * channels
    of_deep = (height * width * pixel, width * pixel, block * channels, pixel, channels, 1)
    strides, target = (of_deep, of_wide) if spreads else (of_wide, of_deep)
    return emit_moves(site, [Move(shape=box, strides=strides, target_strides=target)], sources=[0])


@emits("SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND")
def emit_batches(site: Site) -> Layer:
    """Every n-th pixel of each image as an image of its own, or back."""
    gathers = site.op.name == "BATCH_TO_SPACE_ND"
    many, whole = (site.input(), site.output()) if gathers else (site.output(), site.input())
    rank = len(whole.shape) - 2
    blocks = [int(each) for each in site.constant(1).reshape(-1)]
    before = [int(each) for each in site.constant(2).reshape(-1, 2)[:, 0]]
    if not gathers and site.constant(2).any() and zero_point(site.output()):
        raise site.refuse("TFLM fills its margin with 0, which does not stand for 0 here")
    head = ""
    if not gathers and site.constant(2).any():
        head = f"    (void)memset(output_0, 0, {site.output().bytes});\n"
    of_many, of_whole = row_strides(many.shape), row_strides(whole.shape)
    moves = []
    for place, shift in enumerate(product(*map(range, blocks))):
        # Pixel i of this image is pixel i * block + shift - before of the whole.
        first = [-(-max(0, b - s) // n) for b, s, n in zip(before, shift, blocks, strict=True)]
        last = [
            min(small, -(-(size + b - s) // n))
            for small, size, b, s, n in zip(
                many.shape[1:-1], whole.shape[1:-1], before, shift, blocks, strict=True
            )
        ]
        sizes = [end - begin for begin, end in zip(first, last, strict=True)]
        if min(sizes) <= 0:
            continue
        offset = sum(
            (begin * n + s - b) * step
            for begin, n, s, b, step in zip(first, blocks, shift, before, of_whole[1:-1], strict=True)
        )
        begin = place * whole.shape[0] * of_many[0]
        begin += sum(at * step for at, step in zip(first, of_many[1:-1], strict=True))
        steps = (of_whole[0], *(n * of_whole[1 + axis] for axis, n in enumerate(blocks[:rank])), 1)
        ends = ((begin, of_many), (offset, steps))
        (start, strides), (target_start, target_strides) = ends if gathers else ends[::-1]
        moves.append(
            Move(
                shape=(whole.shape[0], *sizes, whole.shape[-1]),
                start=start,
                strides=strides,
                target_start=target_start,
                target_strides=target_strides,
            )
        )
    return emit_moves(site, moves, sources=[0], head=head)


@emits("MIRROR_PAD")
def emit_mirror(site: Site) -> Layer:
    """The input with a margin that mirrors it."""
    shape, strides = site.input().shape, row_strides(site.input().shape)
    target_strides = row_strides(site.output().shape)
    edge = 0 if site.op.options["mode"] == "SYMMETRIC" else 1  # whether the edge itself is repeated
    pieces = []
    for size, (before, after) in zip(shape, site.constant(1).reshape(-1, 2).tolist(), strict=True):
        if max(before, after) > size - edge:
            raise site.refuse(f"its margin of {max(before, after)} is more than there is to mirror")
        # (elements, first of the source, step, first of the target)
        parts = [
            (before, before - 1 + edge, -1, 0),
            (size, 0, 1, before),
            (after, size - 1 - edge, -1, before + size),
        ]
        pieces.append([part for part in parts if part[0]])
    moves = [
        Move(
            shape=tuple(part[0] for part in parts),
            start=sum(part[1] * step for part, step in zip(parts, strides, strict=True)),
            strides=tuple(part[2] * step for part, step in zip(parts, strides, strict=True)),
            target_start=sum(part[3] * step for part, step in zip(parts, target_strides, strict=True)),
            target_strides=target_strides,
        )
        for parts in product(*pieces)
    ]
    return emit_moves(site, moves, sources=[0])
