"""What each Keras layer kind does to channels: one `LayerRule` record per kind.

To add a layer kind, add one record to a module of `edgeprune/graph/layers/` and one example to
`tests/graph/examples.py`.

A rule has up to three functions:

    flow(call)               how channel ids pass from inputs to outputs, and where they lie on the weights
    resize(config, shapes)   the layer's config once channels are gone
    lower(call shapes)       the TFLite ops the layer becomes, for the cost model
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from edgeprune.graph.channels import Call, Flow
from edgeprune.graph.opshape import OpShape, Shape
from edgeprune.registry import Registry

Config = Mapping[str, Any]
Status = Literal["prunable", "transparent", "kept"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Resized:
    """What `resize` and `lower` see of a layer after channels are gone.

    Attributes:
        name, kind, config: of the layer, as before.
        weight_shapes: weight name → its shape now.
        input_shapes, output_shapes: of the call, without batch, as they are now.
    """

    name: str
    kind: str
    config: Config
    weight_shapes: Mapping[str, Shape]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerRule:
    """All that edgeprune knows of one layer kind.

    Attributes:
        kind: the Keras class name.
        status: `prunable` layers make channels that can go, `transparent` ones pass them on, `kept` ones are
            left as they are, with everything that touches them.
        flow: how ids pass through.
        resize: the config entries that change; none for most layers.
        lower: the int8 TFLite ops it becomes; empty where the converter drops or fuses it.
        note: for `kept` layers the reason.
    """

    kind: str
    status: Status
    flow: Callable[[Call], Flow]
    resize: Callable[[Resized], Config] = lambda resized: {}
    lower: Callable[[Resized], tuple[OpShape, ...]] = lambda resized: ()
    note: str = ""


RULES: Registry[LayerRule] = Registry("layer kind", listing="edgeprune list layers")


def rule(record: LayerRule) -> LayerRule:
    """The record, now in the registry."""
    return RULES.add(record.kind, record)


def rule_for(kind: str) -> LayerRule:
    """The rule of a layer kind; layers without one are kept as they are."""
    import edgeprune.graph.layers  # noqa: F401  (fills the registry)

    if kind in RULES:
        return RULES[kind]
    reason = f"edgeprune has no rule for {kind} layers"
    return LayerRule(kind=kind, status="kept", flow=lambda call: keep(call, reason), note=reason)


def keep(call: Call, reason: str) -> Flow:
    """A flow that freezes all channels in and out of the layer."""
    for ids in call.inputs:
        call.space.freeze(ids, f"{reason} (layer '{call.layer.name}')")
    outputs = tuple(
        call.space.fresh(int(shape[-1]) if shape and shape[-1] else 1, name=call.layer.name)
        for shape in call.output_shapes
    )
    for ids in outputs:
        call.space.freeze(ids, f"{reason} (layer '{call.layer.name}')")
    axes = {name: (None,) * np.ndim(w) for name, w in call.layer.weights.items()}
    return Flow(outputs=outputs, axes=axes, kept_reason=reason)


def one_op(resized: Resized, op: str, *, window: tuple[int, int] = (1, 1)) -> tuple[OpShape, ...]:
    """A single op from all inputs of a layer to its output."""
    inputs = tuple((1, *shape) for shape in resized.input_shapes)
    output = (1, *resized.output_shapes[0])
    return (OpShape(op=op, name=resized.name, inputs=inputs, output=output, window=window),)
