"""Whether the ops of a file stand in an order in which they can run."""

from edgeprune.errors import ModelError
from edgeprune.tflite.model import Model, Tensor


def require_order(model: Model) -> None:
    """Raises ModelError where an op reads what no op before it makes: a runtime would read old memory.

    Custom ops are not judged: they may be given memory to work in as an input, as those that Vela makes are.
    """
    for subgraph in model.subgraphs:
        made = {*subgraph.inputs, -1}
        for op in subgraph.ops:
            for index in op.inputs:
                if index in made or op.name.startswith("CUSTOM:") or _is_there(subgraph.tensors[index]):
                    continue
                raise ModelError(
                    f"reads tensor {index} before any op makes it",
                    where=f"{model.where}: operator {op.index} {op.name}",
                    why="ops run in the order of the file",
                    fix="convert the model again",
                )
            made.update(op.outputs)


def _is_there(tensor: Tensor) -> bool:
    """Whether a tensor has a value, or needs none, without an op that makes it."""
    return tensor.is_constant or tensor.is_variable or not tensor.bytes
