"""Layers with several inputs: element-wise merges tie channels, Concatenate lines them up."""

import numpy as np

from edgeprune.graph.channel_ids import Ids, fixed
from edgeprune.graph.layers.rules import Call, Flow, LayerRule, Resized, one_op, rule
from edgeprune.graph.opshape import OpShape


def flow_elementwise(call: Call) -> Flow:
    """Inputs are broadcast against one another; channels that meet go together.

    A single channel that is stretched over many stays, and so do channels that meet what is none.
    """
    rank = max(len(call.output_shapes[0]), 1)
    along: list[Ids | None] = [None] * rank
    for axis in range(-1, -rank - 1, -1):
        size = call.output_shapes[0][axis] if call.output_shapes[0] else 1
        met = [_along(call, i, axis) for i in range(len(call.inputs))]
        full = [(ids, n) for ids, n in met if n == size]
        present = [ids for ids, _ in full if ids is not None]
        for ids, n in met:
            if ids is not None and (n != size or len(present) < len(full)):
                call.space.freeze(ids, f"broadcast over channels (layer '{call.layer.name}')")
        for ids in present[1:]:
            call.space.tie(present[0], ids)
        along[axis] = present[0] if present else None
    *inner, last = along
    width = call.output_shapes[0][-1] if call.output_shapes[0] else 1
    return Flow(outputs=(fixed(width) if last is None else last,), inner=(tuple(inner),))


def _along(call: Call, i: int, axis: int) -> tuple[Ids | None, int | None]:
    """Ids and size of input i along an axis counted from the end; a dimension it lacks is of size 1."""
    shape = call.input_shapes[i] or (1,)
    if -axis > len(shape):
        return None, 1
    return (call.inputs[i] if axis == -1 else call.inner[i][axis + 1 + len(call.inner[i])]), shape[axis]


def _flow_concatenate(call: Call) -> Flow:
    axis = int(call.layer.config.get("axis", -1))
    rank = len(call.output_shapes[0])
    return concatenate(call, axis - 1 if axis > 0 else axis + rank)


def concatenate(call: Call, axis: int) -> Flow:
    """The flow of a concatenation along an axis, counted from 0 without the batch; -1 is the batch.

    Ids are lined up along that axis and tied along all others.
    """
    rank = len(call.output_shapes[0])
    along = [(*inner, last) for inner, last in zip(call.inner, call.inputs, strict=True)]
    result: list[Ids | None] = []
    for k in range(rank):
        met = [ids[k] for ids in along]
        present = [ids for ids in met if ids is not None]
        if k == axis and present:
            sizes = [shape[k] for shape in call.input_shapes]
            result.append(
                np.concatenate([fixed(n) if ids is None else ids for ids, n in zip(met, sizes, strict=True)])
            )
        elif k == axis or not present:
            result.append(None)
        else:
            for ids in present:
                if len(present) < len(met):
                    call.space.freeze(ids, f"joined to what has no channels (layer '{call.layer.name}')")
                call.space.tie(present[0], ids)
            result.append(present[0])
    *inner, last = result
    assert last is not None  # every input has ids along its last axis
    return Flow(outputs=(last,), inner=(tuple(inner),))


def _lower_elementwise(resized: Resized, op: str) -> tuple[OpShape, ...]:
    output = (1, *resized.output_shapes[0])
    shapes = [(1, *shape) for shape in resized.input_shapes]
    # A merge of n inputs becomes n - 1 ops of two.
    return tuple(
        OpShape(op=op, name=resized.name, inputs=(output if i else shapes[0], shape), output=output)
        for i, shape in enumerate(shapes[1:])
    )


def _lower_average(resized: Resized) -> tuple[OpShape, ...]:
    output = (1, *resized.output_shapes[0])
    return (
        *_lower_elementwise(resized, "ADD"),
        OpShape(op="MUL", name=resized.name, inputs=(output,), output=output),
    )


for _kind, _op in (
    ("Add", "ADD"),
    ("Subtract", "SUB"),
    ("Multiply", "MUL"),
    ("Maximum", "MAXIMUM"),
    ("Minimum", "MINIMUM"),
):
    rule(
        LayerRule(
            kind=_kind,
            status="transparent",
            flow=flow_elementwise,
            lower=lambda resized, op=_op: _lower_elementwise(resized, op),  # type: ignore[misc]
        )
    )
rule(
    LayerRule(
        kind="keras.src.applications.inception_resnet_v2.CustomScaleLayer",
        status="transparent",
        flow=flow_elementwise,
        lower=lambda resized: _lower_elementwise(resized, "ADD"),
    )
)
rule(LayerRule(kind="Average", status="transparent", flow=flow_elementwise, lower=_lower_average))
rule(
    LayerRule(
        kind="Concatenate",
        status="transparent",
        flow=_flow_concatenate,
        lower=lambda resized: one_op(resized, "CONCATENATION"),
    )
)
