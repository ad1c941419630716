"""Data to prune with: read from wherever they are, checked against the model, split, ready to use."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from edgeprune.config.build_options import DataSource
from edgeprune.errors import DataError
from edgeprune.files import refuse_special
from edgeprune.keras_bridge.data.batches import Batch, Rows, Source, Stream
from edgeprune.keras_bridge.data.checks import find_range_mismatch
from edgeprune.keras_bridge.data.folders import read_folder
from edgeprune.keras_bridge.data.given import take_data, take_function
from edgeprune.keras_bridge.data.inspection import Inspection
from edgeprune.keras_bridge.data.label_facts import LabelFacts
from edgeprune.keras_bridge.data.named_arrays import find_classes
from edgeprune.keras_bridge.data.npz import read_npz
from edgeprune.keras_bridge.data.parts import Interface, Port, RawData
from edgeprune.keras_bridge.data.streams import Reading, Unread, open_stream
from edgeprune.keras_bridge.data.tables import TABLE_SUFFIXES, read_table
from edgeprune.progress import Progress, Silent

MAX_HELD_OUT = 1000
"""Samples that are held out of the training data, at most, where there is no validation set."""
MAX_VALIDATION = 10_000
_MAX_VALIDATION_BYTES = 256 * 2**20
"""What is kept of a validation set of the user's own."""
_HASHED_SAMPLES = 256


@dataclass(frozen=True, kw_only=True, slots=True)
class InputRange:
    """What one input of the model is fed.

    Attributes:
        name: of the model's input.
        minimum, maximum: over the training data that were looked at.
        dtype: as stored in the source.
    """

    name: str
    minimum: float
    maximum: float
    dtype: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Data:
    """Training, validation and test data.

    Decisions (which channels, when to stop, roll-back) may look at train and validation; test only measures
    the result.

    Attributes:
        train: what is trained on.
        validation: what decisions look at, in memory.
        is_held_out: whether that was taken of the training data, for want of a validation set: a model that
            learnt those scores better on it than it will on anything else.
        test: None where the source has none.
        facts: what the labels of each output look like; None where no part has any.
        is_labelled: whether the training data have labels.
        class_names: in the order of the class numbers, or None.
        source: where the data came from.
        notes: sentences for the report.
        ranges: one per input.
    """

    train: Source
    validation: Batch
    is_held_out: bool
    test: Source | None
    facts: tuple[LabelFacts, ...] | None
    is_labelled: bool
    class_names: tuple[str, ...] | None
    source: str
    notes: tuple[str, ...]
    ranges: tuple[InputRange, ...]

    @property
    def has_test(self) -> bool:
        """Whether there are test samples."""
        return self.test is not None

    def take_test(self, samples: int) -> Batch:
        """The first test samples; of the validation samples where there is no test set."""
        if self.test is None:
            return self.validation.take(slice(samples))
        return next(iter(self.test.read(samples)))

    def fingerprint(self) -> Iterator[bytes]:
        """What tells these data from others: all that is held as arrays, else their number and a sample."""
        for source in (self.train, self.test):
            if source is None:
                continue
            yield f"{self.source} {source.samples} {source.origin}".encode()
            if isinstance(source, Rows) and not source.is_costly:
                for batch in source.read(4096):
                    yield from (np.ascontiguousarray(array).tobytes() for array in batch.arrays)
            elif isinstance(source, Rows):
                rows = np.linspace(0, source.samples - 1, min(source.samples, _HASHED_SAMPLES)).astype(int)
                yield from (np.ascontiguousarray(a).tobytes() for a in source.take(rows).arrays)
        if isinstance(self.train, Rows):  # of a shuffled stream others may be held out each time
            yield from (np.ascontiguousarray(array).tobytes() for array in self.validation.arrays)


def load_data(
    source: DataSource,
    *,
    interface: Interface,
    seed: int,
    validation_fraction: float = 0.1,
    steps_per_epoch: int | None = None,
    batch_size: int | None = None,
    progress: Progress | None = None,
) -> Data:
    """The data at `source`, checked against the model.

    Args:
        source: an `.npz` file with `x_train, y_train, x_test, y_test` (optionally `x_val, y_val` and sample
            weights `w_train`; with several inputs or outputs `x_train_<name>`); a folder of images or sounds,
            `train/<class>/*`, `test/...`, or `<class>/*`; a `.csv` table; or `module:function` or
            `file.py:function`, which returns (train, test) or (train, test, val). Or data in memory, as
            `take_data` takes them.
        interface: of the model.
        seed: of the splits, and of what is kept of streams.
        validation_fraction: share of the training samples held out where there is no validation set, in
            (0, 1); never more than 1000 samples.
        steps_per_epoch: batches of the training data in one pass, for streams that do not end.
        batch_size: samples per training batch; None for a stream's own.
        progress: is told while a stream is counted.

    Raises:
        DataError: the source or what it holds cannot be used.
    """
    reading = Reading(
        steps_per_epoch=steps_per_epoch, batch_size=batch_size, seed=seed, progress=progress or Silent()
    )
    raw = _read(source, interface=interface, seed=seed)
    return prepare_data(
        raw, interface=interface, seed=seed, validation_fraction=validation_fraction, reading=reading
    )


