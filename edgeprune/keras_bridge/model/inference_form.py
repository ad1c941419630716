"""The one form in which edgeprune sees a model: float32 throughout, whatever its dtype policies were.

Half precision and Keras's own quantization are ways to train and to serve; TFLite has kernels for neither,
and whatever is measured on weights needs their values. So the layers are made again with float32 in their
configs, and get the same values.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.errors import ModelError
from edgeprune.keras_bridge.model.calling import remake
from edgeprune.keras_bridge.model.constants import has_single_constant, joins, repeat_joined
from edgeprune.keras_bridge.model.dequantize import dequantize
from edgeprune.keras_bridge.model.weights import clone

_POLICY = {
    "module": "keras",
    "class_name": "DTypePolicy",
    "config": {"name": "float32"},
    "registered_name": None,
}
_LORA = ("lora_rank", "lora_alpha")
_FAILURES = (TypeError, ValueError, LookupError, AttributeError, NotImplementedError)
"""What layers raise that cannot be made from their configs."""


def to_inference_form(model: keras.Model, *, where: str) -> keras.Model:
    """The model with all its layers in float32: itself if they are, or a copy with the same values.

    Constants that are joined with the tensors of one sample are joined with those of any number.
    Names, trainable flags, shared layers and the structure of inputs and outputs stay. A copy is compiled
    with the same loss and metrics, and an optimizer of the same settings that starts afresh.

    Args:
        model: Functional or Sequential, built; it is not changed.
        where: the file, for messages.

    Raises:
        ModelError: a layer cannot be made again, or computes in another type whatever its policy says.
    """
    if find_other_float(model) is None and not _has_single_constants(model):
        return model
    pairs: dict[int, tuple[Any, Any]] = {}
    with _float32_policy(), keras.saving.custom_object_scope(_classes(model)):
        again = _clone(model, pairs, where=where)
        for old, new in pairs.values():
            if isinstance(old, keras.Layer) and not _has_graph(old):
                _copy_values(old, new, where=where)
        # Outer layers were made after those inside them, and a flag reaches all that are inside.
        again.trainable = model.trainable
        for old, new in reversed(pairs.values()):
            if isinstance(old, keras.Layer):
                _copy_flags(old, new)
        compile_alike(model, again)
    if (culprit := find_other_float(again)) is not None:
        raise ModelError(
            f"layer '{culprit}' computes in another type than float32 whatever its dtype policy says",
            where=where,
            fix="let it compute in self.compute_dtype, or build it for float32",
        )
    return again


def refuse_stateful(model: keras.Model, *, where: str) -> None:
    """Raises ModelError if a recurrent layer goes on where the call before ended."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional) and layer.stateful:
            raise ModelError(
                f"layer '{layer.name}' ({type(layer).__name__}) is stateful",
                where=where,
                why="its state goes on from one call to the next; neither batches of data nor .tflite files "
                "go with that",
                fix="set stateful=False in its config and give it the same weights; if the state must go on, "
                "make it an input (initial_state) and an output (return_state=True) of the model",
            )


def find_other_float(model: keras.Model) -> str | None:
    """The name of the first layer with other floats than float32, or quantized by Keras; None if all are."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.InputLayer):
            continue  # its policy says nothing of its tensor, which is looked at below
        if _is_other_policy(layer.dtype_policy) or any(_is_other(v.dtype) for v in _own_variables(layer)):
            return str(layer.name)
    for graph in _graphs(model):
        for node in (node for nodes in graph._nodes_by_depth.values() for node in nodes):
            if any(_is_other(tensor.dtype) for tensor in node.outputs):
                return str(node.operation.name)
    return None


def _is_other(dtype: Any) -> bool:
    return "float" in str(dtype) and str(dtype) != "float32"


def _is_other_policy(policy: Any) -> bool:
    inside = policy.values() if isinstance(policy, keras.dtype_policies.DTypePolicyMap) else ()
    own = policy.quantization_mode is not None or _is_other(policy.compute_dtype)
    return own or _is_other(policy.variable_dtype) or any(map(_is_other_policy, inside))


def _own_variables(layer: Any) -> list[Any]:
    """Without those of layers inside it, and without seeds."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def _has_graph(operation: Any) -> bool:
    return isinstance(operation, keras.Sequential) or hasattr(operation, "_nodes_by_depth")


def _graphs(model: Any) -> Iterator[Any]:
    for layer in model._flatten_layers():
        if _has_graph(layer) and getattr(layer, "inputs", None):
            yield layer._functional if isinstance(layer, keras.Sequential) else layer


def _classes(model: Any) -> dict[str, type]:
    """The classes of the model's layers, so that wrappers find those of the layers inside them."""
    found = {type(layer) for layer in model._flatten_layers()}
    foreign = [cls for cls in found if not cls.__module__.startswith("keras.")]
    return {name: cls for cls in foreign for name in (cls.__name__, keras.saving.get_registered_name(cls))}


