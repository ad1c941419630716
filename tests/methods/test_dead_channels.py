"""Planted dead channels go, exactly those, and the outputs stay what they were."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from keras import layers
from keras_bridge.random_models import KINDS, build_model
from random_pruning import randomise

from edgeprune.errors import InfeasibleError, RecipeError
from edgeprune.graph import folding
from edgeprune.graph.channels import name_channels
from edgeprune.graph.interval_trace import trace_intervals
from edgeprune.keras_bridge.loading.load import load_model
from edgeprune.keras_bridge.loading.save import open_saved, save_model
from edgeprune.keras_bridge.model.trace import trace
from edgeprune.methods import dead_channels as dead_step
from edgeprune.methods.dead_channels import TOLERANCE, Stripped, strip_dead
from edgeprune.prune import dead
from edgeprune.prune.dead import _needed_elsewhere, find_dead
from edgeprune.prune.limits import Limits
from tests.keras_bridge.feeding import hold_arrays

RESNET8 = Path(__file__).parents[2] / "../shared/models/mlperf_tiny/image_classification/pretrainedResnet.h5"
Tensor = Any
Planted = dict[str, set[int]]
"""Layer → the channels that must go; no others may."""


def strip(model: keras.Model, **arguments: Any) -> Stripped:
    return strip_dead(
        model, **{"data": None, "trust_seen": False, "limits": Limits(), "seed": 0, **arguments}
    )


def removed(stripped: Stripped) -> Planted:
    found: Planted = {}
    for row in stripped.removed:
        found.setdefault(row.layer, set()).update(row.channels)
    return found


def start() -> tuple[Tensor, Tensor]:
    image = keras.Input((6, 6, 3))
    return image, layers.Conv2D(6, 3, use_bias=True, name="made")(image)


def finish(image: Tensor, x: Tensor) -> keras.Model:
    """A convolution behind x that reads it, and an output; all weights drawn."""
    if len(x.shape) == 4:
        x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(image, layers.Dense(3, name="head")(x))
    randomise(model, np.random.default_rng(7))
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):  # nothing of it is dead by chance
            layer.gamma.assign(np.linspace(0.5, 1.5, layer.gamma.shape[0]))
    return model


def plant(model: keras.Model, name: str, weight: str, channels: list[int], value: float = 0.0) -> None:
    """Sets the slices of a weight's last axis."""
    variable = next(v for v in model.get_layer(name).weights if v.name == weight)
    array = np.array(variable)
    array[..., channels] = value
    variable.assign(array)


def zeroed(model: keras.Model, name: str, channels: list[int], *, bias: float = 0.0) -> None:
    plant(model, name, "kernel", channels)
    plant(model, name, "bias", channels, bias)


def zero_weights() -> tuple[keras.Model, Planted]:
    image, x = start()
    model = finish(image, layers.Conv2D(5, 3, padding="same", name="reads")(x))
    zeroed(model, "made", [1, 4])
    return model, {"made": {1, 4}}


def constant_from_a_bias() -> tuple[keras.Model, Planted]:
    image, x = start()
    model = finish(image, layers.Conv2D(5, 3, name="reads")(layers.ReLU()(x)))
    zeroed(model, "made", [0, 2], bias=0.7)
    zeroed(model, "made", [3], bias=-0.7)
    return model, {"made": {0, 2, 3}}


def constant_at_the_border_is_not_one() -> tuple[keras.Model, Planted]:
    image, x = start()
    model = finish(image, layers.Conv2D(5, 3, padding="same", name="reads")(layers.ReLU()(x)))
    zeroed(model, "made", [0, 2], bias=0.7)
    zeroed(model, "made", [3], bias=-0.7)
    return model, {"made": {3}}


def batch_norm_without_scale() -> tuple[keras.Model, Planted]:
    image, x = start()
    x = layers.ReLU()(layers.BatchNormalization(name="norm")(x))
    model = finish(image, layers.Conv2D(5, 1, use_bias=False, name="reads")(x))
    plant(model, "norm", "gamma", [0, 5])
    plant(model, "norm", "beta", [0], -0.4)
    plant(model, "norm", "beta", [5], 0.4)
    return model, {"made": {0, 5}}


