"""What every constant that TFLM's DECODE op unpacks has in common, whatever its encoding.

DECODE (the custom op "TFLM_DECODE") takes two constants for each tensor it makes: the encoded tensor, and an
ancillary tensor of bytes that begins with this header:

    byte   content
    0      encoding: 0 look-up table, 1 Huffman, 2 prune, 127 custom (which TFLM refuses)
    1      version of the header: 1
    2-3    0
    4-15   the encoding's own
    16-    the encoding's own data

Source: `decode_state.h` and `decode.cc` of tensorflow/tflite-micro at 90b983c (August 2026).
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import ModelError
from edgeprune.tflite.model import Tensor, constant_values

OP_NAME = "CUSTOM:TFLM_DECODE"
"""The op, as `Op.name` has it."""

Encoding = Literal["prune", "lut"]

HEADER_BYTES = 16
HEADER_VERSION = 1
NUMBERS: dict[Encoding, int] = {"lut": 0, "prune": 2}
"""Byte 0 of the header."""

DTYPES = ("bool", "float32", "int8", "int16", "int32", "int64")
"""Types that TFLM's decoders write; 4-bit weights are none of them."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Constant:
    """A constant as a decoder sees it: bit patterns in one row, in the order of the file.

    Attributes:
        bits: (elements,) unsigned integers of the element's size; -0.0 is not 0.0 here.
        zero_points: (channels,) int64; what an element that is left out becomes.
        channel_last: whether neighbours belong to different channels; else each channel is one stretch.
    """

    bits: NDArray[Any]
    zero_points: NDArray[np.int64]
    channel_last: bool

    @property
    def channels(self) -> int:
        """How many channels have a zero point, or a table, of their own."""
        return self.zero_points.size

    def by_channel(self) -> NDArray[Any]:
        """The bit patterns as (channels, elements per channel)."""
        return split_channels(self.bits, channels=self.channels, channel_last=self.channel_last)


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """The two constants that stand for one."""

    encoding: Encoding
    data: bytes
    ancillary: bytes

    @property
    def bytes(self) -> int:
        """Size of both."""
        return len(self.data) + len(self.ancillary)


def read_constant(tensor: Tensor, *, where: str = "") -> Constant:
    """The constant as TFLM's decoders would have to give it back.

    Raises:
        ModelError: the decoders cannot make such a tensor; `why` is a clause that says why.
    """
    if (reason := find_obstacle(tensor)) is not None:
        place = f"{where}: tensor {tensor.index} '{tensor.name}'" if where else f"tensor {tensor.index}"
        raise ModelError("cannot be encoded for TFLM's DECODE op", where=place, why=reason)
    values = constant_values(tensor, where=where).reshape(-1)
    zero_points = decoded_zero_points(tensor)
    last = zero_points.size > 1 and tensor.axis == len(tensor.shape) - 1
    return Constant(
        bits=values.view(f"<u{values.dtype.itemsize}"), zero_points=zero_points, channel_last=last
    )


def find_obstacle(tensor: Tensor) -> str | None:
    """Why TFLM's decoders cannot stand for this constant, as a clause; None where they can."""
    if not tensor.is_constant or not tensor.elements:
        return "it is no constant"
    if tensor.is_sparse:
        return "it is in TFLite's own sparse encoding"
    return find_output_obstacle(tensor)


def find_output_obstacle(tensor: Tensor) -> str | None:
    """Why TFLM's decoders refuse to write this tensor, as a clause; None where they do not."""
    if tensor.dtype not in DTYPES:
        return f"TFLM's decoders make {', '.join(DTYPES)}, not {tensor.dtype}"
    channels, axis = decoded_zero_points(tensor).size, tensor.axis
    if channels > 1 and axis not in (0, len(tensor.shape) - 1):
        return f"its scales run along axis {axis}; TFLM's decoders know the first and the last"
    if channels > 1 and tensor.shape[axis] != channels:
        return f"it has {channels} scales for {tensor.shape[axis]} channels"
    return None


def decoded_zero_points(tensor: Tensor) -> NDArray[np.int64]:
    """One zero point per channel, as TFLM reads them: none at all count as one of 0."""
    if not (tensor.scales.size and tensor.zero_points.size):
        return np.zeros(1, np.int64)
    # One zero point for many scales is TFLM's own shorthand.
    return np.broadcast_to(tensor.zero_points, (tensor.scales.size,)).astype(np.int64)


def split_channels(flat: NDArray[Any], *, channels: int, channel_last: bool) -> NDArray[Any]:
    """A view of (elements,) as (channels, elements per channel)."""
    return flat.reshape(-1, channels).T if channel_last else flat.reshape(channels, -1)


def make_header(encoding: Encoding, *own: int) -> bytes:
    """The 16 bytes on top of an ancillary tensor; `own` are its bytes from the fourth on."""
    start = bytes([NUMBERS[encoding], HEADER_VERSION, 0, 0, *own])
    return start.ljust(HEADER_BYTES, b"\0")
