"""Real values of the weights of layers that Keras itself quantized, as with `model.quantize("int8")`.

Each mode of Keras packs and scales its kernels in its own way, and merges LoRA into them. What they all have
in common is what the layer computes: a kernel is what it gives for unit vectors, less what it gives for
zeros. A unit vector is exact in the types that Keras quantizes inputs to.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
import numpy as np
from keras import layers

from edgeprune.errors import ModelError
from edgeprune.graph.layergraph import Array


def dequantize(layer: Any, *, where: str) -> dict[str, Array]:
    """Name → float32 value of each variable that the layer had before it was quantized.

    Args:
        layer: a built layer with a quantization mode; it is not changed.
        where: the file, for messages.

    Raises:
        ModelError: it is of a class that edgeprune cannot read so.
    """
    # Keras leaves the kernel as it is for float8, and notes scales beside it.
    own = [*layer._trainable_variables, *layer._non_trainable_variables]
    values = {variable.name: np.asarray(variable).astype(np.float32) for variable in own}
    if layer.quantization_mode == "float8":
        return values
    if isinstance(layer, layers.Embedding):
        values["embeddings"] = _run(layer, np.arange(layer.input_dim))
        if "reverse_embeddings" in values:
            zeros, units = np.zeros((1, layer.output_dim)), np.eye(layer.output_dim)
            values["reverse_embeddings"] = _run(layer, units, reverse=True) - _run(layer, zeros, reverse=True)
        return values
    with _linear(layer):
        if isinstance(layer, layers.Dense):
            size = layer.input_spec.axes[-1]
            values["kernel"] = _run(layer, np.eye(size)) - _run(layer, np.zeros((1, size)))
        elif isinstance(layer, layers.EinsumDense):
            values["kernel"] = _read_einsum(layer)
        else:
            raise ModelError(
                f"layer '{layer.name}' ({type(layer).__name__}) was quantized by Keras to "
                f"{layer.quantization_mode}, and its weights cannot be read",
                where=where,
                fix="give the model as it was before model.quantize(...); edgeprune quantizes it itself",
            )
    return values


def _run(layer: Any, inputs: Array, **arguments: Any) -> Array:
    inputs = inputs if inputs.dtype.kind == "i" else inputs.astype(np.float32)
    return np.asarray(layer(keras.ops.convert_to_tensor(inputs), **arguments)).astype(np.float32)


@contextmanager
def _linear(layer: Any) -> Iterator[None]:
    activation = getattr(layer, "activation", None)
    layer.activation = keras.activations.linear
    try:
        yield
    finally:
        layer.activation = activation


def _read_einsum(layer: layers.EinsumDense) -> Array:
    """The kernel of an EinsumDense, whose unit vectors lie along all the axes it sums over.

    For `abc,cde->abde` the inputs are (C, 1, C), the outputs (C, 1, D, E).
    """
    inputs, kernel, outputs = layer.equation.replace("...", "_").replace("->", ",").split(",")
    sizes = dict(zip(kernel, _kernel_shape(layer), strict=True))
    summed = [axis for axis in kernel if axis not in outputs]
    free = [axis for axis in inputs if axis not in kernel]
    count = math.prod(sizes[axis] for axis in summed)
    sizes |= dict.fromkeys(free, 1) | {free[0]: count}
    # First the unit vectors, (count, *summed); then the input's own order of axes, repeated along the others.
    units = np.eye(count).reshape(count, *(sizes[axis] for axis in summed))
    axes = [free[0], *summed]
    order = sorted(range(len(axes)), key=lambda i: inputs.index(axes[i]))
    spread = [sizes[axis] if axis in axes else 1 for axis in inputs]
    x = np.broadcast_to(units.transpose(order).reshape(spread), [sizes[axis] for axis in inputs])
    y = _run(layer, x) - _run(layer, np.zeros_like(x))
    # From the output's axes to `summed` and the kernel's others, then into the kernel's order.
    rest = [axis for axis in outputs if axis not in free]
    y = np.moveaxis(y, outputs.index(free[0]), 0)
    y = y.reshape([sizes[axis] for axis in (*summed, *rest)])
    return y.transpose([(*summed, *rest).index(axis) for axis in kernel])


def _kernel_shape(layer: layers.EinsumDense) -> tuple[int, ...]:
    """Before quantization, which packs kernels of 4 bits."""
    return tuple(getattr(layer, "original_kernel_shape", None) or layer.kernel.shape)
