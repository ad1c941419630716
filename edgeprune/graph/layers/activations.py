"""Activation layers, and the activations that other layers carry in their config."""

from typing import Any

from edgeprune.graph.channel_ids import Ids
from edgeprune.graph.layers.rules import Call, Flow, LayerRule, Resized, keep, one_op, pass_on, rule
from edgeprune.graph.opshape import OpShape

# TFLite op of each element-wise activation; None where the converter fuses it into the op before.
ELEMENTWISE: dict[str, str | None] = {
    "linear": None,
    "relu": None,
    "relu6": None,
    "leaky_relu": "LEAKY_RELU",
    "elu": "ELU",
    "selu": "ELU",
    "celu": "ELU",
    "gelu": "GELU",
    "silu": "LOGISTIC",
    "swish": "LOGISTIC",
    "hard_silu": "HARD_SWISH",
    "hard_swish": "HARD_SWISH",
    "hard_sigmoid": "MUL",
    "sigmoid": "LOGISTIC",
    "log_sigmoid": "LOGISTIC",
    "tanh": "TANH",
    "hard_tanh": "TANH",
    "tanh_shrink": "TANH",
    "softplus": "EXP",
    "softsign": "DIV",
    "exponential": "EXP",
    "exp": "EXP",
    "mish": "TANH",
    "squareplus": "SQRT",
    "soft_shrink": "SUB",
    "hard_shrink": "MUL",
    "threshold": "MUL",
    "sparse_plus": "MUL",
    "sparse_sigmoid": "MUL",
}
# Activations that let one channel's value depend on another's.
MIXING = ("softmax", "log_softmax", "sparsemax", "glu")


def activation_name(config: Any) -> str:
    """The name of an activation as it stands in a config: a string, a serialised function or None."""
    value = config.get("activation", "linear") if hasattr(config, "get") else config
    if isinstance(value, dict):
        inner = value.get("config", {})
        value = inner if isinstance(inner, str) else value.get("class_name", "unknown")
        value = {"ReLU": "relu", "LeakyReLU": "leaky_relu", "Softmax": "softmax"}.get(value, value)
    return "linear" if value is None else str(value)


def guard_activation(call: Call, ids: Ids) -> None:
    """Freezes the output channels of a layer whose own activation mixes them or is not known."""
    name = activation_name(call.layer.config)
    if name in MIXING:
        call.space.freeze(ids, f"{name} mixes channels (layer '{call.layer.name}')")
    elif name not in ELEMENTWISE:
        call.space.freeze(
            ids, f"activation '{name}' is not known to be element-wise (layer '{call.layer.name}')"
        )


def lower_activation(resized: Resized, name: str) -> tuple[OpShape, ...]:
    """The op of an activation that is not fused into the op before it."""
    shape = (1, *resized.output_shapes[0])
    op = "SOFTMAX" if name == "softmax" else "LOG_SOFTMAX" if name == "log_softmax" else ELEMENTWISE.get(name)
    if op is None:
        return ()
    ops = [OpShape(op=op, name=resized.name, inputs=(shape,), output=shape)]
    if name in ("silu", "swish", "mish"):
        ops.append(OpShape(op="MUL", name=resized.name, inputs=(shape, shape), output=shape))
    return tuple(ops)


def _flow_activation(call: Call) -> Flow:
    name = activation_name(call.layer.config)
    if name in MIXING:
        return keep(call, f"{name} mixes channels")
    if name not in ELEMENTWISE:
        return keep(call, f"activation '{name}' is not known to be element-wise")
    return pass_on(call)


def _flow_softmax(call: Call) -> Flow:
    axis = call.layer.config.get("axis", -1)
    rank = len(call.output_shapes[0]) + 1
    axes = [axis] if isinstance(axis, int) else list(axis)
    if any(a in (-1, rank - 1) for a in axes):
        return keep(call, "softmax mixes channels")
    for i, ids in enumerate(call.inner[0], start=1):
        if ids is not None and (i in axes or i - rank in axes):
            call.space.freeze(ids, f"softmax mixes channels (layer '{call.layer.name}')")
    return pass_on(call)


def _flow_prelu(call: Call) -> Flow:
    alpha = call.layer.weights["alpha"]
    along = (*call.inner[0], call.inputs[0])
    return pass_on(
        call, {"alpha": tuple(ids if n > 1 else None for n, ids in zip(alpha.shape, along, strict=True))}
    )


rule(
    LayerRule(
        kind="Activation",
        status="transparent",
        flow=_flow_activation,
        lower=lambda resized: lower_activation(resized, activation_name(resized.config)),
    )
)
rule(
    LayerRule(
        kind="Softmax",
        status="kept",
        flow=_flow_softmax,
        lower=lambda resized: lower_activation(resized, "softmax"),
        note="softmax over the last axis mixes channels; over other axes it passes them on",
    )
)
rule(
    LayerRule(
        kind="PReLU",
        status="transparent",
        flow=_flow_prelu,
        lower=lambda resized: one_op(resized, "PRELU"),
    )
)
for _kind, _name in (("ReLU", "relu"), ("LeakyReLU", "leaky_relu"), ("ELU", "elu")):
    rule(
        LayerRule(
            kind=_kind,
            status="transparent",
            flow=pass_on,
            lower=lambda resized, name=_name: lower_activation(resized, name),  # type: ignore[misc]
        )
    )
