"""Where data come from: `.npz` files, folders of images, Python functions. Each gives the same raw arrays."""

import importlib
import importlib.util
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data_checks import Tensor

PARTS = ("train", "val", "test")
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg")
TEST_FRACTION = 0.2  # of a folder of images that is not split

CALLABLE_FIX = "return (train, test) or (train, test, val), each a tf.data.Dataset or a pair of arrays (x, y)"


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


def read_npz(path: Path, *, inputs: Sequence[Tensor], memory_limit_bytes: int) -> RawData:
    """The arrays of an `.npz` file. Pickled arrays are refused: unpickling runs code.

    Raises:
        DataError: the file is damaged, too large, holds pickled arrays, or has no `x_train`.
    """
    where = str(path)
    try:
        with zipfile.ZipFile(path) as archive:
            needed_bytes = sum(member.file_size for member in archive.infolist())
        _check_memory(needed_bytes, limit=memory_limit_bytes, where=where)
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
    parts = {part: _pick_part(arrays, part, inputs=inputs) for part in PARTS}
    if parts["train"] is None:
        raise DataError(
            "there is no x_train in the file",
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
    _check_memory(count * int(np.prod(shape)), limit=memory_limit_bytes, where=where)
    parts = {part: _decode(by_class, names, shape=shape) for part, by_class in listed.items()}
    notes = () if (folder / "train").is_dir() else ("A fifth of the images of each class is the test set.",)
    return RawData(parts=parts, source=where, notes=notes, class_names=tuple(names))


def call_function(source: str, *, inputs: Sequence[Tensor], memory_limit_bytes: int) -> RawData:
    """What the Python function at `module:function` or `file.py:function` returns, as arrays.

    The function is called without arguments and returns (train, test), (train, test, val), or a dict with
    these keys. Each is a `tf.data.Dataset` of x or (x, y), batched or not, or arrays: x or (x, y). Of several
    inputs, x is a tuple in their order or a dict by their names.

    Raises:
        DataError: the function cannot be found, fails, or returns something else or too much.
    """
    function = _find_function(source)
    try:
        returned = function()
    except Exception as error:  # whatever the user's own code raises is an input error, not a bug of ours
        raise DataError(
            "the function failed",
            where=source,
            why=f"{type(error).__name__}: {' '.join(str(error).split())}",
            fix="run it on its own to see where",
        ) from error
    if isinstance(returned, Mapping):
        found = {("val" if key == "validation" else key): value for key, value in returned.items()}
    elif isinstance(returned, tuple | list) and len(returned) in (2, 3):
        found = dict(zip(("train", "test", "val"), returned, strict=False))
    else:
        found = {}
    if "train" not in found or not set(found) <= set(PARTS):
        given = sorted(map(str, returned)) if isinstance(returned, Mapping) else type(returned).__name__
        raise DataError(f"the function returned {given}", where=source, fix=CALLABLE_FIX)
    parts: dict[str, Part | None] = {}
    remaining = memory_limit_bytes
    for name in PARTS:
        if found.get(name) is not None:
            part = _materialise(found[name], inputs=inputs, limit=remaining, where=f"{source} ({name})")
            remaining -= sum(array.nbytes for array in (*part.x, *(() if part.y is None else (part.y,))))
            parts[name] = part
    return RawData(parts=parts, source=source)


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


def _find_function(source: str) -> Callable[[], Any]:
    place, _, name = source.rpartition(":")
    module = _import_file(Path(place), source) if place.endswith(".py") else _import_module(place, source)
    function = getattr(module, name, None)
    if not callable(function):
        known = sorted(key for key, value in vars(module).items() if callable(value) and key[0] != "_")
        raise DataError(
            f"there is no function '{name}' in '{place}'",
            where=source,
            why=f"it has {', '.join(known[:8]) or 'none'}",
            fix="give one of its functions",
        )
    return function  # type: ignore[no-any-return]


def _import_file(path: Path, source: str) -> ModuleType:
    if not path.is_file():
        raise DataError("no such file", where=source, fix="give file.py:function or module:function")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None  # every .py file has one
    module = importlib.util.module_from_spec(spec)
    loader = spec.loader
    assert loader is not None
    _run_import(lambda: loader.exec_module(module), source)
    return module


def _import_module(name: str, source: str) -> ModuleType:
    # A module beside the caller is found as by `python -m`, which a console script does not do by itself.
    sys.path.insert(0, str(Path.cwd()))
    try:
        module: ModuleType = _run_import(lambda: importlib.import_module(name), source)
        return module
    finally:
        sys.path.remove(str(Path.cwd()))


def _run_import(load: Callable[[], Any], source: str) -> Any:
    try:
        return load()
    except Exception as error:  # an import runs the user's own code
        raise DataError(
            "the module cannot be imported",
            where=source,
            why=f"{type(error).__name__}: {' '.join(str(error).split())}",
            fix="give file.py:function or module:function",
        ) from error


def _materialise(value: Any, *, inputs: Sequence[Tensor], limit: int, where: str) -> Part:
    """A dataset, or arrays, as arrays in memory."""
    if not hasattr(value, "element_spec"):
        part = _to_part(value, inputs=inputs, where=where)
        _check_memory(sum(x.nbytes for x in part.x), limit=limit, where=where)
        return part
    # tf.data: -1 stands for an infinite dataset.
    if int(value.cardinality()) == -1:
        raise DataError("the dataset never ends", where=where, fix="leave .repeat() out, or add .take(n)")
    pieces: list[Part] = []
    used_bytes = 0
    for element in _iterate(value, where=where):
        part = _to_part(element, inputs=inputs, where=where)
        batched = part.x[0].ndim == len(inputs[0].shape)
        pieces.append(part if batched else _add_batch_axis(part))
        used_bytes += sum(x.nbytes for x in part.x) + (0 if part.y is None else part.y.nbytes)
        _check_memory(used_bytes, limit=limit, where=where)
    if not pieces:
        raise DataError("the dataset is empty", where=where, fix="give at least one sample")
    x = tuple(np.concatenate(arrays) for arrays in zip(*(piece.x for piece in pieces), strict=True))
    labels = [piece.y for piece in pieces if piece.y is not None]
    return Part(x=x, y=np.concatenate(labels) if labels else None)


def _iterate(dataset: Any, *, where: str) -> Iterable[Any]:
    iterator = dataset.as_numpy_iterator()
    while True:
        try:
            element = next(iterator)
        except StopIteration:
            return
        except Exception as error:  # the pipeline runs the user's own code
            why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
            raise DataError(
                "the dataset failed", where=where, why=why, fix="iterate over it to see"
            ) from error
        yield element


def _to_part(value: Any, *, inputs: Sequence[Tensor], where: str) -> Part:
    x, y = value, None
    if isinstance(value, tuple):
        if len(value) not in (1, 2):
            raise DataError(
                f"got a tuple of {len(value)}",
                where=where,
                why="sample weights are not used",
                fix=CALLABLE_FIX,
            )
        x, y = value[0], value[1] if len(value) == 2 else None
    if isinstance(x, Mapping):
        if missing := [tensor.name for tensor in inputs if tensor.name not in x]:
            raise DataError(
                f"there is nothing for the input '{missing[0]}'",
                where=where,
                why=f"the keys are {', '.join(sorted(map(str, x)))}",
                fix="name them as the model's inputs",
            )
        x = tuple(x[tensor.name] for tensor in inputs)
    arrays = tuple(np.asarray(item) for item in x) if isinstance(x, tuple) else (np.asarray(x),)
    arrays = tuple(a.astype(np.float32) if a.dtype == np.float64 else a for a in arrays)
    return Part(x=arrays, y=None if y is None else np.asarray(y))


def _add_batch_axis(part: Part) -> Part:
    return replace(part, x=tuple(x[None] for x in part.x), y=None if part.y is None else part.y[None])


def _check_memory(needed_bytes: int, *, limit: int, where: str) -> None:
    if needed_bytes > limit:
        raise DataError(
            f"the data take more than {limit / 2**30:.3g} GiB of memory",
            where=where,
            why=f"{needed_bytes / 2**30:.3g} GiB so far" if needed_bytes < 2**50 else "their size is absurd",
            fix="give fewer samples, or uint8 in place of float32",
        )
