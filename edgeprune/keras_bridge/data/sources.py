"""Data from files: `.npz`, folders of images. `data_function.py` has those from Python functions."""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.checks import Tensor

PARTS = ("train", "val", "test")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
TEST_FRACTION = 0.2  # of a folder of images that is not split


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """Samples of one part: one array per input, and labels or None."""

    x: tuple[NDArray[Any], ...]
    y: NDArray[Any] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class RawData:
    """What a source holds, unchecked.

    Attributes:
        parts: "train", and "val" and "test" where there are any; None counts as absent.
        source: where it came from.
        notes: sentences for the report.
        class_names: in the order of the class numbers, or None.
    """

    parts: Mapping[str, Part | None]
    source: str
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None


def check_memory(needed_bytes: int, *, limit: int, where: str) -> None:
    """Refuse more data than `limit` bytes, with a DataError."""
    if needed_bytes > limit:
        raise DataError(
            f"the data take more than {limit / 2**30:.3g} GiB of memory",
            where=where,
            why=f"{needed_bytes / 2**30:.3g} GiB so far" if needed_bytes < 2**50 else "their size is absurd",
            fix="give fewer samples, or uint8 in place of float32",
        )


def read_npz(path: Path, *, inputs: Sequence[Tensor], memory_limit_bytes: int) -> RawData:
    """The arrays of an `.npz` file. Pickled arrays are refused: unpickling runs code.

    Raises:
        DataError: the file is damaged, too large, holds pickled arrays, or has no `x_train`.
    """
    where = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            needed_bytes = sum(member.file_size for member in archive.infolist())
        check_memory(needed_bytes, limit=memory_limit_bytes, where=where)
        with np.load(path, allow_pickle=False) as file:
            arrays = {}
            for key in file.files:
                if key.startswith(("x_", "y_")) or key == "class_names":
                    arrays[key] = _read_array(file, key, where=where)
            ignored = sorted(set(file.files) - set(arrays))
    except (OSError, EOFError, ValueError, KeyError, RuntimeError, zlib.error, zipfile.BadZipFile) as error:
        why = " ".join(str(error).split())
        raise DataError(
            "the file is truncated or damaged", where=where, why=why, fix="write it again with np.savez"
        ) from error
    return name_parts(arrays, inputs=inputs, where=where, ignored=ignored)


def name_parts(
    arrays: Mapping[str, NDArray[Any]], *, inputs: Sequence[Tensor], where: str, ignored: Sequence[str] = ()
) -> RawData:
    """Arrays under the names that they have in an `.npz` file, as parts.

    Args:
        arrays: `x_train` and so on, and `class_names`.
        inputs: of the model.
        where: the source, for messages.
        ignored: names of what else there was.

    Raises:
        DataError: there is no `x_train`, or labels without inputs.
    """
    parts = {part: _pick_part(arrays, part, inputs=inputs) for part in PARTS}
    if parts["train"] is None:
        raise DataError(
            "there is no x_train",
            where=where,
            why=f"it holds {', '.join([*sorted(arrays), *ignored][:8]) or 'nothing'}",
            fix="save it with np.savez(path, x_train=…, y_train=…, x_test=…, y_test=…)",
        )
    if parts["test"] is None and "y_test" in arrays:
        raise DataError("there is y_test, but no x_test", where=where, fix="add x_test, or leave y_test out")
    notes = (f"Not used: {', '.join(ignored)}.",) if ignored else ()
    names = arrays.get("class_names")
    class_names = tuple(str(name) for name in names.reshape(-1)) if names is not None else None
    return RawData(parts=parts, source=where, notes=notes, class_names=class_names)


