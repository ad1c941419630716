"""Whatever types a model was trained in, edgeprune sees float32; what it computes stays."""

import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from edgeprune.config.load_options import LoadOptions
from edgeprune.errors import ModelError
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.loading.given import open_model
from edgeprune.keras_bridge.loading.save import save_model
from edgeprune.keras_bridge.model.calling import call
from edgeprune.keras_bridge.model.inference_form import config_in_float32, find_other_float, to_inference_form
from edgeprune.runtimes.litert_host import run_litert

POLICIES = ("mixed_float16", "mixed_bfloat16", "float16", "float64")
# Largest difference of outputs, as a fraction of their range: that of the original's own rounding.
ROUNDING = {"float32": 1e-6, "float64": 1e-6, "mixed_float16": 0.01, "float16": 0.01, "mixed_bfloat16": 0.05}


@pytest.fixture(autouse=True)
def policy_is_put_back() -> Iterator[None]:
    yield
    keras.config.set_dtype_policy("float32")


def under(policy: str, make: Callable[[], keras.Model]) -> keras.Model:
    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy(policy)
    try:
        return make()
    finally:
        keras.config.set_dtype_policy("float32")


def draw(model: keras.Model, *, count: int = 8) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [
        rng.integers(0, 7, (count, *t.shape[1:])).astype(t.dtype)
        if t.dtype.startswith("int")
        else rng.normal(size=(count, *t.shape[1:])).astype(np.float32)
        for t in model.inputs
    ]


def difference(model: keras.Model, other: keras.Model) -> float:
    """The largest of any output, as a fraction of its range."""
    x = draw(model)
    pairs = zip(call(model, x, training=False), call(other, x, training=False), strict=True)
    arrays = [(np.asarray(a).astype(np.float32), np.asarray(b)) for a, b in pairs]
    return max(float(np.abs(a - b).max() / np.ptp(b)) for a, b in arrays)


def quantize(model: keras.Model, mode: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras warns of every layer that it leaves as it is
        model.quantize(mode)


class Scaled(layers.Layer):
    """A layer of the user's, which nobody registered, with a layer inside that its config does not tell."""

    def __init__(self, units: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.dense = layers.Dense(units)

    def build(self, shape: Any) -> None:
        self.factor = self.add_weight(shape=(shape[-1],), initializer="random_normal", name="factor")
        self.dense.build(shape)

    def call(self, x: Any) -> Any:
        return self.dense(x * self.factor)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


def image_classifier() -> keras.Model:
    image = keras.Input((8, 8, 3))
    x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(image)))
    x = layers.DepthwiseConv2D(3, depthwise_initializer="random_normal")(x)
    return keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))


def sequences() -> keras.Model:
    steps = keras.Input((6, 4))
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(steps)
    x = layers.RNN([layers.GRUCell(4), layers.LSTMCell(3)], return_sequences=True)(x)
    x = layers.MultiHeadAttention(2, 3)(x, x)
    x = layers.EinsumDense("abc,cde->abde", (None, 2, 3), bias_axes="de")(x)
    x = layers.EinsumDense("abcd,cde->abe", (None, 3), bias_axes="e")(x)
    return keras.Model(steps, layers.Dense(3)(layers.Flatten()(layers.Reshape((6, 3))(x))))


def words() -> keras.Model:
    text = keras.Input((5,), dtype="int32")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(7, 6)(text))
    return keras.Model(text, layers.Dense(3)(x))


def shared_nested_and_custom() -> keras.Model:
    """Two inputs and two outputs by name; a layer called three times; models inside, one in a wrapper."""
    inputs = {name: keras.Input((8,), name=name) for name in ("b", "a")}
    shared = layers.Dense(8, activation="relu", name="shared")
    inside = keras.Input((8,))
    frozen = layers.Dense(4, name="frozen")
    inner = keras.Model(inside, layers.BatchNormalization()(frozen(inside)) * 2.0, name="inner")
    frozen.trainable = False
    x = layers.Add()([inner(shared(shared(inputs["a"]))), inner(shared(inputs["b"]))])
    y = Scaled(4, name="scaled")(ops.cast(x, "float16") * np.float16(2))
    z = layers.Lambda(lambda t: t + 1, name="plus")(y)
    rows = layers.TimeDistributed(keras.Sequential([layers.Dense(3)]))(ops.reshape(z, (-1, 2, 2)))
    return keras.Model(inputs, {"sum": y, "rows": rows})


