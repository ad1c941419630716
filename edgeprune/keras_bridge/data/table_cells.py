"""The cells of a `.csv` or `.tsv` file as numbers, read in pieces."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.batches import Array
from edgeprune.keras_bridge.data.temporary_files import open_temporary

LOADED_BYTES = 256 * 2**20
"""The values of files up to this size are kept in memory, those of larger ones in a temporary file."""

_CHUNK_CELLS = 2**18
_LARGEST = np.finfo(np.float32).max
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cells:
    """The numbers of a table.

    Attributes:
        features: (rows, features) float32, mapped where the file is large.
        others: (rows, others) float64, likewise; of columns of text the numbers of the texts.
        texts: by column, its texts by their numbers.
        mapped: whether they are read from a temporary file.
    """

    features: Array
    others: Array
    texts: Mapping[int, tuple[str, ...]]
    mapped: bool


class _TextFoundError(Exception):
    """A column that may hold text does."""

    def __init__(self, column: int) -> None:
        self.column = column


def read_names(path: Path) -> list[str]:
    """The header.

    Raises:
        DataError: there is none, or the file is no table.
    """
    with _open(path) as rows:
        for _, row in rows:
            names = [name.strip() for name in row]
            if len(names) == 1 and path.suffix.lower() == ".csv" and ";" in names[0]:
                raise DataError(
                    "the columns are separated by semicolons", where=str(path), fix="separate them by commas"
                )
            if all(map(_is_number, names)):
                raise DataError(
                    "the first line holds numbers, no names of columns",
                    where=str(path),
                    fix="add a header: a name for each column, that of the labels being 'label'",
                )
            return names
    raise DataError("the file is empty", where=str(path), fix="give a header and one row per sample")


def read_cells(
    path: Path, *, features: Sequence[int], others: Sequence[int], may_be_text: Sequence[int]
) -> Cells:
    """The numbers of some columns.

    Args:
        path: of the file.
        features: columns of the first array.
        others: columns of the second array.
        may_be_text: those of them that need not be numbers.

    Raises:
        DataError: a row is too long or too short, a cell is no number of float32, or there are no rows.
    """
    text: set[int] = set()
    while True:
        try:
            return _read(path, features=features, others=others, may_be_text=may_be_text, text=text)
        except _TextFoundError as found:  # only now; the numbers before it are texts, too
            text.add(found.column)


def _read(
    path: Path,
    *,
    features: Sequence[int],
    others: Sequence[int],
    may_be_text: Sequence[int],
    text: set[int],
) -> Cells:
    size_bytes = path.stat().st_size
    mapped = size_bytes > LOADED_BYTES
    # A cell takes at least 2 bytes in the file.
    room = open_temporary(size_bytes * 2, where=str(path)) if mapped else io.BytesIO()
    more_room = open_temporary(0, where=str(path)) if mapped else io.BytesIO()
    numbers: dict[int, dict[str, int]] = {column: {} for column in others if column in text}
    with room, more_room, _open(path) as rows:
        _, header = next(rows)
        for chunk in _cut(rows, width=len(header), where=str(path)):
            left = np.empty((len(chunk), len(features)), np.float32)
            for place, column in enumerate(features):
                left[:, place] = _parse(chunk, column, header, where=str(path))
            right = np.empty((len(chunk), len(others)), np.float64)
            for place, column in enumerate(others):
                if column in text:
                    known = numbers[column]
                    right[:, place] = [
                        known.setdefault(_get_text(row, column, line, header, where=str(path)), len(known))
                        for line, row in chunk
                    ]
                else:
                    free = column in may_be_text
                    right[:, place] = _parse(chunk, column, header, where=str(path), or_text=free)
            room.write(left.tobytes())
            more_room.write(right.tobytes())
        first = _finish(room, np.float32, len(features))
        second = _finish(more_room, np.float64, len(others))
    if not len(first):
        raise DataError("there are no rows", where=str(path), fix="give one row per sample under the header")
    texts = {column: tuple(known) for column, known in numbers.items()}
    return Cells(features=first, others=second, texts=texts, mapped=mapped)


Chunk = list[tuple[int, list[str]]]
"""Rows with their line numbers."""


def _cut(rows: Iterator[tuple[int, list[str]]], *, width: int, where: str) -> Iterator[Chunk]:
    chunk: Chunk = []
    for line, row in rows:
        if len(row) != width:
            raise DataError(
                f"line {line} has {len(row)} cells, the header {width}",
                where=where,
                fix="give each row one cell per column",
            )
        chunk.append((line, row))
        if len(chunk) * width >= _CHUNK_CELLS:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def _parse(chunk: Chunk, column: int, header: Sequence[str], *, where: str, or_text: bool = False) -> Array:
    try:
        values = np.array([float(row[column]) for _, row in chunk])
    except ValueError:
        line, cell = next((line, row[column].strip()) for line, row in chunk if not _is_number(row[column]))
        if cell and or_text:
            raise _TextFoundError(column) from None
        found = repr(cell[:40]) if cell else "nothing"
        raise DataError(
            f"line {line} has {found} in the column '{header[column].strip()}'",
            where=where,
            why="it should be a number",
            fix="fill or remove such rows" if not cell else "number such values, or remove the column",
        ) from None
    usable = np.abs(values) <= _LARGEST
    if not usable.all():
        line, row = chunk[int(np.argmin(usable))]
        raise DataError(
            f"line {line} has {row[column].strip()} in the column '{header[column].strip()}'",
            where=where,
            fix="fill or remove such rows",
        )
    return values


def _get_text(row: Sequence[str], column: int, line: int, header: Sequence[str], *, where: str) -> str:
    if cell := row[column].strip():
        return cell
    raise DataError(
        f"line {line} has nothing in the column '{header[column].strip()}'",
        where=where,
        fix="fill or remove such rows",
    )


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _finish(file: IO[bytes], dtype: Any, width: int) -> Array:
    size_bytes = file.tell()
    rows = size_bytes // (np.dtype(dtype).itemsize * width) if width else 0
    if isinstance(file, io.BytesIO):
        flat: Array = np.frombuffer(file.getvalue(), dtype)
        return flat.reshape(rows, width)
    file.flush()
    if not size_bytes:
        return np.empty((rows, width), dtype)
    return np.memmap(file, dtype, "r", 0, (rows, width))


@contextmanager
def _open(path: Path) -> Iterator[Iterator[tuple[int, list[str]]]]:
    """All rows but empty ones, with their line numbers; the header comes first."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=_DELIMITERS[path.suffix.lower()], strict=True)
            yield ((reader.line_num, row) for row in reader if row)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            "the table cannot be read",
            where=str(path),
            why=f"{type(error).__name__}: {error}",
            fix="save it as text in UTF-8, cells separated by commas (.csv) or tabs (.tsv)",
        ) from error
