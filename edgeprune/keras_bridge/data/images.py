"""Images sorted into folders by class, decoded when they are wanted."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from edgeprune.errors import DataError
from edgeprune.files import refuse_special
from edgeprune.keras_bridge.data.batches import Array, Batch, Rows
from edgeprune.keras_bridge.data.class_folders import Files, explain_labels, list_files
from edgeprune.keras_bridge.data.parts import Interface, RawData

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp")
CACHE_BYTES = 512 * 2**20
"""Decoded images are kept where all of them take no more than this."""

_THREADS = min(8, os.cpu_count() or 1)


def read_images(folder: Path, interface: Interface, *, seed: int) -> RawData:
    """Images in the folders that `class_folders.py` shows, as `uint8` of the model's input size.

    They are resized (bilinear, antialiased) and become gray or RGB as the input has 1 or 3 channels; values
    stay 0 to 255. Where the model has one output, class numbers are its labels.

    Raises:
        DataError: no images, classes that differ between the parts, an input that takes no images; and, when
            they are fetched, images that cannot be read.
    """
    inputs = interface.inputs
    shape = tuple(inputs[0].shape[1:]) if len(inputs) == 1 else ()
    sizes = tuple(size for size in shape if size is not None)
    if len(sizes) != 3 or len(shape) != 3 or sizes[2] not in (1, 3):
        raise DataError(
            "images cannot be fed to this model",
            where=str(folder),
            why="it does not have one input of the shape (height, width, 1 or 3)",
            fix="give the data as an .npz file",
        )
    listed = list_files(folder, IMAGE_SUFFIXES, kind="image", seed=seed)
    count = sum(len(files.paths) for files in listed.parts.values())
    keep = count * int(np.prod(sizes)) <= CACHE_BYTES
    labelled = len(interface.outputs) == 1
    return RawData(
        parts={
            part: _rows(files, shape=sizes, keep=keep, labelled=labelled)
            for part, files in listed.parts.items()
        },
        source=str(folder),
        notes=(*listed.notes, *explain_labels(interface)),
        class_names=listed.class_names,
    )


def _rows(files: Files, *, shape: tuple[int, ...], keep: bool, labelled: bool) -> Rows:
    count = len(files.paths)
    kept = np.empty((count if keep else 0, *shape), np.uint8)  # takes memory as it is filled
    filled = np.zeros(count, bool)

    def pick(rows: Array) -> Array:
        if not keep:
            return _decode_all([files.paths[row] for row in rows], shape)
        if len(missing := rows[~filled[rows]]):
            kept[missing] = _decode_all([files.paths[row] for row in missing], shape)
            filled[missing] = True
        return kept[rows]

    def fetch(rows: Array) -> Batch:
        return Batch(x=(pick(rows),), y=(files.labels[rows],) if labelled else None)

    return Rows(
        count=count,
        fetch=fetch,
        all_classes=files.labels if labelled else None,
        origin="images are decoded as they are needed",
        is_costly=True,
    )


def _decode_all(paths: Sequence[Path], shape: tuple[int, ...]) -> Array:
    images = np.empty((len(paths), *shape), np.uint8)

    def decode(row: int) -> None:
        images[row] = _decode(paths[row], shape)

    with ThreadPoolExecutor(_THREADS) as pool:  # TensorFlow lets go of the interpreter while it decodes
        list(pool.map(decode, range(len(paths))))
    return images


def _decode(path: Path, shape: tuple[int, ...]) -> Array:
    import tensorflow as tf  # here, so that listing files does not take seconds

    refuse_special(path, DataError)
    try:
        with tf.device("CPU"):
            content = path.read_bytes()
            # Of a bitmap, TensorFlow gives the channels that it has, and no others.
            channels = 0 if content[:2] == b"BM" else shape[2]
            pixels = tf.io.decode_image(content, channels=channels, expand_animations=False)
            pixels = _change_channels(pixels[..., :3], shape[2])
            if tuple(pixels.shape) != shape:
                resized = tf.image.resize(pixels, shape[:2], antialias=True)
                pixels = tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8)
            decoded: Array = pixels.numpy()
    except (OSError, ValueError, tf.errors.OpError) as error:
        raise DataError(
            "the image cannot be read",
            where=str(path),
            why=f"{type(error).__name__}: {' '.join(str(error).split())[:200]}",
            fix="replace or remove it",
        ) from error
    return decoded


def _change_channels(pixels: Any, channels: int) -> Any:
    import tensorflow as tf

    if pixels.shape[-1] == channels:
        return pixels
    return tf.image.rgb_to_grayscale(pixels) if channels == 1 else tf.image.grayscale_to_rgb(pixels)