def prepare_data(
    raw: RawData,
    *,
    interface: Interface,
    seed: int,
    validation_fraction: float = 0.1,
    reading: Reading | None = None,
) -> Data:
    """Data as a source gave them: checked against the model, with a validation set.

    Raises:
        DataError: they cannot be used.
    """
    reading = reading or Reading(steps_per_epoch=None, batch_size=None, seed=seed, progress=Silent())
    notes = list(raw.notes)
    if raw.class_weights is not None and len(interface.outputs) != 1:
        raise DataError(
            "there are class weights, but the model has several outputs",
            where=raw.source,
            fix="give sample weights per output",
        )
    parts: dict[str, Source] = {}
    seen: dict[str, Inspection] = {}
    for name, part in raw.parts.items():
        weights = raw.class_weights if name == "train" else None
        seen[name] = Inspection(interface, part=name, where=raw.source, class_weights=weights)
        parts[name] = _open(part, seen[name], interface, name=name, where=raw.source, reading=reading)
    labelled = [name for name in parts if seen[name].facts is not None]
    if "train" in labelled and (bare := [name for name in parts if name not in labelled]):
        raise DataError(
            f"x_train has labels, but x_{bare[0]} has none",
            where=raw.source,
            fix=f"add y_{bare[0]}, or leave all labels out",
        )
    for i, output in enumerate(interface.outputs):
        facts = {name: found[i] for name in labelled if (found := seen[name].facts) is not None}
        _refuse_mixed_labels(facts, output=output, where=raw.source)
    if labelled and "train" not in labelled:
        notes.append("The training data have no labels: recovery follows the original model's outputs.")
    if not labelled:
        notes.append("The data have no labels.")
    train, given = parts["train"], parts.get("val")
    if isinstance(train, Stream):
        notes.append(
            f"The training data are {train.origin}; {train.drawable} of {train.samples} samples, drawn with "
            f"seed {seed}, are kept for calibration."
        )
    if given is None:
        train, validation, note = _hold_out(train, fraction=validation_fraction, seed=seed, where=raw.source)
    else:
        validation, note = _bound(given, seed=seed)
    notes += [note] if note else []
    if raw.class_weights is not None:
        notes.append("Classes count as class_weight says while training.")
    test = parts.get("test")
    if test is None:
        notes.append(
            "There is no test set: how the result does on data that no decision looked at cannot be said; "
            "the validation score stands in its place."
        )
    ranges = _describe_ranges(seen["train"], interface)
    notes += [f"Input '{r.name}' spans {r.minimum:g} to {r.maximum:g} ({r.dtype})." for r in ranges]
    notes += [
        f"Input '{r.name}' is {r.minimum:g} everywhere: nothing can be learnt from it."
        for r in ranges
        if r.minimum == r.maximum
    ]
    for name in ("val", "test"):
        if name in seen:
            notes += find_range_mismatch(
                name, seen[name].spans, train=seen["train"].spans, inputs=interface.inputs
            )
    return Data(
        train=train,
        validation=validation,
        is_held_out=given is None,
        test=test,
        facts=_merge([seen[name].facts for name in ("train", "val", "test") if name in labelled]),
        is_labelled="train" in labelled,
        class_names=raw.class_names,
        source=raw.source,
        notes=tuple(notes),
        ranges=ranges,
    )


def _read(source: DataSource, *, interface: Interface, seed: int) -> RawData:
    if not isinstance(source, str | Path):
        return take_data(source, interface=interface)
    source, path = str(source), Path(source)
    refuse_special(path, DataError)
    if path.is_dir():
        return read_folder(path, interface, seed=seed)
    if path.is_file() and path.suffix.lower() == ".npz":
        return read_npz(path, interface)
    if path.is_file() and path.suffix.lower() in TABLE_SUFFIXES:
        return read_table(path, interface, seed=seed)
    if not path.exists() and ":" in source:
        return take_function(source, interface=interface)
    kinds = (
        "give an .npz file, a .csv table, a folder of images or sounds by class, or module:function, which "
        "reads anything else"
    )
    if not path.exists():
        raise DataError("no such file or folder", where=source, fix=kinds)
    raise DataError(f"'{path.suffix}' is not a kind of data edgeprune reads", where=source, fix=kinds)


