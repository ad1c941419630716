"""`inspect` is a preview of what a build would find."""

import keras
import pytest
from keras import layers, ops

from edgeprune.commands.inspect import inspect
from edgeprune.progress import Silent


def attention() -> keras.Model:
    inputs = keras.Input((8, 12))
    x = layers.MultiHeadAttention(4, 3, name="mha")(inputs, inputs)
    x = layers.Dense(16, activation="gelu", name="ffn")(x)
    return keras.Model(inputs, layers.Dense(3)(layers.GlobalAveragePooling1D()(x)))


def product() -> keras.Model:
    inputs = keras.Input((6, 6, 3))
    x = ops.prod(layers.Conv2D(8, 3, name="conv")(inputs), axis=1)
    return keras.Model(inputs, layers.Dense(3)(layers.Flatten()(x)))


def test_it_knows_heads_and_what_the_file_costs_now_and_at_the_least() -> None:
    found = inspect(attention(), device="cortex-m7", progress=Silent())
    (heads,) = (group for group in found.groups if group["unit"] == "heads")
    assert (heads["channels"], heads["prunable"], heads["layers"]) == (4, 4, ["mha"])
    assert next(layer for layer in found.layers if layer["name"] == "mha")["status"] == "prunable"
    seen = found.preview
    assert (seen["unsupported"], seen["reason"]) == ([], "")
    for name in ("flash_bytes", "ram_bytes", "latency_ms"):
        assert 0 < seen["smallest"][name] <= seen["figures"][name]["value"]
    assert found.totals["latency_ms"] == pytest.approx(seen["figures"]["latency_ms"]["value"])


def test_it_names_the_layer_that_becomes_an_op_which_the_device_lacks() -> None:
    (lacking,) = inspect(product(), device="cortex-m7", progress=Silent()).preview["unsupported"]
    assert lacking["op"] == "REDUCE_PROD"
    assert "'conv'" in lacking["where"]
