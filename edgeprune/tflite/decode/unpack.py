"""Constants that DECODE ops would unpack, unpacked for good."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import ModelError
from edgeprune.graph.opshape import Decoded
from edgeprune.tflite.decode.lut import decode_lut
from edgeprune.tflite.decode.prune import decode_prune
from edgeprune.tflite.decode.read import read_decoded
from edgeprune.tflite.decode.wire import OP_NAME, Constant, Encoded, decoded_zero_points
from edgeprune.tflite.model import BITS, Model, Op, Tensor, constant_values


def unpack_constants(model: Model) -> Model:
    """The model with plain constants, and without the ops that unpack them; ops keep their indices.

    Raises:
        ModelError: TFLM's kernel would refuse the op, or its encoding is Huffman's.
    """
    graph = model.subgraphs[0]
    packed = [op for op in graph.ops if op.name == OP_NAME]
    if not packed:
        return model
    tensors = list(graph.tensors)
    for op in packed:
        for place, decoded in enumerate(read_decoded(op, tensors)):
            made = tensors[op.outputs[place]]
            tensors[made.index] = replace(made, data=_unpack(op, place, decoded, tensors))
    main = replace(graph, tensors=tuple(tensors), ops=tuple(op for op in graph.ops if op.name != OP_NAME))
    return replace(model, subgraphs=(main, *model.subgraphs[1:]))


def _unpack(op: Op, place: int, decoded: Decoded, tensors: Sequence[Tensor]) -> NDArray[np.uint8]:
    where = f"operator {op.index} {op.name}"
    if decoded.encoding == "huffman":
        raise ModelError(
            "a constant is encoded as only TFLM can unpack it",
            where=where,
            why="it is a Huffman code",
            fix="use --runtime tflm",
        )
    data, ancillary = (constant_values(tensors[at]).tobytes() for at in op.inputs[2 * place : 2 * place + 2])
    made = tensors[op.outputs[place]]
    like = Constant(
        bits=np.empty(made.elements, f"<u{BITS[made.dtype] // 8}"),
        zero_points=decoded_zero_points(made),
        channel_last=decoded.channel_last,
    )
    try:
        if decoded.encoding == "prune":
            bits = decode_prune(Encoded(encoding="prune", data=data, ancillary=ancillary), like)
        else:
            bits = decode_lut(Encoded(encoding="lut", data=data, ancillary=ancillary), like)
    except (ValueError, IndexError) as error:
        raise ModelError("a constant cannot be unpacked", where=where, why=str(error)) from error
    return bits.view(np.uint8)
