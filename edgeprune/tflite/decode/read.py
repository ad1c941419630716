"""What the DECODE ops of a file unpack, read from their headers."""

from collections.abc import Sequence

from edgeprune.errors import ModelError
from edgeprune.graph.opshape import Decoded
from edgeprune.tflite.decode.lut import index_bits
from edgeprune.tflite.decode.wire import (
    HEADER_BYTES,
    HEADER_VERSION,
    decoded_zero_points,
    find_output_obstacle,
)
from edgeprune.tflite.model import BITS, Op, Tensor

_NAMES = {0: "lut", 1: "huffman", 2: "prune"}


def read_decoded(op: Op, tensors: Sequence[Tensor]) -> tuple[Decoded, ...]:
    """What a DECODE op unpacks, one entry for each of its outputs.

    Args:
        op: the op.
        tensors: those of its subgraph.

    Raises:
        ModelError: TFLM's kernel would refuse the op; `why` is a clause that says why.
    """
    if not op.outputs or len(op.inputs) != 2 * len(op.outputs):
        raise _refused(op, f"it has {len(op.inputs)} inputs for {len(op.outputs)} outputs, not two for each")
    if min(op.inputs) < 0:
        raise _refused(op, "one of its inputs is left out")
    pairs = zip(op.inputs[::2], op.inputs[1::2], op.outputs, strict=True)
    return tuple(_read_one(op, *(tensors[index] for index in places)) for places in pairs)


def _read_one(op: Op, encoded: Tensor, ancillary: Tensor, made: Tensor) -> Decoded:
    if encoded.data is None or ancillary.data is None:
        raise _refused(op, "its inputs are no constants")
    head = ancillary.data.tobytes()
    if len(head) < HEADER_BYTES:
        raise _refused(op, f"its ancillary tensor has {len(head)} bytes; the header alone has {HEADER_BYTES}")
    if head[1] != HEADER_VERSION or head[4] != 1:
        raise _refused(op, f"its header is of version {head[1]}.{head[4]}; TFLM knows 1.1")
    encoding = _NAMES.get(head[0])
    if encoding is None:
        raise _refused(op, f"TFLM has no decoder of type {head[0]}")
    if (obstacle := find_output_obstacle(made)) is not None:
        raise _refused(op, obstacle)
    zero_points = decoded_zero_points(made)
    own_bytes = 8 * (len(head) - HEADER_BYTES)
    return Decoded(
        encoding=encoding,
        dtype=made.dtype,
        elements=made.elements,
        stored=min(own_bytes // BITS[made.dtype], made.elements) if encoding == "prune" else 0,
        index_bits=index_bits(head) if encoding == "lut" else 0,
        channel_last=zero_points.size > 1 and made.axis == len(made.shape) - 1,
        zero_point_bytes=zero_points.size if zero_points.size > 1 and zero_points.any() else 0,
    )


def _refused(op: Op, why: str) -> ModelError:
    return ModelError("TFLM's DECODE refuses it", where=f"operator {op.index} {op.name}", why=why)
