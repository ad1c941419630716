"""Scales and zero points that kernels can compute with."""

from collections.abc import Iterator

import numpy as np

from edgeprune.errors import ModelError
from edgeprune.tflite.model import Subgraph, Tensor
from edgeprune.tflite.op_table import FILTER_LAYOUTS
from edgeprune.tflite.validity.placed import FIX, PlacedOp, name_tensor

_LIMITS = {
    "int8": (-128, 127),
    "uint8": (0, 255),
    "int16": (-(1 << 15), (1 << 15) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int4": (-8, 7),
    "int2": (-2, 1),
}
_ACTIVATIONS = ("int8", "uint8", "int16")
_LARGEST_FACTOR = float(1 << 30)
"""Kernels shift a 32-bit sum to the left by the exponent of the factor: by 31 and more is undefined in C."""
_OF_ZEROS = float(np.finfo(np.float32).tiny)
"""Below this, or infinite, is the scale that TensorFlow's converter gives int16 that are nothing but 0."""

_ADDING, _ADDING_ONE = ("ADD", "SUB"), float(1 << 20)
"""Ops that bring both inputs to one scale, in so many parts, and from there to that of the output."""
_GATE_SCALE = 2.0**-12
"""Of the sums that an LSTM's gates are computed from."""
_MULTIPLYING = (*FILTER_LAYOUTS, "MUL", "BATCH_MATMUL")
"""Ops whose factor is the product of both inputs' scales over that of the output."""
_RESCALING = ("LEAKY_RELU", "MEAN", "SUM", "PRELU", "RELU", "RELU6", "QUANTIZE")
"""Ops whose factor is the first input's scale over that of the output."""
_COMPUTING = frozenset(
    {
        *(
            *_MULTIPLYING,
            "LEAKY_RELU",
            "MEAN",
            "SUM",
            "PRELU",
            "QUANTIZE",
            "ADD",
            "SUB",
            "SQUARED_DIFFERENCE",
            "DIV",
            "SOFTMAX",
            "LOGISTIC",
        ),
        *("TANH", "HARD_SWISH", "ELU", "SVDF", "UNIDIRECTIONAL_SEQUENCE_LSTM", "DEQUANTIZE", "LOG_SOFTMAX"),
    }
)
"""Ops that cannot compute with integers of which nobody knows what they stand for."""
_PLAIN = frozenset({"ADD", "SUB", "MUL", "DIV", "MEAN", "SUM", "SQUARED_DIFFERENCE"})
"""Those that compute with int16 as with any other integers, where it has no scale."""


def require_quantization(subgraph: Subgraph, *, where: str) -> None:
    """Raises ModelError for scales and zero points that no kernel can compute with.

    Args:
        subgraph: of a file.
        where: the file and subgraph, for messages.
    """
    for tensor in subgraph.tensors:
        _require_numbers(tensor, where=where)
    for op in subgraph.ops:
        placed = PlacedOp(where=where, subgraph=subgraph, op=op)
        if op.name in _COMPUTING:
            _require_scales(placed)
        _require_factors(placed)


def _require_numbers(tensor: Tensor, *, where: str) -> None:
    limits = _LIMITS.get(tensor.dtype)
    if limits is None or not tensor.scales.size:
        return
    place = f"{where}: {name_tensor(tensor)}"
    scales, zero_points = tensor.scales, tensor.zero_points
    # A bias may be all zeros, with a scale too small for a float.
    possible = np.isfinite(scales) & ((scales >= 0) if tensor.is_constant else (scales > 0))
    if not possible.all():
        wrong = int(np.argmin(possible))
        which = f"scale {wrong} of {scales.size}" if scales.size > 1 else "scale"
        raise ModelError(
            f"has the {which} {scales[wrong]:g}",
            where=place,
            why="a scale is a real number above 0",
            fix=_advise(tensor) or f"{FIX}, of weights and data without NaN, infinity or numbers near them",
        )
    outside = (zero_points < limits[0]) | (zero_points > limits[1])
    if outside.any():
        raise ModelError(
            f"has the zero point {zero_points[np.argmax(outside)]}",
            where=place,
            why=f"{tensor.dtype} holds {limits[0]} to {limits[1]}",
            fix=FIX,
        )


def _require_scales(placed: PlacedOp) -> None:
    layout = FILTER_LAYOUTS.get(placed.op.name)
    weights = placed.input(1) if layout else None
    for tensor in (*placed.inputs, *placed.outputs):
        if tensor.dtype not in _ACTIVATIONS or tensor is weights or tensor.is_constant:
            continue
        is_plain = tensor.dtype == "int16" and placed.op.name in _PLAIN and not tensor.scales.size
        if tensor.scales.size != 1 and not is_plain:
            raise placed.refuse(
                f"computes with {name_tensor(tensor)}, {tensor.dtype} with {tensor.scales.size} scales",
                why="an activation of integers has one scale",
            )
    if layout is None or weights is None or _activation_of(placed) not in _ACTIVATIONS:
        return
    channels = weights.shape[layout.channels]
    if weights.dtype in _LIMITS and weights.scales.size not in (1, channels):
        raise placed.refuse(
            f"has {weights.scales.size} scales for {channels} output channels in {name_tensor(weights)}",
            why="weights have one scale, or one for each output channel",
        )


def _require_factors(placed: PlacedOp) -> None:
    for factor, tensor in _list_factors(placed):
        largest = 1.0 if placed.op.name in _ADDING else _LARGEST_FACTOR
        if not factor < largest:
            raise placed.refuse(
                f"multiplies by {factor:.3g}",
                why=f"the scales of its inputs over that of {name_tensor(tensor)}, {tensor.scales[0]:g}; "
                f"kernels can multiply by less than {largest:.3g}",
                fix=_advise(tensor) or FIX,
            )


def _advise(tensor: Tensor) -> str:
    """What helps where an int16 activation was 0 on all samples; "" where that is not what happened."""
    scale = float(tensor.scales[0])
    if tensor.is_constant or tensor.dtype != "int16" or not (0 <= scale < _OF_ZEROS or scale == np.inf):
        return ""
    return (
        f"{FIX}: that tensor was 0 on all representative samples; give samples on which it is not, take out "
        "the layer that it comes from, or use int8, where 0 has a scale"
    )


def _list_factors(placed: PlacedOp) -> Iterator[tuple[float, Tensor]]:
    """The largest factor by which an op on integers scales its sums, with its output."""
    output, name = placed.output(), placed.op.name
    if output is None or output.dtype not in _ACTIVATIONS or not output.scales.size:
        return
    layout = FILTER_LAYOUTS.get(name)
    first, second = placed.input(layout.activation if layout else 0), placed.input(1)
    scale = _largest_scale(first)
    if name in _MULTIPLYING and scale and second is not None and second.scales.size:
        yield scale * float(second.scales.max()) / float(output.scales[0]), output
    elif name in _ADDING and output.dtype == "int8":
        largest = max(scale, _largest_scale(second))
        yield 2.0 * largest / (_ADDING_ONE * float(output.scales[0])), output
    elif name == "SVDF":
        state, times = placed.input(4), placed.input(2)
        if state is not None and state.scales.size:
            yield scale * _largest_scale(second) / float(state.scales[0]), state
            yield float(state.scales[0]) * _largest_scale(times) / float(output.scales[0]), output
    elif name == "UNIDIRECTIONAL_SEQUENCE_LSTM":
        hidden = _largest_scale(placed.input(18))
        for first_gate, source in ((1, scale), (5, hidden)):
            gates = [_largest_scale(placed.input(first_gate + gate)) for gate in range(4)]
            yield source * max(gates) / _GATE_SCALE, output
    elif name in _RESCALING and scale and first is not None and first.dtype in _ACTIVATIONS:
        yield scale / float(output.scales[0]), output
        if name == "LEAKY_RELU":
            yield scale * abs(placed.op.options.get("alpha", 0.0)) / float(output.scales[0]), output
        if name == "PRELU" and second is not None and second.scales.size:
            yield scale * float(second.scales[0]) / float(output.scales[0]), output


def _largest_scale(tensor: Tensor | None) -> float:
    return float(tensor.scales.max()) if tensor is not None and tensor.scales.size else 0.0


def _activation_of(placed: PlacedOp) -> str:
    layout = FILTER_LAYOUTS[placed.op.name]
    tensor = placed.input(layout.activation)
    return tensor.dtype if tensor is not None else ""
