"""What LiteRT's delegates take of a file: XNNPACK on a phone's cores, and the GPU.

A delegate is offered every op. What it takes it runs in partitions; the rest stays with the interpreter, and
each change between the two costs a copy and a pause, on a GPU a long one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgeprune.tflite.model import Model, Op, Subgraph, Tensor

_F, _I8, _U8 = "float32", "int8", "uint8"
_ALL, _FLOAT, _SIGNED = (_F, _I8, _U8), (_F,), (_F, _I8)
_UNPACKING = ("DEQUANTIZE", "DENSIFY")
"""Of a constant: XNNPACK does it once, before the first inference."""
_CLAMPS = ("NONE", "RELU", "RELU6", "RELU_N1_TO_1")
_INPUTS_AT_MOST = 5

_XNNPACK: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("ABS", "CEIL", "COS", "DIV", "EXP", "FLOOR", "GELU", "HARD_SWISH", "LOG"), _FLOAT),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAXIMUM", "MINIMUM", "NEG", "PRELU", "RELU", "RELU6"), _FLOAT),
    **dict.fromkeys(("RELU_N1_TO_1", "ROUND", "RSQRT", "SIN", "SOFTMAX", "SQRT", "SQUARE"), _FLOAT),
    **dict.fromkeys(("SQUARED_DIFFERENCE",), _FLOAT),
    **dict.fromkeys(("BATCH_MATMUL", "ELU", "QUANTIZE"), _SIGNED),
    **dict.fromkeys(("ADD", "CONCATENATION", "CONV_2D", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE"), _ALL),
    **dict.fromkeys(("FULLY_CONNECTED", "LEAKY_RELU", "LOGISTIC", "MAX_POOL_2D", "MEAN", "MUL", "PAD"), _ALL),
    **dict.fromkeys(("RESHAPE", "RESIZE_BILINEAR", "SLICE", "SPACE_TO_DEPTH", "SPLIT"), _ALL),
    **dict.fromkeys(("STRIDED_SLICE", "SUB", "SUM", "TANH", "TRANSPOSE", "TRANSPOSE_CONV"), _ALL),
    "DEQUANTIZE": (_I8, _U8, "float16"),
}
_COMPARISONS = ("EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "NOT_EQUAL")
_GPU: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(
        ("ABS", "ADD", "ADD_N", "AVERAGE_POOL_2D", "BATCH_MATMUL", "CONCATENATION", "CONV_2D"), ()
    ),
    **dict.fromkeys(("COS", "CUMSUM", "DENSIFY", "DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE", "DEQUANTIZE"), ()),
    **dict.fromkeys(("DIV", "ELU", "EXP", "FLOOR", "FLOOR_DIV", "FLOOR_MOD", "FULLY_CONNECTED", "GELU"), ()),
    **dict.fromkeys(("HARD_SWISH", "LEAKY_RELU", "LOG", "LOGISTIC", "LSTM", "MAXIMUM", "MAX_POOL_2D"), ()),
    **dict.fromkeys(("MEAN", "MINIMUM", "MIRROR_PAD", "MUL", "NEG", "PACK", "PAD", "PADV2", "POW"), ()),
    **dict.fromkeys(("PRELU", "QUANTIZE", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "RELU", "RELU6"), ()),
    **dict.fromkeys(("RELU_0_TO_1", "RELU_N1_TO_1", "RESHAPE", "RESIZE_BILINEAR", "RSQRT", "SIGN"), ()),
    **dict.fromkeys(("RESIZE_NEAREST_NEIGHBOR", "SIN", "SLICE", "SOFTMAX", "SPACE_TO_DEPTH", "SPLIT"), ()),
    **dict.fromkeys(("SPLIT_V", "SQRT", "SQUARE", "SQUARED_DIFFERENCE", "STRIDED_SLICE", "SUB", "SUM"), ()),
    **dict.fromkeys(("TANH", "TILE", "TRANSPOSE", "TRANSPOSE_CONV", "UNPACK"), ()),
    **dict.fromkeys((*_COMPARISONS, "LOGICAL_AND", "SELECT", "SELECT_V2"), ("bool",)),
    **dict.fromkeys(("GATHER", "ONE_HOT"), ("int32",)),
    "CAST": ("bool", "int32"),
}
"""Ops with the types that they may have beside those that all may have."""
_GPU_TYPES = (*_ALL, "float16")
_GPU_RANK = 4

Judge = Callable[[Op, Subgraph], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Delegate:
    """A delegate of LiteRT.

    Attributes:
        name: for people.
        source: where it is known from what it takes.
        judge: why it leaves an op to the interpreter, as a clause; "" where it takes it.
    """

    name: str
    source: str
    judge: Judge


@dataclass(frozen=True, kw_only=True, slots=True)
class Delegation:
    """What a delegate takes of a file.

    Attributes:
        delegate: it.
        ops: how many ops the main subgraph has.
        taken: how many of them it takes.
        partitions: in how many pieces.
        left: what it leaves to the interpreter: how many ops, of which name, and why.
    """

    delegate: Delegate
    ops: int
    taken: int
    partitions: int
    left: tuple[tuple[int, str, str], ...]

    def to_json(self) -> dict[str, Any]:
        """As it stands in the document of `check --json`."""
        return {
            "delegate": self.delegate.name,
            "source": self.delegate.source,
            "ops": self.ops,
            "taken": self.taken,
            "partitions": self.partitions,
            "left": [{"op": op, "count": count, "reason": why} for count, op, why in self.left],
        }

    def describe(self) -> str:
        """One sentence."""
        whole = f"{self.delegate.name} takes {self.taken} of {self.ops} ops"
        if self.taken:
            whole += f" in {self.partitions} {'partition' if self.partitions == 1 else 'partitions'}"
        left = "; ".join(f"{count} {op} ({why})" for count, op, why in self.left)
        return whole + (f", and leaves to the interpreter {left}" if left else "")


def plan_delegation(model: Model, delegate: Delegate) -> Delegation:
    """What a delegate takes of the main subgraph, and in how many pieces."""
    graph = model.subgraphs[0]
    reasons = [delegate.judge(op, graph) for op in graph.ops]
    left: dict[tuple[str, str], int] = {}
    for op, reason in zip(graph.ops, reasons, strict=True):
        if reason:
            left[op.name, reason] = left.get((op.name, reason), 0) + 1
    return Delegation(
        delegate=delegate,
        ops=len(graph.ops),
        taken=sum(not reason for reason in reasons),
        partitions=_count_partitions(graph, [not reason for reason in reasons]),
        left=tuple((count, name, reason) for (name, reason), count in left.items()),
    )


def _count_partitions(graph: Subgraph, is_taken: Sequence[bool]) -> int:
    """How many pieces of taken ops there are; like LiteRT's, each grows while what it needs is there."""
    made = {index for op in graph.ops for index in op.outputs}
    waiting, pieces = dict(enumerate(graph.ops)), 0
    turn = bool(is_taken) and is_taken[0]
    while waiting:
        size = len(waiting)
        for place, op in [*waiting.items()]:
            if is_taken[place] is turn and not any(index in made for index in op.inputs):
                made -= set(op.outputs)
                del waiting[place]
        if len(waiting) < size:
            pieces += turn
        elif not any(is_taken[place] is not turn for place in waiting):
            break  # a loop of ops, which no file that runs has
        turn = not turn
    return pieces


