"""SpectralNormalization: in inference the layer it wraps, and a vector as long as that one has channels."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from edgeprune.graph.layergraph import Layer
from edgeprune.graph.layers.rules import Call, Config, Flow, LayerRule, Resized, rule, rule_for
from edgeprune.graph.opshape import OpShape

_VECTOR = "vector_u"


def _flow(call: Call) -> Flow:
    wrapped = call.layer.config["layer"]
    weights = {name: array for name, array in call.layer.weights.items() if name != _VECTOR}
    inside = Layer(name=call.layer.name, kind=_kind(wrapped), config=wrapped["config"], weights=weights)
    flow = rule_for(inside.kind).flow(replace(call, layer=inside))
    along = next((flow.axes[name] for name in ("kernel", "embeddings") if name in flow.axes), (None,))
    return replace(flow, axes={**flow.axes, _VECTOR: (None, along[-1])})


def _resize(resized: Resized) -> Config:
    wrapped = resized.config["layer"]
    changed = rule_for(_kind(wrapped)).resize(_inside(resized))
    # "build_config" holds the shape it was built for.
    kept = {key: value for key, value in wrapped.items() if key != "build_config"}
    return {"layer": {**kept, "config": {**wrapped["config"], **changed}}}


def _lower(resized: Resized) -> tuple[OpShape, ...]:
    inside = _inside(resized)
    return rule_for(inside.kind).lower(inside)


def _inside(resized: Resized) -> Resized:
    wrapped = resized.config["layer"]
    return replace(resized, kind=_kind(wrapped), config=wrapped["config"])


def _kind(serialised: Mapping[str, Any]) -> str:
    name = str(serialised["class_name"])
    own = serialised.get("module") == "keras.layers"
    return name if own else f"{serialised.get('module')}.{name}"


rule(LayerRule(kind="SpectralNormalization", status="prunable", flow=_flow, resize=_resize, lower=_lower))
