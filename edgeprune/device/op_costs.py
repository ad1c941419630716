"""What one op costs on a device: the budget solver's view, cheap enough to ask for thousands of plans."""

from collections.abc import Callable

from edgeprune.device.instructions import instructions_of, load_instruction_table
from edgeprune.device.profile import Profile
from edgeprune.graph.opshape import OpShape

_CHANNEL_AXIS = {"CONV_2D": 0, "FULLY_CONNECTED": 0, "DEPTHWISE_CONV_2D": 3}
_BYTES_PER_CHANNEL = 24
"""A 32-bit bias, its scale and zero point, and the weights' scale and zero point."""


def op_costs(profile: Profile) -> dict[str, Callable[[OpShape], float]]:
    """Budget → cost of one op: "flash" in bytes of the file, "latency" in ms where it can be estimated."""
    costs: dict[str, Callable[[OpShape], float]] = {"flash": stored_bytes}
    law = profile.latency
    if law.by == "instructions" and law.cycles_per_instruction is not None:
        table = load_instruction_table(law.table)
        ms = law.cycles_per_instruction / (profile.clock_mhz * 1e3)
        costs["latency"] = lambda op: instructions_of(op, table) * ms
    elif law.by == "macs" and law.ms_per_mac is not None:
        per_mac = law.ms_per_mac
        costs["latency"] = lambda op: op.macs * per_mac
    return costs


def stored_bytes(op: OpShape) -> float:
    """Bytes of an int8 op's weights, biases and scales in the file."""
    if op.filter is None:
        return 0.0
    channels = op.filter[_CHANNEL_AXIS[op.op]] if op.op in _CHANNEL_AXIS else 0
    return float(op.weight_count + _BYTES_PER_CHANNEL * channels)
