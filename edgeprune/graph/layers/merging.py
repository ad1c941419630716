"""Layers with several inputs: element-wise merges tie channels, Concatenate lines them up."""

import numpy as np

from edgeprune.graph.channels import Call, Flow
from edgeprune.graph.opshape import OpShape
from edgeprune.graph.rules import LayerRule, Resized, keep, one_op, rule


def _flow_elementwise(call: Call) -> Flow:
    rank = len(call.output_shapes[0])
    if any(len(shape) != rank and len(shape) > 0 for shape in call.input_shapes):
        return keep(call, "inputs of different rank are broadcast")
    width = int(call.output_shapes[0][-1]) if rank else 1
    full = [ids for ids in call.inputs if len(ids) == width]
    for ids in call.inputs:
        if len(ids) != width:
            call.space.freeze(ids, f"broadcast over channels (layer '{call.layer.name}')")
    for ids in full[1:]:
        call.space.tie(full[0], ids)
    return Flow(outputs=(full[0],), axes={})


def _flow_concatenate(call: Call) -> Flow:
    axis = int(call.layer.config.get("axis", -1))
    rank = len(call.output_shapes[0]) + 1
    if axis in (-1, rank - 1):
        return Flow(outputs=(np.concatenate(call.inputs),), axes={})
    for ids in call.inputs[1:]:
        call.space.tie(call.inputs[0], ids)
    return Flow(outputs=(call.inputs[0],), axes={})


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
            flow=_flow_elementwise,
            lower=lambda resized, op=_op: _lower_elementwise(resized, op),  # type: ignore[misc]
        )
    )
rule(LayerRule(kind="Average", status="transparent", flow=_flow_elementwise, lower=_lower_average))
rule(
    LayerRule(
        kind="Concatenate",
        status="transparent",
        flow=_flow_concatenate,
        lower=lambda resized: one_op(resized, "CONCATENATION"),
    )
)
