"""Operations of `keras.ops` that compute element by element, or that work like a layer.

`x + y` on two Keras tensors, `x * 2.0`, `keras.ops.relu(x)`: each is an operation of the kind "ops.Add",
"ops.Multiply", "ops.Relu". An array among the operands with one value per channel is pruned with them.
"""

from collections.abc import Callable

from edgeprune.graph.arguments import find_arrays
from edgeprune.graph.channel_ids import Ids
from edgeprune.graph.layers.merging import flow_elementwise
from edgeprune.graph.layers.rules import Call, Flow, LayerRule, Resized, keep, one_op, pass_on, rule
from edgeprune.graph.opshape import OpShape

# Functions of one tensor → the TFLite op; "" where the converter fuses or drops it.
UNARY = {
    "Absolute": "ABS",
    "Cast": "CAST",
    "Ceil": "CEIL",
    "Celu": "ELU",
    "Clip": "MINIMUM",
    "ConvertToTensor": "",
    "Copy": "",
    "Cos": "COS",
    "Elu": "ELU",
    "Erf": "EXP",
    "Exp": "EXP",
    "Expm1": "EXP",
    "Floor": "FLOOR",
    "Gelu": "GELU",
    "HardSigmoid": "MUL",
    "HardSilu": "HARD_SWISH",
    "HardTanh": "MINIMUM",
    "LeakyRelu": "LEAKY_RELU",
    "LogSigmoid": "LOGISTIC",
    "LogicalNot": "LOGICAL_NOT",
    "Negative": "NEG",
    "Relu": "",
    "Relu6": "",
    "Round": "ROUND",
    "SaturateCast": "CAST",
    "Selu": "ELU",
    "Sigmoid": "LOGISTIC",
    "Sign": "SIGN",
    "Silu": "LOGISTIC",
    "Sin": "SIN",
    "SoftShrink": "SUB",
    "Softplus": "EXP",
    "Softsign": "DIV",
    "Sqrt": "SQRT",
    "Square": "SQUARE",
    "StopGradient": "",
    "Tanh": "TANH",
    "TanhShrink": "TANH",
}
# Likewise, where zero may give infinity or no number.
UNDEFINED_AT_ZERO = {
    "Log": "LOG",
    "Log10": "LOG",
    "Log1p": "LOG",
    "Log2": "LOG",
    "Reciprocal": "DIV",
    "Rsqrt": "RSQRT",
}
# Functions of several tensors that are broadcast against one another.
BROADCASTING = {
    "Add": "ADD",
    "Equal": "EQUAL",
    "Greater": "GREATER",
    "GreaterEqual": "GREATER_EQUAL",
    "Less": "LESS",
    "LessEqual": "LESS_EQUAL",
    "LogicalAnd": "LOGICAL_AND",
    "LogicalOr": "LOGICAL_OR",
    "Maximum": "MAXIMUM",
    "Minimum": "MINIMUM",
    "Multiply": "MUL",
    "NotEqual": "NOT_EQUAL",
    "Subtract": "SUB",
    "Where": "SELECT_V2",
}
DIVIDING = {
    "Divide": "DIV",
    "DivideNoNan": "DIV",
    "FloorDivide": "FLOOR_DIV",
    "Mod": "FLOOR_MOD",
    "Power": "POW",
    "TrueDivide": "DIV",
}


def flow_broadcast(call: Call) -> Flow:
    """Operands are broadcast against one another as in numpy; arrays among them follow what they meet."""
    if len({len(shape) for shape in call.input_shapes}) > 1:
        return keep(call, "tensors of different rank meet")
    flow = flow_elementwise(call)
    assert flow.inner is not None
    made = (*flow.inner[0], *flow.outputs)
    axes: dict[str, tuple[Ids | None, ...]] = {}
    for path, array in find_arrays(call.arguments).items():
        if array.ndim > len(made) + 1 or (array.ndim == len(made) + 1 and array.shape[0] != 1):
            return keep(call, f"its argument '{path}' has a batch of its own")
        along = (None, *made)[len(made) + 1 - array.ndim :]
        axes[path] = tuple(ids if n > 1 else None for ids, n in zip(along, array.shape, strict=True))
    return Flow(outputs=flow.outputs, inner=flow.inner, arguments=axes)


