"""Outputs that are constants, which a layer copies to where the caller wants them."""

from dataclasses import replace

from edgeprune.firmware.c.layer import C_TYPES
from edgeprune.tflite.model import Model, Op, Subgraph


def copy_constants(model: Model) -> Model:
    """The model in which an op makes each output of a subgraph that was a constant of the file.

    constant     becomes     constant ─ CONCATENATION, of it alone
    """
    return replace(model, subgraphs=tuple(map(_copy_constants, model.subgraphs)))


def _copy_constants(graph: Subgraph) -> Subgraph:
    tensors, ops, outputs = list(graph.tensors), list(graph.ops), list(graph.outputs)
    free = max((op.index for op in ops), default=-1) + 1
    for place, tensor in enumerate(graph.outputs):
        if not tensors[tensor].is_constant or tensors[tensor].dtype not in C_TYPES:
            continue
        outputs[place] = len(tensors)
        options = {"axis": 0, "fused_activation_function": "NONE"}
        ops.append(
            Op(
                index=free + place,
                name="CONCATENATION",
                version=1,
                inputs=(tensor,),
                outputs=(outputs[place],),
                options=options,
            )
        )
        tensors.append(replace(tensors[tensor], index=outputs[place], data=None))
    return replace(graph, tensors=tuple(tensors), ops=tuple(ops), outputs=tuple(outputs))
