"""Conversion without pruning, and what the file says about itself."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.build.file_metadata import Annotating, hash_origin, parse_annotating, read_labels
from edgeprune.commands.convert import ConvertRequest, convert_file
from edgeprune.errors import DataError, OpError, OutputError, RecipeError
from edgeprune.progress import Silent
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.tflite.attached import read_attached
from edgeprune.tflite.metadata import ENTRY, read_metadata
from edgeprune.tflite.read import read_model


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a model of three classes, images for it, labels, and a model TFLM cannot run."""
    folder = tmp_path_factory.mktemp("conversion")
    keras.utils.set_random_seed(0)
    image = keras.Input((8, 8, 3), name="photo")
    x = layers.Conv2D(4, 3, activation="relu")(layers.Rescaling(1 / 255)(image))
    x = layers.Dense(3, activation="softmax", name="animal")(layers.GlobalAveragePooling2D()(x))
    keras.Model(image, x, name="animals").save(folder / "animals.keras")
    vector = keras.Input((8,))
    sorted_values = keras.ops.top_k(layers.Dense(8)(vector), 4)[0]
    keras.Model(vector, sorted_values).save(folder / "sorting.keras")
    generator = np.random.default_rng(0)
    images, classes = generator.integers(0, 256, (60, 8, 8, 3)).astype(np.uint8), np.arange(60) % 3
    np.savez(folder / "images.npz", x_train=images, y_train=classes, x_test=images, y_test=classes)
    np.savez(folder / "vectors.npz", x_train=generator.normal(size=(60, 8)).astype(np.float32))
    (folder / "labels.txt").write_text("cat\ndog\nowl\n")
    return folder


def request(place, tmp_path, **asked):
    known = {"model": place / "animals.keras", "data": str(place / "images.npz")}
    return ConvertRequest(**(known | {"output": tmp_path / "out.tflite"} | asked))


def convert(asked):
    result = convert_file(asked, progress=Silent())
    data = asked.output.read_bytes()
    assert result.tflite == data
    return result, data, read_model(data, where="out.tflite")


def test_without_a_device_the_file_is_bare(place, tmp_path):
    result, data, model = convert(request(place, tmp_path))
    assert {tensor.name for tensor in model.tensors} == {""}
    assert (model.metadata, model.signatures) == ({}, ())
    assert (result.scheme, result.io_type, result.fits) == ("int8", "int8", True)
    assert result.samples > 0
    assert run_litert(data, (np.zeros((1, 8, 8, 3)),)).outputs[0].raw.shape == (1, 3)


def test_for_a_phone_the_file_carries_metadata_and_labels(place, tmp_path):
    asked = request(place, tmp_path, device="pixel-6", labels=place / "labels.txt")
    result, data, model = convert(asked)
    assert result.fits
    found = read_metadata(model.metadata[ENTRY], where="out.tflite")
    (seen,) = found.inputs
    assert (seen.name, seen.color_space, seen.mean, seen.std) == ("photo", "rgb", (0.0,), (1.0,))
    assert (seen.minimum, seen.maximum) == ((0.0,), (255.0,))
    assert found.outputs[0].labels == "labels.txt"
    assert "edgeprune" in found.description
    assert read_attached(data, model) == {"labels.txt": b"cat\ndog\nowl\n"}


def test_for_tflm_it_carries_them_on_request(place, tmp_path):
    asked = request(place, tmp_path, device="cortex-m7")
    assert convert(asked)[2].metadata == {}
    wanted = replace(asked, annotating=Annotating(metadata=True, normalization=(127.5, 127.5)), force=True)
    _, _, model = convert(wanted)
    (seen,) = read_metadata(model.metadata[ENTRY], where="out.tflite").inputs
    assert (seen.mean, seen.std) == ((127.5,), (127.5,))


def test_a_signature_is_kept_on_request(place, tmp_path):
    _, _, model = convert(request(place, tmp_path, annotating=Annotating(signatures=True)))
    (signature,) = model.signatures
    assert signature.inputs == {"photo": model.subgraphs[0].inputs[0]}
    assert signature.outputs == {"animal": model.subgraphs[0].outputs[0]}


def test_floats_need_no_data(place, tmp_path):
    result, _, model = convert(request(place, tmp_path, scheme="none", data=None))
    assert (result.samples, model.inputs[0].dtype) == (0, "float32")


def test_integers_without_data_are_refused_before_the_model_is_opened(place, tmp_path):
    with pytest.raises(DataError, match="pass --data"):
        convert_file(request(place, tmp_path, data=None, model=place / "none.keras"), progress=Silent())


def test_a_scheme_that_the_device_cannot_run_is_refused_before_the_model_is_opened(place, tmp_path):
    asked = request(
        place, tmp_path, scheme="float16", data=None, device="cortex-m7", model=place / "none.keras"
    )
    with pytest.raises(RecipeError, match="int8"):
        convert_file(asked, progress=Silent())


def test_an_op_that_the_device_cannot_run_is_refused_and_nothing_is_written(place, tmp_path):
    asked = request(
        place, tmp_path, model=place / "sorting.keras", data=str(place / "vectors.npz"), device="cortex-m7"
    )
    with pytest.raises(OpError, match="TOPK_V2"):
        convert_file(asked, progress=Silent())
    assert not asked.output.exists()


