import re
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data import npz, temporary_files
from edgeprune.keras_bridge.data.named_arrays import find_classes, name_parts
from edgeprune.keras_bridge.data.npz import read_npz
from edgeprune.keras_bridge.data.parts import Interface, RawData


@dataclass(frozen=True)
class End:
    name: str
    shape: tuple[int | None, ...]


ONE = Interface(inputs=(End("x", (None, 3)),), outputs=(End("out", (None, 5)),))
TWO = Interface(
    inputs=(End("left", (None, 3)), End("right", (None, 2))),
    outputs=(End("class", (None, 5)), End("box", (None, 4))),
)
X = np.arange(36, dtype=np.float32).reshape(12, 3)
Y = np.arange(12) % 5


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data.npz"


@pytest.fixture
def mapped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every array is a large one."""
    monkeypatch.setattr(npz, "LOADED_BYTES", 0)


def refusal(path: Path, interface: Interface = ONE) -> DataError:
    with pytest.raises(DataError) as caught:
        read_npz(path, interface)
    assert caught.value.fix
    assert caught.value.where == str(path)
    assert "\n" not in caught.value.message
    return caught.value


def read(path: Path, arrays: Mapping[str, Any], interface: Interface = ONE) -> RawData:
    np.savez(path, **arrays)
    return read_npz(path, interface)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize(
    "x", [X, X.astype(">f8"), np.asfortranarray(X), X.astype(np.uint8), X.astype(np.float16)]
)
def test_arrays_come_back_however_they_are_stored(
    path: Path, save: Any, large: bool, x: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(npz, "LOADED_BYTES", 0)
    save(path, x_train=x, y_train=Y)
    train = read_npz(path, ONE).parts["train"]
    assert bool(train.origin) == large
    batches = list(train.read(5))
    assert [len(batch) for batch in batches] == [5, 5, 2]
    np.testing.assert_array_equal(np.concatenate([b.x[0] for b in batches]), x)
    np.testing.assert_array_equal(train.take(np.array([1, 7])).y, [[1, 2]])
    dtype = batches[0].x[0].dtype
    assert dtype.isnative
    assert dtype == x.dtype.newbyteorder("=")
    assert batches[0].x[0].flags.aligned


def test_mapped_arrays_stand_unaligned_and_are_read_all_the_same(path: Path, mapped: None) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a", b"z")
        with archive.open("x_train.npy", "w") as file:
            np.lib.format.write_array(file, X)
    batch = read_npz(path, ONE).parts["train"].take(np.arange(12))
    np.testing.assert_array_equal(batch.x[0], X)
    assert batch.x[0].flags.aligned


def test_parts_labels_weights_and_what_is_said_of_classes(path: Path) -> None:
    weights = np.linspace(0, 1, 12)
    raw = read(
        path,
        {
            "x_train": X,
            "y_train": Y,
            "sample_weight_train": weights,
            "x_val": X[:2],
            "y_val": Y[:2],
            "x_test": X[:4],
            "y_test": Y[:4],
            "w_test": np.ones(4, int),
            "class_names": np.array(list("abcde")),
            "class_weight": np.arange(5) / 2,
            "comment": np.array([object()]),
        },
    )
    assert {name: part.samples for name, part in raw.parts.items()} == {"train": 12, "val": 2, "test": 4}
    batch = raw.parts["train"].take(np.arange(12))
    assert batch.weights is not None
    np.testing.assert_array_equal(batch.weights[0], weights.astype(np.float32))
    assert raw.parts["test"].take(np.arange(4)).weights[0].dtype == np.float32  # type: ignore[index]
    assert raw.class_names == tuple("abcde")
    assert raw.class_weights == {0: 0, 1: 0.5, 2: 1, 3: 1.5, 4: 2}
    assert raw.notes == ("Not used: comment.",)
    np.testing.assert_array_equal(raw.parts["train"].classes, Y)


@pytest.mark.parametrize("names", [("left", "right", "class", "box"), ("0", "1", "0", "1")])
def test_several_inputs_and_outputs_are_found_by_name_or_number(path: Path, names: tuple[str, ...]) -> None:
    left, right, label, box = names
    raw = read(
        path,
        {
            f"x_train_{left}": X,
            f"x_train_{right}": X[:, :2],
            f"y_train_{label}": Y,
            f"y_train_{box}": np.zeros((12, 4)),
            "w_train": np.ones(12),
        },
        TWO,
    )
    batch = raw.parts["train"].take(np.arange(3))
    assert [x.shape for x in batch.x] == [(3, 3), (3, 2)]
    assert [y.shape for y in batch.y or ()] == [(3,), (3, 4)]
    assert [w.shape for w in batch.weights or ()] == [(3,), (3,)]
    assert raw.parts["train"].classes is None


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"x": X}, r"there is no x_train \(it holds x\)"),
        ({"x_all": X}, "it is not clear what x_all is for .* the model's input is 'x'"),
        ({}, r"there is no x_train \(it holds nothing\)"),
        ({"x_test": X}, r"there is no x_train \(it holds x_test\)"),
        ({"x_train": X, "y_test": Y}, "there is y_test, but no x_test"),
        ({"x_train": X, "w_val": Y}, "there is w_val, but no x_val"),
        ({"x_train": X, "w_train": Y}, "there is w_train, but no y_train"),
        ({"x_train": X, "y_train_boxs": Y}, "not clear what y_train_boxs is for .* output is 'out'"),
        ({"x_train": X, "y_validation": Y}, "the parts are train, val, test"),
        ({"x_train": X, "sample_weight": Y}, "not clear what w is for"),
        ({"x_train": X, "y_train": Y, "w_train": Y, "sample_weight_train": Y}, "both w_train and sample"),
        ({"x_train": X, "y_train": Y, "w_train": np.array(["a"] * 12)}, "w_train is of the type <U1"),
        ({"x_train": 3.0}, "x_train is a single number"),
        ({"x_train": np.array([[1], [2, 3]], dtype=object)}, "x_train is a pickled array"),
        ({"x_train": X, "class_weight": np.array(["a"])}, "something else than numbers"),
        ({"x_train": X, "class_weight": [1, 2, 3, -1, 2]}, "class_weight is -1 for class 3"),
        ({"x_train": X, "class_weight": [1, 2]}, "has 2 numbers, the model tells 5"),
    ],
)
def test_each_fault_is_refused(path: Path, arrays: dict[str, Any], said: str) -> None:
    np.savez(path, **arrays)
    message = refusal(path).message
    assert re.search(said, message), message


@pytest.mark.parametrize(
    ("key", "said"),
    [("y_train_boxs", "outputs are 'class', 'box'"), ("x_train_middle", "inputs are 'left', 'right'")],
)
def test_a_misspelt_name_is_refused_with_the_names_there_are(path: Path, key: str, said: str) -> None:
    np.savez(path, x_train_left=X, x_train_right=X, **{key: Y})
    assert said in refusal(path, TWO).message


@pytest.mark.usefixtures("mapped")
def test_pickled_arrays_are_refused_when_they_are_large(path: Path) -> None:
    np.savez(path, x_train=np.array([[1], [2, 3]], dtype=object))
    assert "pickled" in refusal(path).what


@pytest.mark.parametrize("large", [False, True])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("kept", [0, 10, 300, -30])
def test_a_truncated_file_is_refused(
    path: Path, save: Any, large: bool, kept: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(npz, "LOADED_BYTES", 0)
    save(path, x_train=X, y_train=Y)
    path.write_bytes(path.read_bytes()[:kept])
    assert "truncated or damaged" in refusal(path).what


def write_member(path: Path, content: bytes, *, compression: int = zipfile.ZIP_DEFLATED) -> None:
    with zipfile.ZipFile(path, "w", compression) as archive:
        archive.writestr("x_train.npy", content)


def header(shape: str, dtype: str = "<f4") -> bytes:
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("shape", ["(10**12, 3)", "(1000000000000, 3)", "(5, 3)", "(3, 3)", "(-1, 3)", "'a'"])
@pytest.mark.parametrize("large", [False, True])
def test_a_header_that_lies_about_the_size_is_refused(
    path: Path, compression: int, shape: str, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if large:
        monkeypatch.setattr(npz, "LOADED_BYTES", 0)
    write_member(path, header(shape) + bytes(48), compression=compression)
    refusal(path)


@pytest.mark.usefixtures("mapped")
def test_a_member_that_holds_more_than_the_file_says_is_refused(path: Path) -> None:
    write_member(path, header("(400, 3)") + bytes(4800))
    told = path.read_bytes()
    size = 128 + 4800
    path.write_bytes(told.replace(struct.pack("<I", size), struct.pack("<I", size - 1200)))
    assert "damaged" in refusal(path).what


@pytest.mark.usefixtures("mapped")
def test_more_than_the_disk_has_is_refused_before_anything_is_unpacked(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    np.savez_compressed(path, x_train=X)
    usage = temporary_files.shutil.disk_usage("/")  # type: ignore[attr-defined]
    monkeypatch.setattr("shutil.disk_usage", lambda folder: usage._replace(free=100))
    assert "do not fit on the disk" in refusal(path).what


def test_what_is_no_archive_is_refused(path: Path) -> None:
    np.save(path.with_suffix(".npy"), X)
    path.with_suffix(".npy").rename(path)
    assert "damaged" in refusal(path).what


@pytest.mark.parametrize(
    ("y", "classes"),
    [
        (np.array([2, 0]), [2, 0]),
        (np.array([[2], [0]], np.uint8), [2, 0]),
        (np.array([True, False]), [1, 0]),
        (np.array([[0, 0, 1], [1, 0, 0]], np.float32), [2, 0]),
        (np.array([[0, 0, 1], [1, 0, 1]]), None),
        (np.array([[0, 0.5, 0.5]]), None),
        (np.array([1.0, 0.0]), None),
        (np.zeros((2, 3, 3), int), None),
    ],
)
def test_class_numbers_are_found_where_there_are_some(y: Any, classes: Any) -> None:
    found = find_classes((y,))
    assert (found is None) == (classes is None)
    if found is not None:
        assert found.tolist() == classes


def test_class_numbers_of_several_outputs_or_none_are_not_looked_for() -> None:
    assert find_classes((Y, Y)) is None
    assert find_classes(None) is None


def test_a_dict_in_memory_is_named_likewise() -> None:
    raw = name_parts({"x_train": X, "y_train": Y, "class_weight": {0: 2.0}}, ONE, where="here")
    assert raw.class_weights == {0: 2.0}
    assert raw.parts["train"].samples == 12


def anonymous_bytes() -> int:
    found = re.search(r"RssAnon:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_large_file_is_read_without_holding_it(path: Path, save: Any) -> None:
    save(path, x_train=np.zeros((100_000, 3, 250), np.float32), y_train=np.zeros(100_000, np.int64))
    before = anonymous_bytes()
    train = read_npz(path, ONE).parts["train"]
    most = 0
    for batch in train.read(1000):
        assert not batch.x[0].any()
        most = max(most, anonymous_bytes() - before)
    for step in range(3):
        assert len(train.draw(step, size=256, seed=0)) == 256
        most = max(most, anonymous_bytes() - before)
    assert most < 100e6
