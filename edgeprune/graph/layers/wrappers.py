"""Layers around other layers: Bidirectional and TimeDistributed."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgeprune.graph.layergraph import Layer
from edgeprune.graph.layers.recurrent import (
    follow_cells,
    is_keras,
    list_cells,
    lower_cells,
    narrow,
    recurrent_widths,
    tie_initial_state,
    why_not_recurrent,
)
from edgeprune.graph.layers.rules import Call, Config, Flow, LayerRule, Resized, keep, rule, rule_for
from edgeprune.graph.opshape import OpShape, Shape


def _directions(config: Config) -> list[Config]:
    return [config["layer"], config["backward_layer"]]


def _why_not_bidirectional(config: Config, weight_shapes: Mapping[str, Shape]) -> str:
    if not config.get("backward_layer"):
        return "its config does not say what the backward layer is"
    for layer in _directions(config):
        if not is_keras(layer):
            return f"{layer['class_name']} is no layer of Keras"
        if reason := why_not_recurrent(layer["class_name"], layer["config"]):
            return reason
    widths = list(recurrent_widths(weight_shapes))
    if widths[: len(widths) // 2] != widths[len(widths) // 2 :]:
        # Keras takes the output to be twice as wide as the forward layer.
        return "its two directions differ in width"
    return ""


def _flow_bidirectional(call: Call) -> Flow:
    config = call.layer.config
    if reason := _why_not_bidirectional(config, {w: a.shape for w, a in call.layer.weights.items()}):
        return keep(call, reason)
    names = iter(call.layer.weights)
    forward, backward = (
        follow_cells(
            call,
            list_cells(layer["class_name"], layer["config"]),
            weights=names,
            name=f"{call.layer.name}{suffix}",
        )
        for layer, suffix in zip(_directions(config), ("", ":backward"), strict=True)
    )
    # Both must lose the same number of units, see above.
    for one, other in zip(forward.units, backward.units, strict=True):
        call.space.tie(one, other)
    states = (*forward.states, *backward.states)
    tie_initial_state(call, states)
    ends = (forward.units[-1], backward.units[-1])
    merged = {"concat": (np.concatenate(ends),), None: ends}.get(config["merge_mode"], ends[:1])
    return Flow(
        outputs=(*merged, *states)[: len(call.output_shapes)],
        axes={**forward.axes, **backward.axes},
        consumes=(*forward.consumes, *backward.consumes),
    )


def _resize_bidirectional(resized: Resized) -> Config:
    if resized.weight_shapes == resized.old_weight_shapes:
        return {}
    widths = recurrent_widths(resized.weight_shapes)
    forward, backward = (narrow(layer, widths) for layer in _directions(resized.config))
    return {"layer": forward, "backward_layer": backward}


def _lower_bidirectional(resized: Resized) -> tuple[OpShape, ...]:
    if _why_not_bidirectional(resized.config, resized.weight_shapes):
        return ()
    names = iter(resized.weight_shapes)
    return tuple(
        op
        for layer in _directions(resized.config)
        for op in lower_cells(resized, list_cells(layer["class_name"], layer["config"]), names)
    )


def _why_not_distributed(inner: Config) -> str:
    kind = inner["class_name"]
    if "layers" in inner["config"]:
        return f"TimeDistributed around a whole model ('{inner['config'].get('name')}')"
    if not is_keras(inner):
        return f"TimeDistributed around {kind}, which is no layer of Keras"
    found = rule_for(kind)
    if found.reads_values or found.status == "kept":
        return f"TimeDistributed around {kind}"
    return ""


def _flow_distributed(call: Call) -> Flow:
    inner = call.layer.config["layer"]
    if reason := _why_not_distributed(inner):
        return keep(call, reason)
    for ids in call.inputs[1:]:
        call.space.freeze(ids, f"read as a mask (layer '{call.layer.name}')")
    step = Call(
        layer=Layer(
            name=call.layer.name,
            kind=inner["class_name"],
            config=inner["config"],
            weights=call.layer.weights,
        ),
        inputs=call.inputs[:1],
        inner=(call.inner[0][1:],),
        arguments={},
        input_shapes=(call.input_shapes[0][1:],),
        output_shapes=(call.output_shapes[0][1:],),
        space=call.space,
    )
    flow = rule_for(step.layer.kind).flow(step)
    if flow.inner is None:
        return flow
    return replace(flow, inner=tuple((call.inner[0][0], *along) for along in flow.inner))


def _inside(resized: Resized) -> Resized:
    """One step of a TimeDistributed layer."""
    inner = resized.config["layer"]
    return replace(
        resized,
        kind=inner["class_name"],
        config=inner["config"],
        input_shapes=tuple(shape[1:] for shape in resized.input_shapes[:1]),
        output_shapes=tuple(shape[1:] for shape in resized.output_shapes),
    )


def _resize_distributed(resized: Resized) -> Config:
    inner = resized.config["layer"]
    if _why_not_distributed(inner):
        return {}
    changed = rule_for(inner["class_name"]).resize(_inside(resized))
    serialised = {key: value for key, value in inner.items() if key != "build_config"}
    return {"layer": {**serialised, "config": {**inner["config"], **changed}}}


def _lower_distributed(resized: Resized) -> tuple[OpShape, ...]:
    inner = resized.config["layer"]
    if _why_not_distributed(inner):
        return ()
    steps = resized.input_shapes[0][0] or 1
    return tuple(
        replace(
            op, inputs=tuple(_repeat(shape, steps) for shape in op.inputs), output=_repeat(op.output, steps)
        )
        for op in rule_for(inner["class_name"]).lower(_inside(resized))
    )


def _repeat(shape: Shape, steps: int) -> Shape:
    """The shape of a batch of steps: all of them go through the op at once."""
    return (steps * shape[0], *shape[1:])


rule(
    LayerRule(
        kind="Bidirectional",
        status="prunable",
        flow=_flow_bidirectional,
        resize=_resize_bidirectional,
        lower=_lower_bidirectional,
    )
)
rule(
    LayerRule(
        kind="TimeDistributed",
        status="prunable",
        flow=_flow_distributed,
        resize=_resize_distributed,
        rescale=lambda resized: (
            {}
            if _why_not_distributed(resized.config["layer"])
            else rule_for(resized.config["layer"]["class_name"]).rescale(_inside(resized))
        ),
        lower=_lower_distributed,
    )
)