def test_an_output_that_exists_is_refused(place, tmp_path):
    (tmp_path / "out.tflite").write_text("mine")
    with pytest.raises(OutputError, match="--force"):
        convert_file(request(place, tmp_path), progress=Silent())


@pytest.mark.parametrize(
    ("text", "message"),
    [("cat\ndog\n", "2 labels"), ("cat\n\nowl\n", "line 2 is empty"), (None, "cannot be read")],
)
def test_labels_that_do_not_fit_are_refused(place, tmp_path, text, message):
    file = tmp_path / "labels.txt"
    if text is not None:
        file.write_text(text)
    with pytest.raises(DataError, match=message):
        convert_file(request(place, tmp_path, labels=file), progress=Silent())


def test_labels_may_have_windows_line_ends(tmp_path):
    (tmp_path / "labels.txt").write_bytes(b"cat\r\ndog\r\n")
    output = keras.KerasTensor((None, 2))
    assert read_labels(tmp_path / "labels.txt", outputs=[output]) == ("cat", "dog")


@pytest.mark.parametrize("text", ["1", "1,0", "0,-1", "a,b", "nan,1", "1,2,3", "0,inf"])
def test_a_normalization_that_is_none_is_refused(text):
    with pytest.raises(RecipeError, match="normalization"):
        parse_annotating(metadata=None, normalization=text, keep_signatures=None)


def test_the_origin_has_one_hash_whatever_the_order_of_its_keys():
    assert hash_origin({"a": 1, "b": [2.5]}) == hash_origin({"b": [2.5], "a": 1})
    assert hash_origin({"a": 1}) != hash_origin({"a": 2})


def test_a_sequential_model_has_names_of_outputs_too(place, tmp_path):
    path = tmp_path / "sequential.keras"
    keras.Sequential([keras.Input((8, 8, 3)), layers.Flatten(), layers.Dense(3, name="last")]).save(path)
    asked = request(
        place, tmp_path, model=path, annotating=Annotating(signatures=True), accept=("input-range",)
    )
    _, _, model = convert(asked)
    assert list(model.signatures[0].outputs) == ["last"]


class Noting(Silent):
    def __init__(self):
        self.notes = []

    def note(self, text):
        self.notes.append(text)


@pytest.mark.parametrize(("layer", "said"), [(layers.LSTM, True), (layers.GRU, False)])
def test_a_state_that_the_application_must_reset_is_told(layer, said, tmp_path):
    steps = keras.Input((4, 3))
    keras.Model(steps, layer(2)(steps)).save(tmp_path / "m.keras")
    progress = Noting()
    asked = ConvertRequest(model=tmp_path / "m.keras", output=tmp_path / "m.tflite", scheme="none")
    convert_file(asked, progress=progress)
    assert any("reset it before each sample" in note for note in progress.notes) == said


class Listening(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.mark.parametrize("outlier", [1.0, 1e5])
def test_an_int8_file_far_from_its_model_is_warned_of(tmp_path, outlier):
    vector = keras.Input((4,))
    model = keras.Model(vector, layers.Dense(4, kernel_initializer="identity", name="same")(vector))
    values = np.random.default_rng(0).normal(size=(100, 4)).astype(np.float32)
    values[40] *= outlier
    heard = Listening()
    convert_file(ConvertRequest(model=model, data={"x_train": values}), progress=heard)
    assert any("away from the model's" in text for text in heard.warnings) == (outlier > 1)


def test_the_types_of_both_ends_are_told(tmp_path):
    image = keras.Input((8, 8, 3), dtype="uint8")
    x = layers.Conv2D(4, 3)(layers.Rescaling(1 / 255)(image))
    model = keras.Model(image, layers.Dense(3)(layers.Flatten()(x)))
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3)).astype(np.uint8)
    asked = ConvertRequest(model=model, data={"x_train": pixels})
    assert convert_file(asked, progress=Silent()).to_json()["ends"] == "uint8 inputs, int8 outputs"


def lose_by_offset(vector):
    """Values of a spread of 1 around 1000, which one scale has in steps of 4."""
    x = layers.Rescaling(1.0, offset=1000.0)(layers.Dense(4, name="culprit")(vector))
    return layers.Rescaling(1.0, offset=-1000.0)(layers.Activation("relu")(x))


def lose_by_company(vector):
    """Small values that TensorFlow brings to the scale of those beside them, for all that read them."""
    small = layers.Dense(4, activation="tanh")(vector)
    large = layers.Rescaling(1000.0, name="culprit")(small)
    return layers.Rescaling([1.0] * 4 + [0.0] * 4)(layers.Concatenate()([small, large]))


@pytest.mark.parametrize("lose", [lose_by_offset, lose_by_company])
def test_a_file_far_from_its_model_is_said_with_the_layer_where_it_starts(lose):
    keras.utils.set_random_seed(0)
    vector = keras.Input((8,))
    model = keras.Model(vector, layers.Dense(2)(lose(vector)))
    given = np.random.default_rng(0).normal(size=(40, 8)).astype(np.float32)
    heard = Listening()
    convert_file(ConvertRequest(model=model, data={"x_train": given}), progress=heard)
    (warning,) = (text for text in heard.warnings if "of their range away" in text)
    assert "it starts in layer 'culprit' (" in warning
