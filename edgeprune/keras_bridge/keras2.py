"""Configs written by Keras 2, put into the words of Keras 3.

Each translation is a function on the config of one layer, found by the layer's class, or on a whole model.
Weights need none: both versions read those of an `.h5` file in the order of the layers.
"""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

from edgeprune.errors import ModelError

Config = dict[str, Any]

# Keras 2 inherited these keys from Conv2D without using them; Keras 3 refuses them. The value is the one
# that means nothing.
IDLE_KEYS: dict[str, dict[str, Any]] = {
    "DepthwiseConv2D": {"groups": 1},
    "SeparableConv1D": {
        "groups": 1,
        "kernel_initializer": ...,
        "kernel_regularizer": None,
        "kernel_constraint": None,
    },
    "SeparableConv2D": {
        "groups": 1,
        "kernel_initializer": ...,
        "kernel_regularizer": None,
        "kernel_constraint": None,
    },
    "Conv2DTranspose": {"groups": 1},
    "Conv1DTranspose": {"groups": 1},
}
"""Layer class → key → the value at which it may be dropped; `...` where any value may."""

OPERATORS = {
    "__operators__.add": "Add",
    "math.add": "Add",
    "__operators__.mul": "Multiply",
    "math.multiply": "Multiply",
    "__operators__.sub": "Subtract",
    "math.subtract": "Subtract",
}
"""Function of a TFOpLambda on two tensors → the Keras 3 layer that does the same."""


def translate_model(config: Config, *, where: str) -> Config:
    """The config of a Functional or Sequential model as Keras 3 reads it; the original is left alone.

    Args:
        config: `{"class_name": ..., "config": {"name": ..., "layers": [...], ...}}`, from either version.
        where: the file, for messages.

    Raises:
        ModelError: an operation of Keras 2 that has no translation.
    """
    translated = deepcopy(config)
    _translate(translated, where=where)
    return translated


def _translate(config: Config, *, where: str) -> None:
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or not isinstance(layers, list):
        return
    if not all(isinstance(layer, dict) and isinstance(layer.get("config"), dict) for layer in layers):
        raise ModelError("its config lists a layer without a config", where=where, fix="save it again")
    for layer in layers:
        _translate(layer, where=where)
        _drop_idle_keys(layer)
        wrapped = layer["config"].get("layer")
        if isinstance(wrapped, dict) and isinstance(wrapped.get("config"), dict):
            _drop_idle_keys(wrapped)
        if layer.get("class_name") == "TFOpLambda":
            _replace_operator(layer, where=where)
    _rename_layers(inner)


def _drop_idle_keys(layer: Config) -> None:
    for key, idle in IDLE_KEYS.get(str(layer.get("class_name")), {}).items():
        if key in layer["config"] and (idle is ... or layer["config"][key] == idle):
            del layer["config"][key]


def _replace_operator(layer: Config, *, where: str) -> None:
    """`x + y` on two tensors, saved as `[x, 0, 0, {"y": [y, 0, 0]}]`, as an Add layer of both."""
    function = layer["config"].get("function")
    kind = OPERATORS.get(str(function))
    calls = [_operands(call) for call in layer.get("inbound_nodes", [])]
    if kind is None or not all(calls):
        raise ModelError(
            f"layer '{layer.get('name')}' cannot be translated from Keras 2",
            where=where,
            why=f"it is the operation 'tf.{function}'",
            fix="use a Keras layer in its place and save again, or save from Keras 3",
        )
    layer["class_name"] = kind
    layer["config"] = {k: v for k, v in layer["config"].items() if k in ("name", "trainable", "dtype")}
    layer["inbound_nodes"] = calls


def _operands(call: Any) -> list[Any] | None:
    """Both operands in the form of a two-input layer, or None where one of them is no tensor."""
    match call:
        case [str() as name, int() as node, int() as tensor, {"y": [str(), int(), int()] as other}]:
            return [[name, node, tensor, {}], [*other, {}]]
    return None


def _rename_layers(model: Config) -> None:
    """Give every layer a name without `/`, which Keras 3 keeps for the paths of weights."""
    layers = model["layers"]
    taken = {_name(layer) for layer in layers}
    new_names: dict[str, str] = {}
    for old in sorted(name for name in taken if "/" in name):
        new = old.replace("/", "_")
        while new in taken:
            new += "_"
        taken.add(new)
        new_names[old] = new
    if isinstance(model.get("name"), str):
        model["name"] = model["name"].replace("/", "_")
    if not new_names:
        return
    for layer in layers:
        if (name := _name(layer)) in new_names:
            layer["config"]["name"] = new_names[name]
            if "name" in layer:
                layer["name"] = new_names[name]
    for owner in [*layers, model]:
        for key in ("inbound_nodes", "input_layers", "output_layers"):
            if key in owner:
                owner[key] = _map_names(owner[key], lambda name: new_names.get(name, name))


def _name(layer: Config) -> str:
    return str(layer.get("name", layer["config"].get("name", "")))


def _map_names(reference: Any, rename: Callable[[str], str]) -> Any:
    """References to tensors, `[layer name, node, tensor, ...]`, at any depth, with their layers renamed."""
    if isinstance(reference, dict):
        return {key: _map_names(value, rename) for key, value in reference.items()}
    if not isinstance(reference, list):
        return reference
    if len(reference) >= 3 and isinstance(reference[0], str) and isinstance(reference[1], int):
        return [rename(reference[0]), *(_map_names(value, rename) for value in reference[1:])]
    return [_map_names(value, rename) for value in reference]
