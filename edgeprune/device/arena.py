"""The tensor arena that a 32-bit core needs, from what TFLM's real allocator took on this machine.

The arena has two ends. Its head holds activations and scratch buffers; `plan_arena` makes the same plan as
the device does, with the scratch buffers of the device's kernels. Its tail holds the interpreter's records:
their number follows from the model, their sizes from the C structs of TFLM, which have been added up here
for 4-byte pointers and checked against arenas measured in an emulator.

Sizes of records follow TFLM at 90b983c (August 2026); of scratch buffers, see `scratch.py`.
"""

from dataclasses import dataclass

from edgeprune.device.figures import Figure
from edgeprune.device.kernels.scratch import Kernels, scratch_bytes
from edgeprune.graph.opshape import OpShape
from edgeprune.tflite.arena import Buffer, align, list_buffers, plan_arena
from edgeprune.tflite.decode.wire import OP_NAME as DECODE
from edgeprune.tflite.model import Model
from edgeprune.tflite.ops import op_shapes, subgraph_shapes

_EVAL_TENSOR, _NODE, _POINTER = 12, 32, 4
_TENSOR, _AFFINE, _ZERO_POINT = 32, 12, 8
_ALLOCATORS = 228
"""Allocators, planner and subgraph records before the first tensor."""
_SCRATCH_REQUEST, _SCRATCH_REQUESTS_FREE, _LIFETIME, _PLANNED_BUFFER = 12, 12, 24, 40
"""What planning takes: per scratch buffer, of which an op might ask for 12, per tensor, and per buffer."""

RECORDING_BYTES = 96
"""What TFLM's recording allocators, which arenas are counted with, take more than an application's.

104 bytes, less what rounding up to 16 can give back.
"""

_BUILTIN = {
    "CONV_2D": 28,
    "DEPTHWISE_CONV_2D": 28,
    "TRANSPOSE_CONV": 20,
    "FULLY_CONNECTED": 5,
    "AVERAGE_POOL_2D": 40,
    "MAX_POOL_2D": 40,
    "SOFTMAX": 4,
    "ADD": 2,
    "SUB": 2,
    "MUL": 1,
    "RESHAPE": 36,
    "CONCATENATION": 8,
    "MEAN": 1,
    "SUM": 1,
    "REDUCE_MAX": 1,
    "SVDF": 8,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": 16,
    "STRIDED_SLICE": 24,
    "PACK": 8,
    "UNPACK": 8,
    "SPLIT": 4,
    "RESIZE_NEAREST_NEIGHBOR": 2,
    "RESIZE_BILINEAR": 2,
    "LEAKY_RELU": 4,
    "GATHER": 8,
    "ARG_MAX": 1,
    "MINIMUM": 0,
    "MAXIMUM": 0,
    "SHAPE": 1,
    "TRANSPOSE": 0,
    "EXPAND_DIMS": 0,
    "PAD": 0,
    "QUANTIZE": 0,
    "DEQUANTIZE": 0,
    "LOGISTIC": 0,
    "TANH": 0,
    "RELU": 0,
    "RELU6": 0,
    "HARD_SWISH": 0,
    DECODE: 0,
}
"""Bytes of an op's parsed options; GCC for bare-metal Arm stores an enum in one byte."""

_OP_DATA = {
    "CONV_2D": (60,),
    "DEPTHWISE_CONV_2D": (60,),
    "TRANSPOSE_CONV": (80,),
    "FULLY_CONNECTED": (72,),
    "AVERAGE_POOL_2D": (36,),
    "MAX_POOL_2D": (36,),
    "SOFTMAX": (64,),
    "ADD": (60,),
    "SUB": (60,),
    "MUL": (36,),
    "RESHAPE": (),
    "CONCATENATION": (32,),
    "MEAN": (44,),
    "SUM": (44,),
    "REDUCE_MAX": (44,),
    "PAD": (52,),
    "QUANTIZE": (32,),
    "DEQUANTIZE": (24,),
    "LOGISTIC": (44,),
    "TANH": (16,),
    "RELU": (28,),
    "RELU6": (16,),
    "LEAKY_RELU": (32,),
    "HARD_SWISH": (24,),
    "SVDF": (52,),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": (896,),
    "STRIDED_SLICE": (80,),
    "PACK": (),
    "SHAPE": (),
    "MINIMUM": (),
    "MAXIMUM": (),
    "RESIZE_NEAREST_NEIGHBOR": (),
    "TRANSPOSE": (),
}
"""Bytes each op's kernel keeps, without what grows with its channels."""

