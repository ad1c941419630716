"""Whether what ops read is there, and what they write is theirs to write."""

from collections.abc import Iterator

from edgeprune.errors import ModelError
from edgeprune.tflite.model import Subgraph, Tensor
from edgeprune.tflite.op_table import FILTER_LAYOUTS
from edgeprune.tflite.validity.placed import FIX, PlacedOp, name_tensor


def require_wiring(subgraph: Subgraph, *, where: str) -> None:
    """Raises ModelError for ops out of order, or that write what they must not; for outputs nobody makes.

    Custom ops are not judged: they may be given memory to work in as an input, as those that Vela makes are.

    Args:
        subgraph: of a file.
        where: the file and subgraph, for messages.
    """
    made = {*subgraph.inputs, -1}
    writers: dict[int, int] = {}
    for op in subgraph.ops:
        placed = PlacedOp(where=where, subgraph=subgraph, op=op)
        if not op.name.startswith("CUSTOM:"):
            _require_inputs(placed, made)
            _require_outputs(placed, writers)
        made.update(op.outputs)
        writers |= dict.fromkeys(op.outputs, op.index)
    _require_ends(subgraph, made, where=where)


def _require_inputs(placed: PlacedOp, made: set[int]) -> None:
    for tensor in placed.inputs:
        if tensor.index not in made and not _is_there(tensor):
            raise placed.refuse(
                f"reads {name_tensor(tensor)} before any op makes it",
                why="ops run in the order of the file, so a runtime would read what was there before",
            )


def _require_outputs(placed: PlacedOp, writers: dict[int, int]) -> None:
    for tensor in placed.outputs:
        what = ""
        if tensor.is_constant:
            what = "a constant"
        elif tensor.index in placed.subgraph.inputs:
            what = "an input of the model"
        elif tensor.index in placed.op.inputs:
            what = "one of its own inputs"
        elif tensor.index in writers:
            what = f"which operator {writers[tensor.index]} has made already"
        if what:
            raise placed.refuse(
                f"writes {name_tensor(tensor)}, {what}", why="each tensor is written once, by one op"
            )


def _require_ends(subgraph: Subgraph, made: set[int], *, where: str) -> None:
    weights = dict(_list_weights(subgraph, where=where))
    for place, index in enumerate(subgraph.outputs):
        tensor = subgraph.tensors[index]
        if index not in made and not _is_there(tensor):
            raise ModelError(
                f"output {place} is {name_tensor(tensor)}, which no op makes", where=where, fix=FIX
            )
        if index in weights and index not in made:
            reader = weights[index].op
            raise ModelError(
                f"output {place} is {name_tensor(tensor)}, a constant",
                where=where,
                why=f"operator {reader.index} {reader.name} has it as weights or bias, and no op computes it",
                fix=FIX,
            )


def _list_weights(subgraph: Subgraph, *, where: str) -> Iterator[tuple[int, PlacedOp]]:
    """Weights and biases of convolutions and dense layers, with the op that has them."""
    for op in subgraph.ops:
        layout = FILTER_LAYOUTS.get(op.name)
        placed = PlacedOp(where=where, subgraph=subgraph, op=op)
        for tensor in (placed.input(1), placed.input(layout.bias)) if layout else ():
            if tensor is not None and tensor.is_constant:
                yield tensor.index, placed


def _is_there(tensor: Tensor) -> bool:
    """Whether a tensor has a value, or needs none, without an op that makes it."""
    return tensor.is_constant or tensor.is_variable or not tensor.bytes