MODELS = {f.__name__: f for f in (image_classifier, sequences, words, shared_nested_and_custom)}


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", MODELS)
def test_a_model_of_another_policy_computes_the_same_in_float32(name: str, policy: str) -> None:
    model = under(policy, MODELS[name])
    again = open_model(model, options=LoadOptions(trust=True))
    assert find_other_float(model) is not None
    assert find_other_float(again) is None
    assert {str(np.asarray(w).dtype) for w in again.weights} == {"float32"}
    rounded = MODELS[name] is shared_nested_and_custom  # by the user's cast, to half precision
    assert difference(model, again) < (ROUNDING["float16"] if rounded else ROUNDING[policy])


def test_a_model_in_float32_is_not_touched() -> None:
    for make in (image_classifier, sequences, words):
        model = under("float32", make)
        assert to_inference_form(model, where="m") is model


def test_half_precision_is_found_wherever_it_is() -> None:
    image = keras.Input((4,))
    halves = {
        "a layer": layers.Dense(2, dtype="float16", name="culprit")(image),
        "a layer that is not the last": layers.Dense(2)(
            layers.Dense(2, dtype="mixed_bfloat16", name="culprit")(image)
        ),
        "a function": ops.cast(image, "float16"),
        "a nested model": keras.Sequential([layers.Dense(2, dtype="float64", name="culprit")])(image),
        "a wrapper": layers.TimeDistributed(layers.Dense(2, dtype="float16", name="culprit"))(
            layers.Reshape((2, 2))(image)
        ),
    }
    for name, output in halves.items():
        assert find_other_float(keras.Model(image, output)) is not None, name
    assert find_other_float(keras.Model(image, layers.Dense(2, name="culprit")(image))) is None


def test_integers_stay_integers() -> None:
    config = {"dtype": "int32", "layers": [{"dtype": "float16"}, {"dtype": "mixed_float16", "rate": 1}]}
    assert config_in_float32(config) == {
        "dtype": "int32",
        "layers": [{"dtype": "float32"}, {"dtype": "float32", "rate": 1}],
    }


def test_names_flags_and_structures_stay() -> None:
    model = under("mixed_float16", shared_nested_and_custom)
    again = to_inference_form(model, where="m")
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert [(t.name, t.shape) for t in again.inputs] == [(t.name, t.shape) for t in model.inputs]
    assert list(again.output) == list(model.output)
    assert list(again.input) == list(model.input)
    assert not again.get_layer("inner").get_layer("frozen").trainable
    assert [w.shape for w in again.trainable_weights] == [w.shape for w in model.trainable_weights]
    assert len(again.get_layer("shared")._inbound_nodes) == 3


def test_the_copy_is_compiled_alike_and_its_loss_is_not_scaled() -> None:
    def loss(y: Any, found: Any) -> Any:
        return ops.mean(ops.square(y - found), axis=-1)

    model = under("mixed_float16", image_classifier)
    model.compile(keras.optimizers.Adam(3e-3), loss, metrics=["mae"])
    assert isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer)
    x, y = draw(model)[0], np.zeros((8, 3), np.float32)
    model.fit(x, y, verbose=0)
    again = to_inference_form(model, where="m")
    assert again.loss is loss
    assert type(again.optimizer) is keras.optimizers.Adam
    assert float(again.optimizer.learning_rate) == pytest.approx(3e-3)
    assert again.evaluate(x, y, verbose=0) == pytest.approx(model.evaluate(x, y, verbose=0), rel=0.01)
    before = again.get_weights()
    again.fit(x, y, verbose=0)
    assert any(not np.array_equal(a, b) for a, b in zip(before, again.get_weights(), strict=True))


def test_a_file_in_mixed_precision_is_opened_and_what_is_saved_of_it_too(tmp_path: Path) -> None:
    model = under("mixed_float16", image_classifier)
    model.save(tmp_path / "m.keras")
    opened = open_model(tmp_path / "m.keras")
    assert difference(model, opened) < ROUNDING["mixed_float16"]
    save_model(opened, tmp_path / "again.keras")
    assert difference(opened, open_model(tmp_path / "again.keras")) == 0


@pytest.mark.parametrize("mode", ["int8", "int4", "float8"])
@pytest.mark.parametrize("make", [sequences, words, shared_nested_and_custom])
def test_what_keras_quantized_has_real_weights_again(make: Callable[[], keras.Model], mode: str) -> None:
    model = under("float32", make)
    shapes = sorted(tuple(w.shape) for w in model.weights)
    quantize(model, mode)
    again = to_inference_form(model, where="m")
    assert sorted(tuple(w.shape) for w in again.weights) == shapes
    # Keras rounds activations as well, to 8 bits; those of float8 have three bits of mantissa.
    assert difference(model, again) < (0.2 if mode == "float8" else 0.02)


