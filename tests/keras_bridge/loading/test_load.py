import json
import shutil
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.config.load_options import LoadOptions
from edgeprune.errors import ModelError
from edgeprune.keras_bridge.loading.load import load_model
from edgeprune.keras_bridge.training.compiled import read_compiled
from edgeprune.progress import Silent

SHARED = Path(__file__).parents[3] / ".." / "shared"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")


def small_model() -> keras.Model:
    return keras.Sequential([keras.Input((4,), name="x"), layers.Dense(2, activation="softmax", name="head")])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "model.keras"
    small_model().save(path)
    return path


def rewrite(path: Path, **members: bytes) -> None:
    """Replace members of an archive; `config_json=b"..."` stands for config.json."""
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    contents |= {name.replace("_json", ".json"): content for name, content in members.items()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def edit_config(path: Path, old: str, new: str) -> None:
    with zipfile.ZipFile(path) as archive:
        config = archive.read("config.json").decode()
    assert old in config
    rewrite(path, config_json=config.replace(old, new, 1).encode())


def refusal(path: Path) -> ModelError:
    with pytest.raises(ModelError) as caught:
        load_model(path)
    error = caught.value
    assert error.exit_code == 3
    assert str(path) in error.message
    assert error.fix
    assert "\n" not in error.message
    return error


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".hdf5"])
def test_a_model_comes_back_with_its_outputs_and_its_loss(tmp_path: Path, suffix: str) -> None:
    model = small_model()
    model.compile(loss="categorical_crossentropy", metrics=["accuracy"])
    path = tmp_path / f"model{suffix}"
    model.save(path)
    again = load_model(path)
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(again.predict(x, verbose=0), model.predict(x, verbose=0))
    assert "categorical_crossentropy" in str(again.loss)


def test_a_model_that_was_never_compiled_has_lost_nothing(saved: Path) -> None:
    class Watching(Silent):
        def warn(self, text: str) -> None:
            raise AssertionError(text)

    assert not load_model(saved, progress=Watching()).compiled


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.keras").what == "no such file"


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "directory" in refusal(tmp_path).what


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "empty.keras"
    path.touch()
    assert "empty" in refusal(path).what


@pytest.mark.parametrize("name", ["text.keras", "text.h5"])
def test_a_renamed_text_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_text("this is not a model")
    assert "b'this is '" in refusal(path).why


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"abc")
    assert "'.onnx'" in refusal(path).what


