"""Single layers of Keras 2: their configs in the words of Keras 3, and their weights where those differ.

Initialisers are dropped, because the weights come from the file.
"""

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops
from keras.src.utils.python_utils import func_load

from edgeprune.errors import ModelError
from edgeprune.graph.layergraph import Array

Config = dict[str, Any]
Arrays = list[Array]
Adapt = Callable[[Arrays], Arrays]

RENAMED = {
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "CuDNNGRU": "GRU",
    "CuDNNLSTM": "LSTM",
    "GRUV2": "GRU",
    "LSTMV2": "LSTM",
    "RandomHeight": "Identity",
    "RandomWidth": "Identity",
    "SyncBatchNormalization": "BatchNormalization",
}
"""Class of Keras 2 → the Keras 3 class that does the same in inference."""

ACTIVATIONS = {
    "relu_v2": "relu",
    "softmax_v2": "softmax",
    "log_softmax_v2": "log_softmax",
    "leaky_relu_v2": "leaky_relu",
    "swish_v1": "silu",
    "hard_swish": "hard_silu",
}
"""Names under which Keras 2 filed TensorFlow's own functions."""

# Keys that say nothing of what a layer computes.
IDLE_KEYS = (
    *(
        "batch_input_shape",
        "batch_size",
        "input_dtype",
        "input_shape",
        "input_dim",
        "input_length",
        "weights",
    ),
    *(
        "implementation",
        "fused",
        "autocast",
        "experimental_autocast",
        "build_input_shape",
        "is_graph_network",
    ),
    *("query_shape", "key_shape", "value_shape", "kernel_regularizer", "kernel_constraint", "synchronized"),
    "rng_type",
)
# Keys that Keras 3 has no more, with the value at which they say nothing.
IDLE_VALUES: dict[str, Any] = {
    "groups": 1,
    "ragged": False,
    "sparse": False,
    "time_major": False,
    "renorm": False,
}

