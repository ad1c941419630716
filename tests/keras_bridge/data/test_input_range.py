"""Data of another range than the model was trained on are refused before anything is converted."""

from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import edgeprune.keras_bridge.data.example as example
from edgeprune.build.inputs import open_representative
from edgeprune.errors import DataError
from edgeprune.progress import Silent
from tests.keras_bridge.feeding import prepare

DIGITS = np.load(Path(example.__file__).with_name("digits.npz"))
X = DIGITS["x_train"].astype(np.float32) / 16  # 0..1
Y = DIGITS["y_train"].astype(np.int64)


def network(*, norm: bool, first: layers.Layer | None = None) -> keras.Model:
    image = keras.Input((8, 8, 1))
    x = image if first is None else first(image)
    x = layers.Conv2D(8, 3, use_bias=not norm)(x)
    x = layers.BatchNormalization(momentum=0.8)(x) if norm else x
    x = layers.Flatten()(layers.ReLU()(x))
    return keras.Model(image, layers.Dense(10, activation="softmax")(x))


def trained(x: np.ndarray) -> keras.Model:
    keras.utils.set_random_seed(0)
    model = network(norm=True)
    model.compile(optimizer=keras.optimizers.Adam(5e-3), loss="sparse_categorical_crossentropy")
    model.fit(x, Y, epochs=3, batch_size=32, verbose=0)
    return model


@pytest.fixture(scope="module")
def of_bytes() -> keras.Model:
    return trained(255 * X)


@pytest.fixture(scope="module")
def of_units() -> keras.Model:
    return trained(X)


def check(model: keras.Model, x: np.ndarray, *, labels: bool = True, check_range: bool = True) -> None:
    check_with(model, x, Y if labels else None, check_range=check_range)


def check_with(model: keras.Model, x: np.ndarray, y: np.ndarray | None, *, check_range: bool = True) -> None:
    given = prepare(model, x, y, parts=("train",))
    open_representative(model, given, check_range=check_range, seed=0, progress=Silent())


def test_units_for_a_model_of_bytes_are_refused_with_both_accuracies(of_bytes: keras.Model) -> None:
    with pytest.raises(DataError) as caught:
        check(of_bytes, X)
    error = caught.value
    assert error.what == "the data's values lie in 0..1, but the model seems to expect 0..255"
    assert "its accuracy on 200 training samples is 0." in error.why
    assert error.why.endswith("times 255")
    assert "--accept input-range" in error.fix
    assert error.exit_code == 3


def test_bytes_for_a_model_of_units_are_refused(of_units: keras.Model) -> None:
    with pytest.raises(DataError, match=r"0\.\.255, but the model seems to expect 0\.\.1 .*divided by 255"):
        check(of_units, (255 * X).astype(np.uint8))


def folded(model: keras.Model) -> keras.Model:
    """The same function without BatchNormalization: it goes into the convolution and its bias."""
    plain = network(norm=False)
    (kernel,), norm, dense = (layer.get_weights() for layer in model.layers if layer.get_weights())
    gamma, beta, mean, variance = norm
    factor = gamma / np.sqrt(variance + 1e-3)
    plain.set_weights([kernel * factor, beta - mean * factor, *dense])
    return plain


def test_a_model_without_batch_norm_is_asked_by_its_accuracy(of_bytes: keras.Model) -> None:
    check(folded(of_bytes), 255 * X)
    with pytest.raises(DataError, match=r"0\.\.1, but the model seems to expect 0\.\.255 \(its accuracy"):
        check(folded(of_bytes), X)


def test_signed_data_for_a_model_of_bytes_are_refused(of_bytes: keras.Model) -> None:
    with pytest.raises(DataError, match=r"-1\.\.1, but the model seems to expect 0\.\.255"):
        check(of_bytes, 2 * X - 1)


def test_data_of_an_unusual_range_are_told_by_the_statistics_of_training() -> None:
    model = trained(16 * X)
    check(model, 16 * X)
    with pytest.raises(DataError, match=r"but the model seems to expect about 0\.\.20 .*times about 20"):
        check(model, X)


def test_statistics_that_fit_no_usual_scaling_name_those_near_it(of_units: keras.Model) -> None:
    model = keras.models.clone_model(of_units)
    model.set_weights(of_units.get_weights())
    norm = next(layer for layer in model.layers if isinstance(layer, layers.BatchNormalization))
    norm.moving_mean.assign(4 * norm.moving_mean)
    norm.moving_variance.assign(16 * norm.moving_variance)
    with pytest.raises(DataError) as caught:
        check(model, 255 * X, labels=False)
    assert (
        "here: divided by about 60; usual are divided by 255 and divided by 127.5 less 1)" in caught.value.fix
    )


