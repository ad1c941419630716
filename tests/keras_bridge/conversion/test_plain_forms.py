"""Layers whose Keras form TFLM cannot run are converted to one that it can, and that computes the same."""

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.graph.channels import name_channels
from edgeprune.graph.lower import Lowering
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.model.trace import trace
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.tflite.ops import unsupported_ops
from edgeprune.tflite.read import read_model

RNG = np.random.default_rng(0)


def words(dtype: str = "int32") -> tuple[keras.Model, np.ndarray]:
    inputs = keras.Input((8,), dtype=dtype)
    x = layers.GlobalAveragePooling1D()(layers.Embedding(20, 8, embeddings_initializer="normal")(inputs))
    return keras.Model(inputs, layers.Dense(2)(x)), RNG.integers(0, 20, (40, 8)).astype(dtype)


def stretched() -> tuple[keras.Model, np.ndarray]:
    inputs = keras.Input((6, 4))
    x = layers.UpSampling1D(3)(layers.Conv1D(4, 1)(inputs))
    return keras.Model(inputs, layers.Conv1D(3, 3)(x)), RNG.normal(size=(40, 6, 4)).astype("float32")


def repeated(times: int = 23) -> tuple[keras.Model, np.ndarray]:
    inputs = keras.Input((6,))
    x = layers.RepeatVector(times)(layers.Dense(4)(inputs))
    return keras.Model(inputs, layers.Conv1D(3, 3)(x)), RNG.normal(size=(40, 6)).astype("float32")


@pytest.mark.parametrize("scheme", ["none", "int8"])
@pytest.mark.parametrize("make", [words, lambda: words("float32"), stretched, repeated])
def test_tflm_has_every_op_and_the_outputs_are_those_of_keras(make, scheme) -> None:
    model, x = make()
    file = convert(model, scheme=scheme, representative=[x])
    read = read_model(file, where="file")
    assert unsupported_ops(read, runtime="tflm") == []
    assert all(len(op.inputs) <= 10 for op in read.ops if op.name == "CONCATENATION")
    wanted = model.predict(x, verbose=0)
    found = run_litert(file, (x,)).outputs[0].values
    assert np.abs(found - wanted).max() <= (1e-6 if scheme == "none" else 0.03) * np.ptp(wanted)


def test_augmentation_is_not_in_the_file_and_draws_nothing() -> None:
    inputs = x = keras.Input((6, 6, 3))
    for name in ("RandomSharpness", "RandomColorDegeneration", "RandomHue", "RandomSaturation"):
        x = getattr(layers, name)(0.2)(x)
    for layer in (layers.RandomPosterization(4), layers.MixUp(), layers.RandomGrayscale()):
        x = layer(x)
    model = keras.Model(inputs, layers.Conv2D(2, 3)(x))
    given = RNG.uniform(size=(4, 6, 6, 3)).astype("float32")
    file = convert(model, scheme="none")
    assert [op.name for op in read_model(file, where="file").ops] == ["CONV_2D"]
    found = run_litert(file, (given,)).outputs[0].values
    assert np.abs(found - np.asarray(model(given, training=False))).max() <= 1e-6


def test_what_is_replaced_while_converting_is_as_it_was_afterwards() -> None:
    model, _ = words()
    before = model.layers[1].call
    convert(model, scheme="none")
    assert model.layers[1].call == before


def test_a_table_costs_its_bytes_of_flash_and_no_multiplications() -> None:
    model, _ = words()
    graph = trace(model).graph
    channels = name_channels(graph)
    (gather,) = (op for op in Lowering(graph, channels).lower(channels.everything) if op.op == "GATHER")
    assert (gather.weight_count, gather.macs) == (160, 0)
