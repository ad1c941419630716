"""Anchors and other constants among a model's outputs stay, for any number of samples."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from edgeprune.errors import ModelError
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.loading.given import open_model
from edgeprune.keras_bridge.model.calling import call
from edgeprune.keras_bridge.model.trace import trace
from edgeprune.runtimes.litert_host import run_litert

ANCHORS = np.random.default_rng(0).uniform(size=(1, 4, 2)).astype(np.float32)


class Anchors(layers.Layer):
    """Reads only how many samples there are."""

    def call(self, x: Any) -> Any:
        return ops.tile(ops.convert_to_tensor(ANCHORS), (ops.shape(x)[0], 1, 1))

    def compute_output_shape(self, shape: Any) -> Any:
        return (shape[0], 4, 2)


DETECTORS: dict[str, Callable[[Any, Any], Any]] = {
    "an output of a layer": lambda image, boxes: [boxes, Anchors()(image)],
    "an output of functions": lambda image, boxes: [boxes, ops.zeros_like(boxes) + ANCHORS],
    "decoded": lambda image, boxes: boxes * ANCHORS + ANCHORS[..., ::-1],
    "joined by a function": lambda image, boxes: ops.concatenate([boxes, ANCHORS], axis=-1),
    "joined by a layer": lambda image, boxes: layers.Concatenate()([boxes, ANCHORS]),
}


@pytest.mark.parametrize("name", DETECTORS)
def test_constants_stay_for_any_number_of_samples_and_in_the_file(name: str) -> None:
    keras.utils.set_random_seed(0)
    image = keras.Input((4, 4, 3), batch_size=1 if "joined" in name else None)
    boxes = layers.Reshape((4, 2))(layers.Conv2D(2, 1, strides=2)(image))
    model = keras.Model(image, DETECTORS[name](image, boxes))
    x = np.random.default_rng(1).normal(size=(3, 4, 4, 3)).astype(np.float32)
    one_by_one = [[np.asarray(y) for y in call(model, [row[None]], training=False)] for row in x]
    expected = [np.concatenate(rows) for rows in zip(*one_by_one, strict=True)]
    opened = open_model(model)
    assert trace(opened).graph.outputs
    together = [np.asarray(y) for y in call(opened, [x], training=False)]
    filed = [output.values for output in run_litert(convert(opened, scheme="none"), [x]).outputs]
    for found in (together, filed):
        for a, b in zip(found, expected, strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_constant_of_one_sample_fails_for_more_without_this() -> None:
    image = keras.Input((4, 2), batch_size=1)
    model = keras.Model(image, ops.concatenate([image, ANCHORS], axis=-1))
    x = np.zeros((3, 4, 2), np.float32)
    with pytest.raises(Exception, match=r"Dimension 0|shape"):
        call(model, [x], training=False)
    assert call(open_model(model), [x], training=False)[0].shape == (3, 4, 4)


def test_code_that_names_what_is_not_there_is_a_model_error() -> None:
    image = keras.Input((4,))
    lost = layers.Lambda(lambda x: x * nowhere, output_shape=(4,))  # type: ignore[name-defined]  # noqa: F821
    with pytest.raises(ModelError, match=r"uses a name that its file does not hold .*nowhere"):
        call(keras.Model(image, lost(image)), [np.zeros((1, 4), np.float32)], training=False)
