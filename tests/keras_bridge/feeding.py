"""Arrays on their way to a model, as short as tests want them."""

from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np

from edgeprune.keras_bridge.data.batches import Array, Arrays, Batch, Rows, Source, hold
from edgeprune.keras_bridge.data.dataset import Data, prepare_data
from edgeprune.keras_bridge.data.named_arrays import find_classes
from edgeprune.keras_bridge.data.parts import RawData
from edgeprune.keras_bridge.training.compiled import interface_of


def batch_of(x: Any, y: Any = None, weights: Any = None) -> Batch:
    """A batch; each argument is an array, or a tuple or list of arrays, one per input or output."""
    inputs = _each(x)
    assert inputs is not None
    return Batch(x=inputs, y=_each(y), weights=_each(weights))


def hold_arrays(x: Any, y: Any = None, weights: Any = None) -> Rows:
    """The arrays as a source; class numbers are found where the labels are such."""
    batch = batch_of(x, y, weights)
    return hold(batch, classes=find_classes(batch.y))


def prepare(
    model: keras.Model, x: Any, y: Any = None, *, parts: Iterable[str] = ("train", "test"), seed: int = 0
) -> Data:
    """The same samples as all of these parts, checked against the model."""
    raw = RawData(parts={part: hold_arrays(x, y) for part in parts}, source="made by a test")
    return prepare_data(raw, interface=interface_of(model), seed=seed)


def everything(source: Source | None) -> Batch:
    """All samples that can be had at any time."""
    assert source is not None
    return source.take(np.arange(source.drawable))


def inputs_of(source: Source | None) -> Arrays:
    """Their inputs."""
    return everything(source).x


def labels_of(source: Source | None) -> Array:
    """Their labels for the one output."""
    (labels,) = everything(source).y or ()
    return labels


def _each(arrays: Any | Sequence[Any] | None) -> Arrays | None:
    if arrays is None:
        return None
    return tuple(map(np.asarray, arrays)) if isinstance(arrays, tuple | list) else (np.asarray(arrays),)