_DECODERS = {"prune": 40, "lut": 36, "huffman": 28}
"""Bytes that a DECODE op keeps for each tensor it makes, by encoding."""

_UNKNOWN_BUILTIN, _UNKNOWN_OP_DATA = 32, (96,)
"""For an op that is not listed: more than most take, so that the estimate is not too small."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostArena:
    """What TFLM's RecordingMicroAllocator reported on this machine, with 8-byte pointers.

    Attributes:
        head_bytes: activations and the reference kernels' scratch buffers.
        tail_bytes: the interpreter's records.
    """

    head_bytes: int
    tail_bytes: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ArenaInputs:
    """What the arena of a model depends on.

    Attributes:
        ops: the ops of the main graph in the order they run.
        buffers: activations in the order of the file, without scratch.
        tensor_count: all tensors, constants too.
        input_count, output_count: tensors the application reads and writes.
        variable_bytes: size of each tensor that outlives an inference.
        per_channel: for each op, whether its weights have one scale per output channel.
        quantized_io: how many of the inputs and outputs carry a scale.
        nested_ops: those of branches and loops, which have records of their own.
    """

    ops: tuple[OpShape, ...]
    buffers: tuple[Buffer, ...]
    tensor_count: int
    input_count: int = 1
    output_count: int = 1
    variable_bytes: tuple[int, ...] = ()
    per_channel: tuple[bool, ...] = ()
    quantized_io: int = 2
    nested_ops: tuple[OpShape, ...] = ()


def read_arena_inputs(model: Model) -> ArenaInputs:
    """What a model's arena depends on; subgraphs of control flow count as tensors and ops of their own."""
    tensors = [tensor for subgraph in model.subgraphs for tensor in subgraph.tensors]
    ends = (*model.inputs, *model.outputs)
    per_channel = []
    for op in model.ops:
        weights = op.inputs[1] if len(op.inputs) > 1 else -1
        per_channel.append(weights >= 0 and model.tensors[weights].scales.size > 1)
    return ArenaInputs(
        ops=tuple(op_shapes(model)),
        nested_ops=tuple(
            shape for place in range(1, len(model.subgraphs)) for shape in subgraph_shapes(model, place)
        ),
        buffers=tuple(list_buffers(model)),
        tensor_count=len(tensors),
        input_count=len(model.inputs),
        output_count=len(model.outputs),
        variable_bytes=tuple(tensor.bytes for tensor in tensors if tensor.is_variable),
        per_channel=tuple(per_channel),
        quantized_io=sum(1 for tensor in ends if tensor.scales.size),
    )


def predict_arena(inputs: ArenaInputs, kernels: Kernels, *, host: HostArena | None = None) -> Figure:
    """The arena in bytes on a 32-bit core, never less than what was measured for the models we know.

    Args:
        inputs: what the arena depends on.
        kernels: whose scratch buffers to count.
        host: what the real allocator took here; without it the figure is estimated, with it simulated.
    """
    head = plan_head(inputs, kernels)
    tail = tail_bytes(inputs, kernels)
    if host is None:
        return Figure(
            value=float(head + tail),
            unit="bytes",
            source="estimated",
            evidence=f"TFLM's greedy plan ({head} bytes) and its records on a 32-bit core ({tail} bytes)",
        )
    # A head larger than our own plan means that a reference kernel asked for scratch we do not know of.
    known = plan_head(inputs, "reference")
    if host.head_bytes > known:
        head = max(head, host.head_bytes)
    return Figure(
        value=float(head + tail),
        unit="bytes",
        source="simulated",
        evidence=(
            f"TFLM's allocator on this machine (head {host.head_bytes}, tail {host.tail_bytes} bytes), with "
            f"{kernels} scratch buffers (head {head}) and 4-byte pointers (tail {tail})"
        ),
    )


