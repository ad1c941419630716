"""Training in bfloat16: on GPUs that have kernels for it most of a step takes half the time and memory.

Weights, their gradients and the outputs stay float32, and bfloat16 has the range of float32, so that losses
need not be scaled.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import keras
import tensorflow as tf

MIXED = "mixed_bfloat16"
_LEAST_CAPABILITY = (8, 0)
"""Compute capability of the first NVIDIA GPUs whose matrix units take bfloat16."""
_LEFT_OUT = (keras.layers.RNN, keras.layers.Bidirectional, keras.layers.Lambda, keras.layers.InputLayer)
"""cuDNN's recurrent kernels take no bfloat16, and what the code in a Lambda makes of it nobody knows."""


def choose_policy(wanted: bool | None) -> str:
    """The dtype policy to train in.

    Args:
        wanted: whether it is to be mixed; None for where that helps, on GPUs of compute capability 8.0.
    """
    if wanted is None:
        gpus = tf.config.list_physical_devices("GPU")
        found = [tf.config.experimental.get_device_details(gpu).get("compute_capability") for gpu in gpus]
        wanted = bool(found) and all(each is not None and each >= _LEAST_CAPABILITY for each in found)
    return MIXED if wanted else "float32"


@contextmanager
def computing_in(policy: str, *models: keras.Model) -> Iterator[None]:
    """While the block runs, Keras's layers compute under a dtype policy, but for those that give outputs.

    Args:
        policy: "float32" changes nothing.
        models: Functional or Sequential, in float32.
    """
    layers = [] if policy == "float32" else [layer for model in models for layer in _list_layers(model)]
    before = [layer.dtype_policy for layer in layers]
    try:
        for layer in layers:
            layer.dtype_policy = policy
        yield
    finally:
        for layer, own in zip(layers, before, strict=True):
            layer.dtype_policy = own


def _list_layers(model: keras.Model) -> list[keras.Layer]:
    last = {
        id(layer) for tensor in model.outputs for layer in tensor._keras_history.operation._flatten_layers()
    }
    left_out = {
        id(inner)
        for layer in model._flatten_layers()
        if isinstance(layer, _LEFT_OUT)
        for inner in layer._flatten_layers()
    }
    return [
        layer
        for layer in model._flatten_layers(include_self=False)
        if type(layer).__module__.startswith("keras.") and id(layer) not in last | left_out
    ]
