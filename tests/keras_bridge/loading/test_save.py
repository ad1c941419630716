import time
from pathlib import Path

import keras
import numpy as np
from keras import layers

from edgeprune.keras_bridge.loading.save import open_saved, save_model


def make_model() -> keras.Model:
    keras.utils.set_random_seed(0)
    x = keras.Input((4,), name="x")
    return keras.Model(x, layers.Dense(2, name="y")(layers.BatchNormalization(name="n")(x)), name="m")


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = make_model()
    save_model(model, tmp_path / "first.keras")
    time.sleep(2.1)  # zip files keep time in steps of two seconds
    save_model(model, tmp_path / "second.keras")
    assert (tmp_path / "first.keras").read_bytes() == (tmp_path / "second.keras").read_bytes()


def test_other_weights_give_other_bytes(tmp_path: Path) -> None:
    model = make_model()
    save_model(model, tmp_path / "first.keras")
    model.layers[-1].bias.assign([1.0, 2.0])
    save_model(model, tmp_path / "second.keras")
    assert (tmp_path / "first.keras").read_bytes() != (tmp_path / "second.keras").read_bytes()


def test_what_was_saved_opens_with_keras_and_computes_the_same(tmp_path: Path) -> None:
    model = make_model()
    save_model(model, tmp_path / "model.keras")
    x = np.random.default_rng(0).standard_normal((3, 4)).astype(np.float32)
    path = tmp_path / "model.keras"
    for again in (open_saved(path, original=model), keras.models.load_model(path)):
        np.testing.assert_array_equal(np.asarray(again(x)), np.asarray(model(x)))
