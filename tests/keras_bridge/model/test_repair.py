"""Repair of what a cut leaves: windows are what kernels see, and channels that can be made good are."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.surgery import Kept
from edgeprune.keras_bridge.model.calling import call
from edgeprune.keras_bridge.model.rebuild import compact
from edgeprune.keras_bridge.model.repair import Cut, count_samples, repair
from edgeprune.keras_bridge.model.trace import Traced, trace
from edgeprune.keras_bridge.model.windows import describe_windows
from tests.keras_bridge.model.test_architectures import ARCHITECTURES
from tests.random_pruning import prune_at_random, random_inputs

IMAGE = (9, 10, 3)
LAYERS: dict[str, tuple[tuple[int, ...], Callable[[], Any]]] = {
    "dense": ((5,), lambda: layers.Dense(4)),
    "dense on a sequence": ((6, 5), lambda: layers.Dense(4, use_bias=False)),
    "same": (IMAGE, lambda: layers.Conv2D(4, 3, padding="same")),
    "valid": (IMAGE, lambda: layers.Conv2D(4, (2, 3))),
    "strided": (IMAGE, lambda: layers.Conv2D(4, 3, strides=2, padding="same")),
    "dilated": (IMAGE, lambda: layers.Conv2D(4, 3, dilation_rate=2, padding="same")),
    "pointwise": (IMAGE, lambda: layers.Conv2D(4, 1, use_bias=False)),
    "causal": ((11, 3), lambda: layers.Conv1D(4, 3, dilation_rate=2, padding="causal")),
    "three axes": ((5, 6, 4, 2), lambda: layers.Conv3D(3, 2, padding="same")),
    "depthwise": (IMAGE, lambda: layers.DepthwiseConv2D(3, padding="same")),
    "depthwise, strided": (IMAGE, lambda: layers.DepthwiseConv2D(3, strides=2, depth_multiplier=2)),
    "depthwise along time": ((11, 3), lambda: layers.DepthwiseConv1D(4, padding="same", use_bias=False)),
}


@pytest.mark.parametrize("name", LAYERS)
def test_windows_times_weights_are_what_the_layer_gives(name: str) -> None:
    shape, make = LAYERS[name]
    keras.utils.set_random_seed(0)
    layer = make()
    x = np.random.default_rng(0).standard_normal((7, *shape)).astype(np.float32)
    y = np.asarray(layer(x))
    if layer.bias is not None:
        layer.bias.assign(np.arange(layer.bias.shape[0], dtype=np.float32))
        y = np.asarray(layer(x))
    windows = describe_windows(layer)
    assert windows is not None
    where = np.unravel_index(np.random.default_rng(1).permutation(y[..., 0].size)[:50], y.shape[:-1])
    seen, wanted = windows.look(x, where), windows.divide(y[where])
    kernel = np.asarray(layer.kernel)
    blocks = windows.to_blocks(kernel)
    bias = 0.0 if layer.bias is None else np.asarray(layer.bias).reshape(len(blocks), 1, -1)
    np.testing.assert_allclose(seen @ blocks + bias, wanted, atol=1e-5)
    np.testing.assert_array_equal(windows.to_kernel(blocks), kernel)
    assert windows.columns == blocks.shape[1]


@pytest.mark.parametrize(
    "layer", [layers.Conv2D(4, 3, groups=2), layers.Conv2DTranspose(4, 3), layers.LSTM(4), layers.ReLU()]
)
def test_other_layers_have_none(layer: Any) -> None:
    layer.build((None, 8, 8, 4) if isinstance(layer, layers.Conv2D) else (None, 8, 4))
    assert describe_windows(layer) is None


def cut(model: keras.Model, families: int) -> tuple[Traced, ChannelMap, Kept]:
    """Every second channel of so many families goes."""
    traced = trace(model)
    channels = name_channels(traced.graph)
    kept = channels.everything
    for family in list(dict.fromkeys(channels.family[channels.prunable].tolist()))[:families]:
        kept[np.flatnonzero((channels.family == family) & channels.prunable)[::2]] = False
    return traced, channels, kept


def make_redundant(**how: Any) -> keras.Model:
    """A network whose first layer makes every channel twice."""
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 2))
    first = layers.Conv2D(8, 3, activation="relu", padding="same", name="first", **how)
    x = first(image)
    x = layers.DepthwiseConv2D(3, padding="same", activation="relu", name="depthwise")(x)
    x = layers.Conv2D(6, 3, activation="relu", name="second")(x)
    model = keras.Model(image, layers.Dense(3, name="head")(layers.GlobalAveragePooling2D()(x)))
    for layer in (first, model.get_layer("depthwise")):
        for weight in layer.weights:
            value = np.array(weight)
            axis = 2 if "depthwise" in layer.name and value.ndim == 4 else value.ndim - 1
            value = np.moveaxis(value, axis, 0)
            value[::2] = value[1::2]
            weight.assign(np.moveaxis(value, 0, axis))
    return model


def distance(model: keras.Model, other: keras.Model, x: np.ndarray) -> float:
    expected, found = (np.asarray(m(x)) for m in (model, other))
    return float(np.abs(expected - found).max() / np.ptp(expected))


def test_channels_that_others_repeat_are_made_good() -> None:
    model = make_redundant()
    traced, channels, kept = cut(model, 1)
    x = np.random.default_rng(0).standard_normal((200, 8, 8, 2)).astype(np.float32)
    smaller = compact(model, traced, channels=channels, kept=kept, probe=[x[:4]]).model
    before = distance(model, smaller, x[100:])
    layers_refitted = repair(
        Cut(smaller=smaller, original=model, traced=traced, channels=channels, kept=kept),
        inputs=[x[:100]],
        seed=0,
    )
    assert smaller.get_layer("first").kernel.shape[-1] == 4
    assert layers_refitted >= 1
    assert before > 0.2
    assert distance(model, smaller, x[100:]) < 0.02


def make_normalised() -> keras.Model:
    """Two convolutions with BatchNorm, whose statistics are those of standard normal images."""
    keras.utils.set_random_seed(0)
    x = image = keras.Input((8, 8, 2))
    for filters in (12, 10):
        x = layers.Conv2D(filters, 3, padding="same", use_bias=False)(x)
        x = layers.ReLU()(layers.BatchNormalization(momentum=0.0)(x))
    x = layers.Dense(3)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(image, x)
    model(draw_images(), training=True)
    return model


def draw_images() -> np.ndarray:
    return np.random.default_rng(0).standard_normal((200, 8, 8, 2)).astype(np.float32)


def test_training_computes_what_was_refitted() -> None:
    """BatchNorm divides by the spread of the batch, and fits spread less than what they were fitted to."""
    model, x = make_normalised(), draw_images()
    traced, channels, kept = cut(model, 1)
    smaller = compact(model, traced, channels=channels, kept=kept, probe=[x[:4]]).model
    repair(
        Cut(smaller=smaller, original=model, traced=traced, channels=channels, kept=kept), inputs=[x], seed=0
    )
    untrained, trained = (np.asarray(smaller(x, training=training)) for training in (False, True))
    np.testing.assert_allclose(trained, untrained, atol=1e-4 * np.ptp(untrained))


def test_frozen_and_shared_layers_stay_as_they_are() -> None:
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 2))
    shared = layers.Conv2D(4, 3, padding="same", name="shared")
    x = layers.Conv2D(4, 3, padding="same", name="first")(image)
    x = layers.Conv2D(6, 1, name="frozen", trainable=False)(shared(shared(x)))
    model = keras.Model(image, layers.Conv2D(3, 1, name="last")(x))
    traced, channels, kept = cut(model, 1)
    data = np.random.default_rng(0).standard_normal((60, 8, 8, 2)).astype(np.float32)
    smaller = compact(model, traced, channels=channels, kept=kept, probe=[data[:4]]).model
    before = {layer.name: layer.get_weights() for layer in smaller.layers}
    repair(
        Cut(smaller=smaller, original=model, traced=traced, channels=channels, kept=kept),
        inputs=[data],
        seed=0,
    )
    changed = {
        layer.name
        for layer in smaller.layers
        if any((a != b).any() for a, b in zip(layer.get_weights(), before[layer.name], strict=True))
    }
    assert changed == {"last"}


def test_fewer_samples_are_taken_where_tensors_are_large() -> None:
    small = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    large = keras.Sequential([keras.Input((224, 224, 3)), layers.Conv2D(96, 3, padding="same")])
    assert count_samples(trace(small).graph) == 512
    assert count_samples(trace(large).graph) == 40


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_what_users_bring_can_be_repaired(name: str) -> None:
    model = ARCHITECTURES[name][0]()
    compacted, traced, channels, kept = prune_at_random(model, 0)
    x = random_inputs(model, np.random.default_rng(1), samples=60)
    expected = call(model, list(map(tf.constant, x)), training=False)
    errors = []
    for fitted in (False, True):
        if fitted:
            repair(
                Cut(smaller=compacted.model, original=model, traced=traced, channels=channels, kept=kept),
                inputs=x,
                seed=0,
            )
        found = call(compacted.model, list(map(tf.constant, x)), training=False)
        errors.append(sum(float(np.square(a - b).sum()) for a, b in zip(expected, found, strict=True)))
    assert 0 <= errors[1] <= errors[0] * 1.01  # no NaN
