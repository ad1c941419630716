"""Layers in ops that every runtime has, where Keras makes others of them that compute the same."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from edgeprune.keras_bridge.conversion.stateless import replaced_attribute

_JOINED_AT_MOST = 10


@contextmanager
def with_plain_ops(model: keras.Model) -> Iterator[None]:
    """While the block runs, layers of `_PLAIN` compute in these other forms."""
    with ExitStack() as stack:
        for layer in model._flatten_layers():
            plain = next((make for kind, make in _PLAIN.items() if type(layer) is kind), None)
            if plain is not None:
                stack.enter_context(replaced_attribute(layer, "call", plain(layer)))
        yield


def _look_up(layer: Any) -> Callable[..., Any]:
    """GATHER alone: Keras counts negative indices from the end, with LESS, ADD and SELECT around it.

    Indices that come as floats are rounded, since a quantized 4 may be 3.98.
    """

    def call(inputs: Any) -> Any:
        indices = tf.round(inputs) if inputs.dtype.is_floating else inputs
        return tf.gather(tf.convert_to_tensor(layer.embeddings), tf.cast(indices, tf.int32))

    return call


def _repeat_steps(layer: Any) -> Callable[..., Any]:
    """Each step beside itself, joined and taken apart; Keras lets it be TILE."""

    def call(inputs: Any) -> Any:
        steps, channels = inputs.shape[1:]
        return tf.reshape(_repeat(inputs, layer.size, axis=2), (-1, steps * layer.size, channels))

    return call


def _repeat_vector(layer: Any) -> Callable[..., Any]:
    """The vector beside itself, likewise."""

    def call(inputs: Any) -> Any:
        return tf.reshape(_repeat(inputs, layer.n, axis=1), (-1, layer.n, inputs.shape[1]))

    return call


def _repeat(x: Any, times: int, *, axis: int) -> Any:
    """So many copies of a tensor, joined by CONCATENATION of no more inputs than TFLM takes."""
    whole, rest = divmod(times, _JOINED_AT_MOST)
    parts = [x] * rest
    if whole:
        parts.append(_repeat(tf.concat([x] * _JOINED_AT_MOST, axis=axis), whole, axis=axis))
    return parts[0] if len(parts) == 1 else tf.concat(parts, axis=axis)


def _pass_on(layer: Any) -> Callable[..., Any]:
    """Nothing, which is what augmentation does at inference; Keras draws random numbers all the same."""

    def call(data: Any, training: bool = False) -> Any:
        return tf.cast(data, layer.compute_dtype)

    return call


_AUGMENTING = (
    *("AugMix", "CutMix", "MixUp", "RandAugment", "RandomBrightness", "RandomColorDegeneration"),
    *("RandomColorJitter", "RandomContrast", "RandomElasticTransform", "RandomErasing", "RandomFlip"),
    *("RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert", "RandomPerspective"),
    *("RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear"),
    *("RandomTranslation", "RandomZoom", "Solarization"),
)
"""Layers of Keras, some of them not in every version, that give at inference what they get."""
_PLAIN: dict[type, Callable[[Any], Callable[..., Any]]] = {
    **{getattr(layers, name): _pass_on for name in _AUGMENTING if hasattr(layers, name)},
    layers.Embedding: _look_up,
    layers.UpSampling1D: _repeat_steps,
    layers.RepeatVector: _repeat_vector,
}
"""Class of a layer → what makes the call that takes the place of its own."""