def plan_head(inputs: ArenaInputs, kernels: Kernels) -> int:
    """Bytes of the head: activations and scratch under TFLM's plan."""
    return plan_arena(list_head(inputs, kernels)).total_bytes


def list_head(inputs: ArenaInputs, kernels: Kernels) -> list[Buffer]:
    """What lies in the head: activations in the order of the file, then scratch buffers of the kernels."""
    buffers = list(inputs.buffers)
    for index, op in enumerate(inputs.ops):
        buffers += [
            Buffer(size_bytes=size, first_op=index + 1, last_op=index + 1, name="scratch")
            for size in scratch_bytes(op, kernels)
        ]
    return buffers


def tail_bytes(inputs: ArenaInputs, kernels: Kernels) -> int:
    """Bytes of the tail on a 32-bit core: TFLM's records of tensors, ops, kernels, inputs and outputs."""
    everywhere = (*inputs.ops, *inputs.nested_ops)
    records = _ALLOCATORS + _EVAL_TENSOR * inputs.tensor_count + _NODE * len(everywhere)
    records += sum(_BUILTIN.get(op.op, _UNKNOWN_BUILTIN) for op in everywhere)
    tail = align(records)
    scratch = 0
    for index, op in enumerate(inputs.ops):
        tail += sum(align(size) for size in _op_data(op))
        tail += _channel_bytes(op, inputs.per_channel[index] if inputs.per_channel else True, kernels)
        scratch += len(scratch_bytes(op, kernels))
    for op in inputs.nested_ops:
        tail += sum(align(size) for size in _op_data(op)) + _channel_bytes(op, True, kernels)
    tail = align(tail + _POINTER * scratch)
    tail += sum(align(size) for size in inputs.variable_bytes)
    ends = inputs.input_count + inputs.output_count
    tail += align(_POINTER * inputs.input_count) + align(_POINTER * inputs.output_count)
    return tail + _TENSOR * ends + (_AFFINE + _ZERO_POINT) * inputs.quantized_io


def planning_bytes(inputs: ArenaInputs, kernels: Kernels) -> int:
    """Bytes that the arena must have on a 32-bit core while TFLM plans it, of which most are free afterwards.

    The planner works in the head, beside the records of the tail: for networks whose activations are small,
    this is more than an inference takes.
    """
    scratch = sum(len(scratch_bytes(op, kernels)) for op in inputs.ops)
    requests = _SCRATCH_REQUEST * (scratch + _SCRATCH_REQUESTS_FREE)
    lifetimes = _LIFETIME * (inputs.tensor_count + scratch)
    planner = _PLANNED_BUFFER * (len(inputs.buffers) + scratch)
    return tail_bytes(inputs, kernels) + align(requests) + align(lifetimes) + align(planner)


def _op_data(op: OpShape) -> tuple[int, ...]:
    """What a kernel keeps, one entry for each time it asks the allocator."""
    if op.op != DECODE:
        return _OP_DATA.get(op.op, _UNKNOWN_OP_DATA)
    sizes = [_POINTER * len(op.decoded)]
    for made in op.decoded:
        sizes += [_DECODERS[made.encoding], made.zero_point_bytes]
    return tuple(sizes)


def _channel_bytes(op: OpShape, per_channel: bool, kernels: Kernels) -> int:
    """What a kernel keeps per output channel: multiplier and shift, and on MVE the sums of a dense layer."""
    if op.filter is None or op.dtype == "float32":
        return 0
    if op.op == "UNIDIRECTIONAL_SEQUENCE_LSTM" and kernels != "reference":
        return 8 * align(op.filter[0])
    if op.op in ("CONV_2D", "TRANSPOSE_CONV"):
        return 2 * align(4 * op.filter[0])
    if op.op == "DEPTHWISE_CONV_2D":
        return 2 * align(4 * op.filter[3])
    if op.op == "FULLY_CONNECTED":
        kept = kernels == "cmsis-nn mve" and not op.weights_decoded
        sums = align(4 * op.filter[0]) if kept else 0
        return sums + (2 * align(4 * op.filter[0]) if per_channel else 0)
    return 0
