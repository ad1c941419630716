"""A `.tflite` file for TFLM whose constants are stored encoded: constant → DECODE op → the op that reads it.

One DECODE op stands directly before each op that reads encoded constants, and unpacks all that this op
reads. So a decoded tensor takes room in the arena during two ops and no longer, which is the least there can
be; and TFLM itself keeps decoded tensors outside the arena, where an application gives it other memory, for
no longer than that. One DECODE op for all tensors of its reader costs the same arena as one for each, and
less flash.

LiteRT cannot run such a file: accuracy is evaluated on the bytes before encoding, which compute the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeprune.errors import ModelError
from edgeprune.tflite.attached import attach, read_attached
from edgeprune.tflite.decode.lut import encode_lut
from edgeprune.tflite.decode.prune import encode_prune
from edgeprune.tflite.decode.wire import OP_NAME, Encoded, Encoding, find_obstacle, read_constant
from edgeprune.tflite.model import Model
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import drop_unused_buffers, pack, unpack

READ_AT_RUN_TIME: Mapping[str, tuple[int, ...]] = {
    "CONV_2D": (1, 2),
    "DEPTHWISE_CONV_2D": (1, 2),
    "FULLY_CONNECTED": (1, 2),
    "TRANSPOSE_CONV": (1, 3),
}
"""Inputs that TFLM's kernels (reference, CMSIS-NN) read at each inference and never before the first one, by
op: its weights and its bias. LSTM, SVDF and BATCH_MATMUL prepare something from their weights in advance."""

_FIXED_BY_INDEX = ("OfflineMemoryAllocation", "COMPRESSION_METADATA", "model_control_dependencies")
"""Metadata that counts tensors or ops, which are counted anew here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """Constants that share their bytes in the file; they are encoded together or not at all.

    Attributes:
        tensors: indices in the main subgraph.
        readers: indices of the ops that read them.
        obstacle: why they cannot be encoded, as a clause; "" where they can.
    """

    tensors: tuple[int, ...]
    readers: tuple[int, ...]
    obstacle: str = ""


def find_candidates(model: Model) -> list[Candidate]:
    """Weights and biases of the main subgraph, with what keeps them from being encoded."""
    readers: dict[int, list[tuple[int, int]]] = {}
    for op in model.ops:
        for position, tensor in enumerate(op.inputs):
            readers.setdefault(tensor, []).append((op.index, position))
    sharing: dict[int, list[int]] = {}
    for constant in model.tensors:
        if constant.is_constant:
            sharing.setdefault(constant.buffer, []).append(constant.index)
    elsewhere = {t.buffer for subgraph in model.subgraphs[1:] for t in subgraph.tensors if t.is_constant}
    found = []
    for buffer, tensors in sharing.items():
        places = [place for tensor in tensors for place in readers.get(tensor, [])]
        if not any(_reads_weights(model, *place) for place in places):
            continue
        obstacles = ["a subgraph shares it"] if buffer in elsewhere else []
        for tensor in tensors:
            obstacles += [_find_obstacle(model, tensor, readers.get(tensor, []))]
        found.append(
            Candidate(
                tensors=tuple(tensors),
                readers=tuple(sorted({op for op, _ in places})),
                obstacle=next(filter(None, obstacles), ""),
            )
        )
    return found


def find_fixed_numbering(model: Model) -> str | None:
    """Why no tensors or ops can be added to the file, as a clause; None where they can."""
    name = next((name for name in _FIXED_BY_INDEX if name in model.metadata), None)
    return name and f"the file's metadata '{name}' refers to tensors and ops by their numbers"


def encode_tensor(model: Model, tensor: int) -> dict[Encoding, Encoded]:
    """What a constant of the main subgraph becomes in each encoding that can hold it.

    Raises:
        ModelError: TFLM's decoders cannot make the tensor.
    """
    constant = read_constant(model.tensors[tensor], where=model.where)
    made: dict[Encoding, Encoded | None] = {
        "prune": encode_prune(constant),
        "lut": encode_lut(constant),
    }
    return {encoding: encoded for encoding, encoded in made.items() if encoded is not None}


def encode(tflite: bytes, *, tensors: Mapping[int, Encoding]) -> bytes:
    """The file with these constants encoded; it computes the same in TFLM, bit for bit.

    The decoded tensor keeps the constant's index, name, shape and scales; what is stored goes into new
    tensors behind all others.

    Args:
        tflite: a whole file; strip it before, not after its tensors have doubled.
        tensors: index in the main subgraph → encoding.

    Raises:
        ModelError: the file is damaged, or a tensor cannot be encoded; `why` says why.
    """
    model = read_model(tflite, where="the model")
    if not tensors:
        return tflite
    if (fixed := find_fixed_numbering(model)) is not None:
        raise ModelError(
            "cannot be encoded", where=model.where, why=fixed, fix="encode before the tool that wrote it runs"
        )
    encoded = {index: _require(model, index, encoding) for index, encoding in sorted(tensors.items())}
    packed = unpack(tflite, where=model.where)
    _insert(packed, encoded)
    drop_unused_buffers(packed)
    return attach(pack(packed), read_attached(tflite, model))