def read_images(folder: Path, *, inputs: Sequence[Tensor], seed: int, memory_limit_bytes: int) -> RawData:
    """Images sorted into folders by class, as `uint8` of the model's input size.

    `train/<class>/*.png` with `test/` and perhaps `val/` beside it, or `<class>/*.png`, of which a fifth of
    each class, drawn by `seed`, becomes the test set. Images are resized (bilinear, antialiased) and become
    gray or RGB as the input has 1 or 3 channels; values stay 0 to 255.

    Raises:
        DataError: no images, classes that differ between the parts, images that cannot be read, an input that
            takes no images, or too many for the memory.
    """
    where = str(folder)
    shape = tuple(inputs[0].shape[1:]) if len(inputs) == 1 else ()
    if len(shape) != 3 or shape[2] not in (1, 3) or None in shape:
        raise DataError(
            "images cannot be fed to this model",
            where=where,
            why="it does not have one input of the shape (height, width, 1 or 3)",
            fix="give the data as an .npz file",
        )
    if (folder / "train").is_dir():
        listed = {part: _list_images(folder / part) for part in PARTS if (folder / part).is_dir()}
    else:
        listed = _split(_list_images(folder), seed=seed)
    names = sorted(listed["train"])
    if not names:
        raise DataError(
            "there are no images",
            where=where,
            why=f"looked for */*{', */*'.join(IMAGE_SUFFIXES)}",
            fix="make a folder of images for each class, under train/ and test/ or on their own",
        )
    for part, by_class in listed.items():
        if unknown := sorted(set(by_class) - set(names)):
            raise DataError(
                f"class '{unknown[0]}' stands in {part}/ but not in train/",
                where=where,
                fix="name them alike",
            )
    count = sum(len(paths) for by_class in listed.values() for paths in by_class.values())
    check_memory(count * int(np.prod(shape)), limit=memory_limit_bytes, where=where)
    parts = {part: _decode(by_class, names, shape=shape) for part, by_class in listed.items()}
    notes = () if (folder / "train").is_dir() else ("A fifth of the images of each class is the test set.",)
    return RawData(parts=parts, source=where, notes=notes, class_names=tuple(names))


def _read_array(file: Any, key: str, *, where: str) -> NDArray[Any]:
    try:
        array: NDArray[Any] = file[key]
    except ValueError as error:
        if "allow_pickle" not in str(error):
            raise
        raise DataError(
            f"{key} is a pickled array of Python objects",
            where=where,
            why="unpickling runs code",
            fix="save it as a plain array of numbers, all samples of one shape",
        ) from error
    return array.astype(np.float32) if array.dtype == np.float64 and key.startswith("x_") else array


def _pick_part(arrays: Mapping[str, NDArray[Any]], part: str, *, inputs: Sequence[Tensor]) -> Part | None:
    key = f"x_{part}"
    by_index = [arrays[f"{key}_{i}"] for i in range(len(arrays)) if f"{key}_{i}" in arrays]
    by_name = [arrays[f"{key}_{t.name}"] for t in inputs if f"{key}_{t.name}" in arrays]
    x = [arrays[key]] if key in arrays else (by_name if len(by_name) == len(inputs) else by_index)
    return Part(x=tuple(x), y=arrays.get(f"y_{part}")) if x else None


def _list_images(folder: Path) -> dict[str, list[Path]]:
    listed = {}
    for directory in sorted(path for path in folder.iterdir() if path.is_dir()):
        paths = sorted(path for path in directory.iterdir() if path.suffix.lower() in IMAGE_SUFFIXES)
        if paths:
            listed[directory.name] = paths
    return listed


def _split(by_class: Mapping[str, list[Path]], *, seed: int) -> dict[str, dict[str, list[Path]]]:
    rng = np.random.default_rng(seed)
    train, test = {}, {}
    for name, paths in by_class.items():
        order = rng.permutation(len(paths))
        cut = round(TEST_FRACTION * len(paths))
        test[name] = [paths[i] for i in sorted(order[:cut])]
        train[name] = [paths[i] for i in sorted(order[cut:])]
    return {"train": train, "test": test}


def _decode(by_class: Mapping[str, list[Path]], names: Sequence[str], *, shape: tuple[int, ...]) -> Part:
    import tensorflow as tf  # here, so that reading arrays does not take seconds

    files = [(path, names.index(name)) for name, paths in by_class.items() for path in paths]
    images = np.empty((len(files), *shape), dtype=np.uint8)
    for row, (path, _) in enumerate(files):
        try:
            pixels = tf.io.decode_image(path.read_bytes(), channels=shape[2], expand_animations=False)
        except (OSError, tf.errors.OpError) as error:
            raise DataError(
                "the image cannot be read", where=str(path), fix="replace or remove it"
            ) from error
        if tuple(pixels.shape) != shape:
            resized = tf.image.resize(pixels, shape[:2], antialias=True)
            pixels = tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)
        images[row] = pixels.numpy()
    return Part(x=(images,), y=np.array([label for _, label in files], dtype=np.int64))