def _open(
    part: Any, inspection: Inspection, interface: Interface, *, name: str, where: str, reading: Reading
) -> Source:
    """A part, looked at and ready to be gone through."""
    if isinstance(part, Rows):
        return inspection.look_at_rows(part)
    assert isinstance(part, Unread)  # there is nothing else
    stream = open_stream(
        part,
        interface,
        reading=reading if name == "train" else replace(reading, batch_size=None),
        where=f"{where} ({name})",
        look=inspection.look,
        prepare=inspection.prepare,
        steps=reading.steps_per_epoch if name == "train" else None,
    )
    stream.classes = inspection.confirm_classes(find_classes(stream.kept.y))
    return stream


def _hold_out(train: Source, *, fraction: float, seed: int, where: str) -> tuple[Source, Batch, str]:
    """What is left to train on, validation samples, and the sentence that says so.

    Of rows they are taken away, each class in its share; from a stream nothing can be taken away.
    """
    count = train.drawable
    if count < 2:
        raise DataError(
            "one training sample is not enough to hold out any for validation",
            where=where,
            fix="add samples, or x_val and y_val",
        )
    wanted = int(np.clip(round(fraction * train.samples), 1, min(MAX_HELD_OUT, count - 1)))
    order = np.random.default_rng(seed).permutation(count)
    if train.classes is not None:
        # Sorted by class, every k-th sample: each class gives its share, to within one sample.
        order = order[np.argsort(train.classes[order], kind="stable")]
        held = order[((np.arange(wanted) + 0.5) * count / wanted).astype(int)]
    else:
        held = order[:wanted]
    chosen = np.zeros(count, dtype=bool)
    chosen[held] = True
    validation = train.take(np.flatnonzero(chosen))
    if isinstance(train, Rows):
        note = f"{wanted} of the training samples were held out for validation."
        return train.only(np.flatnonzero(~chosen)), validation, note
    return (
        train,
        validation,
        (
            f"There is no validation set: {wanted} samples of the training stream, which stay in it, stand "
            "in for one; give one of your own for decisions on samples that were not trained on."
        ),
    )


def _bound(given: Source, *, seed: int) -> tuple[Batch, str]:
    """The validation set, or as much of it as is kept, and the sentence that says so."""
    each = max(1, given.take(np.arange(1)).size_bytes)
    wanted = max(1, min(given.drawable, MAX_VALIDATION, _MAX_VALIDATION_BYTES // each))
    rows = np.arange(given.drawable)
    if wanted < given.drawable:
        rows = np.sort(np.random.default_rng([seed, 13]).choice(given.drawable, wanted, replace=False))
    note = (
        ""
        if wanted == given.samples
        else (
            f"Decisions look at {wanted} of the {given.samples} validation samples, drawn with seed {seed}."
        )
    )
    return given.take(rows), note


def _refuse_mixed_labels(facts: Mapping[str, LabelFacts], *, output: Port, where: str) -> None:
    """Refuse one-hot labels in one part and class numbers in another; facts are by the part's name."""
    shape = tuple(output.shape[1:])
    one_hot = [name for name, fact in facts.items() if fact.are_one_hot and fact.shape == shape]
    numbers = [name for name, fact in facts.items() if fact.are_integers and fact.shape == shape[:-1]]
    if one_hot and numbers:
        raise DataError(
            f"y_{one_hot[0]} is one-hot, but y_{numbers[0]} has class numbers",
            where=where,
            why=f"they are labels of the output '{output.name}'",
            fix=f"turn y_{one_hot[0]} into class numbers, y.argmax(axis=-1), or y_{numbers[0]} into one-hot "
            f"rows, keras.utils.to_categorical(y, {shape[-1]})",
        )


def _merge(facts: Sequence[tuple[LabelFacts, ...] | None]) -> tuple[LabelFacts, ...] | None:
    merged: tuple[LabelFacts, ...] | None = None
    for part in facts:
        if part is not None and merged is not None:
            merged = tuple(a.merge(b) for a, b in zip(merged, part, strict=True))
        elif part is not None:
            merged = part
    return merged


def _describe_ranges(seen: Inspection, interface: Interface) -> tuple[InputRange, ...]:
    return tuple(
        InputRange(name=port.name, minimum=low, maximum=high, dtype=dtype)
        for port, (low, high), dtype in zip(interface.inputs, seen.spans, seen.dtypes, strict=True)
    )
