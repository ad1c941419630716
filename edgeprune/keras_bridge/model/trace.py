"""From a Keras model to a `LayerGraph`: nested models are flattened, weights become numpy arrays."""

import inspect
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.errors import ModelError
from edgeprune.graph.layergraph import Array, Layer, LayerGraph, Node, Read
from edgeprune.graph.opshape import Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class Traced:
    """A model's graph and the way back.

    Attributes:
        graph: the graph.
        layers: graph layer name → the Keras operation it came from.
        nested: id of each nested model → for each of its calls the tensors it reads.
    """

    graph: LayerGraph
    layers: dict[str, Any]
    nested: dict[int, list[tuple[str, ...]]]


def trace(model: keras.Model) -> Traced:
    """The graph of a Functional or Sequential model.

    Raises:
        ModelError: the model is subclassed, so that no graph of its layers can be had.
    """
    tracer = _Tracer()
    functional = _functional(model)
    inputs = tuple(tracer.name(t, prefix="") for t in functional.inputs)
    tracer.walk(functional, prefix="")
    graph = LayerGraph(
        layers=tracer.graph_layers,
        nodes=tuple(tracer.nodes),
        inputs=inputs,
        outputs=tuple(tracer.names[id(t)] for t in functional.outputs),
        shapes=tracer.shapes,
    )
    return Traced(graph=graph, layers=tracer.keras_layers, nested=tracer.nested)


def _functional(model: Any) -> Any:
    if isinstance(model, keras.Sequential):
        if not model.built:
            raise ModelError(
                f"the Sequential model '{model.name}' has no input shape",
                fix="add a keras.Input as its first layer and save it again",
            )
        return model._functional
    if not hasattr(model, "_nodes_by_depth"):
        raise ModelError(
            f"'{model.name}' is a subclassed model ({type(model).__name__}), its layers cannot be traced",
            fix="rebuild it with the functional API: keras.Model(inputs, outputs)",
        )
    return model


class _Tracer:
    def __init__(self) -> None:
        self.names: dict[int, str] = {}
        self.shapes: dict[str, Shape] = {}
        self.nodes: list[Node] = []
        self.graph_layers: dict[str, Layer] = {}
        self.keras_layers: dict[str, Any] = {}
        self.nested: dict[int, list[tuple[str, ...]]] = {}
        self._layer_names: dict[int, str] = {}
        self._alive: list[Any] = []  # ids of tensors stay valid only while the tensors live

    def name(self, tensor: Any, *, prefix: str) -> str:
        name = f"{prefix}{tensor.name}#{len(self.shapes)}"
        self.names[id(tensor)] = name
        self._alive.append(tensor)
        self.shapes[name] = tuple(tensor.shape[1:])
        return name

    def walk(self, functional: Any, *, prefix: str) -> None:
        for depth in sorted(functional._nodes_by_depth, reverse=True):
            for node in functional._nodes_by_depth[depth]:
                if not node.is_input:
                    self._call(node, prefix=prefix)

    def _call(self, node: Any, *, prefix: str) -> None:
        operation = node.operation
        inputs = [self.names[id(t)] for t in node.input_tensors]
        inner = _inner_model(operation)
        if inner is not None:
            self._enter(inner, node, inputs, prefix=prefix)
            return
        layer = self._layer(operation, prefix=prefix)
        outputs = tuple(self.name(t, prefix=prefix) for t in node.outputs)
        if any(None in self.shapes[name] for name in outputs):
            known = [self.shapes[name] for name in inputs]
            if not any(None in shape for shape in known):
                self.shapes.update(zip(outputs, _infer_shapes(node, known), strict=True))
        arguments = _arguments(operation, node)
        self.nodes.append(Node(layer=layer, inputs=tuple(inputs), outputs=outputs, arguments=arguments))

    def _enter(self, inner: Any, node: Any, inputs: list[str], *, prefix: str) -> None:
        """Walks a nested model; its input tensors are other names for the tensors of the call."""
        self.nested.setdefault(id(node.operation), []).append(tuple(inputs))
        saved = dict(self.names)
        for tensor, name in zip(inner.inputs, inputs, strict=True):
            self.names[id(tensor)] = name
        self.walk(inner, prefix=f"{prefix}{node.operation.name}/")
        produced = [self.names[id(t)] for t in inner.outputs]
        self.names = saved
        for tensor, name in zip(node.outputs, produced, strict=True):
            self.names[id(tensor)] = name

    def _layer(self, operation: Any, *, prefix: str) -> str:
        known = self._layer_names.get(id(operation))
        if known is not None:
            return known
        name = f"{prefix}{operation.name}"
        self._layer_names[id(operation)] = name
        self.keras_layers[name] = operation
        is_layer = isinstance(operation, keras.layers.Layer)
        self.graph_layers[name] = Layer(
            name=name,
            kind=_kind(operation),
            config=operation.get_config() if is_layer else _op_config(operation),
            weights=_weights(operation) if is_layer else {},
        )
        return name