def _reads_weights(model: Model, op: int, position: int) -> bool:
    return position in READ_AT_RUN_TIME.get(model.ops[op].name, ())


def _find_obstacle(model: Model, tensor: int, places: Sequence[tuple[int, int]]) -> str:
    for op, position in places:
        if not _reads_weights(model, op, position):
            name = model.ops[op].name
            if name == OP_NAME:
                return "it is encoded already"
            return f"TFLM's kernel of {name} needs it as a constant"
    if tensor in model.subgraphs[0].outputs:
        return "it is an output of the model"
    return find_obstacle(model.tensors[tensor]) or ""


def _require(model: Model, index: int, encoding: Encoding) -> Encoded:
    place = f"{model.where}: tensor {index}"
    candidate = next((c for c in find_candidates(model) if index in c.tensors), None)
    why = "no op reads it as weights or bias" if candidate is None else candidate.obstacle
    if why:
        raise ModelError("cannot be encoded", where=place, why=why)
    made = encode_tensor(model, index)
    if encoding not in made:
        raise ModelError(
            f"cannot be encoded as {encoding}",
            where=place,
            why="a channel has over 128 different values"
            if encoding == "lut"
            else "its zero point is no int8",
            fix=f"possible: {', '.join(made)}",
        )
    return made[encoding]


def _insert(packed: Any, encoded: Mapping[int, Encoded]) -> None:
    """Replace constants by DECODE ops in the schema's `ModelT`."""
    graph = packed.subgraphs[0]
    stored = {}
    for index, item in encoded.items():
        stored[index] = [_add_bytes(packed, item.data), _add_bytes(packed, item.ancillary)]
        decoded = graph.tensors[index]
        decoded.buffer = 0
        if decoded.quantization is not None and np.size(decoded.quantization.scale) <= 1:
            # One scale has no axis, but files name one, and TFLM's decoders refuse all but the first.
            decoded.quantization.quantizedDimension = 0
    code = _find_code(packed)
    operators, taken = [], set()
    for operator in graph.operators:
        read = list(dict.fromkeys(int(i) for i in operator.inputs if int(i) in encoded))
        if read:
            # The first reader gets the tensor itself, each further one a copy: both live for two ops.
            made = {index: _copy_tensor(graph, index) if index in taken else index for index in read}
            taken.update(read)
            decode = load_schema().OperatorT()
            decode.opcodeIndex = code
            decode.inputs = np.array([i for index in read for i in stored[index]], np.int32)
            decode.outputs = np.array(list(made.values()), np.int32)
            operator.inputs = np.array([made.get(int(i), int(i)) for i in operator.inputs], np.int32)
            operators.append(decode)
        operators.append(operator)
    graph.operators = operators


def _add_bytes(packed: Any, data: bytes) -> int:
    """Index of a new constant of bytes."""
    schema = load_schema()
    buffer, tensor = schema.BufferT(), schema.TensorT()
    buffer.data = np.frombuffer(data, np.uint8)
    tensor.shape, tensor.type = np.array([len(data)], np.int32), schema.TensorType.UINT8
    tensor.buffer = len(packed.buffers)
    packed.buffers.append(buffer)
    packed.subgraphs[0].tensors.append(tensor)
    return len(packed.subgraphs[0].tensors) - 1


def _copy_tensor(graph: Any, index: int) -> int:
    """Index of a new tensor like one that is there; what it shares with it is stored once."""
    old, new = graph.tensors[index], load_schema().TensorT()
    for name, value in vars(old).items():
        setattr(new, name, value)
    graph.tensors.append(new)
    return len(graph.tensors) - 1


def _find_code(packed: Any) -> int:
    """Index of DECODE's operator code, which is added where it is missing."""
    schema, name = load_schema(), OP_NAME.removeprefix("CUSTOM:").encode()
    for place, code in enumerate(packed.operatorCodes):
        if code.builtinCode == schema.BuiltinOperator.CUSTOM and code.customCode == name:
            return place
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.CUSTOM
    code.customCode, code.version = name, 1
    packed.operatorCodes.append(code)
    return len(packed.operatorCodes) - 1