def into_the_mean_of_a_batch_norm() -> tuple[keras.Model, Planted]:
    image, x = start()
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Conv2D(5, 1, use_bias=False, name="reads")(x)
    model = finish(image, layers.BatchNormalization(name="behind")(x))
    plant(model, "norm", "gamma", [2])
    return model, {"made": {2}}


def both_sides_of_an_addition() -> tuple[keras.Model, Planted]:
    image, x = start()
    y = layers.Conv2D(6, 1, name="other")(x)
    z = layers.Conv2D(6, 1, name="third")(x)
    model = finish(image, layers.Conv2D(4, 1, name="reads")(layers.Add()([y, z])))
    zeroed(model, "other", [1, 2], bias=0.3)
    zeroed(model, "third", [2, 3], bias=0.2)
    return model, {"other": {2}, "third": {2}}


def a_gate_that_is_shut() -> tuple[keras.Model, Planted]:
    image, x = start()
    y = layers.Conv2D(6, 1, name="live")(x)
    gate = layers.Conv2D(6, 1, activation="relu", name="gate")(
        layers.GlobalAveragePooling2D(keepdims=True)(x)
    )
    model = finish(image, layers.Conv2D(4, 1, name="reads")(layers.Multiply()([y, gate])))
    zeroed(model, "gate", [4], bias=-1.0)
    return model, {"live": {4}, "gate": {4}}


def through_depthwise() -> tuple[keras.Model, Planted]:
    image, x = start()
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, name="passes")(layers.ReLU()(x))
    model = finish(image, layers.Conv2D(5, 1, name="reads")(layers.ReLU()(x)))
    zeroed(model, "made", [1], bias=0.5)
    return model, {"made": {1}}


def through_padded_depthwise() -> tuple[keras.Model, Planted]:
    image, x = start()
    x = layers.DepthwiseConv2D(3, padding="same", name="passes")(layers.ReLU()(x))
    model = finish(image, layers.Conv2D(5, 1, name="reads")(x))
    zeroed(model, "made", [1], bias=0.5)
    zeroed(model, "made", [2], bias=-0.5)
    return model, {"made": {2}}


def through_a_separable_layer() -> tuple[keras.Model, Planted]:
    image, x = start()
    model = finish(image, layers.SeparableConv2D(5, 3, use_bias=False, name="reads")(layers.ReLU()(x)))
    zeroed(model, "made", [1], bias=0.5)
    return model, {"made": {1}}


def before_flatten() -> tuple[keras.Model, Planted]:
    image, x = start()
    x = layers.Flatten()(layers.MaxPooling2D(2)(layers.ReLU()(x)))
    model = finish(image, layers.Dense(4, name="reads")(x))
    zeroed(model, "made", [3, 4], bias=1.5)
    return model, {"made": {3, 4}}


def in_dense() -> tuple[keras.Model, Planted]:
    image, x = start()
    x = layers.Dense(8, activation="sigmoid", name="wide")(layers.GlobalAveragePooling2D()(x))
    model = finish(image, x)
    zeroed(model, "wide", [6, 7], bias=-2.0)
    return model, {"wide": {6, 7}}


def read_by_nothing() -> tuple[keras.Model, Planted]:
    image, x = start()
    y = layers.Conv2D(4, 1, name="reads")(x)
    z = layers.Conv2D(4, 3, name="reads_too")(x)
    x = layers.Concatenate()([layers.GlobalAveragePooling2D()(t) for t in (y, z)])
    model = finish(image, x)
    for name, rows in (("reads", [1, 2]), ("reads_too", [2, 3])):
        kernel = model.get_layer(name).kernel
        array = np.array(kernel)
        array[:, :, rows] = 0
        kernel.assign(array)
    return model, {"made": {2}}


def read_only_by_what_goes() -> tuple[keras.Model, Planted]:
    image, x = start()
    x = layers.BatchNormalization(name="norm")(layers.Conv2D(4, 1, name="reads")(x))
    model = finish(image, layers.Conv2D(4, 1, name="last")(x))
    plant(model, "norm", "gamma", [0, 1])
    kernel = np.array(model.get_layer("reads").kernel)
    kernel[:, :, 3, 2:] = 0
    model.get_layer("reads").kernel.assign(kernel)
    return model, {"reads": {0, 1}, "made": {3}}


