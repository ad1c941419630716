"""TFLM's look-up tables: a few bits for each element, which number its value in a table of its channel.

The encoded tensor is a row of indices of 1 to 7 bits, most significant bit first, without gaps between
elements or channels; bits after the last are 0. The ancillary tensor:

    byte   content
    0      0
    1      1
    2-3    0
    4      version of the encoding: 1
    5      bits of an index, 1 to 7, in the lower three bits
    6      elements from one channel's table to the next: 1 to 128
    7-15   0
    16-    the tables, one for each channel that has a scale of its own, little-endian

A table that is shorter than the longest is filled up with 0. The decoder takes the number of channels and
their axis from the tensor it makes, so a constant with scales per channel always has a table per channel.

Source: `decode_state_lut.cc` of tensorflow/tflite-micro at 90b983c (August 2026).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.tflite.decode.wire import HEADER_BYTES, Constant, Encoded, make_header, split_channels

MOST_BITS = 7
_VERSION = 1
_BITS_BYTE, _STRIDE_BYTE = 5, 6


def encode_lut(constant: Constant) -> Encoded | None:
    """The constant as indices into tables, None where a channel has over 128 different values."""
    tables, places = [], np.empty(constant.bits.size, np.uint8)
    rows = split_channels(places, channels=constant.channels, channel_last=constant.channel_last)
    for row, values in zip(rows, constant.by_channel(), strict=True):
        table, found = np.unique(values, return_inverse=True)
        if table.size > 1 << MOST_BITS:
            return None
        tables.append(table)
        row[:] = found
    stride = max(table.size for table in tables)
    width = max(1, (stride - 1).bit_length())
    stored = np.zeros((len(tables), stride), constant.bits.dtype)
    for row, table in zip(stored, tables, strict=True):
        row[: table.size] = table
    return Encoded(
        encoding="lut",
        data=_pack(places, width).tobytes(),
        ancillary=make_header("lut", _VERSION, width, stride) + stored.tobytes(),
    )


def decode_lut(encoded: Encoded, like: Constant) -> NDArray[Any]:
    """The bit patterns that TFLM's decoder writes: (elements,) unsigned.

    Args:
        encoded: what is stored.
        like: what the decoder knows of the tensor it makes; its `bits` give type and number alone.
    """
    width, stride = index_bits(encoded.ancillary), encoded.ancillary[_STRIDE_BYTE]
    places = _unpack(encoded.data, width, like.bits.size)
    tables = np.frombuffer(encoded.ancillary, like.bits.dtype, offset=HEADER_BYTES).reshape(-1, stride)
    made = np.empty_like(like.bits)
    rows, indices = (
        split_channels(flat, channels=like.channels, channel_last=like.channel_last)
        for flat in (made, places)
    )
    for row, table, index in zip(rows, tables, indices, strict=True):
        row[:] = table[index]
    return made


def index_bits(ancillary: bytes) -> int:
    """Bits of an index, from the header."""
    return ancillary[_BITS_BYTE] & MOST_BITS


def _pack(indices: NDArray[np.uint8], width: int) -> NDArray[np.uint8]:
    # Of each index, the lowest `width` bits, the highest of them first.
    return np.packbits(np.unpackbits(indices[:, None], axis=1)[:, 8 - width :])


def _unpack(data: bytes, width: int, count: int) -> NDArray[np.uint8]:
    bits = np.unpackbits(np.frombuffer(data, np.uint8), count=count * width).reshape(count, width)
    return np.packbits(np.pad(bits, ((0, 0), (8 - width, 0))), axis=1)[:, 0]
