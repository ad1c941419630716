"""Data in memory, in every form a session may have them, end as the same arrays as those of a file."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.dataset import Data, load_data

RNG = np.random.default_rng(0)
X, X_TEST, X_VAL = (RNG.random((count, 4), "float32") for count in (20, 6, 5))
Y, Y_TEST, Y_VAL = (np.arange(count) % 3 for count in (20, 6, 5))


@dataclass
class Side:
    """What `model.inputs` and `model.outputs` have that data are checked by."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str = "float32"


def load(given: Any) -> Data:
    inputs, outputs = [Side("x", (None, 4))], [Side("y", (None, 3))]
    return load_data(given, inputs=inputs, outputs=outputs, seed=0)


def dataset(x: np.ndarray, y: np.ndarray) -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(4)


FORMS: dict[str, Callable[[], Any]] = {
    "four arrays": lambda: (X, Y, X_TEST, Y_TEST),
    "a list of them": lambda: [X, Y, X_TEST, Y_TEST],
    "keys of an .npz file": lambda: {"x_train": X, "y_train": Y, "x_test": X_TEST, "y_test": Y_TEST},
    "pairs": lambda: ((X, Y), (X_TEST, Y_TEST)),
    "datasets": lambda: (dataset(X, Y), dataset(X_TEST, Y_TEST)),
    "named parts": lambda: {"train": (X, Y), "test": dataset(X_TEST, Y_TEST)},
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_parts(form: str, tmp_path: Any) -> None:
    data = load(FORMS[form]())
    path = tmp_path / "d.npz"
    np.savez(path, x_train=X, y_train=Y, x_test=X_TEST, y_test=Y_TEST)
    filed = load(str(path))
    for name in ("x_train", "x_val", "x_test"):
        np.testing.assert_array_equal(getattr(data, name)[0], getattr(filed, name)[0])
    for name in ("y_train", "y_val", "y_test"):
        np.testing.assert_array_equal(getattr(data, name), getattr(filed, name))
    assert data.notes == filed.notes
    assert data.source == "data in memory"


def test_a_validation_part_is_taken_as_it_is() -> None:
    for given in (
        ((X, Y), (X_TEST, Y_TEST), (X_VAL, Y_VAL)),
        {"train": (X, Y), "test": (X_TEST, Y_TEST), "validation": (X_VAL, Y_VAL)},
        {"x_train": X, "y_train": Y, "x_test": X_TEST, "y_test": Y_TEST, "x_val": X_VAL, "y_val": Y_VAL},
    ):
        np.testing.assert_array_equal(load(given).x_val[0], X_VAL)


def test_labels_are_optional() -> None:
    data = load((X, None, X_TEST, None))
    assert data.y_train is None
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
