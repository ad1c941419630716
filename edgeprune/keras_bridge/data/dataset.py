"""Data to prune with: read from wherever it is, checked against the model, split, ready to use."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.config.build_options import DataSource
from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.checks import (
    Tensor,
    check_inputs,
    check_labels,
    find_range_mismatch,
    flatten_labels,
)
from edgeprune.keras_bridge.data.function import call_function
from edgeprune.keras_bridge.data.given import take_data
from edgeprune.keras_bridge.data.sources import Part, RawData, read_images, read_npz

MEMORY_LIMIT_BYTES = 4 * 2**30
MAX_VALIDATION_SAMPLES = 1000

Arrays = tuple[NDArray[Any], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class InputRange:
    """What one input of the model is fed.

    Attributes:
        name: of the model's input.
        minimum, maximum: over the training data.
        dtype: as stored in the source.
    """

    name: str
    minimum: float
    maximum: float
    dtype: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Data:
    """Training, validation and test data.

    Decisions (which channels, when to stop, roll-back) may look at train and validation; test only measures
    the result.

    Attributes:
        x_train, x_val, x_test: one array per model input, (samples, ...). `uint8` stays `uint8`: cast each
            batch. `x_test` is empty where the source has none.
        y_train, y_val, y_test: labels, or None where there are none. Class numbers are integers.
        class_names: in the order of the class numbers, or None.
        source: where the data came from.
        notes: sentences for the report.
        ranges: one per input.
    """

    x_train: Arrays
    x_val: Arrays
    x_test: Arrays
    y_train: NDArray[Any] | None
    y_val: NDArray[Any] | None
    y_test: NDArray[Any] | None
    class_names: tuple[str, ...] | None
    source: str
    notes: tuple[str, ...]
    ranges: tuple[InputRange, ...]

    @property
    def has_test(self) -> bool:
        """Whether there are test samples."""
        return bool(self.x_test)


def load_data(
    source: DataSource,
    *,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    seed: int,
    validation_fraction: float = 0.1,
    memory_limit_bytes: int = MEMORY_LIMIT_BYTES,
) -> Data:
    """The data at `source`, checked against the model.

    Args:
        source: an `.npz` file with `x_train, y_train, x_test, y_test` (optionally `x_val, y_val`; with
            several inputs `x_train_0` or `x_train_<input>`); a folder `train/<class>/*.png`, `test/...`, or
            `<class>/*.png`; or `module:function` or `file.py:function`, which returns (train, test) or
            (train, test, val), each a tf.data.Dataset or arrays (x, y). Or data in memory, as `take_data`
            takes them.
        inputs: `model.inputs`, batch dimension first.
        outputs: `model.outputs`, likewise.
        seed: of the splits.
        validation_fraction: share of the training samples held out where there is no validation set, in
            (0, 1); never more than 1000 samples.
        memory_limit_bytes: largest amount of data to hold.

    Raises:
        DataError: the source or what it holds cannot be used.
    """
    raw = _read(source, inputs=inputs, seed=seed, limit=memory_limit_bytes)
    return prepare_data(
        raw, inputs=inputs, outputs=outputs, seed=seed, validation_fraction=validation_fraction
    )


def prepare_data(
    raw: RawData,
    *,
    inputs: Sequence[Tensor],
    outputs: Sequence[Tensor],
    seed: int,
    validation_fraction: float = 0.1,
) -> Data:
    """Data from arrays as a source gave them: checked against the model, with a validation set.

    Raises:
        DataError: they cannot be used.
    """
    notes = list(raw.notes)
    parts = {name: part for name, part in raw.parts.items() if part is not None}
    labelled = [name for name, part in parts.items() if part.y is not None]
    for name, part in parts.items():
        check_inputs(part.x, inputs=inputs, part=name, where=raw.source)
        if part.y is not None:
            y = flatten_labels(part.y, outputs=outputs)
            check_labels(y, samples=len(part.x[0]), outputs=outputs, part=name, where=raw.source)
            parts[name] = replace(part, y=y)
    if "train" in labelled and (bare := [name for name in parts if name not in labelled]):
        raise DataError(
            f"x_train has labels, but x_{bare[0]} has none",
            where=raw.source,
            fix=f"add y_{bare[0]}, or leave all labels out",
        )
    if labelled and "train" not in labelled:
        notes.append("The training data have no labels: recovery follows the original model's outputs.")
    if not labelled:
        notes.append("The data have no labels.")
    train, val = parts["train"], parts.get("val")
    if val is None:
        train, val = _hold_out(train, fraction=validation_fraction, seed=seed, where=raw.source)
        notes.append(f"{len(val.x[0])} of the training samples were held out for validation.")
    test = parts.get("test")
    if test is None:
        notes.append(
            "There is no test set: how the result does on data that no decision looked at cannot be said; "
            "the validation score stands in its place."
        )
    ranges = _measure_ranges(train.x, inputs=inputs)
    notes += [f"Input '{r.name}' spans {r.minimum:g} to {r.maximum:g} ({r.dtype})." for r in ranges]
    notes += [
        f"Input '{r.name}' is {r.minimum:g} everywhere: nothing can be learnt from it."
        for r in ranges
        if r.minimum == r.maximum
    ]
    notes += find_range_mismatch({name: part.x for name, part in parts.items()}, inputs=inputs)
    return Data(
        x_train=train.x,
        x_val=val.x,
        x_test=test.x if test else (),
        y_train=train.y,
        y_val=val.y,
        y_test=test.y if test else None,
        class_names=raw.class_names,
        source=raw.source,
        notes=tuple(notes),
        ranges=ranges,
    )


def _read(source: DataSource, *, inputs: Sequence[Tensor], seed: int, limit: int) -> RawData:
    if not isinstance(source, str | Path):
        return take_data(source, inputs=inputs, memory_limit_bytes=limit)
    source, path = str(source), Path(source)
    if path.is_dir():
        return read_images(path, inputs=inputs, seed=seed, memory_limit_bytes=limit)
    if path.is_file() and path.suffix.lower() == ".npz":
        return read_npz(path, inputs=inputs, memory_limit_bytes=limit)
    if not path.exists() and ":" in source:
        return call_function(source, inputs=inputs, memory_limit_bytes=limit)
    kinds = "give an .npz file, a folder of images by class, or module:function"
    if not path.exists():
        raise DataError("no such file or folder", where=source, fix=kinds)
    raise DataError(f"'{path.suffix}' is not a kind of data edgeprune reads", where=source, fix=kinds)


def _hold_out(part: Part, *, fraction: float, seed: int, where: str) -> tuple[Part, Part]:
    """The part without, and only, its validation samples; their share of each class is that of the whole."""
    count = len(part.x[0])
    if count < 2:
        raise DataError(
            "one training sample is not enough to hold out any for validation",
            where=where,
            fix="add samples, or x_val and y_val",
        )
    wanted = int(np.clip(round(fraction * count), 1, min(MAX_VALIDATION_SAMPLES, count - 1)))
    order = np.random.default_rng(seed).permutation(count)
    if part.y is not None and part.y.ndim == 1 and part.y.dtype.kind in "iub":
        # Sorted by class, every k-th sample: each class gives its share, to within one sample.
        order = order[np.argsort(part.y[order], kind="stable")]
        held = order[((np.arange(wanted) + 0.5) * count / wanted).astype(int)]
    else:
        held = order[:wanted]
    chosen = np.zeros(count, dtype=bool)
    chosen[held] = True
    return _take(part, ~chosen), _take(part, chosen)


def _take(part: Part, rows: NDArray[Any]) -> Part:
    return Part(x=tuple(x[rows] for x in part.x), y=None if part.y is None else part.y[rows])


def _measure_ranges(arrays: Arrays, *, inputs: Sequence[Tensor]) -> tuple[InputRange, ...]:
    return tuple(
        InputRange(name=tensor.name, minimum=float(x.min()), maximum=float(x.max()), dtype=str(x.dtype))
        for x, tensor in zip(arrays, inputs, strict=True)
    )