def test_an_hdf5_file_named_keras_is_refused_with_its_right_name(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    small_model().save(path)
    assert refusal(path.rename(tmp_path / "model.keras")).fix == "rename it to .h5"


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("kept", [0.02, 0.5, 0.95])
def test_a_truncated_file_is_refused(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"model{suffix}"
    small_model().save(path)
    content = path.read_bytes()
    path.write_bytes(content[: max(int(len(content) * kept), 8)])
    assert "truncated or damaged" in refusal(path).what


def test_a_flipped_byte_is_found_by_the_checksum(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[content.index(b"categorical" if b"categorical" in content else b"softmax")] ^= 1
    saved.write_bytes(content)
    assert "checksum" in refusal(saved).why or "CRC" in refusal(saved).why


def test_an_archive_without_weights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    assert "no model.weights.h5" in refusal(path).what


@pytest.mark.parametrize(
    "name", ["../evil.txt", "/tmp/evil.txt", "a/../../evil.txt", "..\\evil.txt", "C:\\x"]
)
def test_a_member_that_leaves_the_archive_is_refused(saved: Path, name: str) -> None:
    rewrite(saved, **{name: b"evil"})
    assert "outside the archive" in refusal(saved).why


def test_a_zip_bomb_is_refused_before_it_is_read(saved: Path) -> None:
    with zipfile.ZipFile(saved, "a", compression=zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("assets/zeros", bytes(300 * 2**20))
    assert "would expand" in refusal(saved).why


def test_a_dataset_of_absurd_size_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    small_model().save(path)
    with h5py.File(path, "r+") as file:
        file["model_weights"].create_dataset("huge", shape=(2**34,), dtype="f4", chunks=(2**20,))
    assert "would expand to 68719" in refusal(path).why


def test_an_hdf5_link_to_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    small_model().save(path)
    with h5py.File(path, "r+") as file:
        file["model_weights"]["away"] = h5py.ExternalLink("/etc/passwd", "/")
    assert "'away' is a link" in refusal(path).why


def test_weights_alone_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.weights.h5"
    small_model().save_weights(path)
    assert "weights without a model" in refusal(path).what


@pytest.mark.parametrize("config", [b"{not json", b"[]", b"[" * 100_000, b"\xff\xfe", b'{"config": 3}'])
def test_a_config_that_is_no_model_is_refused(saved: Path, config: bytes) -> None:
    rewrite(saved, config_json=config)
    assert "config.json" in refusal(saved).what


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_lambda_layer_is_refused_and_its_code_does_not_run(tmp_path: Path, suffix: str) -> None:
    ran = tmp_path / "ran"
    source = str(ran)
    code = lambda x: (open(source, "a").write("!"), x)[1]  # noqa: E731, SIM115
    inputs = keras.Input((4,))
    inner = keras.Model(inputs, layers.Lambda(code, output_shape=(4,), name="evil")(inputs))
    path = tmp_path / f"model{suffix}"
    keras.Sequential([keras.Input((4,)), inner, layers.Dense(2)]).save(path)
    ran.unlink(missing_ok=True)
    assert "Lambda layer named 'evil'" in refusal(path).what
    assert not ran.exists()


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_lambda_layer_of_a_trusted_file_runs(tmp_path: Path, suffix: str) -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, layers.Lambda(lambda x: x * 3, output_shape=(4,))(inputs))
    path = tmp_path / f"model{suffix}"
    model.save(path)
    again = load_model(path, options=LoadOptions(trust=True))
    np.testing.assert_array_equal(again.predict(np.ones((2, 4)), verbose=0), 3 * np.ones((2, 4)))


@pytest.mark.filterwarnings("ignore:The object being serialized includes a `lambda`")
def test_a_loss_that_is_bytecode_is_refused(tmp_path: Path) -> None:
    model = small_model()
    model.compile(loss=lambda y, p: p)
    path = tmp_path / "model.keras"
    model.save(path)
    assert "bytecode" in refusal(path).what


def test_a_module_outside_keras_is_refused_and_not_imported(saved: Path, tmp_path: Path) -> None:
    edit_config(
        saved, '"module": "keras.layers", "class_name": "Dense"', '"module": "os", "class_name": "system"'
    )
    error = refusal(saved)
    assert "layer 'head'" in error.what
    assert "'system'" in error.what


class Doubled(layers.Layer):
    def call(self, x: object) -> object:
        return x * 2  # type: ignore[operator]


def test_a_custom_layer_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    keras.Sequential([keras.Input((4,)), Doubled(name="twice")]).save(path)
    error = refusal(path)
    assert "layer 'twice' needs 'Doubled'" in error.what


class Own(keras.Model):
    def __init__(self, **options: object) -> None:
        super().__init__(**options)
        self.head = layers.Dense(2)

    def call(self, x: object) -> object:
        return self.head(x)


def test_a_subclassed_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    model = Own()
    model(np.zeros((1, 4), np.float32))
    path = tmp_path / "model.keras"
    model.save(path)
    error = refusal(path)
    assert "'Own'" in error.what
    assert "keras.Model(inputs, outputs)" in error.fix


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_an_unbuilt_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    keras.Sequential([layers.Dense(2)]).save(path)
    assert "before it was built" in refusal(path).what


def test_an_open_input_shape_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    inputs = keras.Input((None, None, 3), name="photo")
    keras.Model(inputs, layers.Conv2D(2, 3)(inputs)).save(path)
    assert "input 'photo' has the shape (?, ?, ?, 3)" in refusal(path).what


def test_weights_that_contradict_the_config_name_the_layer(saved: Path) -> None:
    edit_config(saved, '"units": 2', '"units": 3')
    assert "layer 'head'" in refusal(saved).what


def test_weights_of_an_h5_that_contradict_the_config_name_the_layer(tmp_path: Path) -> None:
    path = tmp_path / "model.h5"
    small_model().save(path)
    with h5py.File(path, "r+") as file:
        file.attrs["model_config"] = file.attrs["model_config"].replace('"units": 2', '"units": 3')
    assert "layer 'head'" in refusal(path).what


def test_an_unknown_layer_is_named(saved: Path) -> None:
    edit_config(saved, '"class_name": "Dense"', '"class_name": "Danse"')
    assert "'Danse'" in refusal(saved).what


def test_an_absurd_argument_becomes_one_sentence(saved: Path) -> None:
    edit_config(saved, '"units": 2', '"units": -2')
    error = refusal(saved)
    assert "-2" in error.why
    assert len(error.message) < 600


class Notes(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def warn(self, text: str) -> None:
        self.texts.append(text)


def own_loss(y: object, p: object) -> object:
    return keras.losses.mean_squared_error(y, p)


@keras.saving.register_keras_serializable("theirs")
def registered_loss(y: object, p: object) -> object:
    return keras.losses.mean_squared_error(y, p)


def save_compiled(path: Path, **compiled: object) -> Path:
    """Saves a model that was compiled and trained."""
    model = small_model()
    model.compile(**compiled)
    model.fit(
        np.zeros((2, *model.inputs[0].shape[1:])), np.zeros((2, *model.outputs[0].shape[1:])), verbose=0
    )
    model.save(path)
    return path


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Takes `registered_loss` out of Keras's registry, as in another process."""

    def forget() -> None:
        monkeypatch.delitem(keras.saving.get_custom_objects(), "theirs>registered_loss")

    return forget


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("loss", [own_loss, registered_loss])
def test_a_loss_that_cannot_be_restored_leaves_the_model_uncompiled_with_a_note(
    tmp_path: Path, suffix: str, loss: Callable[..., object], forgotten: Callable[[], None]
) -> None:
    path = save_compiled(tmp_path / f"model{suffix}", loss=loss)
    forgotten()
    notes = Notes()
    again = load_model(path, progress=notes)
    assert not again.compiled
    assert "--loss" in notes.texts[0]
    with pytest.raises(ModelError, match=rf"compiled with the loss '{loss.__name__}'") as caught:
        load_model(path, options=LoadOptions(needs_loss=True))
    assert f"--custom file.py:{loss.__name__}," in str(caught.value.fix)


@keras.saving.register_keras_serializable("theirs")
class RegisteredLoss(keras.losses.Loss):
    """A loss with a name of its own, which is no loss of Keras."""

    def __init__(
        self, name: str = "own", reduction: str = "sum_over_batch_size", dtype: object = None
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)

    def call(self, y: object, p: object) -> object:
        return keras.losses.mean_squared_error(y, p)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
@pytest.mark.parametrize("loss", [registered_loss, RegisteredLoss()])
def test_a_loss_and_a_metric_that_are_registered_come_back(tmp_path: Path, suffix: str, loss: object) -> None:
    path = save_compiled(tmp_path / f"model{suffix}", loss=loss, metrics=[registered_loss])
    notes = Notes()
    again = load_model(path, options=LoadOptions(needs_loss=True), progress=notes)
    assert not notes.texts
    (found,) = read_compiled(again).losses
    assert found is loss or type(found) is type(loss)


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_metric_that_cannot_be_restored_is_named_and_left_out(
    tmp_path: Path, suffix: str, forgotten: Callable[[], None]
) -> None:
    path = save_compiled(tmp_path / f"model{suffix}", loss="mse", metrics=["accuracy", registered_loss])
    forgotten()
    notes = Notes()
    assert load_model(path, progress=notes).compiled
    assert "the metric 'registered_loss' is no part of Keras" in notes.texts[0]


def test_a_half_precision_model_opens_in_float32(tmp_path: Path) -> None:
    path = tmp_path / "model.keras"
    inputs = keras.Input((4,))
    keras.Model(inputs, layers.Dense(2, dtype="mixed_float16")(inputs)).save(path)
    assert load_model(path).layers[-1].dtype_policy.name == "float32"


@needs_shared
@pytest.mark.parametrize(
    ("name", "params"),
    # Counted from the arrays under model_weights of each file.
    [
        ("mlperf_tiny/image_classification/pretrainedResnet.h5", 78_666),
        ("mlperf_tiny/anomaly_detection/ad01.h5", 269_992),
        ("tinymaix/mnist_valid.h5", None),
        ("tinymaix/mnist_dw.h5", None),
        ("tinymaix/mnist_resnet.h5", None),
    ],
)
def test_the_public_keras_2_files_open_with_their_weights_and_loss(name: str, params: int | None) -> None:
    path = SHARED / "models" / name
    model = load_model(path)
    with h5py.File(path) as file:
        arrays: list[np.ndarray] = []
        file["model_weights"].visititems(
            lambda _, item: arrays.append(item[()]) if isinstance(item, h5py.Dataset) else None
        )
    assert model.count_params() == sum(array.size for array in arrays)
    assert params is None or model.count_params() == params
    assert model.loss is not None
    ours = sorted(float(np.abs(weight).sum()) for weight in model.get_weights())
    assert ours == pytest.approx(sorted(float(np.abs(array).sum()) for array in arrays), rel=1e-6)


@needs_shared
def test_opening_leaves_the_file_untouched(tmp_path: Path) -> None:
    path = tmp_path / "mnist_dw.h5"
    shutil.copyfile(SHARED / "models/tinymaix/mnist_dw.h5", path)
    before = path.read_bytes()
    load_model(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_an_encrypted_member_is_refused(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    # General-purpose flags of the first entry in the central directory ("PK\1\2", offset 8).
    at = content.index(b"PK\x01\x02") + 8
    content[at : at + 2] = struct.pack("<H", 1)
    saved.write_bytes(content)
    assert "encrypted" in refusal(saved).what


def test_two_members_of_one_name_are_refused(saved: Path) -> None:
    with zipfile.ZipFile(saved) as archive:
        config = json.loads(archive.read("config.json"))
    with zipfile.ZipFile(saved, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("config.json", json.dumps(config))
    assert "one name" in refusal(saved).why


def test_open_image_sizes_are_assumed_only_where_that_is_asked_for(tmp_path: Path) -> None:
    image = keras.Input((None, None, 3))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 3)(image))
    model = keras.Model(image, keras.layers.Dense(2)(x))
    model.save(tmp_path / "open.keras")
    with pytest.raises(ModelError, match=r"--input-shape 96,96,3"):
        load_model(tmp_path / "open.keras")
    opened = load_model(tmp_path / "open.keras", options=LoadOptions(assume_image=True))
    assert opened.input_shape == (None, 224, 224, 3)
    probe = np.random.default_rng(0).standard_normal((1, 224, 224, 3)).astype(np.float32)
    np.testing.assert_array_equal(np.asarray(model(probe)), np.asarray(opened(probe)))


def test_an_open_length_is_never_assumed(tmp_path: Path) -> None:
    sequence = keras.Input((None, 3))
    keras.Model(sequence, keras.layers.LSTM(4)(sequence)).save(tmp_path / "open.keras")
    with pytest.raises(ModelError, match="is not fixed"):
        load_model(tmp_path / "open.keras", options=LoadOptions(assume_image=True))
