"""What one op costs on a device: the budget solver's view, cheap enough to ask for thousands of plans."""

from collections.abc import Callable
from math import prod

from edgeprune.device.instructions import load_instruction_table
from edgeprune.device.latency import cycles_of
from edgeprune.device.npu import Npu
from edgeprune.device.paces import op_ms
from edgeprune.device.profile import Profile, core_groups
from edgeprune.graph.opshape import OpShape

_CHANNEL_AXIS = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "DEPTHWISE_CONV_2D": 3}
_BYTES_PER_CHANNEL = 24
"""A 32-bit bias, its scale and zero point, and the weights' scale and zero point."""
_NPU_OUTPUTS, _NPU_SHALLOW, _NPU_INPUTS = 8, 8, 16
"""Channels an Ethos-U takes in one go, and fewer cost as many: out; in, up to that many; in, if more."""
_NPU_UNITS_PER_OUTPUT, _NPU_UNITS_PER_ELEMENT = 58, 192
"""What one output of a convolution, and one of an elementwise op, cost in units of multiply-accumulates."""


def op_costs(profile: Profile) -> dict[str, Callable[[OpShape], float]]:
    """Budget → cost of one op: "flash" in bytes of the file, "latency" in ms where it can be estimated."""
    costs: dict[str, Callable[[OpShape], float]] = {"flash": stored_bytes}
    law = profile.latency
    if law.by == "instructions" and law.cycles_per_instruction is not None:
        table = load_instruction_table(law.table)
        costs["latency"] = lambda op: cycles_of(op, law, table) / (profile.clock_mhz * 1e3)
    elif law.by == "macs" and law.ms_per_mac is not None:
        per_mac = law.ms_per_mac
        costs["latency"] = lambda op: op.macs * per_mac
    elif law.by == "work":
        groups = core_groups(profile)
        costs["latency"] = lambda op: op_ms(op, groups, law.cores)[0] * law.times
    return costs


def npu_op_costs(npu: Npu) -> dict[str, Callable[[OpShape], float]]:
    """The same on an NPU that executes all ops."""
    return {"flash": stored_bytes, "latency": lambda op: npu_cycles(op, npu) / (npu.clock_mhz * 1e3)}


def stored_bytes(op: OpShape) -> float:
    """Bytes of an int8 op's weights, biases and scales in the file."""
    if op.filter is None:
        return 0.0
    channels = op.filter[_CHANNEL_AXIS[op.op]] if op.op in _CHANNEL_AXIS else 0
    return float(op.weight_count + _BYTES_PER_CHANNEL * channels)


def npu_cycles(op: OpShape, npu: Npu) -> float:
    """Cycles of an op on an Ethos-U, roughly: for choosing channels between two runs of Vela.

    The larger of computing and fetching the weights. Fitted by eye to the layers of ResNet-8 and DS-CNN in
    Vela 5.2's report for Ethos-U55-128 and U65-256, within 25 % where weights do not bind.
    """
    outputs = prod(op.output)
    if op.filter is None or op.op == "GATHER":
        elements = max([outputs, *(prod(shape) for shape in op.inputs)])
        return elements * _NPU_UNITS_PER_ELEMENT / npu.macs_per_cycle
    # A depthwise convolution multiplies one channel at a time.
    depth = 1 if op.op == "DEPTHWISE_CONV_2D" else op.filter[-1]
    width = op.output[-1] if op.output else 1
    inputs = _NPU_SHALLOW if depth <= _NPU_SHALLOW else _NPU_INPUTS
    padded = op.macs * _fill(depth, to=inputs) * _fill(width, to=_NPU_OUTPUTS)
    computing = (padded + outputs * _NPU_UNITS_PER_OUTPUT) / npu.macs_per_cycle
    return max(computing, stored_bytes(op) / npu.constants_bytes_per_cycle)


def _fill(channels: int, *, to: int) -> float:
    """How much wider a number of channels is once it is rounded up to what the NPU works in."""
    return -(-channels // to) * to / max(channels, 1)
