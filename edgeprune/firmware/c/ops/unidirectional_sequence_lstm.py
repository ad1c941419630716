"""UNIDIRECTIONAL_SEQUENCE_LSTM with int8 activations and a cell state of 16 bits."""

import math

import numpy as np
from numpy.typing import NDArray

from edgeprune.firmware.c.layer import Constant, Layer, Site, describe, emits, render, scale, zero_point
from edgeprune.firmware.c.scaling import quantize_factor

# Places of the gates' tensors among the inputs, in the order in which the template computes them.
_INPUT_WEIGHTS = (2, 1, 3, 4)
_HIDDEN_WEIGHTS = (6, 5, 7, 8)
_BIASES = (13, 12, 14, 15)
_MISSING = (*range(9, 12), 16, 17, *range(20, 24))
_HIDDEN, _CELL = 18, 19

_GATE_SCALE = 2.0**-12
_ACTIVATION_SCALE = 2.0**-15

_ONE_ABOVE = bytes.fromhex("10d17bfaae7b46c0050044209000110080000000000000000000000000000080")
"""Bit n (least significant first) is set where TFLM's table is one above the rounded logistic function."""


@emits("UNIDIRECTIONAL_SEQUENCE_LSTM")
def emit(site: Site) -> Layer:
    """An LSTM without peepholes, projection or layer normalization, as Keras' LSTM becomes."""
    source, output = site.input(), site.output()
    hidden, cell = site.input(_HIDDEN), site.input(_CELL)
    site.require("int8", source, output, hidden)
    site.require("int16", cell)
    if any(site.has_input(at) for at in _MISSING):
        raise site.refuse("it has peepholes, a projection or layer normalization")
    if site.op.options["fused_activation_function"] != "TANH":
        raise site.refuse("its activation is not tanh")
    units, inputs = site.input(_INPUT_WEIGHTS[0]).shape
    time_major = bool(site.op.options["time_major"])
    steps, batches = source.shape[:2] if time_major else source.shape[1::-1]
    power = round(math.log2(float(scale(cell))))
    shift = 15 + power - 3
    forget = quantize_factor(_ACTIVATION_SCALE * float(scale(cell)) / float(scale(cell)))
    admit = quantize_factor(_ACTIVATION_SCALE**2 / float(scale(cell)))
    shown = quantize_factor(_ACTIVATION_SCALE**2 / float(scale(hidden)))
    clip = float(np.float32(site.op.options["cell_clip"]))
    function = render(
        "unidirectional_sequence_lstm.c",
        name=site.label,
        comment=describe(site),
        batches=batches,
        steps=steps,
        inputs=inputs,
        units=units,
        batch_stride=1 if time_major else steps,
        step_stride=batches if time_major else 1,
        forget_multiplier=forget.multiplier,
        forget_shift=forget.shift,
        admit_multiplier=admit.multiplier,
        admit_shift=admit.shift,
        clip=int(min(clip / float(scale(cell)), 32767.0)) if clip > 0 else 0,
        tanh_multiplier=3 if shift < 0 else 3 << shift,
        tanh_shift=max(-shift, 0),
        output_multiplier=shown.multiplier,
        output_shift=shown.shift,
        output_zero=zero_point(hidden),
    )
    return Layer(
        function=function,
        inputs=(site.op.inputs[0], site.op.inputs[_HIDDEN], site.op.inputs[_CELL]),
        outputs=site.op.outputs,
        constants=(
            *_pack_gates(site, "input", _INPUT_WEIGHTS, source_at=0),
            *_pack_gates(site, "hidden", _HIDDEN_WEIGHTS, source_at=_HIDDEN),
            Constant(name="sigmoid", values=make_sigmoid_table()),
        ),
        kernels=("clamp", "rescale", "bytes", "lstm"),
    )


def _pack_gates(site: Site, name: str, places: tuple[int, ...], *, source_at: int) -> tuple[Constant, ...]:
    """Weights and records of all gates, one row per unit, for one of both sources."""
    source = site.input(source_at)
    weights = [site.constant(at).astype(np.int64) for at in places]
    records = []
    for gate, (at, matrix) in enumerate(zip(places, weights, strict=True)):
        if site.input(at).dtype != "int8" or site.input(at).scales.size != 1:
            raise site.refuse("its weights are not int8 with one scale")
        factor = quantize_factor(float(scale(source) * scale(site.input(at))) / _GATE_SCALE)
        bias = -zero_point(source) * matrix.sum(axis=1)
        if name == "input" and site.has_input(_BIASES[gate]):
            bias = bias + site.constant(_BIASES[gate])
        records += [(int(each), factor.multiplier, 0, factor.shift) for each in bias]
    return (
        Constant(name=f"{name}_weights", values=np.concatenate(weights).astype(np.int8)),
        Constant(
            name=f"{name}_records", values=np.array(records, np.int32), ctype="struct edgeprune_channel"
        ),
    )


def make_sigmoid_table() -> NDArray[np.int32]:
    """The logistic function of k / 24 as Q0.16, for k from 0 to 255, as TFLM's kernels tabulate it."""
    rounded = [math.floor(65536 / (1 + math.exp(-k / 24)) + 0.5) for k in range(256)]
    above = np.unpackbits(np.frombuffer(_ONE_ABOVE, np.uint8), bitorder="little")
    return np.minimum(np.array(rounded) + above, 65535).astype(np.int32)