def a_whole_layer() -> tuple[keras.Model, Planted]:
    image, x = start()
    model = finish(image, layers.Conv2D(5, 1, name="reads")(x))
    zeroed(model, "made", list(range(6)), bias=0.5)
    return model, {"made": {1, 2, 3, 4, 5}, "reads": {1, 2, 3, 4}}


def read_by_a_norm_over_channels() -> tuple[keras.Model, Planted]:
    image, x = start()
    model = finish(image, layers.Conv2D(4, 1, name="reads")(layers.LayerNormalization()(x)))
    zeroed(model, "made", [2])
    return model, {}


def the_model_s_output() -> tuple[keras.Model, Planted]:
    image, x = start()
    model = finish(image, x)
    zeroed(model, "head", [1], bias=2.0)
    return model, {}


def called_twice_on_different_constants() -> tuple[keras.Model, Planted]:
    image, x = start()
    shared = layers.Dense(5, name="reads")
    a, b = layers.Dense(4, name="a")(x), layers.Dense(4, name="b")(x)
    model = finish(image, layers.Subtract()([shared(a), shared(b)]))
    zeroed(model, "a", [0, 1], bias=0.3)
    zeroed(model, "b", [0], bias=0.3)
    zeroed(model, "b", [1], bias=0.4)
    return model, {"a": {0}, "b": {0}}


PLANTED: tuple[Callable[[], tuple[keras.Model, Planted]], ...] = (
    zero_weights,
    constant_from_a_bias,
    constant_at_the_border_is_not_one,
    batch_norm_without_scale,
    into_the_mean_of_a_batch_norm,
    both_sides_of_an_addition,
    a_gate_that_is_shut,
    through_depthwise,
    through_padded_depthwise,
    through_a_separable_layer,
    before_flatten,
    in_dense,
    read_by_nothing,
    read_only_by_what_goes,
    a_whole_layer,
    read_by_a_norm_over_channels,
    the_model_s_output,
    called_twice_on_different_constants,
)


@pytest.mark.parametrize("case", PLANTED, ids=lambda case: case.__name__.replace("_", " "))
def test_exactly_the_planted_channels_go_and_the_outputs_stay(
    case: Callable[[], tuple[keras.Model, Planted]], tmp_path: Path
) -> None:
    model, planted = case()
    stripped = strip(model)
    assert removed(stripped) == planted
    assert stripped.error <= TOLERANCE
    assert stripped.graph.params == stripped.model.count_params()
    assert {row.basis for row in stripped.removed} <= {"proven"}
    save_model(stripped.model, tmp_path / "model.keras")
    x = np.random.default_rng(1).normal(0, 3, (4, 6, 6, 3)).astype(np.float32)
    expected = np.asarray(model(x))
    found = np.asarray(open_saved(tmp_path / "model.keras", original=model)(x))
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.ptp(expected))


def test_a_second_look_finds_nothing_more() -> None:
    for case in PLANTED:
        again = strip(strip(case()[0]).model)
        assert not again.removed, case.__name__


def test_a_constant_moves_into_a_mean_without_new_weights_or_into_a_new_bias() -> None:
    stripped = strip(into_the_mean_of_a_batch_norm()[0])
    assert not stripped.model.get_layer("reads").use_bias
    assert strip(batch_norm_without_scale()[0]).model.get_layer("reads").use_bias


def test_reasons_name_the_layer_and_the_value() -> None:
    reasons = {row.reason for row in strip(constant_from_a_bias()[0]).removed}
    assert reasons == {"always 0.7 behind 'made' (Conv2D)", "always -0.7 behind 'made' (Conv2D)"}
    assert [row.reason for row in strip(read_by_nothing()[0]).removed] == ["no weight reads it"]


def test_a_fold_that_loses_the_constant_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead, "fold_constants", lambda graph, constants: graph)
    with pytest.raises(InfeasibleError, match="outputs differ"):
        strip(constant_from_a_bias()[0])


def test_a_fold_of_the_wrong_sign_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    right = folding._shift_mean
    monkeypatch.setattr(folding, "_shift_mean", lambda norm, added: right(norm, -added))
    with pytest.raises(InfeasibleError, match="outputs differ"):
        strip(into_the_mean_of_a_batch_norm()[0])


