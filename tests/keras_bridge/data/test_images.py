from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data import images
from edgeprune.keras_bridge.data.folders import read_folder
from edgeprune.keras_bridge.data.parts import Interface, RawData


@dataclass(frozen=True)
class End:
    name: str
    shape: tuple[int | None, ...]


TWO_CLASSES = (End("class", (None, 2)),)


def model(*shape: int | None, outputs: tuple[End, ...] = TWO_CLASSES) -> Interface:
    return Interface(inputs=(End("photo", (None, *shape)),), outputs=outputs)


def write(folder: Path, count: int, *, value: int, size: int = 4) -> None:
    folder.mkdir(parents=True)
    for i in range(count):
        pixels = np.full((size, size, 3), value, np.uint8)
        (folder / f"{i}.png").write_bytes(tf.io.encode_png(pixels).numpy())


def bitmap(pixels: Any) -> bytes:
    """Rows from the bottom, blue first, each padded to 4 bytes."""
    height, width, _ = pixels.shape
    body = b"".join(row[:, ::-1].tobytes().ljust(-(-width * 3 // 4) * 4, b"\0") for row in pixels[::-1])
    head = b"BM" + (54 + len(body)).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    info = [(40, 4), (width, 4), (height, 4), (1, 2), (24, 2), (0, 4), (len(body), 4), (0, 16)]
    return head + b"".join(value.to_bytes(size, "little") for value, size in info) + body


def refusal(run: Callable[[], object]) -> DataError:
    with pytest.raises(DataError) as caught:
        run()
    assert caught.value.fix
    assert caught.value.where
    assert "\n" not in caught.value.message
    return caught.value


def everything(raw: RawData, part: str) -> tuple[Any, Any]:
    source = raw.parts[part]
    batch = source.take(np.arange(source.samples))
    assert batch.y is not None
    return batch.x[0], batch.y[0]


@pytest.mark.parametrize("cache_bytes", [0, 2**20])
def test_a_folder_by_class_is_split_and_keeps_0_to_255(
    tmp_path: Path, cache_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(images, "CACHE_BYTES", cache_bytes)
    write(tmp_path / "dark", 10, value=10)
    write(tmp_path / "light", 10, value=250)
    raw = read_folder(tmp_path, model(4, 4, 1), seed=0)
    assert raw.class_names == ("dark", "light")
    assert raw.notes == ("A fifth of the images of each class is the test set.",)
    for part, count in (("train", 16), ("test", 4)):
        x, y = everything(raw, part)
        assert x.shape == (count, 4, 4, 1)
        assert x.dtype == np.uint8
        np.testing.assert_array_equal(x[:, 0, 0, 0], np.where(y == 0, 10, 250))
        np.testing.assert_array_equal(raw.parts[part].classes, y)
        np.testing.assert_array_equal(np.bincount(y), [count // 2, count // 2])


def test_the_split_follows_the_seed(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for value in range(20):
            pixels = np.full((2, 2, 1), value, np.uint8)
            (tmp_path / name / f"{value}.png").write_bytes(tf.io.encode_png(pixels).numpy())

    def drawn(seed: int) -> list[int]:
        return everything(read_folder(tmp_path, model(2, 2, 1), seed=seed), "test")[0][:, 0, 0, 0].tolist()

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


@pytest.mark.parametrize("val", ["val", "valid", "validation"])
def test_parts_are_kept_apart_and_images_resized(tmp_path: Path, val: str) -> None:
    for part, count in (("train", 4), ("test", 3), (val, 2)):
        for name, value in (("a", 0), ("b", 255)):
            write(tmp_path / part / name, count, value=value, size=9)
    write(tmp_path / "more" / "a", 1, value=0)
    raw = read_folder(tmp_path, model(4, 4, 3), seed=0)
    assert {part: source.samples for part, source in raw.parts.items()} == {"train": 8, "val": 4, "test": 6}
    x, y = everything(raw, "val")
    assert x.shape == (4, 4, 4, 3)
    np.testing.assert_array_equal(x[:, 1, 2, 0], 255 * y)
    assert raw.notes == ("Not used: more/.",)


@pytest.mark.parametrize("channels", [1, 3])
def test_every_format_is_decoded(tmp_path: Path, channels: int) -> None:
    (tmp_path / "a").mkdir()
    pixels = np.full((5, 5, 3), (200, 100, 50), np.uint8)
    for name, content in (
        ("1.png", tf.io.encode_png(pixels).numpy()),
        ("2.JPG", tf.io.encode_jpeg(pixels, quality=100, chroma_downsampling=False).numpy()),
        ("3.jpeg", tf.io.encode_jpeg(pixels, quality=100, chroma_downsampling=False).numpy()),
        ("4.bmp", bitmap(pixels)),
        ("._1.png", b"what macOS leaves behind"),
    ):
        (tmp_path / "a" / name).write_bytes(content)
    raw = read_folder(tmp_path, model(5, 5, channels), seed=0)
    x = np.concatenate([everything(raw, part)[0] for part in ("train", "test")])
    assert len(x) == 4
    gray = 0.299 * 200 + 0.587 * 100 + 0.114 * 50
    assert np.abs(x[:, 0, 0].astype(int) - ([gray] if channels == 1 else [200, 100, 50])).max() <= 7


def test_images_are_decoded_once_where_all_of_them_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "a", 3, value=9)
    source = read_folder(tmp_path, model(4, 4, 1), seed=0).parts["train"]
    rows = np.arange(source.samples)
    before = source.take(rows).x[0]
    for path in (tmp_path / "a").iterdir():
        path.unlink()
    np.testing.assert_array_equal(source.take(rows).x[0], before)


def test_images_that_do_not_fit_are_decoded_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "CACHE_BYTES", 47)
    write(tmp_path / "a", 3, value=9)
    source = read_folder(tmp_path, model(4, 4, 1), seed=0).parts["train"]
    source.take(np.arange(1))
    for path in (tmp_path / "a").iterdir():
        path.unlink()
    refusal(lambda: source.take(np.arange(1)))


def test_a_broken_image_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path / "train" / "a", 3, value=0)
    (tmp_path / "train" / "a" / "1.png").write_bytes(b"no image")
    source = read_folder(tmp_path, model(4, 4, 1), seed=0).parts["train"]
    assert "1.png" in refusal(lambda: source.take(np.arange(3))).where


def test_classes_are_no_labels_of_several_outputs(tmp_path: Path) -> None:
    write(tmp_path / "a", 3, value=0)
    raw = read_folder(tmp_path, model(4, 4, 1, outputs=TWO_CLASSES * 2), seed=0)
    assert raw.parts["train"].take(np.arange(2)).y is None
    assert raw.parts["train"].classes is None
    assert any("model has 2 outputs" in note for note in raw.notes)


def test_a_class_that_only_the_test_set_has_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "train" / "a", 3, value=0)
    write(tmp_path / "test" / "b", 3, value=0)
    assert "class 'b'" in refusal(lambda: read_folder(tmp_path, model(4, 4, 1), seed=0)).what


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    assert "no images" in refusal(lambda: read_folder(tmp_path, model(4, 4, 1), seed=0)).what
    write(tmp_path / "test" / "a", 1, value=0)
    (tmp_path / "train").mkdir()
    assert "no images" in refusal(lambda: read_folder(tmp_path, model(4, 4, 1), seed=0)).what


def test_a_folder_of_images_and_sounds_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "a", 1, value=0)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "1.wav").touch()
    assert "both images and sounds" in refusal(lambda: read_folder(tmp_path, model(4, 4, 1), seed=0)).what


@pytest.mark.parametrize("shape", [(3,), (4, 4, 2), (None, None, 3)])
def test_images_for_a_model_that_takes_none_are_refused(
    tmp_path: Path, shape: tuple[int | None, ...]
) -> None:
    write(tmp_path / "a", 1, value=0)
    assert "cannot be fed" in refusal(lambda: read_folder(tmp_path, model(*shape), seed=0)).what
