"""Bias correction: what quantization shifts the mean of a channel by is taken back in the op's bias.

(Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", here with data.)
"""

from collections.abc import Mapping

import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.tflite.model import Model, constant_values
from edgeprune.tflite.strip import pack, unpack

_WITH_BIAS = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_BIAS_INPUT = 2


def find_biases(model: Model) -> dict[int, int]:
    """Output tensor of an op → its 32-bit bias, where that bias is one op's alone."""
    users: dict[int, int] = {}
    for tensor in model.tensors:
        if tensor.is_constant:
            users[tensor.buffer] = users.get(tensor.buffer, 0) + 1
    read = [index for op in model.ops for index in op.inputs]
    found = {}
    for op in model.ops:
        if op.name in _WITH_BIAS and len(op.inputs) > _BIAS_INPUT and op.inputs[_BIAS_INPUT] >= 0:
            bias = model.tensors[op.inputs[_BIAS_INPUT]]
            alone = users.get(bias.buffer) == 1 and read.count(bias.index) == 1
            if bias.is_constant and bias.dtype == "int32" and bias.scales.size and alone:
                found[op.outputs[0]] = bias.index
    return found


def shift_biases(file: bytes, model: Model, *, shifts: Mapping[int, Array]) -> bytes:
    """The file with its biases shifted.

    Args:
        file: a quantized file.
        model: the same, read.
        shifts: bias tensor → (channels,) what is added, as real numbers.
    """
    packed = unpack(file, where=model.where)
    for index, shift in shifts.items():
        tensor = model.tensors[index]
        stored = constant_values(tensor).astype(np.int64) + np.rint(shift / tensor.scales).astype(np.int64)
        limits = np.iinfo(np.int32)
        raw = np.clip(stored, limits.min, limits.max).astype("<i4").tobytes()
        packed.buffers[packed.subgraphs[0].tensors[index].buffer].data = np.frombuffer(raw, np.uint8)
    return pack(packed)
