"""Calibrating on few samples is warned of, with what half of them costs."""

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.data.representative import Representative
from edgeprune.quantization.shortage import FEW_SAMPLES, describe_shortage

X = np.random.default_rng(0).standard_normal((60, 8)).astype(np.float32)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((8,)), layers.Dense(16, activation="relu"), layers.Dense(3)])


def described(model: keras.Model, samples: int, *, scheme: str = "int8") -> str:
    drawn = Representative(inputs=(X[:samples],), labels=None, seed=0, selection="made")
    tflite = convert(model, scheme=scheme, representative=drawn.inputs)
    return describe_shortage(model, drawn, tflite=tflite, scheme=scheme, io_type=None, inputs=(X,))


def test_few_samples_are_warned_of_with_what_half_of_them_costs(model: keras.Model) -> None:
    sentence = described(model, 2)
    assert "only 2 representative samples" in sentence
    all_of_them, half = (float(word.rstrip("%.")) for word in sentence.split() if "%" in word)
    assert 0 < all_of_them < half  # ranges of a single sample clip what the others cause


def test_a_single_sample_cannot_be_halved(model: keras.Model) -> None:
    assert "only 1 representative" in described(model, 1)


def test_enough_samples_and_schemes_that_do_not_calibrate_are_not(model: keras.Model) -> None:
    assert described(model, FEW_SAMPLES) == ""
    assert described(model, 2, scheme="none") == ""