def _infer_shapes(node: Any, inputs: list[Shape]) -> list[Shape]:
    """Shapes of a call's outputs where Keras left dimensions open although those of the inputs are known.

    EinsumDense leaves open what its `output_shape` does, and all layers behind it follow.
    """
    operation = node.operation
    known = iter(inputs)

    def fill(value: Any) -> Any:
        if not isinstance(value, keras.KerasTensor):
            return value
        return keras.KerasTensor((value.shape[0], *next(known)), dtype=value.dtype)

    args, kwargs = keras.tree.map_structure(fill, (node.arguments.args, node.arguments.kwargs))
    if isinstance(operation, keras.layers.EinsumDense):
        made = [keras.ops.einsum(operation.equation, args[0], keras.KerasTensor(operation.kernel.shape))]
    else:
        made = keras.tree.flatten(operation.compute_output_spec(*args, **kwargs))
    return [tuple(tensor.shape[1:]) for tensor in made]


def _inner_model(operation: Any) -> Any:
    if isinstance(operation, keras.Sequential):
        return operation._functional
    return operation if hasattr(operation, "_nodes_by_depth") else None


def _kind(operation: Any) -> str:
    """The class name. A user's subclass of a Keras layer is that layer if it computes as that layer does."""
    for cls in type(operation).__mro__:
        if cls.__module__.startswith("keras.src."):
            return kind_of(cls if cls is not keras.Layer and _obeys_config(operation) else type(operation))
        if not COMPUTING.isdisjoint(vars(cls)):
            break
    return kind_of(type(operation))


COMPUTING = frozenset(("__call__", "add_weight", "build", "call", "from_config", "quantized_call"))
"""What a subclass may not have of its own to count as the layer it is derived from."""


def _obeys_config(operation: Any) -> bool:
    """Whether objects of this class are as wide as their config says; a subclass may fix its width."""
    if type(operation).__module__.startswith("keras.src."):
        return True
    config = operation.get_config()
    key = next((key for key in ("filters", "units", "output_dim") if key in config), None)
    if key is None:
        return True
    try:
        again = type(operation).from_config({**config, key: config[key] + 1})
    except (TypeError, ValueError):
        return False
    return bool(getattr(again, key) == config[key] + 1)


def kind_of(cls: type) -> str:
    """What the rules call a class of layers or operations."""
    if cls.__module__.startswith("keras.src.layers") or getattr(keras.layers, cls.__name__, None) is cls:
        return cls.__name__
    if cls.__module__.startswith("keras.src.ops"):
        return f"ops.{cls.__name__}"
    return f"{cls.__module__}.{cls.__name__}"


def _op_config(operation: Any) -> dict[str, Any]:
    """The arguments an operation of `keras.ops` was made with; empty where it does not keep them."""
    try:
        return dict(operation.get_config())
    except NotImplementedError:
        return {}


def _arguments(operation: Any, node: Any) -> dict[str, Any]:
    """The arguments of a call by their names, `Read(i)` in place of input i."""
    positions = iter(range(len(node.input_tensors)))

    def replace(value: Any) -> Any:
        if isinstance(value, keras.KerasTensor):
            return Read(index=next(positions))
        return np.asarray(value) if tf.is_tensor(value) else value

    args, kwargs = keras.tree.map_structure(replace, (node.arguments.args, node.arguments.kwargs))
    return dict(inspect.signature(operation.call).bind(*args, **kwargs).arguments)


def _weights(operation: Any) -> dict[str, Array]:
    names = [variable.name for variable in operation.weights]
    if len(set(names)) < len(names):
        names = _paths_inside(operation)
    return {name: np.asarray(variable) for name, variable in zip(names, operation.weights, strict=True)}


def _paths_inside(layer: Any) -> list[str]:
    """Paths of a layer's variables below the part they share; numbered where Keras gives two the same."""
    parts = [variable.path.split("/") for variable in layer.weights]
    shared = 0
    while len({p[shared] for p in parts}) == 1 and all(len(p) > shared + 1 for p in parts):
        shared += 1
    names: list[str] = []
    for part in parts:
        name = "/".join(part[shared:])
        names.append(name if name not in names else f"{name}_{len(names)}")
    return names
