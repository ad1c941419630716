"""Operations of `keras.ops` that move elements about: reshape, transpose, slice, join, split, pad, repeat.

Where channels lie along the axis that is cut, the cuts are moved: `x[..., :4]` reads fewer channels once one
of the first four is gone. An operation of a nested model that is called twice has one set of such indices, so
the channels of both calls go together.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np

from edgeprune.graph.arguments import find_arrays
from edgeprune.graph.channel_ids import Axes, Ids, fixed
from edgeprune.graph.layergraph import Read
from edgeprune.graph.layers.merging import concatenate
from edgeprune.graph.layers.operations import along, axes_of, follow, freeze_along, lower_to
from edgeprune.graph.layers.reshaping import permute, reshape
from edgeprune.graph.layers.rules import Call, Config, Flow, LayerRule, Resized, keep, rule


def flow_out(call: Call, *outputs: Sequence[Ids | None], counts: bool = False) -> Flow:
    """A flow with these ids along the axes of each output, batch left out.

    With `counts` the operation holds sizes or positions of the input's channels.
    """
    last, inner = [], []
    for ids, shape in zip(outputs, call.output_shapes, strict=True):
        found = ids[-1] if ids else None
        last.append(fixed(shape[-1] if shape else 1) if found is None else found)
        inner.append(tuple(ids[:-1]))
    return Flow(outputs=tuple(last), inner=tuple(inner), arguments=_counted(call) if counts else {})


def _counted(call: Call) -> Axes:
    """All calls of the operation must agree on the ids of its input."""
    return {"input": tuple(along(call))}


def _flow_reshape(call: Call) -> Flow:
    if prod(n or 1 for n in call.input_shapes[0]) != prod(n or 1 for n in call.output_shapes[0]):
        return keep(call, "the batch is reshaped")
    return replace(reshape(call), arguments=_counted(call))


def _resize_reshape(resized: Resized) -> Config:
    shape = resized.output_shapes[0]
    return {"newshape": (-1, *shape)} if all(shape) else {}


def _flow_transpose(call: Call) -> Flow:
    rank = len(call.input_shapes[0]) + 1
    config = call.layer.config
    if call.layer.kind == "ops.Transpose":
        order = [int(a) % rank for a in config["axes"] or range(rank)[::-1]]
    else:
        order = list(range(rank))
        if call.layer.kind == "ops.Swapaxes":
            a, b = config["axis1"] % rank, config["axis2"] % rank
            order[a], order[b] = order[b], order[a]
        else:
            pairs = [np.atleast_1d(config[key]) % rank for key in ("source", "destination")]
            order = [axis for axis in order if axis not in pairs[0]]
            for destination, source in sorted(zip(pairs[1].tolist(), pairs[0].tolist(), strict=True)):
                order.insert(destination, source)
    if order[0] != 0:
        return keep(call, "the batch is transposed")
    return permute(call, tuple(axis - 1 for axis in order[1:]))


def _flow_expand(call: Call) -> Flow:
    axis = call.layer.config["axis"]
    rank = len(call.output_shapes[0]) + 1
    new = {a % rank - 1 for a in ([axis] if isinstance(axis, int) else axis)}
    if -1 in new:
        return keep(call, "an axis is put in front of the batch")
    rest = iter(along(call))
    return flow_out(call, [None if k in new else next(rest) for k in range(rank - 1)])


def _squeezed(shape: Sequence[int | None], axis: Any) -> list[int]:
    """The axes that go, counted from 0 without the batch, which is -1."""
    if axis is None:
        return [k for k, n in enumerate(shape) if n == 1]
    return [a % (len(shape) + 1) - 1 for a in ([axis] if isinstance(axis, int) else axis)]


def _flow_squeeze(call: Call) -> Flow:
    gone = _squeezed(call.input_shapes[0], call.layer.config["axis"])
    if -1 in gone:
        return keep(call, "the batch is squeezed")
    freeze_along(call, tuple(gone), "a single channel is squeezed")
    return flow_out(call, [ids for k, ids in enumerate(along(call)) if k not in gone])


def _resize_squeeze(resized: Resized) -> Config:
    """Axes that are left to be found out by their size are named: one more may have that size by now."""
    old = [n if k is None else len(k) for n, k in zip(resized.input_shapes[0], resized.kept[0], strict=True)]
    return {"axis": [k + 1 for k in _squeezed(old, resized.config["axis"])]}


def _flow_concatenate(call: Call) -> Flow:
    if arrays := find_arrays(call.arguments):
        return keep(call, f"joined with an array, its argument '{next(iter(arrays))}'")
    rank = len(call.output_shapes[0]) + 1
    return concatenate(call, call.layer.config["axis"] % rank - 1)


def _flow_stack(call: Call) -> Flow:
    """As a concatenation along a new axis."""
    axis = call.layer.config["axis"] % (len(call.output_shapes[0]) + 1) - 1
    if axis == -1 or find_arrays(call.arguments):
        return keep(call, "stacked along the batch, or with an array")
    made: list[Ids | None] = []
    for met in zip(*(along(call, i) for i in range(len(call.inputs))), strict=True):
        present = [ids for ids in met if ids is not None]
        for ids in present:
            if len(present) < len(met):
                call.space.freeze(ids, f"stacked on what has no channels (layer '{call.layer.name}')")
            call.space.tie(present[0], ids)
        made.append(present[0] if present else None)
    made.insert(axis, None)
    return flow_out(call, made)


def _flow_split(call: Call) -> Flow:
    found = axes_of(call, call.layer.config["axis"])
    if found is None:
        return keep(call, "the batch is split")
    (axis,) = found
    start, outputs = 0, []
    for shape in call.output_shapes:
        stop = start + shape[axis]
        piece = along(call)
        lying = piece[axis]
        piece[axis] = None if lying is None else lying[start:stop]
        outputs.append(piece)
        start = stop
    return flow_out(call, *outputs, counts=True)


def _resize_split(resized: Resized) -> Config:
    axis = resized.config["axis"] % (len(resized.input_shapes[0]) + 1) - 1
    widths = [shape[axis] for shape in resized.output_shapes]
    return {"indices_or_sections": np.cumsum(widths)[:-1].tolist()} if all(widths) else {}


def _flow_unstack(call: Call) -> Flow:
    found = axes_of(call, call.layer.config["axis"])
    if found is None:
        return keep(call, "the batch is unstacked")
    freeze_along(call, found, "each channel becomes a tensor of its own")
    rest = [ids for k, ids in enumerate(along(call)) if k not in found]
    return flow_out(call, *[rest] * len(call.output_shapes))


def _expand_key(key: Any, rank: int) -> list[Any]:
    """The parts of a key, one for each of `rank` axes, with None between them for new axes."""
    parts = list(key) if isinstance(key, list | tuple) else [key]
    if not any(part is Ellipsis for part in parts):
        parts.append(Ellipsis)
    missing = rank - sum(part is not Ellipsis and part is not None for part in parts)
    at = next(i for i, part in enumerate(parts) if part is Ellipsis)
    return [*parts[:at], *[slice(None)] * missing, *parts[at + 1 :]]


def _flow_get_item(call: Call) -> Flow:
    """A slice of channels is made of fewer channels; a single channel that is picked out stays."""
    key = _expand_key(call.arguments["key"], len(call.input_shapes[0]) + 1)
    if key[0] != slice(None):
        return keep(call, "the batch is sliced")
    lying = iter(along(call))
    made: list[Ids | None] = []
    for part in key[1:]:
        if part is None:
            made.append(None)
            continue
        ids = next(lying)
        if ids is None:
            made += [None] if isinstance(part, slice) else []
        elif not isinstance(part, slice):
            call.space.freeze(ids[[part]], f"picked out by its index (layer '{call.layer.name}')")
        else:
            if part.step not in (None, 1) and len(ids[part]) < len(ids):
                call.space.freeze(ids, f"every n-th channel is taken (layer '{call.layer.name}')")
            made.append(ids[part])
    return flow_out(call, made, counts=True)


def _readdress_get_item(resized: Resized) -> dict[str, Any]:
    kept = iter(resized.kept[0])
    key: list[Any] = []
    for i, part in enumerate(_expand_key(resized.arguments["key"], len(resized.kept[0]) + 1)):
        alive = None if i == 0 or part is None else next(kept)
        if alive is None or alive.all():
            key.append(part)
        elif isinstance(part, slice):
            start, stop, step = part.indices(len(alive))
            key.append(slice(*(int(alive[:k].sum()) for k in (start, stop))) if step == 1 else part)
        else:
            key.append(int(alive[: part % len(alive)].sum()))
    return {"key": tuple(key)}


def _flow_take(call: Call) -> Flow:
    found = axes_of(call, call.layer.config["axis"])
    indices = call.arguments["indices"]
    if found is None or len(found) > 1 or call.arguments["x"] != Read(index=0) or len(call.inputs) > 1:
        return keep(call, "taken along the batch, along all axes, or at indices that are computed")
    freeze_along(call, found, "picked out by their indices")
    made = along(call)
    made[found[0] : found[0] + 1] = [None] * np.ndim(indices)
    return replace(flow_out(call, made), arguments={"indices": (None,) * np.ndim(indices)})


def _flow_flip(call: Call) -> Flow:
    axes = axes_of(call, call.layer.config["axis"])
    if axes is None:
        return keep(call, "the batch is flipped")
    return flow_out(
        call, [ids[::-1] if k in axes and ids is not None else ids for k, ids in enumerate(along(call))]
    )


def _flow_roll(call: Call) -> Flow:
    axes = axes_of(call, call.layer.config["axis"])
    if axes is None:
        return keep(call, "the batch is rolled")
    freeze_along(call, axes, "channels are rolled")
    return flow_out(call, along(call))


def _flow_tile(call: Call) -> Flow:
    given = call.layer.config["repeats"]
    repeats = [given] if isinstance(given, int) else list(given)
    rank = len(call.input_shapes[0]) + 1
    repeats = [1] * (rank - len(repeats)) + repeats
    if len(repeats) > rank or repeats[0] != 1:
        return keep(call, "the batch is tiled")
    return flow_out(
        call,
        [None if ids is None else np.tile(ids, n) for ids, n in zip(along(call), repeats[1:], strict=True)],
    )


def _flow_repeat(call: Call) -> Flow:
    axes, repeats = axes_of(call, call.layer.config["axis"]), call.layer.config["repeats"]
    if axes is None or len(axes) > 1 or not isinstance(repeats, int):
        return keep(call, "the batch is repeated, or elements differ in their number of repeats")
    return flow_out(
        call,
        [
            np.repeat(ids, repeats) if k in axes and ids is not None else ids
            for k, ids in enumerate(along(call))
        ],
    )


def _flow_pad(call: Call) -> Flow:
    """Channels that are added are none that could go."""
    widths = [tuple(pair) * (3 - len(pair)) for pair in call.layer.config["pad_width"]]
    rank = len(call.input_shapes[0]) + 1
    widths = widths * rank if len(widths) == 1 else widths
    if widths[0] != (0, 0) or find_arrays(call.arguments):
        return keep(call, "the batch is padded, or padded with an array")
    made: list[Ids | None] = []
    for axis, (ids, (before, after)) in enumerate(zip(along(call), widths[1:], strict=True)):
        if ids is not None and (before or after):
            if call.layer.config["mode"] != "constant":
                freeze_along(call, (axis,), "padded with one another")
            ids = np.concatenate([fixed(before)[:before], ids, fixed(after)[:after]])
        made.append(ids)
    return flow_out(call, made)


def _flow_depth_to_space(call: Call) -> Flow:
    """The channels of a pixel of a block come from as many channels as it has pixels: these go together."""
    if call.layer.config["data_format"] not in (None, "channels_last"):
        return keep(call, "data_format channels_first is not supported")
    blocks = call.inputs[0].reshape(call.layer.config["block_size"] ** 2, -1)
    for block in blocks[1:]:
        call.space.tie(blocks[0], block)
    return Flow(outputs=(blocks[0],))


def _flow_space_to_depth(call: Call) -> Flow:
    if call.layer.config["data_format"] not in (None, "channels_last"):
        return keep(call, "data_format channels_first is not supported")
    return Flow(outputs=(np.tile(call.inputs[0], call.layer.config["block_size"] ** 2),))


for _kind, _flow, _op in (
    ("Concatenate", _flow_concatenate, "CONCATENATION"),
    ("DepthToSpace", _flow_depth_to_space, "DEPTH_TO_SPACE"),
    ("ExpandDims", _flow_expand, "RESHAPE"),
    ("Flip", _flow_flip, "REVERSE_V2"),
    ("Moveaxis", _flow_transpose, "TRANSPOSE"),
    ("Pad", _flow_pad, "PAD"),
    ("Repeat", _flow_repeat, "TILE"),
    ("Roll", _flow_roll, "CONCATENATION"),
    ("SpaceToDepth", _flow_space_to_depth, "SPACE_TO_DEPTH"),
    ("Stack", _flow_stack, "PACK"),
    ("Swapaxes", _flow_transpose, "TRANSPOSE"),
    ("Take", _flow_take, "GATHER"),
    ("Tile", _flow_tile, "TILE"),
    ("Transpose", _flow_transpose, "TRANSPOSE"),
    ("Unstack", _flow_unstack, "UNPACK"),
):
    follow(_kind, _flow, _op)
for _kind, _flow, _resize, _op in (
    ("Reshape", _flow_reshape, _resize_reshape, "RESHAPE"),
    ("Split", _flow_split, _resize_split, "SPLIT_V"),
    ("Squeeze", _flow_squeeze, _resize_squeeze, "RESHAPE"),
):
    rule(
        LayerRule(kind=f"ops.{_kind}", status="transparent", flow=_flow, resize=_resize, lower=lower_to(_op))
    )
rule(
    LayerRule(
        kind="ops.GetItem",
        status="transparent",
        flow=_flow_get_item,
        readdress=_readdress_get_item,
        lower=lower_to("STRIDED_SLICE"),
    )
)
