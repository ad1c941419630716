"""UNIDIRECTIONAL_SEQUENCE_LSTM: with int8 activations and a cell state of 16 bits, and of float32."""

import math
from dataclasses import dataclass, replace

import numpy as np

from edgeprune.firmware.c.channels import Channels, bound_sums, pack_channels
from edgeprune.firmware.c.lanes import pack_bytes, pack_lanes, pack_runs
from edgeprune.firmware.c.layer import (
    LIBRARY,
    Constant,
    Layer,
    Site,
    describe,
    emits,
    format_float,
    render,
    scale,
    zero_point,
)
from edgeprune.firmware.c.scaling import Factor, Integers, quantize_factor
from edgeprune.firmware.c.sigmoid import make_sigmoid_table
from edgeprune.tflite.model import Tensor

# Places of the gates' tensors among the inputs, in the order in which the template computes them.
_INPUT_WEIGHTS = (2, 1, 3, 4)
_HIDDEN_WEIGHTS = (6, 5, 7, 8)
_BIASES = (13, 12, 14, 15)
_MISSING = (*range(9, 12), 16, 17, *range(20, 24))
_HIDDEN, _CELL = 18, 19

_BLOCK = 8  # rows that are computed at once

_GATE_SCALE = 2.0**-12
_ACTIVATION_SCALE = 2.0**-15


@emits("UNIDIRECTIONAL_SEQUENCE_LSTM")
def emit(site: Site) -> Layer:
    """An LSTM without peepholes, projection or layer normalization, as Keras' LSTM becomes."""
    source, output = site.input(), site.output()
    hidden, cell = site.input(_HIDDEN), site.input(_CELL)
    if any(site.has_input(at) for at in _MISSING):
        raise site.refuse("it has peepholes, a projection or layer normalization")
    if site.op.options["fused_activation_function"] != "TANH":
        raise site.refuse("its activation is not tanh")
    if source.dtype == "float32":
        return _emit_floats(site)
    site.require("int8", source, output, hidden)
    site.require("int16", cell)
    units, inputs = site.input(_INPUT_WEIGHTS[0]).shape
    time_major = bool(site.op.options["time_major"])
    steps, batches = source.shape[:2] if time_major else source.shape[1::-1]
    power = round(math.log2(float(scale(cell))))
    shift = 15 + power - 3
    forget = quantize_factor(_ACTIVATION_SCALE * float(scale(cell)) / float(scale(cell)))
    admit = quantize_factor(_ACTIVATION_SCALE**2 / float(scale(cell)))
    shown = quantize_factor(_ACTIVATION_SCALE**2 / float(scale(hidden)))
    clip = float(np.float32(site.op.options["cell_clip"]))
    if max(forget.shift, admit.shift, shown.shift) > 0:
        raise site.refuse("the scale of its hidden or cell state is below 2^-30")
    gates = (
        _emit_gates(site, "input", _INPUT_WEIGHTS, source_at=0),
        _emit_gates(site, "hidden", _HIDDEN_WEIGHTS, source_at=_HIDDEN),
    )
    function = render(
        "unidirectional_sequence_lstm.c",
        name=site.label,
        gates="\n".join(each.function for each in gates),
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
            *(constant for each in gates for constant in each.constants),
            Constant(name="sigmoid", values=make_sigmoid_table()),
        ),
        kernels=(
            *(kernel for each in gates for kernel in each.kernels),
            "rescale",
            "bytes",
            "interpolate",
            "lstm",
        ),
        scratch_bytes=2 * -(-4 * units // _BLOCK) * _BLOCK,
    )


