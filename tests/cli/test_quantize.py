"""`edgeprune quantize`: a table, a file, a page; what is wrong is said before anything is trained."""

import json
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.tflite.read import read_model

DIGITS = Path(__file__).parents[2] / "edgeprune/keras_bridge/data/digits.npz"


@pytest.fixture(scope="module")
def digits(tmp_path_factory) -> Path:
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 1))
    x = layers.Conv2D(8, 3, activation="relu", name="convolution")(layers.Rescaling(1 / 16)(image))
    model = keras.Model(image, layers.Dense(10, activation="softmax")(layers.Flatten()(x)))
    model.compile(keras.optimizers.Adam(0.01), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    with np.load(DIGITS) as data:
        model.fit(data["x_train"].astype(np.float32), data["y_train"], epochs=4, verbose=0)
    path = tmp_path_factory.mktemp("models") / "digits.keras"
    model.save(path)
    return path


def test_a_file_a_table_and_a_page_come_of_it(edgeprune, digits, tmp_path):
    output, page = tmp_path / "digits.tflite", tmp_path / "why.html"
    asked = ("--data", DIGITS, "--output", output, "--explain", "--html", page, "--io-type", "uint8")
    ended = edgeprune("quantize", digits, *asked)
    assert ended.code == 0, ended.err
    assert "observed ranges" in ended.out
    assert "convolution" in ended.out
    assert read_model(output.read_bytes(), where="output").inputs[0].dtype == "uint8"
    text = page.read_text("utf-8")
    assert "Where accuracy goes, worst first" in text
    assert "Quantized with care" in text


def test_the_document_has_rungs_and_every_activation(edgeprune, digits):
    ended = edgeprune("quantize", digits, "--data", DIGITS, "--explain", "--json")
    document = json.loads(ended.out)
    assert (document["ok"], document["output"], document["scheme"]) == (True, None, "int8")
    assert [rung["name"] for rung in document["rungs"]] == ["int8"]
    ratios = [tensor["sqnr_db"] for tensor in document["tensors"]]
    assert ratios == sorted(ratios)
    assert {"CONV_2D", "FULLY_CONNECTED"} <= {tensor["op"] for tensor in document["tensors"]}


def test_with_nothing_to_do_it_says_so(edgeprune, digits):
    ended = edgeprune("quantize", digits, "--data", DIGITS)
    assert ended.code == 2
    assert "give --output, --explain or --html" in ended.err


def test_what_exists_is_not_replaced_and_nothing_is_trained(edgeprune, digits, tmp_path):
    page = tmp_path / "why.html"
    page.write_text("mine")
    ended = edgeprune("quantize", digits, "--data", DIGITS, "--html", page)
    assert ended.code == 3
    assert page.read_text() == "mine"


@pytest.mark.parametrize("io_type", ["uint8", "int8", "float32"])
def test_integers_in_the_data_are_real_numbers_whatever_the_type_of_the_inputs(edgeprune, digits, io_type):
    with np.load(DIGITS) as data:
        assert data["x_test"].dtype == np.uint8
    asked = ("--data", DIGITS, "--explain", "--io-type", io_type, "--json")
    document = json.loads(edgeprune("quantize", digits, *asked).out)
    assert document["quantized"] == pytest.approx(document["float"], abs=0.01)
