"""Factorised models: what they were at full rank, nearest to their outputs below, whatever the layers."""

from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.errors import RecipeError
from edgeprune.graph.channels import name_channels
from edgeprune.keras_bridge.loading.save import open_saved, save_model
from edgeprune.keras_bridge.model.calling import call
from edgeprune.keras_bridge.model.factorise import factorise, list_factorable
from edgeprune.keras_bridge.model.moments import measure_moments
from edgeprune.keras_bridge.model.probes import draw_inputs
from edgeprune.keras_bridge.model.rebuild import compare_models
from edgeprune.keras_bridge.model.trace import Traced, trace
from edgeprune.prune.factors import Factoring, Ranks


def images() -> keras.Model:
    """Strides, dilation, padding, no bias before BatchNormalization, a fused activation."""
    image = keras.Input((9, 9, 6))
    x = layers.Conv2D(8, 3, strides=2, padding="same", activation="relu", name="strided")(image)
    x = layers.Conv2D(8, 3, dilation_rate=2, use_bias=False, padding="same", name="dilated")(x)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Conv2D(12, 1, strides=2, name="pointwise")(x)
    return keras.Model(image, layers.Dense(4, activation="softmax", name="head")(layers.Flatten()(x)))


def sequence() -> keras.Model:
    """A Sequential model, a causal convolution, a dense layer at every step."""
    return keras.Sequential(
        [
            keras.Input((10, 6)),
            layers.Conv1D(8, 3, padding="causal", name="causal"),
            layers.Dense(7, activation="tanh", name="steps"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, name="head"),
        ]
    )


def shared() -> keras.Model:
    """One layer called twice."""
    vector = keras.Input((5,))
    again = layers.Dense(8, activation="tanh", name="again")
    x = layers.Dense(8, name="first")(vector)
    return keras.Model(vector, layers.Dense(2, name="head")(again(again(x)) + x))


def nested() -> keras.Model:
    """A model inside, called twice."""
    inside = keras.Input((8,))
    inner = keras.Model(inside, layers.Dense(8, activation="relu", name="fc")(inside), name="inner")
    vector = keras.Input((5,))
    return keras.Model(vector, inner(inner(layers.Dense(8, name="first")(vector))))


MODELS = [images, sequence, shared, nested]


def prepare(model: keras.Model, *, aware: bool) -> tuple[Traced, dict[str, Factoring], list[np.ndarray]]:
    traced = trace(model)
    names = [n for n, why in list_factorable(traced, name_channels(traced.graph), keep=()).items() if not why]
    inputs = draw_inputs(model, traced.graph, seed=0, samples=150)
    moments = measure_moments(model, traced, layers=names, inputs=inputs) if aware else {}
    found = {name: traced.graph.layers[name].weights for name in names}
    return (
        traced,
        {
            name: Factoring(weights["kernel"], bias=weights.get("bias"), moments=moments.get(name))
            for name, weights in found.items()
        },
        inputs,
    )


def full(factoring: Factoring, *, tucker: bool) -> Ranks:
    made = min(factoring.made, factoring.kernel[..., 0].size)
    return (factoring.read, made) if tucker and factoring.has_window else (made,)


@pytest.mark.parametrize("make", MODELS)
@pytest.mark.parametrize("aware", [False, True])
@pytest.mark.parametrize("tucker", [False, True])
def test_at_full_rank_a_model_is_what_it_was(
    make: Callable[[], keras.Model], aware: bool, tucker: bool, tmp_path: Path
) -> None:
    keras.utils.set_random_seed(0)
    model = make()
    before = [np.array(weight) for weight in model.get_weights()]
    traced, factorings, inputs = prepare(model, aware=aware)
    factors = {name: f.factorise(full(f, tucker=tucker)) for name, f in factorings.items()}
    made = factorise(model, traced, factors=factors)
    assert compare_models(model, made, probe=inputs, graph=traced.graph) < 1e-5
    assert len(made.layers) >= len(model.layers) + len(factors) - 1
    for weight, was in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, was)
    save_model(made, tmp_path / "made.keras")
    again = open_saved(tmp_path / "made.keras", original=model)
    assert compare_models(made, again, probe=inputs, graph=trace(made).graph) == 0


