"""What a Keras model says about itself: how it was compiled, and what its last activation is."""

import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import keras

from edgeprune.keras_bridge.training.metrics import find_metric


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiled:
    """How a model was compiled.

    Attributes:
        loss: of its one output, a function or `keras.losses.Loss`; None if it was not compiled, or has
            several outputs.
        metrics: those that edgeprune has, by their names in `METRICS`, in the order they were given.
    """

    loss: Any
    metrics: tuple[str, ...]


def read_compiled(model: keras.Model) -> Compiled:
    """How the model was compiled."""
    if not getattr(model, "compiled", False):
        return Compiled(loss=None, metrics=())
    loss = model.loss
    while isinstance(loss, list | tuple | dict) and len(loss) == 1:
        loss = next(iter(loss.values() if isinstance(loss, dict) else loss))
    if isinstance(loss, list | tuple | dict):
        loss = None
    if isinstance(loss, str):
        loss = keras.losses.get(loss)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of lambdas in what it serializes here
        config = model.get_compile_config() or {}
    found = []
    for name in _metric_names([config.get("metrics"), config.get("weighted_metrics")]):
        known = find_metric(name)
        if known is not None and known not in found:
            found.append(known)
    return Compiled(loss=loss, metrics=tuple(found))


def find_output_activation(model: keras.Model) -> str:
    """Keras's name of the activation that the first output comes out of; "linear" if there is none.

    Looks through layers that only change shapes, and into nested models.
    """
    tensor = model.outputs[0]
    while True:
        # `_keras_history` is how Keras itself walks a graph; it has no public name.
        layer, node_index, tensor_index = tensor._keras_history
        if isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
            tensor = layer.outputs[tensor_index]
        elif isinstance(layer, _TRANSPARENT):
            tensor = layer._inbound_nodes[node_index].input_tensors[0]
        elif isinstance(layer, keras.layers.Softmax):
            return "softmax"
        elif isinstance(layer, keras.layers.ReLU):
            return "relu"
        else:
            activation = getattr(layer, "activation", None)
            name = getattr(activation, "__name__", None) or type(layer).__name__.lower()
            # Operations such as keras.ops.softmax are layers of a class of that name.
            return name if activation is not None or name in ("softmax", "sigmoid") else "linear"


_TRANSPARENT = (
    keras.layers.Reshape,
    keras.layers.Flatten,
    keras.layers.Dropout,
    keras.layers.Identity,
    keras.layers.Permute,
)


def _metric_names(config: Any) -> Iterator[str]:
    """All names a serialized metric goes by, best known first."""
    if isinstance(config, str):
        yield config
    elif isinstance(config, list | tuple):
        for item in config:
            yield from _metric_names(item)
    elif isinstance(config, dict) and "class_name" in config:
        inner = config.get("config")
        yield re.sub(r"(?<=[a-z])(?=[A-Z])", "_", str(config["class_name"])).lower()
        if isinstance(inner, dict):
            yield from _metric_names([inner.get("fn"), inner.get("name")])
        else:
            yield from _metric_names(inner)
    elif isinstance(config, dict):
        yield from _metric_names(list(config.values()))
