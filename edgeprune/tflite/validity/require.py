"""The one question every command asks of a file that it opens: can kernels work with it at all?"""

from dataclasses import replace

from edgeprune.tflite.model import Model, Subgraph
from edgeprune.tflite.validity.calls import require_calls
from edgeprune.tflite.validity.kernels import require_kernels
from edgeprune.tflite.validity.quantization import require_quantization
from edgeprune.tflite.validity.shapes import require_shapes
from edgeprune.tflite.validity.types import require_types
from edgeprune.tflite.validity.wiring import require_wiring


def require_valid(model: Model, *, are_final: bool = False) -> None:
    """Raises ModelError for a file that no kernel can run as it is: wiring, numbers, options, shapes.

    It is what TFLM's kernels ask when they prepare their ops (and what they should), whatever the device;
    whether a runtime has the kernels is another question, for `unsupported_ops`.

    Args:
        model: the file.
        are_final: whether dimensions that it leaves open are what its shapes say, as for kernels that are
            compiled for these; otherwise they are not judged.
    """
    if are_final:
        model = replace(model, subgraphs=tuple(_close(subgraph) for subgraph in model.subgraphs))
    require_calls(model)
    for place, subgraph in enumerate(model.subgraphs):
        where = f"{model.where}: subgraph {place}" if place else model.where
        require_wiring(subgraph, where=where)
        require_quantization(subgraph, where=where)
        require_types(subgraph, where=where)
        require_kernels(subgraph, where=where, are_final=are_final)
        require_shapes(subgraph, where=where, are_final=are_final)


def _close(subgraph: Subgraph) -> Subgraph:
    return replace(subgraph, tensors=tuple(replace(each, shape_signature=()) for each in subgraph.tensors))
