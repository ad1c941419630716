"""WAV files: where their samples lie, and those samples as one channel of floats.

    "RIFF" size "WAVE"    then chunks: a name of 4 bytes, a size of 4, the content, padded to an even size
    "fmt " u16 codec      1 whole numbers, 3 floats, 0xFFFE: the codec is the first u16 of the GUID at 24
           u16 channels
           u32 samples a second
           u32 bytes a second, u16 bytes a frame
           u16 bits a sample
    "data" frames         8 bits without a sign, the others signed; little-endian

Multimedia Programming Interface and Data Specifications 1.0 (IBM, Microsoft 1991).
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np

from edgeprune.errors import DataError
from edgeprune.files import refuse_special
from edgeprune.keras_bridge.data.batches import Array

_INTEGER, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUPPORTED = {(_INTEGER, 8), (_INTEGER, 16), (_INTEGER, 24), (_INTEGER, 32), (_FLOAT, 32), (_FLOAT, 64)}
_STREAMED = (0, 0xFFFFFFFF)  # sizes of the whole, by programs that cannot go back to the header
_MOST_FORMAT_BYTES = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class Wav:
    """How a file holds its sound.

    Attributes:
        path: of the file.
        rate_hz: samples a second.
        channels: of a frame.
        bits: of a sample.
        floats: whether samples are floats.
        start: of the frames, in bytes from the start of the file.
        frames: how many there are.
    """

    path: Path
    rate_hz: int
    channels: int
    bits: int
    floats: bool
    start: int
    frames: int


def read_header(path: Path) -> Wav:
    """Where a file's samples lie.

    Raises:
        DataError: it is no WAV file, is cut off, or is encoded in a way that is not known here.
    """
    refuse_special(path, DataError)
    try:
        with path.open("rb") as file:
            return _walk(file, path)
    except (OSError, struct.error) as error:
        raise _refusal(
            path, "the file ends too early" if isinstance(error, struct.error) else str(error)
        ) from error


def read_frames(wav: Wav, count: int) -> Array:
    """Up to `count` samples from the start, float32 in -1 to 1, the mean of all channels.

    Raises:
        DataError: the file cannot be read, or has changed.
    """
    frame_bytes = wav.channels * wav.bits // 8
    count = min(count, wav.frames)
    try:
        with wav.path.open("rb") as file:
            file.seek(wav.start)
            content = file.read(count * frame_bytes)
    except OSError as error:
        raise _refusal(wav.path, str(error)) from error
    if len(content) < count * frame_bytes:
        raise _refusal(wav.path, "it is shorter than it was")
    samples = _to_floats(content, bits=wav.bits, floats=wav.floats)
    mixed: Array = samples.reshape(count, wav.channels).mean(axis=1, dtype=np.float32)
    return mixed


def _walk(file: IO[bytes], path: Path) -> Wav:
    kind, whole, form = struct.unpack("<4sI4s", file.read(12))
    if (kind, form) != (b"RIFF", b"WAVE"):
        raise _refusal(path, "it does not begin as a WAV file does")
    layout: tuple[int, int, int, int] | None = None
    while True:
        name, size = struct.unpack("<4sI", file.read(8))
        if name == b"fmt ":
            content = file.read(min(size, _MOST_FORMAT_BYTES))
            layout = _read_format(content, path)
            file.seek(size - len(content) + size % 2, 1)
        elif name == b"data" and layout is not None:
            break
        else:
            file.seek(size + size % 2, 1)
    codec, channels, rate_hz, bits = layout
    start = file.tell()
    there = file.seek(0, 2) - start
    if size in _STREAMED and whole in _STREAMED:
        size = there
    frames = size // (channels * bits // 8)
    if size > there:
        raise _refusal(path, f"{size - there} bytes are missing at its end")
    if not frames:
        raise _refusal(path, "it holds no samples")
    return Wav(
        path=path,
        rate_hz=rate_hz,
        channels=channels,
        bits=bits,
        floats=codec == _FLOAT,
        start=start,
        frames=frames,
    )


def _read_format(content: bytes, path: Path) -> tuple[int, int, int, int]:
    """Codec, channels, samples a second, bits a sample."""
    codec, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", content)
    if codec == _EXTENSIBLE:
        (codec,) = struct.unpack_from("<H", content, 24)
    if (codec, bits) not in _SUPPORTED or not channels:
        raise _refusal(path, f"codec {codec} with {bits} bits and {channels} channels is not supported")
    return codec, channels, rate_hz, bits


def _to_floats(content: bytes, *, bits: int, floats: bool) -> Array:
    if floats:
        return np.frombuffer(content, f"<f{bits // 8}").astype(np.float32)
    if bits == 8:
        return (np.frombuffer(content, np.uint8).astype(np.float32) - 128) / 128
    if bits == 24:  # the upper bytes of 32
        padded = np.zeros((len(content) // 3, 4), np.uint8)
        padded[:, 1:] = np.frombuffer(content, np.uint8).reshape(-1, 3)
        return (padded.view("<i4")[:, 0] / 2.0**31).astype(np.float32)
    return (np.frombuffer(content, f"<i{bits // 8}") / 2.0 ** (bits - 1)).astype(np.float32)


def _refusal(path: Path, why: str) -> DataError:
    return DataError(
        "the sound cannot be read",
        where=str(path),
        why=why,
        fix="replace or remove it, or save it as WAV of 16 bits (PCM)",
    )
