import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.dataset import Data, load_data

SHARED = Path(__file__).parents[3] / ".." / "shared"


@dataclass(frozen=True)
class End:
    name: str
    shape: tuple[int | None, ...]


IMAGE = [End("photo", (None, 4, 4, 1))]
VECTOR = [End("x", (None, 3))]
FIVE = [End("y", (None, 5))]
ONE = [End("y", (None, 1))]


def arrays(train: int = 50, test: int = 20) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "x_train": rng.random((train, 3), dtype=np.float32),
        "y_train": np.arange(train) % 5,
        "x_test": rng.random((test, 3), dtype=np.float32),
        "y_test": np.arange(test) % 5,
    }


@pytest.fixture
def load(tmp_path: Path) -> Callable[..., Data]:
    def load(changes: dict[str, Any] | None = None, **options: Any) -> Data:
        contents = {k: v for k, v in (arrays() | (changes or {})).items() if v is not None}
        path = tmp_path / "data.npz"
        np.savez(path, **contents)
        return load_data(str(path), **({"inputs": VECTOR, "outputs": FIVE, "seed": 0} | options))

    return load


def refusal(run: Callable[[], object]) -> DataError:
    with pytest.raises(DataError) as caught:
        run()
    assert caught.value.exit_code == 3
    assert caught.value.fix
    assert caught.value.where
    assert "\n" not in caught.value.message
    return caught.value


def test_an_npz_is_read_and_a_tenth_of_each_class_is_held_out(load: Callable[..., Data]) -> None:
    data = load()
    assert [len(x[0]) for x in (data.x_train, data.x_val, data.x_test)] == [45, 5, 20]
    assert data.y_val is not None
    assert sorted(data.y_val) == [0, 1, 2, 3, 4]
    both = np.concatenate([data.x_train[0], data.x_val[0]])
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(arrays()["x_train"], axis=0))


def test_the_split_follows_the_seed(load: Callable[..., Data]) -> None:
    np.testing.assert_array_equal(load(seed=3).x_val[0], load(seed=3).x_val[0])
    assert not np.array_equal(load(seed=3).x_val[0], load(seed=4).x_val[0])


def test_no_more_than_1000_samples_are_held_out(load: Callable[..., Data]) -> None:
    assert len(load(arrays(train=30_000)).x_val[0]) == 1000


def test_a_validation_set_is_kept_as_it_is(load: Callable[..., Data]) -> None:
    x = np.full((7, 3), 0.5, np.float32)
    data = load({"x_val": x, "y_val": np.zeros(7, int)})
    np.testing.assert_array_equal(data.x_val[0], x)
    assert len(data.x_train[0]) == 50


def test_bytes_stay_bytes_and_the_range_is_told(load: Callable[..., Data]) -> None:
    x = np.array([[0, 7, 255]] * 50, np.uint8)
    data = load({"x_train": x, "x_test": x[:20]})
    assert data.x_train[0].dtype == np.uint8
    assert (data.ranges[0].minimum, data.ranges[0].maximum, data.ranges[0].dtype) == (0, 255, "uint8")
    assert "Input 'x' spans 0 to 255 (uint8)." in data.notes


def test_labels_in_a_column_are_flattened(load: Callable[..., Data]) -> None:
    data = load({"y_train": (np.arange(50) % 5)[:, None]})
    assert data.y_train is not None
    assert data.y_train.shape == (45,)


def test_missing_labels_are_allowed_and_told(load: Callable[..., Data]) -> None:
    data = load({"y_train": None, "y_test": None})
    assert data.y_train is None
    assert data.y_test is None
    assert "The data have no labels." in data.notes


def test_labels_for_the_test_set_alone_are_allowed_and_told(load: Callable[..., Data]) -> None:
    data = load({"y_train": None})
    assert data.y_val is None
    assert data.y_test is not None
    assert any("training data have no labels" in note for note in data.notes)


def test_a_missing_test_set_is_allowed_and_told(load: Callable[..., Data]) -> None:
    data = load({"x_test": None, "y_test": None})
    assert not data.has_test
    assert any("There is no test set" in note for note in data.notes)


def test_a_constant_input_is_told(load: Callable[..., Data]) -> None:
    data = load({"x_train": np.zeros((50, 3), np.float32)})
    assert any("is 0 everywhere" in note for note in data.notes)


def test_a_test_set_that_is_not_scaled_is_told(load: Callable[..., Data]) -> None:
    data = load({"x_test": arrays()["x_test"] * 255})
    assert any("in x_test" in note and "not scaled" in note for note in data.notes)


