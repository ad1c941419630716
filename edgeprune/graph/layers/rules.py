"""What each Keras layer kind does to channels: one `LayerRule` record per kind.

To add a layer kind, add one record to a module of this package and one example to `tests/graph/examples.py`.
`__init__.py` lists the modules.

A rule has up to five functions:

    flow(call)          how channel ids pass from inputs to outputs, and where they lie on the weights
    resize(resized)     the config entries that change once channels are gone
    rescale(resized)    factors on weights, where a constant of the layer depends on the number of channels
    readdress(resized)  the indices among a call's arguments that change
    lower(resized)      the TFLite ops the layer becomes, for the cost model
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from edgeprune.graph.channel_ids import Axes, ChannelSpace, Ids, Inner
from edgeprune.graph.layergraph import Layer
from edgeprune.graph.opshape import OpShape, Shape
from edgeprune.registry import Registry

Config = Mapping[str, Any]
Status = Literal["prunable", "transparent", "kept"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """What a rule says of one call of a layer.

    Attributes:
        outputs: ids along the last axis of each output.
        axes: weight name → ids along each axis, None where no channel lies.
        inner: ids along the other axes of each output, batch left out; None for a rule that does not follow
            inner axes, so that what lies there is frozen.
        consumes: the (weight name, axis) pairs that read the input's channels.
        arguments: path of an argument → ids along each axis of that array, None where no channel lies; of an
            argument that holds indices, the ids that it counts (all calls of a layer must agree on them).
        kept_reason: why this layer keeps the channels around it; "" if it does not.
    """

    outputs: tuple[Ids, ...]
    axes: Axes = field(default_factory=dict)
    inner: tuple[Inner, ...] | None = None
    consumes: tuple[tuple[str, int], ...] = ()
    arguments: Axes = field(default_factory=dict)
    kept_reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of a layer, as a rule sees it.

    Attributes:
        layer: the layer.
        inputs: ids along the last axis of each input; `FIXED` where no channel lies.
        inner: ids along the other axes of each input, None where no channel lies.
        arguments: of the call, by name; `Read(i)` stands for input i (see `Node`).
        input_shapes, output_shapes: without batch.
        space: where new ids come from and where ids are tied and frozen.
    """

    layer: Layer
    inputs: tuple[Ids, ...]
    inner: tuple[Inner, ...]
    arguments: Mapping[str, Any]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    space: ChannelSpace


@dataclass(frozen=True, kw_only=True, slots=True)
class Resized:
    """What `resize` and `lower` see of a layer after channels are gone.

    Attributes:
        name, kind, config: of the layer, as before.
        weight_shapes: weight name → its shape now.
        old_weight_shapes: weight name → its shape before.
        input_shapes, output_shapes: of the call, without batch, as they are now.
        arguments: of the call, as before; see `Node`.
        kept: for each input and each of its axes, batch left out, which slices stay; None where all do.
    """

    name: str
    kind: str
    config: Config
    weight_shapes: Mapping[str, Shape]
    old_weight_shapes: Mapping[str, Shape]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    kept: tuple[tuple[npt.NDArray[np.bool_] | None, ...], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class LayerRule:
    """All that edgeprune knows of one layer kind.

    Attributes:
        kind: the Keras class name.
        status: `prunable` layers make channels that can go, `transparent` ones pass them on, `kept` ones are
            left as they are, with everything that touches them.
        flow: how ids pass through.
        resize: the config entries that change; none for most layers.
        rescale: weight name → factor, so that the layer computes the same with fewer channels.
        readdress: path → the new value of an argument of the call that holds indices (a slice's key).
        zero_is_undefined: whether a channel of zeros may become infinite or no number (a division): then what
            is gone counts as zero behind the layer.
        reads_values: whether channels that are gone must be zeros in front of the layer for masking to mean
            removal: it sums over channels without weights of its own (a dot product, a norm).
        lower: the int8 TFLite ops it becomes; empty where the converter drops or fuses it.
        note: for `kept` layers the reason.
    """

    kind: str
    status: Status
    flow: Callable[[Call], Flow]
    resize: Callable[[Resized], Config] = lambda resized: {}
    rescale: Callable[[Resized], Mapping[str, float]] = lambda resized: {}
    readdress: Callable[[Resized], Mapping[str, Any]] = lambda resized: {}
    zero_is_undefined: bool = False
    reads_values: bool = False
    lower: Callable[[Resized], tuple[OpShape, ...]] = lambda resized: ()
    note: str = ""


RULES: Registry[LayerRule] = Registry("layer kind", listing="edgeprune list layers")


def rule(record: LayerRule) -> LayerRule:
    """The record, now in the registry."""
    return RULES.add(record.kind, record)


def rule_for(kind: str) -> LayerRule:
    """The rule of a layer kind; layers without one are kept as they are."""
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
    for along in call.inner:
        for lying in along:
            if lying is not None:
                call.space.freeze(lying, f"{reason} (layer '{call.layer.name}')")
    axes = {name: (None,) * np.ndim(w) for name, w in call.layer.weights.items()}
    inner: tuple[Inner, ...] = tuple((None,) * max(len(shape) - 1, 0) for shape in call.output_shapes)
    return Flow(outputs=outputs, axes=axes, inner=inner, kept_reason=reason)


def pass_on(call: Call, axes: Axes | None = None) -> Flow:
    """A flow that leaves all channels where they are: one input, one output of the same shape."""
    return Flow(outputs=call.inputs[:1], axes=axes or {}, inner=call.inner[:1])


def one_op(resized: Resized, op: str, *, window: tuple[int, int] = (1, 1)) -> tuple[OpShape, ...]:
    """A single op from all inputs of a layer to its output."""
    inputs = tuple((1, *shape) for shape in resized.input_shapes)
    output = (1, *resized.output_shapes[0])
    return (OpShape(op=op, name=resized.name, inputs=inputs, output=output, window=window),)