def _judge_xnnpack(op: Op, subgraph: Subgraph) -> str:
    types = _XNNPACK.get(op.name)
    if types is None:
        return "it has no kernel"
    tensor = _activation(op, subgraph)
    if tensor is not None and tensor.dtype not in types:
        return f"it takes {', '.join(types)}, not {tensor.dtype}"
    fused = str(op.options.get("fused_activation_function", "NONE"))
    if fused not in _CLAMPS:
        return f"it does not compute {fused} with it"
    if op.name == "SOFTMAX" and float(op.options.get("beta", 1.0)) != 1.0:
        return "its beta is not 1"
    if op.name == "CONCATENATION" and len(op.inputs) > _INPUTS_AT_MOST:
        return f"it joins at most {_INPUTS_AT_MOST}"
    if op.name in ("CONV_2D", "DEPTHWISE_CONV_2D") and not _is_static(op.inputs[1], subgraph):
        return "its weights are computed"
    return ""


def _is_static(index: int, subgraph: Subgraph) -> bool:
    """Whether a tensor is constant, or a constant in another form: float16 weights, say."""
    if subgraph.tensors[index].is_constant:
        return True
    made_by = next((op for op in subgraph.ops if index in op.outputs), None)
    return made_by is not None and made_by.name in _UNPACKING and _is_static(made_by.inputs[0], subgraph)


def _judge_gpu(op: Op, subgraph: Subgraph) -> str:
    more = _GPU.get(op.name)
    if more is None:
        return "it has no kernel"
    tensors = [subgraph.tensors[index] for index in (*op.inputs, *op.outputs) if index >= 0]
    if any(len(tensor.shape) > _GPU_RANK for tensor in tensors):
        return f"it takes at most {_GPU_RANK} dimensions"
    other = [
        tensor.dtype for tensor in tensors if not tensor.is_constant and tensor.dtype not in _GPU_TYPES + more
    ]
    return f"it computes with floats, not {other[0]}" if other else ""


def _activation(op: Op, subgraph: Subgraph) -> Tensor | None:
    """The first input that is no shape, permutation or axis."""
    tensors = [subgraph.tensors[index] for index in op.inputs if index >= 0]
    return next((tensor for tensor in tensors if tensor.dtype not in ("int32", "int64")), None)


GPU = "gpu"
"""What cores, kernels and delegate are called where a GPU has all of a file."""
DELEGATES: Mapping[str, Delegate] = {
    "xnnpack": Delegate(
        name="XNNPACK",
        source="the delegate of LiteRT 2.3.0, asked op by op and type by type; that of 2.14 took no integers",
        judge=_judge_xnnpack,
    ),
    GPU: Delegate(
        name="the GPU delegate",
        source="LiteRT's sources of 2025 (delegates/gpu/common/model_builder.cc), by op, type and rank; what "
        "else an op says is not looked at",
        judge=_judge_gpu,
    ),
}
"""Delegates whose ops are documented or were tried. NNAPI is left out: Android 15 gave it up."""
