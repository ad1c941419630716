"""Weights laid out for the kernels.

For SMLAD there are two channels in each 16-bit lane, two inputs in each word.
A word multiplies two inputs with the weights of two channels, A and B: each lane holds 256 * B + A. Its byte
of A comes out with one SXTB16; what both add up to, less the sum of A, is 256 times the sum of B. So two
instructions load and unpack four weights, where plain int8 rows would take three.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgeprune.firmware.c.channels import Channels, bound_sums
from edgeprune.firmware.c.scaling import Integers

_SUM_LIMIT = 1 << 23
"""A sum of B takes the upper 24 of 32 bits."""


_PART_LIMIT = 255
"""Sum of |weights| that keeps a sum of products with int8 within 16 bits."""

_NO_LIMIT = 1 << 31

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
        swapped: for each pair of channels whether the second one is A.
    """

    words: NDArray[np.int32]
    pairs: int
    segment: int
    swapped: NDArray[np.bool_]

    @property
    def order(self) -> Integers:
        """The channels as they lie in the words, A before B."""
        pairs = np.arange(2 * len(self.swapped)).reshape(-1, 2)
        return np.where(self.swapped[:, None], pairs[:, ::-1], pairs).reshape(-1)


def pack_lanes(weights: Integers, *, block: int) -> LaneWeights | None:
    """The weights, or None where those of -128 would make lanes overflow whichever of two channels is B.

    -128 times 256 leaves no room for a negative A. Of four inputs in a row the first word takes 0 and 2, the
    next one 1 and 3: SXTB16 leaves inputs so.

    Args:
        weights: (channels, inputs).
        block: channels that are computed at once, 4 or 8.
    """
    channels, inputs = weights.shape
    padded = np.zeros((-(-channels // block) * block, -(-inputs // 4) * 4), np.int64)
    padded[:channels, :inputs] = weights
    low, high = padded[0::2], padded[1::2]
    swapped = (256 * high + low).min(axis=1) < np.iinfo(np.int16).min
    low, high = np.where(swapped[:, None], high, low), np.where(swapped[:, None], low, high)
    lanes = 256 * high + low
    if lanes.min() < np.iinfo(np.int16).min:
        return None
    groups = padded.shape[1] // 4
    # (block, word of the pair, group, lane, pair of the group), in the order in which they are read.
    ordered = lanes.reshape(-1, block // 2, groups, 2, 2).transpose(0, 2, 4, 1, 3)
    words = np.ascontiguousarray(ordered).astype("<i2").reshape(-1).view("<i4")
    return LaneWeights(words=words, pairs=2 * groups, segment=_find_segment(high), swapped=swapped)


def find_turns(
    channels: Channels, lanes: LaneWeights, *, block: int, outputs: int
) -> NDArray[np.int8] | None:
    """For each block of channels how it differs from others; None where no block does.

    -1 stands for a block that fast kernels can put out. Others say in bit n whether the two channels of pair
    n change places.

    Args:
        channels: as many as there are in whole blocks.
        lanes: their weights.
        block: channels that are computed at once.
        outputs: how many of the channels there really are.
    """
    swapped = lanes.swapped.reshape(-1, block // 2)
    odd = channels.odd.reshape(-1, block).any(axis=1) | swapped.any(axis=1)
    if not odd.any():
        return None
    odd[outputs // block :] = True  # the last one, if it is not full
    bits = (swapped << np.arange(block // 2)).sum(axis=1)
    return np.where(odd, bits, -1).astype(np.int8)


def _find_segment(high: Integers) -> int:
    segment = high.shape[1] // 2
    while any(
        bound_sums(high[:, start : start + 2 * segment]).max() >= _SUM_LIMIT
        for start in range(0, high.shape[1], 2 * segment)
    ):
        segment = -(-segment // 4) * 2
    return segment


def pack_halves(weights: Integers) -> NDArray[np.int32]:
    """Weights for `dot_1x1`: 16 bits each, of four inputs in a row 0 and 2, then 1 and 3.

    Args:
        weights: (channels, inputs), a multiple of four inputs.
    """
    ordered = weights.reshape(len(weights), -1, 2, 2).swapaxes(2, 3)
    return np.ascontiguousarray(ordered).astype("<i2").reshape(-1).view("<i4")


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
        stream: each channel in parts, each part or two after a byte of lengths, and a 0 after the last.
        entries: weights in the stream.
        excess: what each channel's sums are too large by, where its parts start at 0x8000.
    """

    stream: NDArray[np.int8]
    entries: int
    excess: Integers


_Codes = list[tuple[int, ...]]
"""The bytes that each weight becomes."""

_Entries = list[tuple[int, tuple[int, ...]]]
"""Weights, and their codes."""


def pack_parts(weights: Integers) -> Parts:
    """The weights in parts that are short enough for sums of 16 bits, one byte each.

    Two parts share a byte for their lengths, so that these take less than a tenth of what weights take.

    Args:
        weights: (channels, inputs).
    """
    rows = [
        _cut([(weight, (weight,)) for weight in row], longest=15, heaviest=_PART_LIMIT)
        for row in weights.tolist()
    ]
    stream: list[int] = []
    for parts in rows:
        for place in range(0, len(parts), 2):
            pair = parts[place : place + 2]
            lengths = [len(part) for part in pair]
            stream.append(sum(length << (4 * at) for at, length in enumerate(lengths)))
            stream += [byte for part in pair for code in part for byte in code]
        stream.append(0)
    return _make_parts(stream, rows)


def pack_sparse(weights: Integers, *, in_halves: bool) -> Parts:
    """The weights without zeros: two bytes for each, the zeros before it and itself.

    Args:
        weights: (channels, inputs).
        in_halves: sums of a part have 16 bits; otherwise parts are as long as a byte can tell.
    """
    rows: list[list[_Codes]] = []
    for row in weights:
        places = np.flatnonzero(row)
        entries: _Entries = []
        for zeros, weight in zip(np.diff(places, prepend=-1) - 1, row[places], strict=True):
            # A zero of its own after every 255 others.
            entries += [(0, (_MOST_ZEROS, 0))] * (int(zeros) // (_MOST_ZEROS + 1))
            entries.append((int(weight), (int(zeros) % (_MOST_ZEROS + 1), int(weight))))
        rows.append(_cut(entries, longest=255, heaviest=_PART_LIMIT if in_halves else _NO_LIMIT))
    stream: list[int] = []
    for parts in rows:
        for part in parts:
            stream += [len(part), *(byte for code in part for byte in code)]
        stream.append(0)
    return _make_parts(stream, rows)


def _cut(entries: _Entries, *, longest: int, heaviest: int) -> list[_Codes]:
    """Parts of so many entries, and of so large a sum of |weights|, at most."""
    parts: list[_Codes] = []
    load = 0
    for weight, code in entries:
        load += abs(weight)
        if not parts or len(parts[-1]) == longest or load > heaviest:
            parts.append([])
            load = abs(weight)
        parts[-1].append(code)
    return parts


def _make_parts(stream: list[int], rows: list[list[_Codes]]) -> Parts:
    return Parts(
        stream=np.array(stream, np.int64).astype(np.uint8).view(np.int8),
        entries=sum(len(part) for parts in rows for part in parts),
        excess=np.array([len(parts) * _PART_START for parts in rows], np.int64),
    )