def test_dequantized_weights_are_the_integers_times_their_scales() -> None:
    numbers = keras.Input((4,))
    layer = layers.Dense(3, activation="relu", bias_initializer="random_normal")
    model = keras.Model(numbers, layer(numbers))
    quantize(model, "int8")
    expected = np.asarray(layer._kernel, np.float32) / np.asarray(layer.kernel_scale)
    again = to_inference_form(model, where="m").layers[1]
    np.testing.assert_allclose(np.asarray(again.kernel), expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(again.bias), np.asarray(layer.bias))


class Forgetful(layers.Dense):
    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("no config")


class Stubborn(layers.Layer):
    def call(self, x: Any) -> Any:
        return ops.cast(x, "float16")


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        (Forgetful, r"layer 'odd' \(Forgetful\) cannot be brought into float32"),
        (Stubborn, "layer 'odd' computes"),
    ],
)
def test_a_layer_that_cannot_be_in_float32_is_named(layer: Any, said: str) -> None:
    def make() -> keras.Model:
        image = keras.Input((4,))
        made = layer(2, name="odd") if layer is Forgetful else layer(name="odd")
        return keras.Model(image, layers.Dense(1, dtype="float32")(made(image)))

    with pytest.raises(ModelError, match=said):
        to_inference_form(under("mixed_float16", make), where="m")


def test_a_stateful_model_opens_only_for_what_leaves_it_in_keras() -> None:
    steps = keras.Input((4, 3), batch_size=1)
    model = keras.Model(steps, layers.GRU(2, stateful=True, name="memory")(steps))
    with pytest.raises(ModelError, match=r"layer 'memory' .* is stateful"):
        open_model(model)
    assert open_model(model, options=LoadOptions(allow_state=True)) is model


KINDS: dict[str, Callable[..., Any]] = {
    "LSTM": lambda **rates: layers.LSTM(3, **rates),
    "GRU": lambda **rates: layers.GRU(3, **rates),
    "SimpleRNN": lambda **rates: layers.SimpleRNN(3, **rates),
    "Bidirectional LSTM": lambda **rates: layers.Bidirectional(layers.LSTM(3, **rates)),
    "Bidirectional GRU": lambda **rates: layers.Bidirectional(layers.GRU(3, **rates)),
    "stacked cells": lambda **rates: layers.RNN([layers.LSTMCell(3, **rates), layers.GRUCell(2, **rates)]),
}
RATES = {"without dropout": {}, "with dropout": {"dropout": 0.3, "recurrent_dropout": 0.2}}
SOME = ("GRU", "Bidirectional LSTM")
# Largest error, as a fraction of the outputs' range.
ERRORS = {"none": 1e-4, "int8": 0.2, "float16": 0.01, "dynamic_range": 0.1, "int16x8": 0.05}


def schemes(kind: str, rate: str, policy: str) -> tuple[str, ...]:
    """All of them for a few, since each conversion takes a second."""
    if policy != "float32" or kind not in SOME:
        return ("none", "int8") if policy in ("float32", "mixed_float16") else ("none",)
    return tuple(ERRORS) if rate == "with dropout" and kind == "GRU" else ("none", "int8", "dynamic_range")


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "mixed_bfloat16", "float64"])
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("kind", KINDS)
def test_recurrent_layers_convert_in_every_policy_with_and_without_dropout(
    kind: str, rate: str, policy: str
) -> None:
    def make() -> keras.Model:
        steps = keras.Input((4, 3))
        return keras.Model(steps, layers.Dense(2)(KINDS[kind](**RATES[rate])(steps)))

    model = open_model(under(policy, make))
    # Large inputs: the int8 kernel computes nonsense where an LSTM's cells stay below 0.5.
    x = 5 * np.random.default_rng(0).normal(size=(12, 4, 3)).astype(np.float32)
    expected = np.asarray(model(x, training=False))
    for scheme in schemes(kind, rate, policy):
        found = run_litert(convert(model, scheme=scheme, representative=[x]), [x]).outputs[0].values
        assert np.abs(found - expected).max() < ERRORS[scheme] * np.ptp(expected), scheme
    trained = [np.asarray(model(x, training=True)) for _ in range(2)]
    assert np.array_equal(*trained) == (rate == "without dropout"), "training lost its dropout"
