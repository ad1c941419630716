"""Clusters in Keras models: few values per output, through any optimizer, up to the `.tflite` file."""

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.errors import InfeasibleError, RecipeError
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.training.clustering import ClusterCallback
from edgeprune.methods.clustering import Clustering, ClustersMethod
from edgeprune.tflite.decode.lut import encode_lut, index_bits
from edgeprune.tflite.decode.wire import read_constant
from edgeprune.tflite.read import read_model


def make_model() -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3))
    x = layers.Conv2D(8, 3, name="first")(image)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(8, 3, activation="relu", name="second")(x)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(4, name="head")(x))


def count_values(model: keras.Model, layer: str) -> list[int]:
    kernel = model.get_layer(layer).get_weights()[0]
    return [len(np.unique(row)) for row in kernel.reshape(-1, kernel.shape[-1]).T]


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "rmsprop"])
def test_training_keeps_few_values_and_learns(optimizer: str) -> None:
    model = make_model()
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(64, 8, 8, 3)).astype(np.float32), rng.integers(0, 4, 64)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer, loss=loss)
    callback = ClusterCallback(6)
    before = model.get_layer("second").get_weights()[0]
    history = model.fit(x, y, epochs=12, batch_size=16, verbose=0, callbacks=[callback]).history["loss"]
    assert max(count_values(model, "first")) <= 6
    assert max(count_values(model, "second")) <= 6
    assert history[-1] < history[0]
    assert np.abs(model.get_layer("second").get_weights()[0] - before).max() > 0
    assert len(np.unique(model.get_layer("depthwise").get_weights()[0])) > 6, "nine weights want no table"


def test_a_weight_comes_over_to_another_value_by_many_small_steps() -> None:
    model = keras.Sequential([keras.Input((8,)), layers.Dense(1, use_bias=False)])
    model.layers[0].set_weights([np.array([[0.0], [0.1], [0.2], [0.3], [4.0], [4.1], [4.2], [4.3]])])
    callback = ClusterCallback(2)
    callback.set_model(model)
    kernel = model.layers[0].kernel
    for _ in range(50):
        step = np.zeros((8, 1))
        step[3] = 0.08
        kernel.assign_add(step)
        callback.on_train_batch_end(0)
    values = np.asarray(kernel).ravel()
    assert len(set(values)) == 2
    assert values[3] == values[4] != values[0]


def test_few_values_per_output_arrive_in_the_int8_file() -> None:
    clustered = ClustersMethod().preview(make_model(), Clustering(values=8, keep=("head",)))
    data = np.random.default_rng(0).normal(size=(16, 8, 8, 3)).astype(np.float32)
    file = read_model(convert(clustered, scheme="int8", representative=(data,)), where="clustered")
    bits = []
    for op in file.ops:
        if op.name == "CONV_2D":
            encoded = encode_lut(read_constant(file.tensors[op.inputs[1]]))
            assert encoded is not None
            bits.append(index_bits(encoded.ancillary))
    assert bits == [3, 3]
    assert len(np.unique(clustered.get_layer("head").get_weights()[0])) == 32


def test_a_model_without_rows_long_enough_is_refused() -> None:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    with pytest.raises(InfeasibleError, match="no kernel has 32 weights per output, for 16 values"):
        ClustersMethod().preview(model, Clustering(values=16))


@pytest.mark.parametrize("values", [1, 0, 129])
def test_numbers_of_values_that_no_table_holds_are_refused(values: int) -> None:
    with pytest.raises(RecipeError, match="clusters is"):
        ClustersMethod().check(Clustering(values=values))