def _emit_floats(site: Site) -> Layer:
    """The same of float32, one product at a time."""
    site.require("float32", site.input(), site.output(), site.input(_HIDDEN), site.input(_CELL))
    weights = []
    for places in (_INPUT_WEIGHTS, _HIDDEN_WEIGHTS):
        site.require("float32", *(site.input(at) for at in places))
        weights.append(np.concatenate([site.constant(at) for at in places]))
    units, inputs = site.input(_INPUT_WEIGHTS[0]).shape
    biases = np.zeros((len(_BIASES), units), np.float32)
    for gate, at in enumerate(_BIASES):
        if site.has_input(at):
            site.require("float32", site.input(at))
            biases[gate] = site.constant(at)
    time_major = bool(site.op.options["time_major"])
    steps, batches = site.input().shape[:2] if time_major else site.input().shape[1::-1]
    clip = np.float32(site.op.options["cell_clip"])
    limit = f"{format_float(-clip)}, {format_float(clip)}"
    function = render(
        "unidirectional_sequence_lstm_float.c",
        name=site.label,
        comment=describe(site),
        batches=batches,
        steps=steps,
        inputs=inputs,
        units=units,
        batch_stride=1 if time_major else steps,
        step_stride=batches if time_major else 1,
        state=f"clamp_float(kept + added, {limit})" if clip > 0 else "kept + added",
    )
    return Layer(
        function=function,
        inputs=(site.op.inputs[0], site.op.inputs[_HIDDEN], site.op.inputs[_CELL]),
        outputs=site.op.outputs,
        constants=(
            Constant(name="input_weights", values=weights[0]),
            Constant(name="hidden_weights", values=weights[1]),
            Constant(name="biases", values=biases),
        ),
        kernels=(LIBRARY, "clamp_float", "logistic_float"),
        scratch_bytes=16 * units,
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Gates:
    """What all gates take from one source: a function of the template's, its constants and kernels."""

    function: str
    constants: tuple[Constant, ...]
    kernels: tuple[str, ...]


def _emit_gates(site: Site, source: str, places: tuple[int, ...], *, source_at: int) -> _Gates:
    """The product with all gates' weights, one after the other, by the fastest kernel that can do it."""
    weights = np.concatenate([site.constant(at).astype(np.int64) for at in places])
    channels = _pack_channels(site, source, places, weights=weights, tensor=site.input(source_at))
    rows, count = weights.shape
    name = f"{source}_weights"
    is_right = channels.requantize == "requantize_right"
    put = "lstm_put_gates" if is_right else "lstm_put_gates_any"
    lanes = None if site.instructions == "plain" else pack_lanes(weights, block=_BLOCK)
    records = channels.padded(to=_BLOCK).constant
    if site.instructions == "mve" and is_right:
        template, records = "lstm_gates_mve.c", channels.padded(to=4).in_fours(top=0)
        constant = Constant(name=name, values=pack_runs(weights))
        kernels = [*channels.mve_kernels, "dot_4x1_mve", "lstm_gates_mve"]
    elif lanes is not None and lanes.segment == lanes.pairs:
        template = "lstm_gates_dsp.c"
        constant = Constant(name=name, values=lanes.words)
        kernels = ["dsp", "split_sum", "dot_8x1", "set_sums_8x1", put]
    else:
        template = "lstm_gates.c"
        constant = Constant(name=name, values=pack_bytes(weights, block=_BLOCK))
        kernels = ["naked", "dot_8x1_bytes", put]
    function = render(
        template,
        name=site.label,
        source=source,
        **{"from": "the input" if source == "input" else "the hidden state"},
        count=count,
        rows=rows,
        put=put,
        is_added=int(source == "hidden"),
        runs=-(-count // 16),
    )
    return _Gates(function=function, constants=(constant, records), kernels=(*channels.kernels, *kernels))


def _pack_channels(
    site: Site, source: str, places: tuple[int, ...], *, weights: Integers, tensor: Tensor
) -> Channels:
    """The records of all gates' rows: their sums become Q3.12."""
    units = len(weights) // len(places)
    bias = -zero_point(tensor) * weights.sum(axis=1)
    factors: list[Factor] = []
    for gate, at in enumerate(places):
        if site.input(at).dtype != "int8" or site.input(at).scales.size != 1:
            raise site.refuse("its weights are not int8 with one scale")
        factor = quantize_factor(float(scale(tensor) * scale(site.input(at))) / _GATE_SCALE)
        factors += [factor] * units
        if source == "input" and site.has_input(_BIASES[gate]):
            if site.input(_BIASES[gate]).dtype != "int32":
                raise site.refuse(f"its bias is {site.input(_BIASES[gate]).dtype}, not int32")
            bias[gate * units : (gate + 1) * units] += site.constant(_BIASES[gate])
    channels = pack_channels(
        site, bias=bias, factors=tuple(factors), output_zero=0, largest_sum=bound_sums(weights)
    )
    return replace(channels, name=f"{source}_channels")