@pytest.mark.parametrize("labels", [True, False])
def test_data_of_the_right_range_are_taken(
    of_bytes: keras.Model, of_units: keras.Model, labels: bool
) -> None:
    check(of_bytes, 255 * X, labels=labels)
    check(of_units, X, labels=labels)


def test_without_labels_the_statistics_of_training_speak(
    of_bytes: keras.Model, of_units: keras.Model
) -> None:
    with pytest.raises(DataError, match=r"expect 0\.\.255 .*'batch_normalization.*' sees values 0\.00"):
        check(of_bytes, X, labels=False)
    with pytest.raises(DataError, match=r"expect 0\.\.1 "):
        check(of_units, 255 * X, labels=False)


def test_whoever_knows_better_may_go_on(of_bytes: keras.Model) -> None:
    check(of_bytes, X, check_range=False)


@pytest.mark.parametrize(
    "first",
    [layers.Rescaling(1 / 255), layers.Rescaling(1 / 127.5, offset=-1), layers.Rescaling([1 / 255], [0.0])],
)
def test_a_rescaling_layer_says_what_it_expects(first: layers.Layer) -> None:
    model = network(norm=False, first=first)
    check(model, (255 * X).astype(np.uint8), labels=False)
    with pytest.raises(DataError, match=r"0\.\.1, but the model seems to expect 0\.\.255"):
        check(model, X, labels=False)


@pytest.mark.parametrize(
    ("first", "span"), [(layers.Rescaling(1 / 16), 16), (layers.Rescaling(1 / 8, -1), 16)]
)
def test_data_that_were_rescaled_already_are_told_by_the_layer(first: layers.Layer, span: int) -> None:
    keras.utils.set_random_seed(0)
    model = network(norm=False, first=first)
    model.compile(optimizer=keras.optimizers.Adam(5e-3), loss="sparse_categorical_crossentropy")
    model.fit(span * X, Y, epochs=8, batch_size=32, verbose=0)
    check(model, span * X)
    done = np.asarray(first(span * X))
    with pytest.raises(DataError, match=r"seems to expect 0\.\.16 .*times (16|8 plus 8)"):
        check(model, done)


def test_a_normalization_layer_says_what_it_expects() -> None:
    first = layers.Normalization(axis=None, mean=80.0, variance=90.0**2)
    with pytest.raises(DataError, match=r"0\.\.1, but the model seems to expect 0\.\.255"):
        check(network(norm=False, first=first), X, labels=False)


@pytest.mark.parametrize("x", [X, 255 * X, 3 * X - 1])
def test_an_untrained_model_expects_nothing(x: np.ndarray) -> None:
    keras.utils.set_random_seed(0)
    check(network(norm=True), x)


def test_an_autoencoder_is_asked_by_how_well_it_reconstructs() -> None:
    """One that adds nothing up: it clips its inputs to 0..1 and gives them back."""
    vector = keras.Input((4,))
    model = keras.Model(vector, layers.Minimum()([vector, layers.Rescaling(0.0, offset=1.0)(vector)]))
    model.compile(loss="mse")
    x = np.random.default_rng(0).uniform(0, 1, (80, 4)).astype(np.float32)
    check_with(model, x, None)
    with pytest.raises(DataError, match=r"expect 0\.\.1 \(its r2"):
        check_with(model, 255 * x, None)


def test_numbers_of_words_have_no_range() -> None:
    words = keras.Input((5,), dtype="int32")
    model = keras.Model(words, layers.Dense(2)(layers.Flatten()(layers.Embedding(300, 4)(words))))
    x = np.random.default_rng(0).integers(0, 255, (60, 5))
    check_with(model, x, None)


@pytest.mark.parametrize("first", [layers.Rescaling(1 / 255), layers.Rescaling(1 / 127.5, offset=-1.0)])
def test_a_rescaling_layer_that_fits_the_data_outvotes_an_accuracy_by_chance(first: layers.Layer) -> None:
    model = network(norm=False, first=first)
    bias = np.zeros(10, np.float32)
    bias[3] = 100.0  # it always says 3, whatever it is fed
    model.layers[-1].set_weights([model.layers[-1].get_weights()[0], bias])
    check(model, np.round(255 * X))


def test_labels_that_are_all_alike_say_nothing() -> None:
    keras.utils.set_random_seed(0)
    model = network(norm=False)
    # An untrained network answers one class throughout; which one, may depend on the scale.
    answers = model.predict(255 * X, verbose=0).argmax(axis=1)
    common = int(np.bincount(answers).argmax())
    check_with(model, X, np.full(len(X), common))
