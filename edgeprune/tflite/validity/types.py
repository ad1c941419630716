"""Types of what only moves: the bytes of one type are not those of another."""

from collections.abc import Mapping

from edgeprune.tflite.model import Subgraph
from edgeprune.tflite.validity.placed import PlacedOp, name_tensor

_MOVING: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "REVERSE_V2", "BROADCAST_TO"), (0,)),
    **dict.fromkeys(("SLICE", "STRIDED_SLICE", "SPLIT_V", "UNPACK", "PAD", "MIRROR_PAD"), (0,)),
    **dict.fromkeys(("DEPTH_TO_SPACE", "SPACE_TO_DEPTH", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND"), (0,)),
    **dict.fromkeys(("TILE", "GATHER"), (0,)),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), (0,)),
    **dict.fromkeys(("CONCATENATION", "PACK"), ()),
    "SPLIT": (1,),
    "PADV2": (0, 2),
}
"""Op → which of its inputs it moves; empty for all."""


def require_types(subgraph: Subgraph, *, where: str) -> None:
    """Raises ModelError for an op that is to move elements of one type to where there are others.

    Args:
        subgraph: of a file.
        where: the file and subgraph, for messages.
    """
    for op in subgraph.ops:
        if op.name not in _MOVING:
            continue
        placed = PlacedOp(where=where, subgraph=subgraph, op=op)
        sources = [placed.input(position) for position in _MOVING[op.name]] or list(placed.inputs)
        moved = [*(tensor for tensor in sources if tensor is not None), *placed.outputs]
        other = next((tensor for tensor in moved if tensor.dtype != moved[0].dtype), None)
        if other is not None:
            raise placed.refuse(
                f"moves {moved[0].dtype} of {name_tensor(moved[0])} to or with {other.dtype}",
                why=f"{name_tensor(other)} would have to be of the same type",
            )
