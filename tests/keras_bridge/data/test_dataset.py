"""Data from wherever they are: checked against the model, split, and told about."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data import dataset
from edgeprune.keras_bridge.data.batches import Rows, Stream
from edgeprune.keras_bridge.data.dataset import Data, load_data
from edgeprune.keras_bridge.data.parts import Interface, Port
from tests.keras_bridge.feeding import everything, inputs_of, labels_of

SHARED = Path(__file__).parents[3] / ".." / "shared"

VECTOR, IMAGE = Port(name="x", shape=(None, 3)), Port(name="photo", shape=(None, 4, 4, 1))
LEFT, RIGHT = Port(name="left", shape=(None, 3)), Port(name="right", shape=(None, 3))
FIVE, ONE = Port(name="kind", shape=(None, 5)), Port(name="size", shape=(None, 1))


def takes(*inputs: Port, gives: tuple[Port, ...] = (FIVE,)) -> Interface:
    return Interface(inputs=inputs or (VECTOR,), outputs=gives)


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
        return load_data(str(path), **({"interface": takes(), "seed": 0} | options))

    return load


def refusal(run: Callable[[], object]) -> DataError:
    with pytest.raises(DataError) as caught:
        run()
    assert caught.value.exit_code == 3
    assert caught.value.fix
    assert caught.value.where
    assert "\n" not in caught.value.message
    return caught.value


def sizes(data: Data) -> list[int]:
    assert data.test is not None
    return [data.train.samples, len(data.validation), data.test.samples]


def validation_labels(data: Data) -> np.ndarray:
    (y,) = data.validation.y or ()
    return y


def test_an_npz_is_read_and_a_tenth_of_each_class_is_held_out(load: Callable[..., Data]) -> None:
    data = load()
    assert sizes(data) == [45, 5, 20]
    assert sorted(validation_labels(data)) == [0, 1, 2, 3, 4]
    both = np.concatenate([inputs_of(data.train)[0], data.validation.x[0]])
    np.testing.assert_array_equal(np.sort(both, axis=0), np.sort(arrays()["x_train"], axis=0))
    kinds = np.concatenate([labels_of(data.train), validation_labels(data)])
    for x, kind in zip(both, kinds, strict=True):
        (row,) = np.flatnonzero((arrays()["x_train"] == x).all(axis=1))
        assert arrays()["y_train"][row] == kind
    assert data.is_labelled


def test_the_split_follows_the_seed(load: Callable[..., Data]) -> None:
    first, same, other = (load(seed=seed).validation.x[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_no_more_than_1000_samples_are_held_out(load: Callable[..., Data]) -> None:
    assert len(load(arrays(train=30_000)).validation) == 1000


def test_a_validation_set_is_kept_as_it_is(load: Callable[..., Data]) -> None:
    x = np.full((7, 3), 0.5, np.float32)
    data = load({"x_val": x, "y_val": np.zeros(7, int)})
    np.testing.assert_array_equal(data.validation.x[0], x)
    assert data.train.samples == 50


def test_of_a_large_validation_set_a_drawn_part_is_kept_and_told(
    load: Callable[..., Data], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dataset, "MAX_VALIDATION", 7)
    x = np.arange(60, dtype=np.float32).reshape(20, 3)
    given = {"x_val": x, "y_val": np.arange(20) % 5}
    data, other = load(given), load(given, seed=1)
    assert len(data.validation) == 7
    rows = data.validation.x[0][:, 0].astype(int) // 3
    np.testing.assert_array_equal(validation_labels(data), rows % 5)
    assert not np.array_equal(data.validation.x[0], other.validation.x[0])
    assert "Decisions look at 7 of the 20 validation samples, drawn with seed 0." in data.notes


def test_bytes_stay_bytes_and_the_range_is_told(load: Callable[..., Data]) -> None:
    x = np.array([[0, 7, 255]] * 50, np.uint8)
    data = load({"x_train": x, "x_test": x[:20]})
    assert inputs_of(data.train)[0].dtype == np.uint8
    assert (data.ranges[0].minimum, data.ranges[0].maximum, data.ranges[0].dtype) == (0, 255, "uint8")
    assert "Input 'x' spans 0 to 255 (uint8)." in data.notes


def test_labels_in_a_column_are_flattened(load: Callable[..., Data]) -> None:
    data = load({"y_train": (np.arange(50) % 5)[:, None]})
    assert labels_of(data.train).shape == (45,)
    assert validation_labels(data).shape == (5,)


@pytest.mark.parametrize("column", [True, False])
def test_class_numbers_that_were_saved_as_floats_are_class_numbers(
    load: Callable[..., Data], column: bool
) -> None:
    y = (np.arange(50) % 5).astype(float)
    data = load({"y_train": y[:, None] if column else y})
    assert labels_of(data.train).dtype == np.int64
    assert labels_of(data.train).shape == (45,)
    assert data.facts is not None
    assert data.facts[0].are_integers


def test_missing_labels_are_allowed_and_told(load: Callable[..., Data]) -> None:
    data = load({"y_train": None, "y_test": None})
    assert (data.is_labelled, data.facts) == (False, None)
    assert everything(data.train).y is data.validation.y is everything(data.test).y is None
    assert "The data have no labels." in data.notes


def test_labels_for_the_test_set_alone_are_allowed_and_told(load: Callable[..., Data]) -> None:
    data = load({"y_train": None})
    assert not data.is_labelled
    assert data.validation.y is None
    assert len(labels_of(data.test)) == 20
    assert any("training data have no labels" in note for note in data.notes)


def test_a_missing_test_set_is_allowed_and_told(load: Callable[..., Data]) -> None:
    data = load({"x_test": None, "y_test": None})
    assert not data.has_test
    assert any("There is no test set" in note for note in data.notes)
    np.testing.assert_array_equal(data.take_test(3).x[0], data.validation.x[0][:3])


def test_a_constant_input_is_told(load: Callable[..., Data]) -> None:
    data = load({"x_train": np.zeros((50, 3), np.float32)})
    assert any("is 0 everywhere" in note for note in data.notes)


def test_a_test_set_that_is_not_scaled_is_told(load: Callable[..., Data]) -> None:
    data = load({"x_test": arrays()["x_test"] * 255})
    assert any("in x_test" in note and "not scaled" in note for note in data.notes)


def test_what_tells_data_from_others_is_every_value(load: Callable[..., Data]) -> None:
    found = [list(load().fingerprint()) for _ in range(2)]
    assert found[0] == found[1]
    for row in range(50):  # those that are held out, too
        changed = arrays()["x_train"].copy()
        changed[row, -1] += 1e-3
        assert list(load({"x_train": changed}).fingerprint()) not in found
    held = {"x_val": arrays()["x_test"], "y_val": arrays()["y_test"]}
    assert list(load(held).fingerprint()) != list(load({**held, "y_val": held["y_val"][::-1]}).fingerprint())


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
        ({"x_train": np.array([["a"] * 3] * 50)}, "x_train holds text, not numbers", "integer tokens"),
        ({"x_train": np.zeros((50, 3), complex)}, "x_train is of the type complex128", "float32"),
        ({"y_test": None}, "x_train has labels, but x_test has none", "add y_test"),
        ({"y_train": np.zeros(49, int)}, "49 labels for 50 samples", "one label per sample"),
        ({"y_train": np.full(50, 5)}, "y_train holds 5, but .* classes 0 to 4", "trained with"),
        ({"y_train": np.arange(50) % 5 + 1}, "y_train holds 5", "y - 1"),
        ({"y_test": np.full(20, -1)}, "y_test holds -1", "trained with"),
        (
            {"y_train": np.arange(50) % 5 + 0.5},
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
    assert fix in refusal(lambda: load({"x_train": np.zeros(shape)}, interface=takes(IMAGE))).fix


def test_one_array_for_two_inputs_is_refused(load: Callable[..., Data]) -> None:
    error = refusal(lambda: load(interface=takes(LEFT, RIGHT)))
    assert error.what == "x_train is one array, but the model has 2 inputs"
    assert "x_train_left" in error.fix


@pytest.mark.parametrize("names", [("0", "1"), ("left", "right")])
def test_several_inputs_are_found_by_number_or_name(
    load: Callable[..., Data], names: tuple[str, str]
) -> None:
    changes: dict[str, Any] = {"x_train": None, "x_test": None}
    for i, name in enumerate(names):
        changes |= {f"x_train_{name}": np.full((50, 3), i), f"x_test_{name}": np.full((20, 3), i)}
    data = load(changes, interface=takes(LEFT, RIGHT))
    assert [float(x.max()) for x in inputs_of(data.train)] == [0, 1]


def test_labels_of_several_outputs_are_kept_apart(load: Callable[..., Data]) -> None:
    changes: dict[str, Any] = {"y_train": None, "y_test": None}
    for part, count in (("train", 50), ("test", 20)):
        changes |= {
            f"y_{part}_kind": np.arange(count) % 5,
            f"y_{part}_size": np.arange(count, dtype=np.float32),
        }
    data = load(changes, interface=takes(gives=(FIVE, ONE)))
    kind, size = everything(data.train).y or ()
    np.testing.assert_array_equal(kind, size % 5)
    assert data.facts is not None
    assert [facts.are_integers for facts in data.facts] == [True, False]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("y_train", "y_train is one array, but the model has 2 outputs"),
        ("y_train_kind", "there is y_train_kind, but nothing for 'size'"),
    ],
)
def test_labels_of_only_one_of_several_outputs_are_refused(
    load: Callable[..., Data], given: str, said: str
) -> None:
    changes = {"y_train": None, "y_test": None, given: np.arange(50) % 5}
    assert refusal(lambda: load(changes, interface=takes(gives=(FIVE, ONE)))).what == said


def test_one_hot_labels_beside_class_numbers_are_refused_with_both_remedies(
    load: Callable[..., Data],
) -> None:
    error = refusal(lambda: load({"y_train": np.eye(5)[np.arange(50) % 5]}))
    assert error.what == "y_train is one-hot, but y_test has class numbers"
    assert "'kind'" in error.why
    assert "y.argmax(axis=-1)" in error.fix
    assert "keras.utils.to_categorical(y, 5)" in error.fix


def test_one_training_sample_is_not_enough_to_hold_out_any(load: Callable[..., Data]) -> None:
    error = refusal(lambda: load({"x_train": np.zeros((1, 3)), "y_train": np.zeros(1, int)}))
    assert "x_val" in error.fix


@pytest.mark.parametrize("source", ["none.npz", "none", "none.csv"])
def test_a_missing_source_is_refused(source: str) -> None:
    assert "no such" in refusal(lambda: load_data(source, interface=takes(), seed=0)).what


def test_a_source_of_another_kind_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    path.touch()
    assert "'.parquet'" in refusal(lambda: load_data(str(path), interface=takes(), seed=0)).what


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


def generated():
    pairs = lambda: ((x[i : i + 10], y[i : i + 10]) for i in range(0, 50, 10))
    return pairs(), pairs()


def unlabelled():
    return x, x


def endless():
    data = tf.data.Dataset.from_tensor_slices((x, y)).batch(10)
    return data.repeat(), data


def odd():
    return 3
"""


