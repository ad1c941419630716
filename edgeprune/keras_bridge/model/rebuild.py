"""From a pruned `LayerGraph` back to a Keras model, and the proof that it equals the masked original."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from edgeprune.errors import InfeasibleError
from edgeprune.graph.branches import Branch, bypass
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import Array, LayerGraph, Node
from edgeprune.graph.surgery import Kept, mask_channels, remove_channels
from edgeprune.keras_bridge.model.bypassing import assemble, skip
from edgeprune.keras_bridge.model.calling import call, call_operation, remake
from edgeprune.keras_bridge.model.masking import switch_off
from edgeprune.keras_bridge.model.trace import Traced
from edgeprune.keras_bridge.model.weights import assign_weights, clone

TOLERANCE = 1e-4
"""Largest difference of masked and compacted outputs that counts as equal, as a fraction of their range."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Compacted:
    """A smaller model and how it compares with the masked original.

    Attributes:
        model: the smaller model, not compiled.
        graph: its layer graph, with the original's tensor names.
        error: largest difference of outputs, as a fraction of the masked outputs' range.
        samples: number of inputs it was compared on.
        tolerance: what counts as equal.
    """

    model: keras.Model
    graph: LayerGraph
    error: float
    samples: int
    tolerance: float = TOLERANCE


def compact(
    model: keras.Model,
    traced: Traced,
    *,
    channels: ChannelMap,
    kept: Kept,
    probe: Sequence[Array],
) -> Compacted:
    """The model without the groups that are not kept, proven equal to the model with them zeroed.

    Args:
        model: the original; its weights are the same afterwards.
        traced: its trace.
        channels: its channel map.
        kept: (groups,) True for each group that stays.
        probe: one array of real or random inputs per model input, batch first.

    Raises:
        InfeasibleError: the outputs differ by more than `TOLERANCE` of their range.
    """
    smaller = remove_channels(traced.graph, channels, kept=kept)
    rebuilt = rebuild(model, traced, graph=smaller)
    masked = mask_channels(traced.graph, channels, kept=kept)
    with switch_off(traced, channels, kept=kept):
        expected = _predict_with(model, traced, masked, probe)
    return _prove(rebuilt, smaller, expected=expected, probe=probe)


def drop_branches(
    model: keras.Model, traced: Traced, *, branches: Sequence[Branch], probe: Sequence[Array]
) -> Compacted:
    """The model without some branches, proven equal to the model in which they are skipped.

    Args:
        model: the original; not changed.
        traced: its trace.
        branches: what goes.
        probe: one array of real or random inputs per model input, batch first.

    Raises:
        InfeasibleError: the outputs differ by more than `TOLERANCE` of their range.
    """
    smaller = bypass(traced.graph, branches)
    rebuilt = assemble(model, traced, graph=smaller)
    with skip(traced, branches):
        expected = _predict(model, probe)
    return _prove(rebuilt, smaller, expected=expected, probe=probe)


def compare_models(
    model: keras.Model, other: keras.Model, *, probe: Sequence[Array], graph: LayerGraph
) -> float:
    """Largest difference of two models' outputs, as a fraction of the range of the first one's.

    Args:
        model: the reference.
        other: a model with the same inputs and outputs.
        probe: one array per model input, batch first.
        graph: of the reference.
    """
    read_again = set(graph.outputs) & set(graph.consumers())
    expected, found = (_predict(m, probe, linear=not read_again) for m in (model, other))
    return _relative_error(expected, found)


def _prove(
    rebuilt: keras.Model, graph: LayerGraph, *, expected: list[Array], probe: Sequence[Array]
) -> Compacted:
    error = _relative_error(expected, _predict(rebuilt, probe))
    if not error <= TOLERANCE:
        raise InfeasibleError(
            f"the compacted model differs from the masked one by {error:.1e} of the output's range",
            where=rebuilt.name,
            fix="this is a bug in a layer rule; please report the model's architecture",
        )
    return Compacted(model=rebuilt, graph=graph, error=error, samples=len(probe[0]))


def rebuild(model: keras.Model, traced: Traced, *, graph: LayerGraph) -> keras.Model:
    """A new Keras model of the same topology with the layer configs and weights of `graph`."""
    names = {id(operation): name for name, operation in traced.layers.items()}
    made: dict[int, Any] = {}
    calls = {node.layer: node for node in graph.nodes}
    operations: dict[int, Node] = {}  # those of keras.ops have what changes among the arguments of their call

    def resize(operation: Any) -> Any:
        if id(operation) not in made:
            name = names.get(id(operation))
            if id(operation) in traced.nested:
                inputs = _resize_inputs(operation, traced, graph)
                again = _clone(operation, resize, operations, inputs=inputs)
            elif name is None:  # an InputLayer
                again = remake(operation, operation.get_config())
            else:
                config = graph.layers[name].config
                # The code of a Lambda cannot be had from its config; it has no weights, so it can be shared.
                same = not config or isinstance(operation, keras.layers.Lambda)
                again = operation if same else remake(operation, _copy(config))
                if not isinstance(operation, keras.Layer):
                    operations[id(again)] = calls[name]
            made[id(operation)] = again
        return made[id(operation)]

    smaller = _clone(model, resize, operations)
    for name, operation in traced.layers.items():
        if isinstance(operation, keras.Layer):
            layer = made[id(operation)]
            if graph.layers[name].weights:
                assign_weights(layer, list(graph.layers[name].weights.values()))
            layer.trainable = operation.trainable
    return smaller


