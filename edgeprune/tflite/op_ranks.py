"""What the shapes of an op must be for its cost to mean anything."""

from collections.abc import Sequence

from edgeprune.errors import ModelError
from edgeprune.graph.opshape import OpShape

_IMAGES = ("CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")
_LEAST_RANK = {
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 2,
    "SVDF": 2,
    "BATCH_MATMUL": 2,
    "FULLY_CONNECTED": 1,
    "SOFTMAX": 1,
}


def require_ranks(shapes: Sequence[OpShape], *, where: str) -> None:
    """Raises ModelError where an op has no activation, or one of too few, too many or empty dimensions.

    Args:
        shapes: as `op_shapes` gives them, in the order of the file's ops.
        where: the file's name, for messages.
    """
    for index, shape in enumerate(shapes):
        place = f"{where}: operator {index} {shape.op}"
        images, least = shape.op in _IMAGES, _LEAST_RANK.get(shape.op, 0)
        if not (images or least):
            continue
        if not shape.inputs:
            raise ModelError("has no activation among its inputs", where=place)
        if images and (len(shape.inputs[0]), len(shape.output)) != (4, 4):
            raise ModelError(
                f"makes {shape.output} of {shape.inputs[0]}", where=place, why="4 dimensions are needed"
            )
        if min(len(shape.inputs[0]), len(shape.output)) < least:
            raise ModelError(
                f"makes {shape.output} of {shape.inputs[0]}",
                where=place,
                why=f"{least} dimensions are needed",
            )
        if 0 in (*shape.inputs[0], *shape.output, *(shape.filter or ())):
            raise ModelError("has a dimension of 0", where=place)
