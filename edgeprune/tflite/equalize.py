"""Cross-layer equalization: channels of a tensor brought to like ranges, at no change of what is computed.

Where one op's output goes to one other op and nothing but positively homogeneous functions lies between, a
channel may be made smaller by any factor if the weights that read it grow by the same (Nagel et al. 2019,
"Data-Free Quantization Through Weight Equalization and Bias Correction"). Weights have a scale per output, so
what gains is the activation between the two, which has one scale for all its channels.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.tflite.model import Model, Op, Tensor, constant_values
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import pack, unpack

LARGEST_FACTOR = 16.0
"""By which a channel may be scaled: beyond it, what is nearly dead would fill the range with noise."""
_OUTPUT_AXIS = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "DEPTHWISE_CONV_2D": -1}
_BETWEEN = ("MAX_POOL_2D", "AVERAGE_POOL_2D")
_HOMOGENEOUS = ("NONE", "RELU")


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two ops that can be equalized.

    Attributes:
        first, second: their indices.
        tensor: what the first one makes.
    """

    first: int
    second: int
    tensor: int


def find_pairs(model: Model) -> tuple[Pair, ...]:
    """The pairs of ops of the main graph that can be equalized, in order of execution."""
    readers: dict[int, list[Op]] = {}
    for op in model.ops:
        for tensor in set(op.inputs):
            readers.setdefault(tensor, []).append(op)
    final = {tensor.index for tensor in model.outputs}
    pairs = []
    for op in model.ops:
        if (
            not _is_scalable(model, op, readers)
            or op.options.get("fused_activation_function") not in _HOMOGENEOUS
        ):
            continue
        tensor = op.outputs[0]
        reader = _only_reader(tensor, readers, final)
        while reader is not None and reader.name in _BETWEEN:
            if reader.options.get("fused_activation_function") not in _HOMOGENEOUS:
                reader = None
                break
            reader = _only_reader(reader.outputs[0], readers, final)
        if reader is not None and _is_scalable(model, reader, readers) and _reads_channels(model, op, reader):
            pairs.append(Pair(first=op.index, second=reader.index, tensor=op.outputs[0]))
    return tuple(pairs)


def equalize(file: bytes, *, peaks: Mapping[int, Array]) -> bytes:
    """The float file with its pairs equalized; it computes the same, but for the rounding of floats.

    Args:
        file: floats, without a quantized tensor; ranges of activations are void afterwards.
        peaks: tensor → (channels,) largest absolute value of each channel on representative data.
    """
    model = read_model(file, where="the calibrated model")
    weights: dict[int, Array] = {}

    def value(tensor: int) -> Array:
        if tensor not in weights:
            weights[tensor] = np.array(constant_values(model.tensors[tensor]), np.float32)
        return weights[tensor]

    for pair in find_pairs(model):
        first, second = model.ops[pair.first], model.ops[pair.second]
        factors = choose_factors(peaks[pair.tensor], _reading(second, value(second.inputs[1])))
        made = value(first.inputs[1])
        axis = _OUTPUT_AXIS[first.name] % made.ndim
        made /= factors.reshape([-1 if i == axis else 1 for i in range(made.ndim)])
        if len(first.inputs) > 2 and first.inputs[2] >= 0 and value(first.inputs[2]).any():
            bias = value(first.inputs[2])
            bias /= factors
        read = value(second.inputs[1])
        read *= factors  # channels read are the last axis of all three
    packed = unpack(file, where="the calibrated model")
    tensors = packed.subgraphs[0].tensors
    for index, array in weights.items():
        packed.buffers[tensors[index].buffer].data = np.frombuffer(
            np.ascontiguousarray(array, "<f4").tobytes(), np.uint8
        )
    return pack(packed)


def choose_factors(peaks: Array, reading: Array | None) -> Array:
    """(channels,) by how much each channel is made smaller.

    Args:
        peaks: (channels,) largest absolute value of each channel.
        reading: (channels,) largest absolute weight that reads each of them; None where these have a scale
            per channel, so that nothing is lost on that side.
    """
    peaks = np.maximum(peaks.astype(np.float64), 1e-12)
    if reading is None:
        factors = peaks / peaks.max()
    else:
        factors = np.sqrt(peaks / np.maximum(reading.astype(np.float64), 1e-12))
        factors /= factors.max()
    return np.asarray(np.clip(factors, 1 / LARGEST_FACTOR, 1.0), np.float32)


def _reading(op: Op, weights: Array) -> Array | None:
    if op.name == "DEPTHWISE_CONV_2D":
        return None
    return np.asarray(np.abs(weights).max(axis=tuple(range(weights.ndim - 1))))


def _only_reader(tensor: int, readers: Mapping[int, list[Op]], final: set[int]) -> Op | None:
    found = readers.get(tensor, [])
    return found[0] if len(found) == 1 and tensor not in final else None


def _is_scalable(model: Model, op: Op, readers: Mapping[int, list[Op]]) -> bool:
    """Whether it has weights of its own, floats, that no other op reads; all may read the same zeros."""
    if op.name not in _OUTPUT_AXIS:
        return False
    constants = [model.tensors[index] for index in op.inputs[1:] if index >= 0]
    return all(
        tensor.is_constant
        and tensor.dtype == "float32"
        and (not constant_values(tensor).any() or _is_alone(model, tensor, readers))
        for tensor in constants
    )


def _is_alone(model: Model, tensor: Tensor, readers: Mapping[int, list[Op]]) -> bool:
    sharing = [other for other in model.tensors if other.is_constant and other.buffer == tensor.buffer]
    return len(sharing) == 1 and len(readers[tensor.index]) == 1


def _reads_channels(model: Model, first: Op, second: Op) -> bool:
    """Whether the second op's weights have one slice for each channel that the first one makes."""
    made = model.tensors[first.outputs[0]].shape[-1]
    read = model.tensors[second.inputs[1]].shape[-1]
    return made == read and model.tensors[second.inputs[0]].shape[-1] == made