def _copy(config: Any) -> Any:
    """The config with dicts, lists and tuples of its own: some layers take theirs apart.

    Lists may be Keras' tracked ones, which hold on to their layer; `deepcopy` would copy that too.
    """
    if isinstance(config, Mapping):
        return {key: _copy(value) for key, value in config.items()}
    if isinstance(config, list | tuple):
        copies = [_copy(value) for value in config]
        return tuple(copies) if type(config) is tuple else copies
    return config


def _clone(
    model: keras.Model, resize: Callable[[Any], Any], operations: Mapping[int, Node], *, inputs: Any = None
) -> keras.Model:
    """A copy that is not compiled, of layers as `resize` makes them."""

    def call_again(operation: Any, *args: Any, **kwargs: Any) -> Any:
        node = operations.get(id(operation))
        if node is None:
            return operation(*args, **kwargs)
        tensors = [x for x in keras.tree.flatten((args, kwargs)) if isinstance(x, keras.KerasTensor)]
        return call_operation(operation, node, tensors)

    return clone(
        model,
        input_tensors=inputs,
        clone_function=resize,
        call_function=None if isinstance(model, keras.Sequential) else call_again,
    )


def _resize_inputs(nested: keras.Model, traced: Traced, graph: LayerGraph) -> Any:
    """Inputs of a nested model, as wide as what it is now called with; open where its calls differ."""
    resized = []
    for tensor, *names in zip(nested.inputs, *traced.nested[id(nested)], strict=True):
        sizes = zip(*(graph.shapes[name] for name in names), strict=True)
        shape = [size[0] if len(set(size)) == 1 else None for size in sizes]
        resized.append(keras.Input(shape, dtype=tensor.dtype, name=tensor.name))
    return keras.tree.pack_sequence_as(nested.input, resized)


def _predict_with(
    model: keras.Model, traced: Traced, graph: LayerGraph, probe: Sequence[Array]
) -> list[Array]:
    """Outputs of the model with the weights of `graph`; its own are put back."""
    before = model.get_weights()
    try:
        for name, operation in traced.layers.items():
            if graph.layers[name].weights:
                assign_weights(operation, list(graph.layers[name].weights.values()))
        return _predict(model, probe)
    finally:
        assign_weights(model, before)


def _predict(model: keras.Model, probe: Sequence[Array], *, linear: bool = True) -> list[Array]:
    inputs = [x.astype(t.dtype) for x, t in zip(probe, model.inputs, strict=True)]
    for layer in model._flatten_layers():
        if getattr(layer, "stateful", False) and hasattr(layer, "reset_state"):
            layer.reset_state()  # recurrent layers that go on where the call before ended
    with _linear_outputs(model) if linear else nullcontext():
        return [np.asarray(y) for y in call(model, inputs, training=False)]


@contextmanager
def _linear_outputs(model: Any) -> Iterator[None]:
    """While the block runs, the output layers do without their activation.

    A softmax or sigmoid that saturates would hide a difference: an untrained classifier of 1,000 classes puts
    out 0.001 everywhere, whatever stands before it.
    """
    layers = [layer for layer in _output_layers(model) if "activation" in vars(layer)]
    activations = [layer.activation for layer in layers]
    try:
        for layer in layers:
            layer.activation = keras.activations.linear
        yield
    finally:
        for layer, activation in zip(layers, activations, strict=True):
            layer.activation = activation


def _output_layers(model: Any) -> Iterator[Any]:
    for tensor in model.outputs:
        operation = tensor._keras_history.operation
        while isinstance(operation, keras.layers.TimeDistributed):
            operation = operation.layer
        if isinstance(operation, keras.Model):
            yield from _output_layers(operation)
        else:
            yield operation


def _relative_error(expected: Sequence[Array], found: Sequence[Array]) -> float:
    worst = 0.0
    for a, b in zip(expected, found, strict=True):
        if not (np.isfinite(a).all() and np.isfinite(b).all()):
            return float("nan")
        largest = float(np.abs(a).max())
        # An output that hardly varies is judged by its size: of its range little is left but rounding.
        rounding = 8 * float(np.finfo(np.float32).eps) * largest
        spread = max(float(a.max() - a.min()), rounding / TOLERANCE, 1e-12)
        worst = max(worst, float(np.abs(a - b).max()) / spread)
    return worst
