"""What the converter says is told in words, with the layer, and without places in sources."""

import keras
import pytest
import tensorflow as tf
from keras import layers

from edgeprune.errors import ModelError
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.conversion.converter_errors import read_converter_error

SAID = (
    "Could not translate MLIR to FlatBuffer./home/me/net.py:93:1: error: 'tf.Svd' op is neither a custom op "
    'nor a flex op\n<unknown>:0: note: loc(fused["Svd:", "net/odd/Svd"]): ERROR_NEEDS_CUSTOM_OPS'
)


class Singular(layers.Layer):
    def call(self, x):  # type: ignore[no-untyped-def]
        return tf.linalg.svd(x[:, None] * tf.ones((1, 4, 1)), compute_uv=False)


def test_operations_are_named_and_places_left_out() -> None:
    found = read_converter_error(SAID)
    assert found.ops == ("Svd",)
    assert "/home" not in found.reason
    assert read_converter_error("").ops == ()


def test_of_a_traceback_the_error_is_told() -> None:
    said = (
        'in user code:\n\n    File "/me/net.py", line 3, in infer\n\n    ValueError: shapes differ: 4 and 5\n'
    )
    assert read_converter_error(said).reason == "shapes differ: 4 and 5"


def test_the_layer_is_named_and_the_advice_is_one_line() -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, Singular(name="odd")(layers.Dense(4)(inputs)))
    with pytest.raises(ModelError) as caught:
        convert(model, scheme="none")
    assert "no form of Svd" in caught.value.what
    assert "layer 'odd'" in caught.value.where
    assert "MLIR" not in caught.value.message
    assert "/" not in caught.value.message