@pytest.mark.parametrize(
    ("changes", "what", "fix"),
    [
        ({"x_train": None}, "no x_train", "np.savez"),
        ({"x_test": None}, "y_test, but no x_test", "x_test"),
        (
            {"x_train": np.full((50, 3), np.nan, np.float32)},
            "x_train holds NaN, first in sample 0",
            "nan_to_num",
        ),
        (
            {"x_test": np.array([[0, 0, 0], [0, np.inf, 0]] * 10)},
            "x_test holds infinity, first in sample 1",
            "nan",
        ),
        ({"x_train": np.zeros((50, 4))}, r"shape \(4,\) per sample, the model's input 'x' \(3,\)", "prepare"),
        ({"x_train": np.zeros((0, 3)), "y_train": np.zeros(0, int)}, "x_train is empty", "sample"),
        ({"x_train": np.array([["a"] * 3] * 50)}, "x_train is of the type <U1", "float32"),
        ({"y_test": None}, "x_train has labels, but x_test has none", "add y_test"),
        ({"y_train": np.zeros(49, int)}, "49 labels for 50 samples", "one label per sample"),
        ({"y_train": np.full(50, 5)}, "y_train holds 5, but .* classes 0 to 4", "trained with"),
        ({"y_train": np.arange(50) % 5 + 1}, "y_train holds 5", "y - 1"),
        ({"y_test": np.full(20, -1)}, "y_test holds -1", "trained with"),
        (
            {"y_train": (np.arange(50) % 5).astype(float)},
            "type float64, but the model tells 5 classes",
            "astype",
        ),
        ({"y_train": np.full(50, np.nan)}, "y_train holds NaN", "nan"),
        ({"y_train": np.zeros((50, 7))}, r"y_train has the shape \(7,\) per sample.*\(5,\)", "0 to 4"),
        ({"y_train": np.array(["cat"] * 50)}, "y_train is of the type <U3", "number the classes"),
    ],
)
def test_each_fault_is_refused_with_its_fix(
    load: Callable[..., Data], changes: dict[str, Any], what: str, fix: str
) -> None:
    error = refusal(lambda: load(changes))
    assert re.search(what, error.what), error.what
    assert fix in error.fix


@pytest.mark.parametrize(
    ("shape", "fix"),
    [
        ((50, 4, 4), "np.expand_dims"),
        ((50, 1, 4, 4), "np.moveaxis"),
        ((50, 16), "x.reshape(-1, 4, 4, 1)"),
        ((50, 8, 8, 1), "prepare the data"),
    ],
)
def test_a_wrong_shape_is_refused_with_the_way_to_the_right_one(
    load: Callable[..., Data], shape: tuple[int, ...], fix: str
) -> None:
    assert fix in refusal(lambda: load({"x_train": np.zeros(shape)}, inputs=IMAGE)).fix


def test_one_array_for_two_inputs_is_refused(load: Callable[..., Data]) -> None:
    error = refusal(lambda: load(inputs=[End("left", (None, 3)), End("right", (None, 3))]))
    assert error.what == "x_train is one array, but the model has 2 inputs"
    assert "x_train_left" in error.fix


@pytest.mark.parametrize("names", [("0", "1"), ("left", "right")])
def test_several_inputs_are_found_by_number_or_name(
    load: Callable[..., Data], names: tuple[str, str]
) -> None:
    changes: dict[str, Any] = {"x_train": None, "x_test": None}
    for i, name in enumerate(names):
        changes |= {f"x_train_{name}": np.full((50, 3), i), f"x_test_{name}": np.full((20, 3), i)}
    data = load(changes, inputs=[End("left", (None, 3)), End("right", (None, 3))])
    assert [float(x.max()) for x in data.x_train] == [0, 1]


def test_labels_for_several_outputs_are_refused(load: Callable[..., Data]) -> None:
    assert "2 outputs" in refusal(lambda: load(outputs=[*FIVE, *ONE])).what


def test_pickled_arrays_are_refused_and_not_unpickled(load: Callable[..., Data]) -> None:
    assert "pickled" in refusal(lambda: load({"x_train": np.array([[1], [2, 3]], dtype=object)})).what


def test_a_truncated_npz_is_refused(load: Callable[..., Data], tmp_path: Path) -> None:
    load()
    path = tmp_path / "data.npz"
    path.write_bytes(path.read_bytes()[:300])
    error = refusal(lambda: load_data(str(path), inputs=VECTOR, outputs=FIVE, seed=0))
    assert "truncated or damaged" in error.what


def test_data_beyond_the_memory_limit_are_refused_before_they_are_read(load: Callable[..., Data]) -> None:
    assert "memory" in refusal(lambda: load(memory_limit_bytes=1000)).what


@pytest.mark.parametrize("source", ["none.npz", "none", "none.csv"])
def test_a_missing_source_is_refused(source: str) -> None:
    assert "no such" in refusal(lambda: load_data(source, inputs=VECTOR, outputs=FIVE, seed=0)).what


def test_a_source_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.touch()
    assert "'.csv'" in refusal(lambda: load_data(str(path), inputs=VECTOR, outputs=FIVE, seed=0)).what


def write_images(folder: Path, count: int, *, value: int, size: int = 4) -> None:
    folder.mkdir(parents=True)
    for i in range(count):
        pixels = np.full((size, size, 3), value, np.uint8)
        (folder / f"{i}.png").write_bytes(tf.io.encode_png(pixels).numpy())


def read_folder(folder: Path, inputs: Any = IMAGE) -> Data:
    return load_data(str(folder), inputs=inputs, outputs=[End("y", (None, 2))], seed=0)