def test_bounds_that_take_a_live_channel_for_dead_are_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_narrow(*arguments: Any, **named: Any) -> Any:
        found = dead_step_trace(*arguments, **named)
        return {
            name: type(x)(low=np.zeros_like(x.low), high=np.zeros_like(x.low)) for name, x in found.items()
        }

    dead_step_trace = dead_step.trace_intervals
    monkeypatch.setattr(dead_step, "trace_intervals", too_narrow)
    with pytest.raises(InfeasibleError, match="outputs differ"):
        strip(zero_weights()[0])


def saturated() -> tuple[keras.Model, np.ndarray]:
    """Channel 0 is shut for inputs in [0, 1], channel 1 on all samples only, channel 2 never."""
    image = keras.Input((4,))
    x = layers.Dense(3, activation="relu", name="made")(image)
    model = keras.Model(image, layers.Dense(2, name="head")(x))
    randomise(model, np.random.default_rng(3))
    made = model.get_layer("made")
    made.kernel.assign(np.array([[1, 1, 1], [0, 1, 0], [0, 0, 0], [0, 0, 0]], np.float32))
    made.bias.assign(np.array([-2.0, -1.5, 0.0], np.float32))
    data = np.random.default_rng(4).uniform(0, 1, (200, 4)).astype(np.float32)
    data[:, 1] = 1 - data[:, 0]  # so that the sum is 1 on all samples, though each may be up to 1
    return model, data


def test_what_data_prove_and_what_they_show_is_told_apart() -> None:
    model, data = saturated()
    assert not strip(model).removed
    within = strip(model, data=hold_arrays(data))
    assert [(row.channels, row.basis) for row in within.removed] == [((0,), "proven within the data's range")]
    seen = strip(model, data=hold_arrays(data), trust_seen=True)
    assert [(row.channels, row.basis) for row in seen.removed] == [
        ((0,), "proven within the data's range"),
        ((1,), "seen on data"),
    ]
    assert seen.seen_samples == 200
    assert "1 seen on data (200 samples)" in seen.describe()


def test_limits_keep_dead_channels_where_they_ask_for_it() -> None:
    model, planted = zero_weights()
    assert len(planted["made"]) == 2
    assert removed(strip(model, limits=Limits(round_to=3))) == {}
    assert removed(strip(model, limits=Limits(min_channels=5))) == {"made": {4}}
    assert removed(strip(model, limits=Limits(round_to=4))) == {"made": {1, 4}}
    assert removed(strip(model, limits=Limits(keep=("made",)))) == {}
    with pytest.raises(RecipeError, match="no layer"):
        strip(model, limits=Limits(keep=("mode",)))


def test_a_trained_model_keeps_what_is_alive() -> None:
    if not RESNET8.exists():
        pytest.skip("../shared is not here")
    assert not strip(load_model(RESNET8)).removed


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")
@settings(
    max_examples=50,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
def test_random_models_lose_what_was_planted_and_nothing_that_matters(data: st.DataObject, seed: int) -> None:
    rng = np.random.default_rng(seed)
    model = build_model(data.draw, KINDS[seed % len(KINDS)])
    randomise(model, rng)
    traced = trace(model)
    channels = name_channels(traced.graph)
    chosen = np.flatnonzero(rng.random(channels.groups) < 0.3)
    for name, pairs in channels.consumes.items():
        for weight, axis in pairs:
            groups = channels.axes[name][weight][axis]
            if groups is not None:  # nothing reads the chosen groups from now on
                index = list(traced.graph.layers[name].weights).index(weight)
                variable = traced.layers[name].weights[index]
                array = np.array(variable)
                array[(slice(None),) * axis + (np.isin(groups, chosen),)] = 0
                variable.assign(array)
    graph = trace(model).graph
    dead = find_dead(graph, channels, intervals=trace_intervals(graph))
    assert (dead.groups | dead.spared | _needed_elsewhere(graph, channels))[chosen].all()
    stripped = strip(model)
    assert stripped.error <= TOLERANCE
    assert stripped.model.count_params() == stripped.graph.params
    assert (stripped.graph.params < graph.params) == dead.groups.any()