GATES: dict[str, tuple[int, ...]] = {
    **dict.fromkeys(("LSTM", "LSTMCell", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D"), (1, 1, 0, 1)),
    **dict.fromkeys(("GRU", "GRUCell"), (1, 1, 0)),
}
"""Recurrent layer → for each of its gates whether the recurrent activation is applied to it."""

HARD_SIGMOID_SLOPES = 1.2
"""hard_sigmoid is clip(0.2 x + 0.5) in Keras 2 and clip(x / 6 + 0.5) in Keras 3: the ratio of the slopes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class MadeLayer:
    """A layer of Keras 3 in the place of one of Keras 2.

    Attributes:
        call: the layer, or a function of Keras tensors that does what it did.
        class_name: its class in the file.
        adapt: what to do with its weights, in the order in which both versions list them.
        inner: the model that it wraps, whose weights are then all it has; None for most.
    """

    call: Any
    class_name: str
    adapt: Adapt = list
    inner: Any = None


def make_layer(class_name: str, config: Config, *, custom: Mapping[str, Any], where: str) -> MadeLayer:
    """The Keras 3 layer for a Keras 2 config; not for wrappers, whose inner layers must be made first.

    Args:
        class_name: as the file has it.
        config: as the file has it; not changed.
        custom: classes and functions that the user gave, by name.
        where: the file, for messages.

    Raises:
        ModelError: the class, or one of its arguments, has no counterpart.
    """
    if class_name in ("Activation", "ThresholdedReLU") and (function := _as_function(class_name, config)):
        return MadeLayer(call=function, class_name=class_name)
    try:
        if class_name == "Lambda":
            layer = _make_lambda(config, custom=custom)
        else:
            cls, cleaned = modernise(class_name, config, custom=custom, where=where)
            layer = cls.from_config(cleaned)
        layer.trainable = bool(config.get("trainable", True))
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        raise _refuse(class_name, config, where, " ".join(str(error).split())[:200]) from error
    return MadeLayer(call=layer, class_name=class_name, adapt=choose_adapter(class_name, config, where=where))


def _make_lambda(config: Config, *, custom: Mapping[str, Any]) -> Any:
    """A layer that runs code of the file; `load.py` lets only those of trusted files come this far."""
    function = config["function"]
    if isinstance(function, list):
        code, defaults, closure = function
        function = func_load(code, defaults=tuple(defaults) if defaults else None, closure=closure)
    else:
        function = custom.get(function) or keras.activations.get(function)
    arguments = config.get("arguments") or {}
    return keras.layers.Lambda(function, arguments=arguments, name=config.get("name"))


def modernise(
    class_name: str, config: Config, *, custom: Mapping[str, Any], where: str
) -> tuple[Any, dict[str, Any]]:
    """The Keras 3 class and its config. Raises ModelError."""
    cls = find_class(class_name, custom=custom, where=where, owner=str(config.get("name", "")))
    if cls in custom.values():
        return cls, dict(config)
    cleaned: Config = {}
    known = _accepted(cls)
    for key, value in config.items():
        if key == "dtype":
            cleaned |= _clean_dtype(value)
        elif key.endswith("initializer") or (key in IDLE_KEYS and key not in known):
            continue
        elif key not in known and key != "trainable":
            if value not in (None, False) and IDLE_VALUES.get(key, ...) != value:
                raise _refuse(class_name, config, where, f"Keras 3 has no '{key}', here {repr(value)[:100]}")
        elif key.endswith("activation"):
            cleaned[key] = clean_activation(value, custom=custom)
        elif key.endswith(("regularizer", "constraint")):
            cleaned[key] = _keep_if_known(key, value)
        elif key in ("cell", "cells"):
            cleaned[key] = _clean_cells(value, custom=custom, where=where)
        elif key not in known:
            continue
        elif key == "axis" and isinstance(value, list) and len(value) == 1:
            cleaned[key] = int(value[0])
        else:
            cleaned[key] = value
    if class_name in ("GRU", "GRUCell"):
        cleaned.setdefault("reset_after", False)  # files of before it existed
    if "distribution" in cleaned and class_name == "Normalization":
        cleaned.pop("distribution")
    return cls, cleaned


def find_class(class_name: str, *, custom: Mapping[str, Any], where: str, owner: str) -> Any:
    """The layer class of that name. Raises ModelError."""
    plain = class_name.rpartition(">")[2]
    for name in (class_name, plain):
        if name in custom:
            return custom[name]
    found = getattr(keras.layers, RENAMED.get(plain, plain), None)
    if isinstance(found, type) and issubclass(found, keras.layers.Layer):
        return found
    raise ModelError(
        f"layer '{owner}' is of the class '{class_name}', which Keras {keras.__version__} does not have",
        where=where,
        fix="give it with --custom module:Class, or build that part from Keras layers and save again",
    )


def _accepted(cls: type) -> set[str]:
    """The keys that a class takes, with those of the classes it hands the rest to."""
    names: set[str] = set()
    for base in cls.__mro__:
        if "__init__" not in vars(base):
            continue
        parameters = inspect.signature(base.__init__).parameters.values()  # type: ignore[misc]
        names |= {p.name for p in parameters if p.kind is not inspect.Parameter.VAR_KEYWORD}
        if not any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters):
            break
    if issubclass(cls, keras.layers.LeakyReLU):
        names.add("alpha")
    return names - {"self", "kwargs"}


def _clean_dtype(value: Any) -> Config:
    """A policy by its name; Keras 2 filed it as an object, and "infer" where it took that of its input."""
    while isinstance(value, dict):
        value = value.get("config", {}).get("name")
    return {"dtype": value} if value and not str(value).endswith("infer") else {}


def clean_activation(value: Any, *, custom: Mapping[str, Any]) -> Any:
    """The name of an activation, or a layer that is one."""
    if isinstance(value, dict):
        inner = value.get("config")
        if isinstance(inner, str):
            value = inner
        else:
            made = make_layer(str(value.get("class_name")), dict(inner or {}), custom=custom, where="")
            return made.call
    if isinstance(value, str):
        value = ACTIVATIONS.get(value, value)
        return custom.get(value, value)
    return value


def _keep_if_known(key: str, value: Any) -> Any:
    """A regulariser or constraint; only training is without one that Keras 3 does not know."""
    get = keras.regularizers.get if key.endswith("regularizer") else keras.constraints.get
    try:
        return get(value)
    except (ValueError, TypeError, LookupError):
        return None


def _clean_cells(value: Any, *, custom: Mapping[str, Any], where: str) -> Any:
    if isinstance(value, list):
        return [_clean_cells(cell, custom=custom, where=where) for cell in value]
    cls, config = modernise(value["class_name"], value["config"], custom=custom, where=where)
    return keras.saving.serialize_keras_object(cls.from_config(config))


def _as_function(class_name: str, config: Config) -> Callable[[Any], Any] | None:
    if class_name == "ThresholdedReLU":
        theta = float(config.get("theta", 1.0))
        return lambda x: x * ops.cast(x > theta, x.dtype)
    if config.get("activation") == "hard_sigmoid":
        return lambda x: ops.clip(0.2 * x + 0.5, 0.0, 1.0)
    return None


def choose_adapter(class_name: str, config: Config, *, where: str) -> Adapt:
    """What makes weights of Keras 2 those of the Keras 3 layer. Raises ModelError."""
    plain = class_name.rpartition(">")[2]
    if plain in ("CuDNNLSTM", "CuDNNGRU"):
        return _from_cudnn
    if plain in ("RNN", "StackedRNNCells"):
        cells = config.get("cells") or [config["cell"]]
        adapters = [choose_adapter(c["class_name"], c["config"], where=where) for c in cells]
        return lambda arrays: _adapt_cells(arrays, adapters)
    gates = GATES.get(plain)
    if gates is None:
        if config.get("activation") == "hard_sigmoid":
            return _steepen
        return list
    if config.get("activation") == "hard_sigmoid":
        raise _refuse(class_name, config, where, "its cell's activation is the hard_sigmoid of Keras 2")
    if config.get("recurrent_activation") == "hard_sigmoid":
        return lambda arrays: [_steepen_gates(array, gates) for array in arrays]
    return list


def _adapt_cells(arrays: Sequence[Array], adapters: Sequence[Adapt]) -> Arrays:
    share = len(arrays) // len(adapters)
    adapted: Arrays = []
    for i, adapt in enumerate(adapters):
        adapted += adapt(list(arrays[i * share : (i + 1) * share]))
    return adapted


def _steepen(arrays: Arrays) -> Arrays:
    """Kernel and bias of a layer with one activation; the first of two kernels stands before the second."""
    first = 1 if sum(array.ndim > 1 for array in arrays) > 1 else 0
    return [*arrays[:first], *(array * HARD_SIGMOID_SLOPES for array in arrays[first:])]


def _steepen_gates(array: Array, gates: Sequence[int]) -> Array:
    slopes = np.repeat(np.where(gates, HARD_SIGMOID_SLOPES, 1.0), array.shape[-1] // len(gates))
    return np.multiply(array, slopes, dtype=array.dtype)


def _from_cudnn(arrays: Arrays) -> Arrays:
    """CuDNN's kernels lie transposed gate by gate, and it has two biases per gate."""
    kernel, recurrent, bias = arrays
    gates = kernel.shape[1] // recurrent.shape[0]
    split = [k.T.reshape(k.shape, order="F") for k in np.split(kernel, gates, axis=1)]
    kernel = np.concatenate(split, axis=1)
    recurrent = np.concatenate([k.T for k in np.split(recurrent, gates, axis=1)], axis=1)
    halves = bias.reshape(2, -1)
    return [kernel, recurrent, halves.sum(axis=0) if gates == 4 else halves]


def _refuse(class_name: str, config: Config, where: str, why: str) -> ModelError:
    return ModelError(
        f"layer '{config.get('name', '')}' ({class_name}) cannot be translated from Keras 2",
        where=where,
        why=why,
        fix="build that part from layers of Keras 3 and save again",
    )
