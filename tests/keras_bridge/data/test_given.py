"""Data in memory, in every form a session may have them, end as the same arrays as those of a file."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.batches import Batch, join
from edgeprune.keras_bridge.data.dataset import Data, load_data
from edgeprune.keras_bridge.data.parts import Interface, Port
from tests.keras_bridge.feeding import batch_of, everything

RNG = np.random.default_rng(0)
X, X_TEST, X_VAL = (RNG.random((count, 4), "float32") for count in (20, 6, 5))
Y, Y_TEST, Y_VAL = (np.arange(count) % 3 for count in (20, 6, 5))


MODEL = Interface(inputs=(Port(name="x", shape=(None, 4)),), outputs=(Port(name="y", shape=(None, 3)),))


def load(given: Any) -> Data:
    return load_data(given, interface=MODEL, seed=0)


def batches(x: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    return [(x[i : i + 4], y[i : i + 4]) for i in range(0, len(x), 4)]


def dataset(x: np.ndarray, y: np.ndarray) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(4)


ARRAYS: dict[str, Callable[[], Any]] = {
    "four arrays": lambda: (X, Y, X_TEST, Y_TEST),
    "a list of them": lambda: [X, Y, X_TEST, Y_TEST],
    "keys of an .npz file": lambda: {"x_train": X, "y_train": Y, "x_test": X_TEST, "y_test": Y_TEST},
    "pairs": lambda: ((X, Y), (X_TEST, Y_TEST)),
    "named parts": lambda: {"train": (X, Y), "test": (X_TEST, Y_TEST)},
    "tensors": lambda: tuple(map(tf.constant, (X, Y, X_TEST, Y_TEST))),
    "dicts by their names": lambda: (({"x": X}, {"y": Y}), ({"x": X_TEST}, {"y": Y_TEST})),
}


@pytest.mark.parametrize("form", ARRAYS)
def test_every_form_of_arrays_gives_the_same_parts(form: str, tmp_path: Any) -> None:
    data = load(ARRAYS[form]())
    path = tmp_path / "d.npz"
    np.savez(path, x_train=X, y_train=Y, x_test=X_TEST, y_test=Y_TEST)
    filed = load(str(path))
    assert_same(everything(data.train), everything(filed.train))
    assert_same(data.validation, filed.validation)
    assert_same(everything(data.test), everything(filed.test))
    assert data.notes == filed.notes
    assert data.source == "data in memory"


STREAMS: dict[str, Callable[[], Any]] = {
    "datasets": lambda: (dataset(X, Y), dataset(X_TEST, Y_TEST)),
    "named parts": lambda: {"train": dataset(X, Y), "test": (X_TEST, Y_TEST)},
    "functions": lambda: (lambda: iter(batches(X, Y)), lambda: iter(batches(X_TEST, Y_TEST))),
}


@pytest.mark.parametrize("form", STREAMS)
def test_every_form_of_streams_gives_the_same_samples_in_their_order(form: str) -> None:
    data = load(STREAMS[form]())
    assert data.test is not None
    for source, x, y in ((data.train, X, Y), (data.test, X_TEST, Y_TEST)):
        assert_same(join(list(source.read(3))), batch_of(x, y))
        assert source.samples == len(x)
    assert data.facts == load((X, Y, X_TEST, Y_TEST)).facts
    assert data.ranges == load((X, Y, X_TEST, Y_TEST)).ranges


def assert_same(one: Batch, other: Batch) -> None:
    assert len(one.arrays) == len(other.arrays)
    for a, b in zip(one.arrays, other.arrays, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_validation_part_is_taken_as_it_is() -> None:
    for given in (
        ((X, Y), (X_TEST, Y_TEST), (X_VAL, Y_VAL)),
        {"train": (X, Y), "test": (X_TEST, Y_TEST), "validation": (X_VAL, Y_VAL)},
        {"x_train": X, "y_train": Y, "x_test": X_TEST, "y_test": Y_TEST, "x_val": X_VAL, "y_val": Y_VAL},
    ):
        np.testing.assert_array_equal(load(given).validation.x[0], X_VAL)


def test_sample_weights_come_third() -> None:
    weights = np.arange(20.0)
    data = load({"train": (X, Y, weights), "test": (X_TEST, Y_TEST), "val": (X_VAL, Y_VAL)})
    (found,) = everything(data.train).weights or ()
    np.testing.assert_array_equal(found, weights)
    assert everything(data.test).weights is None


def test_labels_are_optional() -> None:
    data = load((X, None, X_TEST, None))
    assert everything(data.train).y is None
    assert not data.is_labelled
    assert "The data have no labels." in data.notes


def test_training_data_alone_have_no_test_set() -> None:
    for given in (dataset(X, Y), X):
        assert not load(given).has_test


def test_what_is_not_used_is_said() -> None:
    data = load({"x_train": X, "y_train": Y, "x_test": X_TEST, "y_test": Y_TEST, "z": 3})
    assert "Not used: z." in data.notes


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (3, "they are int"),
        ((X,), "they are tuple"),
        ({"training": X}, "they are ['training']"),
        ({"x_test": X_TEST}, "there is no x_train"),
        (tf.data.Dataset.from_tensor_slices((X, Y)).batch(4).repeat(), "never ends"),
    ],
)
def test_what_cannot_be_data_is_refused_in_words(given: Any, said: str) -> None:
    with pytest.raises(DataError) as caught:
        load(given)
    assert said in caught.value.message
