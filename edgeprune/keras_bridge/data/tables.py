"""Tables, `.csv` and `.tsv`: a header, and one row per sample."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.batches import Array, Arrays, Batch, Rows, hold
from edgeprune.keras_bridge.data.named_arrays import find_classes
from edgeprune.keras_bridge.data.parts import PARTS, Interface, Port, RawData
from edgeprune.keras_bridge.data.table_cells import Cells, read_cells, read_names
from edgeprune.keras_bridge.data.table_columns import Columns, assign_columns, list_names

TABLE_SUFFIXES = (".csv", ".tsv")
TEST_FRACTION = 0.2  # of a table that is not split
_PART_OF = {"train": "train", "val": "val", "validation": "val", "valid": "val", "test": "test"}


def read_table(path: Path, interface: Interface, *, seed: int) -> RawData:
    """The rows of a table; `table_columns.py` says which columns are labels, and which features.

    Features are float32. Labels in one column are integers where all of them are; texts are numbered in the
    order of the alphabet. Labels in several columns of one output are float32. A column `split` says to which
    part a row belongs; without it a fifth of the rows, drawn by `seed`, is the test set.

    Raises:
        DataError: the file is no table, its columns are not those of the model, or a cell cannot be used.
    """
    where = str(path)
    columns = assign_columns(read_names(path), interface, where=where)
    features = [column for group in columns.features for column in group]
    labels = [column for group in columns.labels for column in group]
    special = [column for column in (columns.split, columns.weight) if column is not None]
    lone_labels = [group[0] for group in columns.labels if len(group) == 1]
    may_be_text = [*lone_labels, *([] if columns.split is None else [columns.split])]
    others = [*labels, *special]
    cells = read_cells(path, features=features, others=others, may_be_text=may_be_text)
    places = {column: place for place, column in enumerate(others)}
    batch = Batch(
        x=_split_features(cells.features, columns),
        y=tuple(_get_labels(cells, group, places) for group in columns.labels) or None,
        weights=_get_weights(cells, columns, places),
    )
    origin = "samples are read from a temporary file as they are needed" if cells.mapped else ""
    rows = _shape(hold(batch, classes=find_classes(batch.y), origin=origin), interface)
    if columns.split is None:
        parts, drawn = _draw_test(rows, seed=seed)
    else:
        parts, drawn = _split_rows(rows, cells, columns.split, places, where=where), ()
    return RawData(
        parts=parts,
        source=where,
        notes=(*drawn, *_describe(columns, interface)),
        class_names=(
            tuple(sorted(cells.texts[labels[0]])) if len(labels) == 1 and labels[0] in cells.texts else None
        ),
    )


def _split_features(features: Array, columns: Columns) -> Arrays:
    ends = np.cumsum([len(group) for group in columns.features])
    return tuple(np.split(features, ends[:-1], axis=1))


def _shape(rows: Rows, interface: Interface) -> Rows:
    """With features in the shape of the model's inputs; only as they are fetched, since it may copy."""

    def fetch(numbers: Array) -> Batch:
        batch = rows.fetch(numbers)
        x = zip(batch.x, interface.inputs, strict=True)
        return replace(batch, x=tuple(array.reshape(-1, *tensor.shape[1:]) for array, tensor in x))

    return replace(rows, fetch=fetch, whole=None)


def _get_labels(cells: Cells, group: tuple[int, ...], places: dict[int, int]) -> Array:
    columns = [_get_numbers(cells, column, places) for column in group]
    if len(columns) > 1:
        return np.stack(columns, axis=1).astype(np.float32)
    only = columns[0]
    whole = (only == np.rint(only)).all() and np.abs(only).max() < 2**53
    return only.astype(np.int64 if whole else np.float32)


def _get_numbers(cells: Cells, column: int, places: dict[int, int]) -> Array:
    """The values of a column; of texts their numbers in the order of the alphabet."""
    values = np.asarray(cells.others[:, places[column]])
    if column not in cells.texts:
        return values
    texts = cells.texts[column]
    order = {text: number for number, text in enumerate(sorted(texts))}
    return np.array([order[text] for text in texts], np.float64)[values.astype(np.int64)]


def _get_weights(cells: Cells, columns: Columns, places: dict[int, int]) -> Arrays | None:
    if columns.weight is None or not columns.labels:
        return None
    weights = cells.others[:, places[columns.weight]].astype(np.float32)
    return (weights,) * len(columns.labels)


def _split_rows(
    rows: Rows, cells: Cells, column: int, places: dict[int, int], *, where: str
) -> dict[str, Rows]:
    given = cells.texts.get(column, ())
    if unknown := [text for text in given if text.casefold() not in _PART_OF]:
        raise DataError(
            f"the column 'split' holds '{unknown[0]}'", where=where, fix=f"write {', '.join(PARTS)} there"
        )
    if not given:
        raise DataError(
            "the column 'split' holds numbers", where=where, fix=f"write {', '.join(PARTS)} there"
        )
    part_of = np.array([PARTS.index(_PART_OF[text.casefold()]) for text in given])
    numbers = part_of[cells.others[:, places[column]].astype(np.int64)]
    parts = {part: np.flatnonzero(numbers == place) for place, part in enumerate(PARTS)}
    if not len(parts["train"]):
        raise DataError("no row is of the part train", where=where, fix="write train into the column 'split'")
    return {part: rows.only(chosen) for part, chosen in parts.items() if len(chosen)}


def _draw_test(rows: Rows, *, seed: int) -> tuple[dict[str, Rows], tuple[str, ...]]:
    """A fifth for the test, of each class its share to within one row."""
    wanted = round(TEST_FRACTION * rows.count)
    if not wanted:
        return {"train": rows}, ()
    order = np.random.default_rng(seed).permutation(rows.count)
    if rows.all_classes is not None:
        order = order[np.argsort(rows.all_classes[order], kind="stable")]
    held = order[((np.arange(wanted) + 0.5) * rows.count / wanted).astype(int)]
    chosen = np.zeros(rows.count, bool)
    chosen[held] = True
    return (
        {"train": rows.only(np.flatnonzero(~chosen)), "test": rows.only(np.flatnonzero(chosen))},
        ("A fifth of the rows, drawn by the seed, is the test set.",),
    )


def _describe(columns: Columns, interface: Interface) -> tuple[str, ...]:
    """Which columns are what."""

    def name(group: tuple[int, ...]) -> str:
        return list_names([columns.names[i] for i in group])

    notes = [
        f"Input '{tensor.name}' is {name(group)}{_mention_shape(tensor)}."
        for tensor, group in zip(interface.inputs, columns.features, strict=True)
    ]
    notes += [
        f"Labels of '{tensor.name}' are {name(group)}."
        for tensor, group in zip(interface.outputs, columns.labels, strict=False)
    ]
    if columns.weight is not None:
        used = "what a sample counts" if columns.labels else "not used: there are no labels"
        notes.append(f"Column '{columns.names[columns.weight]}' is {used}.")
    return tuple(notes)


def _mention_shape(tensor: Port) -> str:
    shape = tuple(tensor.shape[1:])
    return f", row by row as {shape}" if len(shape) > 1 else ""
