"""Weights laid out for the kernels.

For SMLAD there are two channels in each 16-bit lane, two inputs in each word.
A word multiplies two inputs with the weights of two channels, A and B: each lane holds 256 * B + A. Its byte
of A comes out with one SXTB16; what both add up to, less the sum of A, is 256 times the sum of B. So two
instructions load and unpack four weights, where plain int8 rows would take three.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprune.firmware.c.channels import bound_sums
from edgeprune.firmware.c.scaling import Integers

_SUM_LIMIT = 1 << 23
"""A sum of B takes the upper 24 of 32 bits."""


_PART_LIMIT = 255
"""Sum of |weights| that keeps a sum of products with int8 within 16 bits."""

_LONGEST_PART = 255

_MOST_ZEROS = 255

_PART_START = 0x8000
"""What each sum of a part starts from."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LaneWeights:
    """Weights for `dot_4x2` or `dot_8x1`.

    Attributes:
        words: int32; for each block of channels, for each pair of inputs, one word per two channels.
        pairs: pairs of inputs, a multiple of 2; inputs that fill up the last ones have weights of 0.
        segment: pairs that may be summed at once, so that no sum of a channel B outgrows its 24 bits.
    """

    words: NDArray[np.int32]
    pairs: int
    segment: int


def pack_lanes(weights: Integers, *, block: int) -> LaneWeights | None:
    """The weights, or None where a weight of -128 would make a lane overflow.

    Of four inputs in a row the first word takes 0 and 2, the next one 1 and 3: SXTB16 leaves inputs so.

    Args:
        weights: (channels, inputs).
        block: channels that are computed at once, 4 or 8.
    """
    channels, inputs = weights.shape
    padded = np.zeros((-(-channels // block) * block, -(-inputs // 4) * 4), np.int64)
    padded[:channels, :inputs] = weights
    low, high = padded[0::2], padded[1::2]
    lanes = 256 * high + low
    if lanes.min() < np.iinfo(np.int16).min:
        return None
    groups = padded.shape[1] // 4
    # (block, word of the pair, group, lane, pair of the group), in the order in which they are read.
    ordered = lanes.reshape(-1, block // 2, groups, 2, 2).transpose(0, 2, 4, 1, 3)
    words = np.ascontiguousarray(ordered).astype("<i2").reshape(-1).view("<i4")
    return LaneWeights(words=words, pairs=2 * groups, segment=_find_segment(high))


def _find_segment(high: Integers) -> int:
    segment = high.shape[1] // 2
    while any(
        bound_sums(high[:, start : start + 2 * segment]).max() >= _SUM_LIMIT
        for start in range(0, high.shape[1], 2 * segment)
    ):
        segment = -(-segment // 4) * 2
    return segment


def pack_runs(weights: Integers, *, block: int = 4, run: int = 16) -> NDArray[np.int8]:
    """Weights for Helium: of each run of 16 inputs those of four channels, one after the other.

    Args:
        weights: (channels, inputs).
        block: channels that are computed at once.
        run: bytes of a vector.
    """
    channels, inputs = weights.shape
    padded = np.zeros((-(-channels // block) * block, -(-inputs // run) * run), np.int8)
    padded[:channels, :inputs] = weights
    return padded.reshape(-1, block, padded.shape[1] // run, run).transpose(0, 2, 1, 3).reshape(-1)


def pack_bytes(weights: Integers, *, block: int = 8) -> NDArray[np.int8]:
    """Weights for `dot_8x1_bytes`: of each input those of eight channels side by side, each greater by 128.

    Args:
        weights: (channels, inputs).
        block: channels that are computed at once.
    """
    channels, inputs = weights.shape
    padded = np.zeros((-(-channels // block) * block, inputs), np.int64)
    padded[:channels] = weights
    ordered = (padded + 128).reshape(-1, block, inputs).transpose(0, 2, 1).reshape(-1)
    return ordered.astype(np.uint8).view(np.int8)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Parts:
    """Weights for `dot_1x8` and its like.

    Attributes:
        stream: each channel in parts, each part after its length, and a 0 after the last.
        entries: weights in the stream.
        excess: what each channel's sums are too large by, where its parts start at 0x8000.
    """

    stream: NDArray[np.int8]
    entries: int
    excess: Integers


_Entries = list[tuple[int, tuple[int, ...]]]
"""Weights, and the bytes that each becomes."""


def pack_parts(weights: Integers) -> Parts:
    """The weights in parts that are short enough for sums of 16 bits, one byte each.

    Args:
        weights: (channels, inputs).
    """
    return _join_parts([[(weight, (weight,)) for weight in row] for row in weights.tolist()], in_halves=True)


def pack_sparse(weights: Integers, *, in_halves: bool) -> Parts:
    """The weights without zeros: two bytes for each, the zeros before it and itself.

    Args:
        weights: (channels, inputs).
        in_halves: sums of a part have 16 bits; otherwise parts are as long as a byte can tell.
    """
    rows = []
    for row in weights:
        places = np.flatnonzero(row)
        entries: _Entries = []
        for zeros, weight in zip(np.diff(places, prepend=-1) - 1, row[places], strict=True):
            # A zero of its own after every 255 others.
            entries += [(0, (_MOST_ZEROS, 0))] * (int(zeros) // (_MOST_ZEROS + 1))
            entries.append((int(weight), (int(zeros) % (_MOST_ZEROS + 1), int(weight))))
        rows.append(entries)
    return _join_parts(rows, in_halves=in_halves)


def _join_parts(rows: list[_Entries], *, in_halves: bool) -> Parts:
    stream: list[int] = []
    excess = []
    for row in rows:
        parts: list[_Entries] = []
        load = 0
        for weight, code in row:
            load += abs(weight)
            if not parts or len(parts[-1]) == _LONGEST_PART or (in_halves and load > _PART_LIMIT):
                parts.append([])
                load = abs(weight)
            parts[-1].append((weight, code))
        for part in parts:
            stream += [len(part), *(byte for _, code in part for byte in code)]
        stream.append(0)
        excess.append(len(parts) * _PART_START)
    return Parts(
        stream=np.array(stream, np.int64).astype(np.uint8).view(np.int8),
        entries=sum(map(len, rows)),
        excess=np.array(excess, np.int64),
    )
