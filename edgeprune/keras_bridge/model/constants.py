"""Constants among the tensors of a model, such as the anchors of a detector, once for each sample."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from edgeprune.graph.layergraph import Array


def repeat_constant(constant: Array, *, like: Any) -> Any:
    """A Keras tensor that holds the constant for each sample.

    Args:
        constant: (1, ...).
        like: a Keras tensor with as many samples.
    """
    tensor = _input_of(like)  # no channel of it is ever removed
    first = tensor[(slice(None), *([slice(1)] * (len(tensor.shape) - 1)))]
    zeros = ops.zeros_like(ops.reshape(first, (-1, *([1] * (constant.ndim - 1)))))
    return ops.add(ops.cast(zeros, str(constant.dtype)), constant)


def has_single_constant(node: Any) -> bool:
    """Whether a call joins tensors with a constant of one sample, so that it fails for a batch of more."""
    return any(_is_single(x, among=found) for found in [_joined(node)] for x in found)


def repeat_joined(values: Any) -> Any:
    """What a concatenation is called with, constants of one sample repeated; everything else as it is."""
    found = list(values) if isinstance(values, list | tuple) else []
    if not any(_is_single(x, among=found) for x in found):
        return values
    like = next(x for x in found if isinstance(x, keras.KerasTensor))
    return [repeat_constant(np.asarray(x), like=like) if _is_single(x, among=found) else x for x in found]


def joins(operation: Any) -> bool:
    """Whether an operation joins its tensors along an axis."""
    return isinstance(operation, keras.layers.Concatenate) or type(operation).__name__ == "Concatenate"


def _joined(node: Any) -> list[Any]:
    values = node.arguments.args[0] if joins(node.operation) and node.arguments.args else ()
    return list(values) if isinstance(values, list | tuple) else []


def _is_single(x: Any, *, among: list[Any]) -> bool:
    ranks = {len(t.shape) for t in among if isinstance(t, keras.KerasTensor)}
    constant = isinstance(x, np.ndarray) or tf.is_tensor(x)
    return constant and len(x.shape) in ranks and x.shape[0] == 1


def _input_of(tensor: Any) -> Any:
    """The first of the model's inputs that a tensor is computed from."""
    while True:
        operation, number, _ = tensor._keras_history
        inputs = operation._inbound_nodes[number].input_tensors
        if not inputs:
            return tensor
        tensor = inputs[0]
