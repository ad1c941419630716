"""TFLM's PRUNE encoding: one bit for each element, and the elements that are not zero.

The encoded tensor is a bit mask, the first element in the most significant bit of the first byte, 1 where
the element is stored; bits after the last element are 0. The ancillary tensor:

    byte   content
    0      2
    1      1
    2-3    0
    4      version of the encoding: 1
    5-15   0
    16-    the stored elements in their order, little-endian

"Zero" is the zero point of the element's channel; the decoder takes the zero points and the axis of the
channels from the tensor it makes. An int8 weight takes 1 + 8 x density bits, so the encoding saves from a
sparsity of 1/8 on, less what the header and the records of the tensors take.

Source: `decode_state_prune.cc` of tensorflow/tflite-micro at 90b983c (August 2026).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.tflite.decode.wire import HEADER_BYTES, Constant, Encoded, make_header, split_channels

_VERSION = 1


def encode_prune(constant: Constant) -> Encoded | None:
    """The constant without the elements that equal their channel's zero point.

    None where the decoder refuses the zero points: it keeps them as int8, and wider types must have none.
    """
    if constant.bits.itemsize > 1 and constant.zero_points.any():
        return None
    if constant.zero_points.min() < -128 or constant.zero_points.max() > 127:
        return None
    stored = constant.bits != _zeros(constant)
    return Encoded(
        encoding="prune",
        data=np.packbits(stored).tobytes(),
        ancillary=make_header("prune", _VERSION) + constant.bits[stored].tobytes(),
    )


def decode_prune(encoded: Encoded, like: Constant) -> NDArray[Any]:
    """The bit patterns that TFLM's decoder writes: (elements,) unsigned.

    Args:
        encoded: what is stored.
        like: what the decoder knows of the tensor it makes; its `bits` give type and number alone.
    """
    mask = np.unpackbits(np.frombuffer(encoded.data, np.uint8), count=like.bits.size).astype(bool)
    made = _zeros(like)
    made[mask] = np.frombuffer(encoded.ancillary, like.bits.dtype, offset=HEADER_BYTES)
    return made


def _zeros(constant: Constant) -> NDArray[Any]:
    """The bit pattern of each element's zero point."""
    zeros = np.empty_like(constant.bits)
    rows = split_channels(zeros, channels=constant.channels, channel_last=constant.channel_last)
    # A zero point other than 0 comes with int8 alone, whose bits are these modulo 256.
    rows[:] = constant.zero_points.astype(constant.bits.dtype)[:, None]
    return zeros