@contextmanager
def _float32_policy() -> Iterator[None]:
    """While the block runs, layers that are made inside others without a policy compute in float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _clone(model: Any, pairs: dict[int, tuple[Any, Any]], *, where: str) -> Any:
    """A copy that is not compiled; each operation is noted in `pairs` with the one in its place."""

    def make(operation: Any) -> Any:
        if id(operation) not in pairs:
            graph = _has_graph(operation)
            again = _clone(operation, pairs, where=where) if graph else _make_again(operation, where=where)
            pairs[id(operation)] = operation, again
        return pairs[id(operation)][1]

    def call_again(operation: Any, *args: Any, **kwargs: Any) -> Any:
        args, kwargs = keras.tree.map_structure(_cast_constant, (args, kwargs))
        if joins(operation) and args:
            args = (repeat_joined(args[0]), *args[1:])
        return operation(*args, **kwargs)

    inputs = keras.tree.map_structure(
        lambda x: keras.Input(batch_shape=x.shape, dtype=_settle(x.dtype), name=x.name), model.input
    )
    return clone(
        model,
        input_tensors=inputs,
        clone_function=make,
        call_function=None if isinstance(model, keras.Sequential) else call_again,
    )


def _has_single_constants(model: Any) -> bool:
    nodes = (node for graph in _graphs(model) for nodes in graph._nodes_by_depth.values() for node in nodes)
    return any(has_single_constant(node) for node in nodes)


def _settle(dtype: str) -> str:
    return "float32" if _is_other(dtype) else dtype


def _cast_constant(value: Any) -> Any:
    constant = tf.is_tensor(value) or isinstance(value, np.ndarray)
    if not constant or not _is_other(keras.backend.standardize_dtype(value.dtype)):
        return value
    return np.asarray(value).astype(np.float32)


def _make_again(operation: Any, *, where: str) -> Any:
    if isinstance(operation, keras.layers.Lambda):
        # The code of a Lambda cannot be had from its config.
        return keras.layers.Lambda(
            operation.function,
            output_shape=operation._output_shape,
            mask=operation.mask,
            arguments=operation.arguments,
            name=operation.name,
            dtype="float32",
        )
    try:
        if isinstance(operation, keras.Layer):
            return remake(operation, config_in_float32(operation.get_config()))
        config = operation.get_config()
    except NotImplementedError as error:
        if not isinstance(operation, keras.Layer):
            return operation  # an operation that does not keep its arguments takes no type
        raise _cannot_make(operation, where, error) from error
    except _FAILURES as error:
        raise _cannot_make(operation, where, error) from error
    settled = config_in_float32(config)
    if settled == config:
        return operation
    again = remake(operation, settled)
    again.name = operation.name
    return again


def _cannot_make(layer: Any, where: str, error: Exception) -> ModelError:
    return ModelError(
        f"layer '{layer.name}' ({type(layer).__name__}) cannot be brought into float32",
        where=where,
        why=f"its dtype policy is '{layer.dtype_policy.name}', and it cannot be made again from its config: "
        + " ".join(str(error).split())[:160],
        fix="give the layer a get_config, or build the model under the policy float32 and copy its weights",
    )


def config_in_float32(config: Any) -> Any:
    """A copy of a config in which every dtype and dtype policy of floats is float32, however deep it is."""
    if isinstance(config, list | tuple):
        copies = [config_in_float32(value) for value in config]
        return tuple(copies) if type(config) is tuple else copies
    if not isinstance(config, dict):
        return config
    quantized = "quantization_config" in config or "Quantized" in str(config.get("dtype"))
    copy = {}
    for key, value in config.items():
        if key.endswith("dtype"):
            copy[key] = _settle_dtype(value)
        elif not (quantized and key in ("quantization_config", *_LORA)):  # those of LoRA are merged
            copy[key] = config_in_float32(value)
    return copy


def _settle_dtype(value: Any) -> Any:
    """A dtype, or a policy as a name, an object or a config."""
    if isinstance(value, keras.DTypePolicy):
        return "float32" if _is_other_policy(value) else value
    if not isinstance(value, dict):
        return "float32" if isinstance(value, str) and _is_other(value) else value
    name = value.get("config", {}).get("name")
    return _POLICY if name is None or _is_other(name) else value


def _copy_values(old: Any, new: Any, *, where: str) -> None:
    """Gives a layer and those inside it the values of the one it stands for."""
    for before, after in zip(old._flatten_layers(), new._flatten_layers(), strict=True):
        variables = _own_variables(after)
        if before.quantization_mode is None:
            values = [np.asarray(variable) for variable in _own_variables(before)]
        else:
            known = dequantize(before, where=where)
            values = [known[variable.name] for variable in variables]
        if [v.shape for v in values] != [tuple(v.shape) for v in variables]:
            raise ModelError(
                f"layer '{before.name}' ({type(before).__name__}) has other weights once it is in float32",
                where=where,
                fix="build the model under the policy float32 and copy its weights",
            )
        for variable, value in zip(variables, values, strict=True):
            variable.assign(value.astype(variable.dtype))
        if isinstance(after, keras.layers.Normalization):
            after.finalize_state()  # it computes with copies of its variables


def _copy_flags(old: Any, new: Any) -> None:
    if _has_graph(old):
        new.trainable = old.trainable
        return
    for before, after in zip(old._flatten_layers(), new._flatten_layers(), strict=True):
        after.trainable = before.trainable


def compile_alike(model: Any, again: Any) -> None:
    """Compiles a model with the objects that another was compiled with, if it was."""
    compiled = getattr(model, "_compile_config", None)
    if not model.compiled or compiled is None:
        return
    settings = dict(compiled.config)
    optimizer = settings.get("optimizer")
    while isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
        optimizer = optimizer.inner_optimizer
    if isinstance(optimizer, keras.Optimizer):  # it knows the original's variables
        settings["optimizer"] = type(optimizer).from_config(optimizer.get_config())
    again.compile(**settings)
    # Keras saves an optimizer's variables, and misses them when it opens a file without.
    again.optimizer.build(again.trainable_variables)
