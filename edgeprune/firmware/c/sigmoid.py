"""The table between whose entries TFLM's kernels of 16 bits interpolate logistic function and tanh."""

import math

import numpy as np
from numpy.typing import NDArray

_ONE_ABOVE = bytes.fromhex("10d17bfaae7b46c0050044209000110080000000000000000000000000000080")
"""Bit n (least significant first) is set where TFLM's table is one above the rounded logistic function."""


def make_sigmoid_table() -> NDArray[np.int32]:
    """The logistic function of k / 24 as Q0.16, for k from 0 to 255, as TFLM's kernels tabulate it."""
    rounded = [math.floor(65536 / (1 + math.exp(-k / 24)) + 0.5) for k in range(256)]
    above = np.unpackbits(np.frombuffer(_ONE_ABOVE, np.uint8), bitorder="little")
    return np.minimum(np.array(rounded) + above, 65535).astype(np.int32)