def _flow_softmax(call: Call) -> Flow:
    """Channels that are mixed with one another stay; softmax over other axes passes them on."""
    mixed = axes_of(call, call.layer.config.get("axis", -1))
    if mixed is None:
        return keep(call, f"{call.layer.kind} mixes samples")
    freeze_along(call, mixed, f"{call.layer.kind} mixes channels")
    return pass_on(call)


def _flow_normalize(call: Call) -> Flow:
    if axes_of(call, call.layer.config.get("axis", -1)) is None or call.layer.config.get("order", 2) < 1:
        return keep(call, f"{call.layer.kind} of this axis or order is not followed")
    return pass_on(call)


def _flow_image(call: Call) -> Flow:
    """Pooling and resizing: height and width change, channels are passed on."""
    if call.layer.config.get("data_format") not in (None, "channels_last"):
        return keep(call, "data_format channels_first is not supported")
    return Flow(outputs=call.inputs[:1])


def axes_of(call: Call, axis: object) -> tuple[int, ...] | None:
    """Axes of the first input, counted from 0 without the batch; None where the batch is among them."""
    rank = len(call.input_shapes[0]) + 1
    given = range(rank) if axis is None else [axis] if isinstance(axis, int) else axis
    found = tuple(sorted(int(a) % rank - 1 for a in given))  # type: ignore[attr-defined]
    return None if -1 in found else found


def along(call: Call, number: int = 0) -> list[Ids | None]:
    """Ids along each axis of an input, batch left out; empty for one value per sample."""
    return [*call.inner[number], call.inputs[number]] if call.input_shapes[number] else []


def freeze_along(call: Call, axes: tuple[int, ...], reason: str) -> None:
    """The channels that lie along these axes of the first input stay."""
    ids = along(call)
    for axis in axes:
        lying = ids[axis]
        if lying is not None:
            call.space.freeze(lying, f"{reason} (layer '{call.layer.name}')")


def lower_to(op: str) -> Callable[[Resized], tuple[OpShape, ...]]:
    """A function that lowers an operation to one TFLite op; to none where the name is empty."""
    return (lambda resized: one_op(resized, op)) if op else (lambda resized: ())


def follow(kind: str, flow: Callable[[Call], Flow], op: str, *, undefined: bool = False) -> None:
    """Adds the record of an operation that passes channels on."""
    rule(
        LayerRule(
            kind=f"ops.{kind}",
            status="transparent",
            flow=flow,
            zero_is_undefined=undefined,
            lower=lower_to(op),
        )
    )


for _kind, _op in UNARY.items():
    follow(_kind, pass_on, _op)
for _kind, _op in UNDEFINED_AT_ZERO.items():
    follow(_kind, pass_on, _op, undefined=True)
for _kind, _op in BROADCASTING.items():
    follow(_kind, flow_broadcast, _op)
for _kind, _op in DIVIDING.items():
    follow(_kind, flow_broadcast, _op, undefined=True)
for _kind, _op in (("Softmax", "SOFTMAX"), ("LogSoftmax", "LOG_SOFTMAX")):
    follow(_kind, _flow_softmax, _op)
for _kind, _op in (
    ("AveragePool", "AVERAGE_POOL_2D"),
    ("MaxPool", "MAX_POOL_2D"),
    ("Resize", "RESIZE_BILINEAR"),
):
    follow(_kind, _flow_image, _op)
rule(
    LayerRule(
        kind="ops.Normalize",
        status="transparent",
        flow=_flow_normalize,
        reads_values=True,
        lower=lower_to("L2_NORMALIZATION"),
    )
)
