"""The ladder: steps in order, each kept only if it pays, and none where the plain file will do."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import edgeprune
from edgeprune.keras_bridge.data.dataset import Data, load_data
from edgeprune.keras_bridge.model.trace import trace
from edgeprune.keras_bridge.model.weights import copy_model
from edgeprune.keras_bridge.training.compiled import interface_of
from edgeprune.keras_bridge.training.determinism import fix_seeds
from edgeprune.keras_bridge.training.evaluation import (
    Evaluator,
    halve_evaluator,
    make_evaluator,
    sample_evaluator,
)
from edgeprune.keras_bridge.training.fake_quant import GridCallback, fake_quantized, find_rounded
from edgeprune.keras_bridge.training.optimizers import Optimizing
from edgeprune.keras_bridge.training.quantization_aware import recover_quantized
from edgeprune.keras_bridge.training.task import resolve_task
from edgeprune.keras_bridge.training.train import Recovery, Training
from edgeprune.progress import Silent
from edgeprune.quantization.ladder import Requirements, climb_ladder
from tests.keras_bridge.feeding import inputs_of

DIGITS = Path(edgeprune.__file__).parent / "keras_bridge" / "data" / "digits.npz"
RUNGS = [
    *("int8", "more calibration samples", "range clipping, percentile", "range clipping, MSE"),
    *("cross-layer equalization", "bias correction", "quantization-aware recovery", "int16x8"),
]


@pytest.fixture(scope="module")
def trained() -> keras.Model:
    """A small classifier of digits."""
    fix_seeds(1)  # also decides on kernels, so that the tests before do not
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(12, 3, activation="relu", name="first")(layers.Rescaling(1 / 16)(image))
    x = layers.BatchNormalization(name="normalized")(layers.Conv2D(8, 3, name="second")(x))
    x = layers.GlobalAveragePooling2D()(layers.ReLU(name="rectified")(x))
    made = keras.Model(image, layers.Dense(10, activation="softmax")(x))
    with np.load(DIGITS) as digits:
        made.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy")
        made.fit(digits["x_train"].astype(np.float32), digits["y_train"], epochs=15, verbose=0)
    return made


def spread_out(model: keras.Model, *, least: float) -> keras.Model:
    """The model with channels between its first layers scaled, the smallest by `least`; outputs stay."""
    scaled = copy_model(model)
    kernel, bias = model.get_layer("first").get_weights()
    reading, other = model.get_layer("second").get_weights()
    spread = np.geomspace(least, 1.0, 12)
    scaled.get_layer("first").set_weights([kernel * spread, bias * spread])
    scaled.get_layer("second").set_weights([reading / spread[:, None], other])
    return scaled


@pytest.fixture(scope="module")
def model(trained: keras.Model) -> keras.Model:
    """A classifier whose channels have ranges too different for 8 bits."""
    return spread_out(trained, least=0.02)


@pytest.fixture(scope="module")
def data(model: keras.Model) -> Data:
    with np.load(DIGITS) as digits:
        train, test = (
            (digits[f"x_{part}"].astype(np.float32), digits[f"y_{part}"]) for part in ("train", "test")
        )
    return load_data((train, test), interface=interface_of(model), seed=0)


@pytest.fixture(scope="module")
def evaluator(model: keras.Model, data: Data) -> Evaluator:
    return make_evaluator(resolve_task(model, data), model, source=data.test)


def ask(evaluator: Evaluator, data: Data, **changes: object) -> Requirements:
    asked = {"max_drop": 0.0, "io_type": "int8", "wide_io_type": "int16", **changes}
    few, more = (data.train.take(np.arange(count)).x for count in (100, 300))
    return Requirements(evaluator=evaluator, representative=few, more=more, **asked)


def test_what_is_good_enough_is_not_climbed(model: keras.Model, data: Data, evaluator: Evaluator) -> None:
    ladder = climb_ladder(model, ask(evaluator, data, max_drop=1.0), progress=Silent())
    assert [step.name for step in ladder.steps] == ["int8"]
    assert ladder.scheme == "int8"
    assert {error.layer for error in ladder.errors} >= {"first", "rectified"}


def test_rungs_are_tried_in_order_and_the_best_of_them_stays(
    model: keras.Model, data: Data, evaluator: Evaluator
) -> None:
    ladder = climb_ladder(
        model, ask(evaluator, data, max_drop=-1.0, recover=lambda model: model), progress=Silent()
    )
    names = [step.name for step in ladder.steps]
    assert names == RUNGS
    drops = [step.drop for step in ladder.steps if step.kept]
    assert drops == sorted(drops, reverse=True)
    assert all(step.drop >= min(drops) for step in ladder.steps if step.drop is not None)
    by_name = {step.name: step for step in ladder.steps}
    assert by_name["cross-layer equalization"].kept
    assert by_name["cross-layer equalization"].drop < 0.5 * ladder.steps[0].drop


def test_one_answer_of_a_few_is_no_gain_on_both_halves(evaluator: Evaluator) -> None:
    first, second = halve_evaluator(evaluator)
    assert first.samples + second.samples == evaluator.samples
    assert abs(first.samples - second.samples) <= 1
    few = sample_evaluator(evaluator, samples=3, seed=0)
    assert halve_evaluator(few) == (few,)


def test_where_nothing_may_be_scaled_or_widened_it_is_not(
    model: keras.Model, data: Data, evaluator: Evaluator
) -> None:
    asked = ask(evaluator, data, max_drop=-1.0, may_scale=False, wide_io_type=None)
    steps = climb_ladder(model, asked, progress=Silent()).steps
    assert [step.name for step in steps] == RUNGS
    assert [step.name for step in steps if step.metric is None] == [RUNGS[4], RUNGS[6], RUNGS[7]]
    assert all(step.detail.startswith("not tried: ") for step in steps if step.metric is None)


def test_rounding_sits_where_an_int8_file_stores_activations(model: keras.Model) -> None:
    stored = find_rounded(trace(model).graph)
    assert "first" in stored
    assert "rectified" in stored
    assert "second" not in stored, "its BatchNormalization and ReLU are fused into it"


def test_within_it_activations_have_256_values_and_afterwards_the_model_is_whole(
    model: keras.Model, data: Data
) -> None:
    inner = keras.Model(model.input, model.get_layer("first").output)
    few = inputs_of(data.test)[0][:20]
    plain = np.asarray(inner(few))
    with fake_quantized(model, inputs=inputs_of(data.train)):
        rounded = np.asarray(inner(few))
        assert not model.get_layer("normalized").trainable, "statistics stay"
    assert len(np.unique(rounded)) <= 256 < len(np.unique(plain))
    np.testing.assert_array_equal(np.asarray(inner(few)), plain)
    assert model.get_layer("normalized").trainable


def test_weights_stay_on_the_grid_while_training_and_come_off_it_afterwards(model: keras.Model) -> None:
    copy = keras.models.clone_model(model)
    callback = GridCallback()
    callback.set_model(copy)
    kernel = copy.get_layer("second").kernel
    for _ in range(3):
        kernel.assign_add(np.full(kernel.shape, 1e-4))
        callback.on_train_batch_end(0)
    rows = np.moveaxis(np.asarray(kernel), -1, 0).reshape(8, -1)
    places = rows / np.abs(rows).max(axis=1, keepdims=True) * 127
    np.testing.assert_allclose(places, np.rint(places), atol=1e-3)
    before = np.asarray(kernel)
    callback.on_train_end()
    assert not np.array_equal(np.asarray(kernel), before)


def test_recovery_with_rounding_brings_the_int8_file_up_to_the_float_model(
    trained: keras.Model, data: Data, evaluator: Evaluator
) -> None:
    mild = spread_out(trained, least=0.2)
    tuned = recover_quantized(
        mild,
        training=Training(source=data.train, task=resolve_task(mild, data), is_labelled=True),
        evaluator=evaluator,
        recovery=Recovery(total_steps=200, optimizing=Optimizing(learning_rate=3e-4)),
        representative=data.train.take(np.arange(100)).x,
        progress=Silent(),
    )
    asked = ask(evaluator, data, max_drop=1.0)
    before, after = (climb_ladder(each, asked, progress=Silent()).steps[0].metric for each in (mild, tuned))
    assert after > before + 0.05
    assert after == pytest.approx(evaluator.score_model(tuned), abs=0.02)


def test_training_feels_what_the_int8_file_loses(
    model: keras.Model, data: Data, evaluator: Evaluator
) -> None:
    copy = copy_model(model)
    GridCallback().set_model(copy)
    with fake_quantized(copy, inputs=data.train.take(np.arange(100)).x):
        felt = evaluator.score_model(copy)
    file = climb_ladder(model, ask(evaluator, data, max_drop=1.0), progress=Silent()).steps[0].metric
    assert felt == pytest.approx(file, abs=0.03)
    assert felt < evaluator.score_model(model) - 0.1