@pytest.mark.parametrize("name", ["strided", "dilated", "pointwise", "head"])
def test_a_layers_outputs_lose_what_was_said_and_less_than_by_weights_alone(name: str) -> None:
    keras.utils.set_random_seed(0)
    model = images()
    lost = {}
    for aware in (False, True):
        traced, factorings, inputs = prepare(model, aware=aware)
        made = factorise(model, traced, factors={name: factorings[name].factorise((3,))})
        outputs = [
            np.asarray(call(keras.Model(m.input, m.get_layer(name).output), inputs, training=False)[0])
            for m in (linear(model, name), linear(made, name))
        ]
        rows = [output.reshape(-1, output.shape[-1]) for output in outputs]
        variance = np.sum((rows[0] - rows[0].mean(axis=0)) ** 2)
        lost[aware] = np.sum((rows[1] - rows[0]) ** 2) / variance
    assert lost[True] == pytest.approx(factorings[name].lost((3,)), rel=1e-3)
    assert lost[True] < lost[False]


def linear(model: keras.Model, name: str) -> keras.Model:
    """The model itself, whose layer of that name has no activation any more."""
    model.get_layer(name).activation = keras.activations.linear
    return model


def test_the_last_factor_has_the_name_and_the_bias_and_nothing_else_is_renamed() -> None:
    model = images()
    traced, factorings, _ = prepare(model, aware=True)
    factors = {"strided": factorings["strided"].factorise((2, 4)), "head": factorings["head"].factorise((2,))}
    made = factorise(model, traced, factors=factors)
    names = {layer.name: layer for layer in made.layers if not isinstance(layer, layers.InputLayer)}
    assert names.keys() - {layer.name for layer in model.layers} == {
        *("strided_low_rank_in", "strided_low_rank", "head_low_rank")
    }
    assert [names[n].kernel_size for n in ("strided_low_rank_in", "strided_low_rank", "strided")] == [
        *((1, 1), (3, 3), (1, 1))
    ]
    assert names["strided_low_rank"].strides == (2, 2)
    assert names["strided"].strides == names["strided_low_rank_in"].strides == (1, 1)
    assert names["head"].activation is keras.activations.softmax
    assert names["head_low_rank"].activation is keras.activations.linear
    assert not names["head_low_rank"].use_bias


def test_what_cannot_be_factorised_says_why() -> None:
    image = keras.Input((8, 8, 4))
    x = layers.Conv2D(8, 3, groups=2, name="grouped")(image)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.Conv2D(8, 1, kernel_constraint="non_neg", name="constrained")(x)
    frozen = layers.Conv2D(8, 1, name="frozen")
    x = layers.Flatten()(frozen(x))
    model = keras.Model(image, layers.Dense(2, name="head")(layers.Dense(8, name="kept")(x)))
    frozen.trainable = False
    traced = trace(model)
    channels = name_channels(traced.graph)
    assert list_factorable(traced, channels, keep=("kept",)) == {
        "grouped": "its channels are in groups",
        "constrained": "its kernel is constrained",
        "frozen": "it is frozen, and cannot be fine-tuned",
        "kept": "asked to be kept",
        "head": "",
    }
    with pytest.raises(RecipeError, match="matches no layer"):
        list_factorable(traced, channels, keep=("nothing",))


def test_a_layer_is_factorised_once() -> None:
    model = shared()
    traced, factorings, _ = prepare(model, aware=False)
    made = trace(factorise(model, traced, factors={"first": factorings["first"].factorise((2,))}))
    assert list_factorable(made, name_channels(made.graph), keep=())["first"] == "it has been factorised"
