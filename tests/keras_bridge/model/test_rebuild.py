"""Models that are awkward to rebuild: nested, shared, with functions as layers, compiled, adapted."""

from collections.abc import Callable

import keras
import numpy as np
import pytest
from keras import layers
from random_pruning import draw_plan, prune_at_random, random_inputs

from edgeprune.errors import InfeasibleError
from edgeprune.graph.channels import name_channels
from edgeprune.keras_bridge.model.rebuild import TOLERANCE, compact, rebuild
from edgeprune.keras_bridge.model.trace import trace

Tensor = keras.KerasTensor


def between(middle: Callable[[Tensor], Tensor]) -> keras.Model:
    image = keras.Input((6, 6, 3))
    x = middle(layers.Conv2D(6, 3, padding="same")(image))
    if len(x.shape) == 4:
        x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 1)(x))
    return keras.Model(image, layers.Dense(3)(x))


def nested_twice(x: Tensor) -> Tensor:
    inside = keras.Input((6, 6, 6))
    y = layers.BatchNormalization()(layers.Conv2D(5, 3)(layers.ReLU()(inside)))
    inner = keras.Model(inside, y, name="inner")
    return layers.Concatenate()([inner(x), inner(layers.Conv2D(6, 1)(x))])


def nested_without_weights_twice(x: Tensor) -> Tensor:
    inner = keras.Sequential([keras.Input((6, 6, 6)), layers.ReLU(), layers.MaxPooling2D()])
    return layers.Concatenate()([inner(x), inner(layers.Conv2D(6, 1)(x))])


def nested_with_a_dictionary(x: Tensor) -> Tensor:
    p, q = keras.Input((6, 6, 6), name="p"), keras.Input((6, 6, 4), name="q")
    inner = keras.Model({"q": q, "p": p}, layers.Concatenate()([layers.Conv2D(3, 1)(p), q]))
    return inner({"p": x, "q": layers.Conv2D(4, 1)(x)})


def nested_three_deep(x: Tensor) -> Tensor:
    body: Callable[[Tensor], Tensor] = layers.Conv2D(6, 1)
    for _ in range(3):
        inside = keras.Input((6, 6, 6))
        body = keras.Model(inside, layers.Conv2D(6, 1)(body(inside)))
    return body(x)


def reshape_twice(x: Tensor) -> Tensor:
    shared = layers.Reshape((36, 4))
    both = [shared(layers.Conv2D(4, 1)(x)), shared(layers.Conv2D(4, 1)(x))]
    return layers.Flatten()(layers.Concatenate()(both))


def a_layer_inside_and_outside(x: Tensor) -> Tensor:
    shared = layers.Conv2D(6, 1)
    inside = keras.Input((6, 6, 6))
    inner = keras.Model(inside, layers.ReLU()(shared(inside)))
    return layers.Add()([inner(x), shared(x)])


SHAPES: dict[str, Callable[[Tensor], Tensor]] = {
    "nested twice": nested_twice,
    "nested without weights twice": nested_without_weights_twice,
    "nested with a dictionary": nested_with_a_dictionary,
    "nested three deep": nested_three_deep,
    "a Reshape called twice": reshape_twice,
    "a layer inside and outside": a_layer_inside_and_outside,
    "times a number": lambda x: x * 2.0,
    "mean over axes": lambda x: keras.ops.mean(x, axis=(1, 2)),
    "relu as a function": keras.ops.relu,
    "a slice": lambda x: x[:, ::2],
    "a sum as an operator": lambda x: x + layers.Conv2D(6, 1)(x),
    "concatenation as a function": lambda x: keras.ops.concatenate([x, layers.Conv2D(6, 1)(x)], axis=-1),
    "reshape as a function": lambda x: keras.ops.reshape(x, (-1, 216)),
    "half of a split": lambda x: keras.ops.split(x, 2, axis=-1)[1],
    "layer normalization": lambda x: layers.LayerNormalization()(x),
    "a grouped convolution": lambda x: layers.Conv2D(6, 3, groups=2)(x),
    "an activation object": lambda x: layers.Conv2D(5, 1, activation=layers.ReLU(max_value=6.0))(x),
}