def call(tmp_path: Path, name: str, **options: Any) -> Data:
    path = tmp_path / "own_sets.py"
    path.write_text(SOURCE)
    return load_data(f"{path}:{name}", interface=takes(), seed=0, **options)


@pytest.mark.parametrize("name", ["batched", "generated"])
def test_streams_of_a_function_are_gone_through_and_nothing_is_taken_out_of_them(
    tmp_path: Path, name: str
) -> None:
    data = call(tmp_path, name)
    assert isinstance(data.train, Stream)
    assert sizes(data) == [50, 5, 50]
    for source in (data.train, data.test):
        assert source is not None
        for _ in range(2):  # once more: each pass starts anew
            read = list(source.read(7))
            np.testing.assert_array_equal(np.concatenate([batch.y[0] for batch in read]), np.arange(50) % 5)
    assert any("5 samples of the training stream, which stay in it" in note for note in data.notes)
    assert any("50 of 50 samples, drawn with seed 0, are kept" in note for note in data.notes)


def test_a_function_gives_arrays(tmp_path: Path) -> None:
    data = call(tmp_path, "plain")
    assert isinstance(data.train, Rows)
    assert sizes(data) == [45, 5, 50]
    np.testing.assert_array_equal(labels_of(data.test), np.arange(50) % 5)


