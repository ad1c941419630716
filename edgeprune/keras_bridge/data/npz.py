"""Arrays in an `.npz` file, mapped where they are large: only the samples that are wanted are read."""

import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np

from edgeprune.errors import DataError
from edgeprune.files import refuse_many_members
from edgeprune.keras_bridge.data.batches import Array
from edgeprune.keras_bridge.data.named_arrays import is_read, name_parts
from edgeprune.keras_bridge.data.parts import Interface, RawData
from edgeprune.keras_bridge.data.temporary_files import open_temporary

LOADED_BYTES = 64 * 2**20
"""Arrays of up to this size together are read into memory; others are mapped, maybe from a temporary file."""

_DAMAGE = (
    *(OSError, EOFError, ValueError, TypeError, LookupError, RuntimeError, OverflowError, SyntaxError),
    *(TokenError, zlib.error, struct.error, zipfile.BadZipFile),
)
"""What zipfile and numpy raise for a damaged file."""

_CHUNK_BYTES = 4 * 2**20
_LOCAL_HEADER_BYTES = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """How an array lies behind its `.npy` header of `start` bytes."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: Any
    start: int

    @property
    def size_bytes(self) -> int:
        size = self.dtype.itemsize
        for length in self.shape:
            size *= length
        return size


def read_npz(path: Path, interface: Interface) -> RawData:
    """The arrays of an `.npz` file; `named_arrays.py` says what they are called.

    Large arrays are mapped: where they lie, or, of a compressed file, from a temporary file that they are
    unpacked into. Pickled arrays are refused: unpickling runs code.

    Raises:
        DataError: the file is damaged, does not fit on the disk when unpacked, holds pickled arrays, or lacks
            something.
    """
    where = str(path)
    try:
        refuse_many_members(path, DataError)
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy") for name in archive.namelist()}
            arrays = read_members(archive, path=path)
    except _DAMAGE as error:
        raise DataError(
            "the file is truncated or damaged",
            where=where,
            why=" ".join(str(error).split()),
            fix="write it again with np.savez",
        ) from error
    large = any(isinstance(array, np.memmap) for array in arrays.values())
    return name_parts(
        arrays,
        interface,
        where=where,
        ignored=sorted(members - set(arrays)),
        origin="samples are read from the file as they are needed" if large else "",
    )


def read_members(archive: zipfile.ZipFile, *, path: Path) -> dict[str, Array]:
    """Key → array, of those that mean something; mapped, once those in memory take `LOADED_BYTES`."""
    members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
    arrays: dict[str, Array] = {}
    room_bytes = LOADED_BYTES
    for key, info in members.items():
        if is_read(key):
            arrays[key] = _read(archive, info, path=path, key=key, room_bytes=room_bytes)
            if not isinstance(arrays[key], np.memmap):
                room_bytes -= arrays[key].nbytes
    return arrays


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, *, path: Path, key: str, room_bytes: int) -> Array:
    with archive.open(info) as stream:
        layout = _read_layout(stream)
        if layout.dtype.hasobject:
            raise DataError(
                f"{key} is a pickled array of Python objects",
                where=str(path),
                why="unpickling runs code",
                fix="save it as a plain array of numbers, all samples of one shape",
            )
        if layout.start + layout.size_bytes != info.file_size or min(layout.shape, default=0) < 0:
            raise ValueError(f"{key} has another size than its header says")
        if layout.size_bytes > room_bytes:
            if info.compress_type == zipfile.ZIP_STORED:
                return _map_in_place(path, info, layout)
            return _unpack(stream, layout, where=str(path))
        content = stream.read(layout.size_bytes)
        if len(content) < layout.size_bytes or stream.read(1):  # whose end is where the checksum is verified
            raise EOFError(f"{key} has another size than the file says")
    flat: Array = np.frombuffer(content, layout.dtype)
    return flat.reshape(layout.shape, order=layout.order)


def _read_layout(stream: IO[bytes]) -> _Layout:
    form: Any = np.lib.format  # published without types
    version = form.read_magic(stream)
    readers = {(1, 0): form.read_array_header_1_0, (2, 0): form.read_array_header_2_0}
    if version not in readers:
        raise ValueError(f"a header of version {version[0]}.{version[1]}")
    shape, by_column, dtype = readers[version](stream)
    return _Layout(dtype=dtype, shape=shape, order="F" if by_column else "C", start=stream.tell())


def _map_in_place(path: Path, info: zipfile.ZipInfo, layout: _Layout) -> Array:
    """The array where it lies: behind the zip member's header, its name, extra fields, and the npy header."""
    with path.open("rb") as file:
        file.seek(info.header_offset)
        header = file.read(_LOCAL_HEADER_BYTES)
    if len(header) < _LOCAL_HEADER_BYTES or header[:4] != b"PK\x03\x04":
        raise ValueError(f"there is no header of {info.filename}")
    name_bytes, extra_bytes = (int.from_bytes(header[at : at + 2], "little") for at in (26, 28))
    offset = info.header_offset + _LOCAL_HEADER_BYTES + name_bytes + extra_bytes + layout.start
    if offset + layout.size_bytes > path.stat().st_size:
        raise EOFError(f"{info.filename} goes on behind the end of the file")
    return np.memmap(path, layout.dtype, "r", offset, layout.shape, layout.order)


def _unpack(stream: IO[bytes], layout: _Layout, *, where: str) -> Array:
    with open_temporary(layout.size_bytes, where=where) as file:
        left = layout.size_bytes
        while left:
            chunk = stream.read(min(_CHUNK_BYTES, left))
            if not chunk:
                raise EOFError(f"{left} bytes are missing")
            file.write(chunk)
            left -= len(chunk)
        if stream.read(1):
            raise EOFError("more comes out than the file says")
        file.flush()
        return np.memmap(file, layout.dtype, "r", 0, layout.shape, layout.order)