@pytest.mark.parametrize("name", SHAPES)
def test_an_awkward_model_is_rebuilt_and_equal(name: str) -> None:
    for seed in range(3):
        compacted, _, _, _ = prune_at_random(between(SHAPES[name]), seed)
        assert compacted.error <= TOLERANCE


def test_a_nested_sequential_model_keeps_its_structure() -> None:
    inner = keras.Sequential([keras.Input((4, 4, 6)), layers.Conv2D(5, 1), layers.ReLU()], name="inner")
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), layers.Conv2D(6, 3), inner, layers.Flatten(), layers.Dense(3)]
    )
    compacted, _, _, kept = prune_at_random(model, 0)
    assert not kept.all()
    assert isinstance(compacted.model, keras.Sequential)
    assert isinstance(compacted.model.get_layer("inner"), keras.Sequential)


def test_inputs_and_outputs_in_dictionaries_stay_so() -> None:
    a, b = keras.Input((4,), name="a"), keras.Input((4,), name="b")
    x = layers.Add()([layers.Dense(6)(a), layers.Dense(6)(b)])
    compacted, _, _, _ = prune_at_random(keras.Model({"b": b, "a": a}, {"y": layers.Dense(2)(x)}), 0)
    found = compacted.model({"a": np.zeros((1, 4)), "b": np.zeros((1, 4))})
    assert list(found) == ["y"]


def test_dimensions_that_are_not_fixed_stay_open() -> None:
    image = keras.Input((None, None, 3))
    x = layers.Conv2D(4, 1)(layers.Conv2D(6, 3, padding="same")(image))
    model = keras.Model(image, layers.GlobalAveragePooling1D()(layers.Reshape((-1, 4))(x)))
    traced = trace(model)
    channels = name_channels(traced.graph)
    kept = draw_plan(channels, np.random.default_rng(0))
    probe = [np.random.default_rng(1).standard_normal((2, 5, 7, 3)).astype(np.float32)]
    compacted = compact(model, traced, channels=channels, kept=kept, probe=probe)
    assert not kept.all()
    assert compacted.model.input_shape == (None, None, None, 3)


def test_an_adapted_normalization_keeps_its_statistics() -> None:
    vector = keras.Input((3,))
    norm = layers.Normalization()
    norm.adapt(np.random.default_rng(0).normal(50, 9, (100, 3)))
    model = keras.Model(vector, layers.Dense(2)(layers.Dense(6)(norm(vector))))
    traced = trace(model)
    again = rebuild(model, traced, graph=traced.graph)
    x = np.random.default_rng(1).normal(50, 9, (4, 3)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(model(x)))


def test_the_rebuilt_model_is_not_compiled_and_the_original_still_is() -> None:
    model = between(lambda x: x)
    model.compile(optimizer="adam", loss="mse")
    compacted, _, _, _ = prune_at_random(model, 0)
    assert not compacted.model.compiled
    assert model.compiled


def test_layers_that_are_not_trained_stay_so() -> None:
    model = between(lambda x: layers.Conv2D(5, 1, trainable=False, name="fixed")(x))
    compacted, _, _, _ = prune_at_random(model, 0)
    assert not compacted.model.get_layer("fixed").trainable


def test_the_original_keeps_its_weights_when_the_proof_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    model = between(lambda x: x)
    traced = trace(model)
    channels = name_channels(traced.graph)
    kept = draw_plan(channels, np.random.default_rng(0))
    before = model.get_weights()
    monkeypatch.setattr("edgeprune.keras_bridge.model.rebuild.TOLERANCE", -1.0)
    with pytest.raises(InfeasibleError, match="differs from the masked one"):
        compact(
            model, traced, channels=channels, kept=kept, probe=random_inputs(model, np.random.default_rng(1))
        )
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_outputs_that_are_not_numbers_are_not_taken_for_equal() -> None:
    model = between(lambda x: x)
    traced = trace(model)
    channels = name_channels(traced.graph)
    kept = draw_plan(channels, np.random.default_rng(0))
    probe = [np.full((2, 6, 6, 3), np.inf, np.float32)]
    with pytest.raises(InfeasibleError):
        compact(model, traced, channels=channels, kept=kept, probe=probe)
