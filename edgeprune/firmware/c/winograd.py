"""Winograd's F(2x2, 3x3) for SMLAD: when it can be used, its weights, and what it takes.

Of "Fast Algorithms for Convolutional Neural Networks" (Lavin and Gray 2016, arXiv:1509.09308), in integers:
`templates/c/kernels/winograd.h` says why it is exact.
"""

from itertools import product

import numpy as np
from numpy.typing import NDArray

from edgeprune.firmware.c.channels import bound_sums
from edgeprune.firmware.c.layer import Site
from edgeprune.firmware.c.scaling import Integers
from edgeprune.firmware.c.window import Window

_BLOCK = 4
"""Channels that are read, and channels that are computed, at once."""
_TILE_ROWS, _TILE_COLUMNS = 2, 4
"""Pixels that are computed at once: two tiles side by side."""
_PER_STEP, _PER_GROUP, _PER_BLOCK, _PER_PAIR = 290.0, 540.0, 880.0, 220.0
"""Instructions: of both tiles, of four channels that are read, of four that are computed, and of each pair of
inputs there; fitted by `scripts/fit_winograd.py` to counts in the emulator."""
_TWICE_G = np.array([[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]])


def is_possible(site: Site, window: Window, weights: Integers) -> bool:
    """Whether a convolution without groups can be computed so.

    Args:
        site: the op.
        window: its window.
        weights: (channels, inputs of a window).
    """
    sizes = (window.kernel_h, window.kernel_w, window.stride_h, window.stride_w)
    return (
        site.instructions == "dsp"
        and sizes == (3, 3, 1, 1)
        and (window.dilation_h, window.dilation_w) == (1, 1)
        and min(window.in_c, window.out_c) >= _BLOCK
        and window.out_h >= _TILE_ROWS
        and window.out_w >= _TILE_COLUMNS
        and bool(4 * bound_sums(weights).max() < 1 << 31)
    )


def count_pairs(window: Window) -> int:
    """Pairs of input channels that are multiplied, a multiple of 2."""
    return 2 * -(-window.in_c // _BLOCK)


def count_instructions(window: Window) -> float:
    """Instructions of such a convolution, estimated."""
    steps = window.batches * -(-window.out_h // _TILE_ROWS) * -(-window.out_w // _TILE_COLUMNS)
    pairs, blocks = count_pairs(window), -(-window.out_c // _BLOCK)
    reading = _PER_STEP + _PER_GROUP * pairs / 2
    return steps * (reading + blocks * (_PER_BLOCK + _PER_PAIR * pairs))


def count_scratch_bytes(window: Window) -> int:
    """Both tiles' inputs, sums of a block of channels, and a pixel of the margin."""
    return 128 * count_pairs(window) + 512 + 4 * -(-window.in_c // 4)


def transform_weights(weights: Integers) -> Integers:
    """2G g 2G' of (outputs, 3, 3, inputs): (outputs, 4, 4, inputs)."""
    return np.asarray(np.einsum("yi,oijc,xj->oyxc", _TWICE_G, weights, _TWICE_G))


def pack_winograd(weights: Integers) -> NDArray[np.int32]:
    """Transformed weights for `winograd_multiply`: pairs of inputs of 16 bits, four channels in a row.

    Args:
        weights: (outputs, 3, 3, inputs).
    """
    outputs, inputs = len(weights), weights.shape[3]
    elements = transform_weights(weights).reshape(outputs, 16, inputs)
    rows, columns = _list_blocks(outputs), _list_blocks(inputs)
    blocked = elements[rows][:, :, columns]
    blocked[:, :, _find_repeated(columns)] = 0
    # (block, channel of it, element, group of inputs, lane, pair of the group) in the order of SXTB16.
    ordered = blocked.reshape(-1, _BLOCK, 16, len(columns) // 4, 2, 2).transpose(0, 2, 3, 5, 1, 4)
    return np.ascontiguousarray(ordered).astype("<i2").reshape(-1).view("<i4")


def find_slack_bytes(window: Window) -> int:
    """By how much the output may start after the input in the same memory (see `Layer.overlaps`).

    Tiles are computed row by row; each step reads all it needs before it writes.
    """
    needed, written = [], []
    rows, columns = _list_starts(window.out_h, _TILE_ROWS), _list_starts(window.out_w, _TILE_COLUMNS)
    for image, y, x in product(range(window.batches), rows, columns):
        in_y, in_x = max(y - window.pad_top, 0), max(x - window.pad_left, 0)
        needed.append(((image * window.in_h + in_y) * window.in_w + in_x) * window.in_c)
        last_row = image * window.out_h + y + _TILE_ROWS - 1
        written.append((last_row * window.out_w + x + _TILE_COLUMNS) * window.out_c)
    if len(needed) == 1:
        return window.batches * window.in_h * window.in_w * window.in_c
    still_needed = np.minimum.accumulate(needed[::-1])[::-1]
    return int((still_needed[1:] - np.maximum.accumulate(written)[:-1]).min())


def _list_starts(size: int, step: int) -> list[int]:
    """Where steps begin that cover a size; the last one lies over others where it would not fit."""
    return [min(start, size - step) for start in range(0, size, step)]


def _list_blocks(channels: int) -> Integers:
    """Channels in whole blocks; the last one has some of the block before it where they do not fill it."""
    starts = np.array(_list_starts(channels, _BLOCK))
    return np.asarray((starts[:, None] + np.arange(_BLOCK)).reshape(-1))


def _find_repeated(channels: Integers) -> NDArray[np.bool_]:
    """Which of these are there a second time."""
    return np.asarray(np.maximum.accumulate(np.concatenate([[-1], channels[:-1]])) >= channels)