def test_a_function_gives_a_dict_of_unbatched_datasets(tmp_path: Path) -> None:
    assert sizes(call(tmp_path, "single")) == [30, 10, 10]


def test_a_function_may_leave_the_labels_out(tmp_path: Path) -> None:
    data = call(tmp_path, "unlabelled")
    assert (data.is_labelled, everything(data.train).y) == (False, None)


def test_an_endless_stream_needs_to_know_how_many_batches_are_an_epoch(tmp_path: Path) -> None:
    error = refusal(lambda: call(tmp_path, "endless"))
    assert "never ends" in error.what
    assert "--steps-per-epoch" in error.fix
    data = call(tmp_path, "endless", steps_per_epoch=7)
    assert (data.train.samples, data.train.per_epoch(32)) == (70, 7)


def test_what_is_no_data_is_refused(tmp_path: Path) -> None:
    assert "the function returned int" in refusal(lambda: call(tmp_path, "odd")).what


@pytest.mark.skipif(not SHARED.exists(), reason="../shared is not here")
def test_cifar_10_is_read_whole() -> None:
    data = load_data(
        str(SHARED / "data/cifar10_20k.npz"),
        interface=takes(
            Port(name="image", shape=(None, 32, 32, 3)), gives=(Port(name="class", shape=(None, 10)),)
        ),
        seed=0,
    )
    assert sizes(data) == [19_000, 1_000, 5_000]
