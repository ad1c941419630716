"""Running a model without some of its branches, and building the model that has them no more."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf

from edgeprune.graph.branches import Branch, unfolded_name
from edgeprune.graph.layergraph import LayerGraph, Node
from edgeprune.keras_bridge.model.calling import call_operation, remake, replaced_call
from edgeprune.keras_bridge.model.trace import Traced
from edgeprune.keras_bridge.model.weights import assign_weights


@contextmanager
def skip(traced: Traced, branches: Sequence[Branch]) -> Iterator[None]:
    """While the block runs, the calls that a branch bypasses hand one of their inputs on."""
    passing = {i: k for branch in branches for i, k in branch.passing.items()}
    names = {traced.graph.nodes[i].layer for i in passing}
    with ExitStack() as stack:
        for name in names:
            numbers = [passing.get(i) for i, node in enumerate(traced.graph.nodes) if node.layer == name]
            stack.enter_context(_passing_call(traced.layers[name], numbers))
        yield


@contextmanager
def _passing_call(operation: Any, numbers: Sequence[int | None]) -> Iterator[None]:
    """Makes call i of an operation return its input `numbers[i]`, or compute where that is None."""
    original, count = operation.call, 0

    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        number = numbers[count % len(numbers)]
        count += 1
        if number is None:
            return original(*args, **kwargs)
        return [x for x in keras.tree.flatten((args, kwargs)) if tf.is_tensor(x)][number]

    with replaced_call(operation, call):
        yield


def assemble(model: keras.Model, traced: Traced, *, graph: LayerGraph) -> keras.Model:
    """A Functional model that makes the calls of `graph`, one after the other; nested models are unfolded.

    Args:
        model: the original, for the structure of its inputs and outputs.
        traced: its trace.
        graph: what remains of the traced graph; tensors have their names.
    """
    inputs = {
        name: keras.Input(tensor.shape[1:], dtype=tensor.dtype, name=tensor.name)
        for name, tensor in zip(graph.inputs, _functional(model).inputs, strict=True)
    }
    made: dict[str, Any] = {}
    tensors: dict[str, Any] = dict(inputs)
    for node in graph.nodes:
        if node.layer not in made:
            made[node.layer] = _remake(traced.layers[node.layer], node, graph)
        outputs = call_operation(made[node.layer], node, [tensors[t] for t in node.inputs])
        tensors.update(zip(node.outputs, keras.tree.flatten(outputs), strict=True))
    functional = _functional(model)
    smaller = keras.Model(
        keras.tree.pack_sequence_as(functional._inputs_struct, list(inputs.values())),
        keras.tree.pack_sequence_as(functional._outputs_struct, [tensors[t] for t in graph.outputs]),
        name=model.name,
    )
    for name, operation in made.items():
        if isinstance(operation, keras.Layer):
            if graph.layers[name].weights:
                assign_weights(operation, list(graph.layers[name].weights.values()))
            operation.trainable = traced.layers[name].trainable
    return smaller


def _functional(model: Any) -> Any:
    return model._functional if isinstance(model, keras.Sequential) else model


def _remake(operation: Any, node: Node, graph: LayerGraph) -> Any:
    config = dict(graph.layers[node.layer].config)
    if not config:
        return operation
    if "name" in config:
        config["name"] = unfolded_name(node.layer)  # two nested models may have layers of the same name
    return remake(operation, config)
