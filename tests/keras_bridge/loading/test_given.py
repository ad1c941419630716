"""Models in memory are opened as they would be from a file, and told apart by what is in them."""

import json
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.config.load_options import LoadOptions
from edgeprune.errors import ModelError, RecipeError
from edgeprune.keras_bridge.loading.given import hash_source, name_source, open_model
from edgeprune.keras_bridge.loading.save import drop_addresses, save_model

AS_IS = LoadOptions()


def make() -> keras.Model:
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1))
    return keras.Model(image, layers.Dense(3)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))))


def test_a_model_in_memory_is_taken_as_it_is_and_its_input_is_named_as_in_a_file(tmp_path: Path) -> None:
    model = make()
    assert open_model(model) is model
    model.save(tmp_path / "m.keras")
    filed = open_model(tmp_path / "m.keras")
    assert [tensor.name for tensor in model.inputs] == [tensor.name for tensor in filed.inputs]


def test_a_name_that_somebody_gave_stays() -> None:
    image = keras.Input((4,), name="photo")
    model = open_model(keras.Model(image, layers.Dense(2)(image)))
    assert [tensor.name for tensor in model.inputs] == ["photo"]


def test_an_open_shape_is_fixed_in_a_copy() -> None:
    image = keras.Input((None, None, 3))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(image))))
    with pytest.raises(ModelError, match="not fixed"):
        open_model(model)
    fixed = open_model(model, options=LoadOptions(input_shapes=((16, 16, 3),)))
    assert fixed.inputs[0].shape == (None, 16, 16, 3)
    assert model.inputs[0].shape == (None, None, None, 3)


def own_loss(y: object, p: object) -> object:
    return keras.ops.mean(keras.ops.abs(keras.ops.subtract(y, p)), axis=-1)


@pytest.mark.parametrize("loss", [own_loss, lambda y, p: own_loss(y, p), "mse"])
def test_a_model_whose_shape_is_fixed_is_compiled_as_the_original(loss: object) -> None:
    image = keras.Input((None, None, 3))
    x = layers.Normalization(mean=[0.0, 1.0, 2.0], variance=[1.0, 4.0, 9.0])(image)
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    model.compile("rmsprop", loss, metrics=["mae", own_loss])
    fixed = open_model(model, options=LoadOptions(input_shapes=((16, 16, 3),)))
    assert model.compiled
    assert fixed.loss is loss
    assert type(fixed.optimizer) is keras.optimizers.RMSprop
    assert fixed.optimizer is not model.optimizer
    pixels = np.random.default_rng(0).normal(size=(5, 16, 16, 3)).astype(np.float32)
    np.testing.assert_array_equal(fixed.predict(pixels, verbose=0), model.predict(pixels, verbose=0))
    labels = np.zeros((5, 2), np.float32)
    assert fixed.evaluate(pixels, labels, verbose=0) == model.evaluate(pixels, labels, verbose=0)


class Subclassed(keras.Model):
    def call(self, x: object) -> object:
        return x


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (np.zeros(2), r"numpy\.ndarray is no model of Keras 3"),
        (Subclassed(), "subclassed"),
        (3, "builtins.int"),
    ],
)
def test_what_is_no_model_is_refused(source: object, said: str) -> None:
    with pytest.raises(ModelError, match=said):
        open_model(source)


def test_weights_of_a_model_that_has_its_own_are_refused() -> None:
    with pytest.raises(RecipeError, match="has its weights"):
        open_model(make(), options=LoadOptions(weights=Path("w.h5")))


def test_the_hash_tells_models_apart_by_weights_and_not_by_where_they_lie() -> None:
    model, again = make(), None
    before = hash_source(model, AS_IS)
    again = keras.Model.from_config(model.get_config())
    again.set_weights(model.get_weights())
    assert hash_source(again, AS_IS) == before, "two objects, one model"
    weights = model.get_weights()
    weights[0][0, 0, 0, 0] += 1
    model.set_weights(weights)
    assert hash_source(model, AS_IS) != before
    assert name_source(model) == "a Keras model in memory"
    assert name_source(Path("a/b.keras")) == "b.keras"


def test_what_is_saved_holds_no_address_of_this_session(tmp_path: Path) -> None:
    model = make()
    model.save(tmp_path / "plain.keras")
    with zipfile.ZipFile(tmp_path / "plain.keras") as archive:
        assert b"shared_object_id" in archive.read("config.json"), "else this tests nothing"
    save_model(model, tmp_path / "one.keras")
    save_model(keras.models.load_model(tmp_path / "one.keras"), tmp_path / "two.keras")
    assert (tmp_path / "one.keras").read_bytes() == (tmp_path / "two.keras").read_bytes()


def test_what_is_shared_on_purpose_stays_shared() -> None:
    def shared(address: int) -> dict[str, object]:
        return {"class_name": "Mine", "shared_object_id": address}

    config = {"a": shared(1400), "b": [shared(77), shared(1400)], "p": {"class_name": "DTypePolicy"}}
    config["p"]["shared_object_id"] = 1400
    assert json.dumps(drop_addresses(config)) == json.dumps(
        {
            "a": {"class_name": "Mine", "shared_object_id": 1},
            "b": [
                {"class_name": "Mine", "shared_object_id": 2},
                {"class_name": "Mine", "shared_object_id": 1},
            ],
            "p": {"class_name": "DTypePolicy"},
        }
    )