def test_a_folder_by_class_is_split_and_keeps_0_to_255(tmp_path: Path) -> None:
    write_images(tmp_path / "dark", 10, value=10)
    write_images(tmp_path / "light", 10, value=250)
    data = read_folder(tmp_path)
    assert data.class_names == ("dark", "light")
    assert [len(x[0]) for x in (data.x_train, data.x_val, data.x_test)] == [14, 2, 4]
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        assert y is not None
        np.testing.assert_array_equal(x[0][:, 0, 0, 0], np.where(y == 0, 10, 250))


def test_train_and_test_folders_are_kept_apart_and_images_resized(tmp_path: Path) -> None:
    for part, count in (("train", 4), ("test", 3)):
        for name, value in (("a", 0), ("b", 255)):
            write_images(tmp_path / part / name, count, value=value, size=9)
    data = read_folder(tmp_path, inputs=[End("photo", (None, 4, 4, 3))])
    assert data.x_test[0].shape == (6, 4, 4, 3)
    assert data.x_train[0].dtype == np.uint8


def test_a_class_that_only_the_test_set_has_is_refused(tmp_path: Path) -> None:
    write_images(tmp_path / "train" / "a", 3, value=0)
    write_images(tmp_path / "test" / "b", 3, value=0)
    assert "class 'b'" in refusal(lambda: read_folder(tmp_path)).what


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    assert "no images" in refusal(lambda: read_folder(tmp_path)).what


def test_a_broken_image_is_refused_by_name(tmp_path: Path) -> None:
    write_images(tmp_path / "a", 3, value=0)
    (tmp_path / "a" / "1.png").write_bytes(b"no image")
    assert "1.png" in refusal(lambda: read_folder(tmp_path)).where


def test_images_for_a_model_of_vectors_are_refused(tmp_path: Path) -> None:
    assert "cannot be fed" in refusal(lambda: read_folder(tmp_path, inputs=VECTOR)).what


SOURCE = """
import numpy as np
import tensorflow as tf

x, y = np.random.default_rng(0).random((50, 3)).astype("float32"), np.arange(50) % 5


def batched():
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(8)
    return data, data


def single():
    data = tf.data.Dataset.from_tensor_slices(({"x": x}, y))
    return {"train": data.take(30), "validation": data.skip(30).take(10), "test": data.skip(40)}


def plain():
    return (x, y), (x, y)


def unlabelled():
    return x, x


def endless():
    data = tf.data.Dataset.from_tensor_slices((x, y))
    return data.repeat(), data


def failing():
    raise KeyError("no such file")


def odd():
    return 3


not_a_function = 3
"""


def call(tmp_path: Path, name: str, **options: Any) -> Data:
    path = tmp_path / "my_data.py"
    path.write_text(SOURCE)
    return load_data(f"{path}:{name}", inputs=VECTOR, outputs=FIVE, seed=0, **options)


@pytest.mark.parametrize("name", ["batched", "plain"])
def test_a_function_gives_datasets_or_arrays(tmp_path: Path, name: str) -> None:
    data = call(tmp_path, name)
    assert len(data.x_train[0]) + len(data.x_val[0]) == 50
    assert data.x_test[0].shape == (50, 3)
    np.testing.assert_array_equal(data.y_test, np.arange(50) % 5)


def test_a_function_gives_a_dict_of_unbatched_datasets(tmp_path: Path) -> None:
    data = call(tmp_path, "single")
    assert [len(x[0]) for x in (data.x_train, data.x_val, data.x_test)] == [30, 10, 10]


def test_a_function_may_leave_the_labels_out(tmp_path: Path) -> None:
    assert call(tmp_path, "unlabelled").y_train is None


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("endless", "never ends"),
        ("failing", "KeyError: 'no such file'"),
        ("odd", "returned int"),
        ("missing", "no function 'missing'"),
        ("not_a_function", "no function 'not_a_function'"),
    ],
)
def test_a_function_that_is_of_no_use_is_refused(tmp_path: Path, name: str, said: str) -> None:
    assert said in refusal(lambda: call(tmp_path, name)).message


@pytest.mark.parametrize("name", ["batched", "plain"])
def test_a_function_that_gives_too_much_is_stopped(tmp_path: Path, name: str) -> None:
    assert "memory" in refusal(lambda: call(tmp_path, name, memory_limit_bytes=700)).what


def test_a_module_is_found_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "beside_the_caller.py").write_text(SOURCE)
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    data = load_data("beside_the_caller:plain", inputs=VECTOR, outputs=FIVE, seed=0)
    assert len(data.x_test[0]) == 50
    assert sys.path == before


def test_a_missing_module_is_refused() -> None:
    error = refusal(lambda: load_data("no_such_module:f", inputs=VECTOR, outputs=FIVE, seed=0))
    assert "ModuleNotFoundError" in error.why


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_cifar_10_is_read_whole() -> None:
    data = load_data(
        str(SHARED / "data/cifar10_20k.npz"),
        inputs=[End("image", (None, 32, 32, 3))],
        outputs=[End("class", (None, 10))],
        seed=0,
    )
    assert [len(x[0]) for x in (data.x_train, data.x_val, data.x_test)] == [19_000, 1_000, 5_000]
