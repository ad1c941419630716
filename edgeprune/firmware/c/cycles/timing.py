"""Published timings of cores.

- Cortex-M0+: Technical Reference Manual (Arm DDI 0484), table 3-1, with the single-cycle multiplier.
- Cortex-M4: Technical Reference Manual (Arm 100166), table 3-1 and "Load/store timings"; a refill of the
  pipeline is taken as one cycle, the least. Cortex-M33: Arm publishes no table; LLVM schedules it as an M4.
- Cortex-M7, Cortex-M55: Arm publishes no table; these are the scheduling models that LLVM has for them
  (ARMScheduleM7.td, ARMScheduleM55.td).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from edgeprune.firmware.c.cycles.disassembly import Instruction, When

Pairing = Literal["never", "units", "narrow"]
"""Which instructions are issued together: none; those whose units are free; 16-bit ones, if one is simple."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cost:
    """What an instruction takes.

    Attributes:
        cycles: until the next may be issued.
        register_cycles: further, for each register that is loaded or stored.
        latency: cycles until its result can be read.
        unit: what it keeps busy; "" for nothing.
        unit_cycles: for so long.
        alone: it is issued with no other.
        first: of a pair it can only be the first.
    """

    cycles: int = 1
    register_cycles: float = 0
    latency: int = 1
    unit: str = ""
    unit_cycles: int = 1
    alone: bool = False
    first: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """A core.

    Attributes:
        source: where this is published.
        costs: kind of instruction → cost; what is missing costs a cycle.
        shifted: cost of an operation with a shifted operand, where that is another one.
        pairing: which instructions are issued together.
        taken_cycles: lost where a branch is taken.
        mispredicted_cycles: lost where a conditional branch goes the way that it goes less often; for cores
            that predict branches.
        waits: cycles that a register must be there before (above 0) or may come after (below 0) others.
        follows_load: a load behind another load or store takes a cycle less.
    """

    source: str
    costs: Mapping[str, Cost]
    shifted: Cost | None = None
    pairing: Pairing = "never"
    taken_cycles: int = 1
    mispredicted_cycles: int = 0
    waits: Mapping[When, int] = field(default_factory=dict)
    follows_load: bool = False


_M0_PLUS = Timing(
    source="Arm DDI 0484, table 3-1",
    costs={
        **dict.fromkeys(("load", "load_byte", "store"), Cost(cycles=2)),
        **dict.fromkeys(("load_many", "store_many"), Cost(register_cycles=1)),
        "call": Cost(cycles=2),
    },
)
_M4 = Timing(
    source="Arm 100166, table 3-1",
    costs={
        **dict.fromkeys(("load", "load_byte", "float_load"), Cost(cycles=2)),
        **dict.fromkeys(("load_many", "store_many"), Cost(register_cycles=1)),
        **dict.fromkeys(("load_pair", "store_pair"), Cost(cycles=3)),
        "divide": Cost(cycles=7),  # 2 to 12, by its operands
        "float": Cost(latency=2),
        "float_multiply": Cost(latency=2),
        "float_multiply_add": Cost(cycles=3, latency=4),
        "float_divide": Cost(cycles=14),
    },
    follows_load=True,
)
_M7 = Timing(
    source="LLVM, ARMScheduleM7.td",
    costs={
        "load": Cost(),
        "load_byte": Cost(latency=2),
        "store": Cost(unit="store"),
        **dict.fromkeys(("load_pair", "store_pair"), Cost(alone=True)),
        **dict.fromkeys(("load_many", "store_many"), Cost(cycles=0, register_cycles=0.5, alone=True)),
        "multiply": Cost(latency=2, unit="multiplier"),
        "multiply_add": Cost(latency=2, unit="multiplier"),
        "divide": Cost(cycles=7, alone=True),
        "shift": Cost(unit="shifter"),
        "pack": Cost(unit="simd", first=True),
        "saturate": Cost(latency=2, unit="simd", first=True),
        **dict.fromkeys(("branch", "call", "jump"), Cost(unit="branch")),
        "float_load": Cost(unit="float port"),
        "float_store": Cost(unit="store"),
        "float": Cost(latency=3, unit="float"),
        "float_multiply": Cost(latency=3, unit="float"),
        "float_multiply_add": Cost(latency=6, unit="float"),
        "float_divide": Cost(latency=16, unit="float", unit_cycles=14),
    },
    shifted=Cost(unit="shifter"),
    pairing="units",
    taken_cycles=0,  # predicted
    mispredicted_cycles=4,
    waits={"address": 1, "late": -1},
)
_M55 = Timing(
    source="LLVM, ARMScheduleM55.td",
    costs={
        **dict.fromkeys(("load", "load_byte", "multiply", "multiply_add", "saturate"), Cost(latency=2)),
        **dict.fromkeys(("load_pair", "store_pair"), Cost(cycles=2, latency=2)),
        **dict.fromkeys(("load_many", "store_many"), Cost(cycles=0, register_cycles=1)),
        "divide": Cost(cycles=7),
        "loop": Cost(cycles=0),
        "vector_load": Cost(unit="vector load and store", unit_cycles=2),
        "vector_store": Cost(unit="vector load and store", unit_cycles=2),
        "vector": Cost(latency=1, unit="vector integer", unit_cycles=2),
        "vector_multiply": Cost(latency=2, unit="vector multiplier", unit_cycles=2),
        "float_load": Cost(latency=2, unit="vector load and store"),
        "float_store": Cost(unit="vector load and store"),
        "float": Cost(latency=2, unit="vector multiplier"),
        "float_multiply": Cost(latency=2, unit="vector multiplier"),
        "float_multiply_add": Cost(latency=4, unit="vector multiplier"),
        "float_divide": Cost(latency=16, unit="vector multiplier", unit_cycles=14),
    },
    shifted=Cost(latency=2),
    pairing="narrow",
    taken_cycles=3,
)
TIMINGS: Mapping[str, Timing] = {
    "Cortex-M0+": _M0_PLUS,
    "Cortex-M4": _M4,
    "Cortex-M33": _M4,
    "Cortex-M7": _M7,
    "Cortex-M55": _M55,
}
"""Core → timing, where one is published."""
_LOADS = ("load", "load_byte", "float_load")
_SIMPLE = ("add", "sub", "mov", "it", "uxtb", "uxth", "sxtb", "sxth")


def count_cycles(blocks: Iterable[Sequence[Instruction]], timing: Timing) -> int:
    """Cycles of blocks of instructions, one behind the other, from an idle pipeline on.

    Instructions are issued in order. Each waits for its operands and its unit; it joins the one before it in
    the same cycle where the core pairs the two.
    """
    ready: dict[str, int] = {}
    busy: dict[str, int] = {}
    free = start = 0
    alone_there: Instruction | None = None
    before: Instruction | None = None
    for block in blocks:
        for each in block:
            if before is not None and each.address != before.end and before.kind != "loop":
                free, alone_there = free + timing.taken_cycles, None
            cost = _find_cost(each, timing)
            wanted = busy.get(cost.unit, 0) if cost.unit else 0
            for register, when in each.reads:
                if register in ready:
                    wanted = max(wanted, ready[register] + timing.waits.get(when, 0))
            joins = alone_there is not None and wanted <= start and _can_pair(alone_there, each, timing)
            if not joins:
                start = max(free, wanted)
            free = max(free, start + _find_cycles(each, before, cost, timing))
            busy[cost.unit] = start + cost.unit_cycles
            ready |= dict.fromkeys(each.writes, start + cost.latency)
            ready |= dict.fromkeys(each.updates, start + 1)
            alone_there = None if joins else each
            before = each
    return free


def _find_cost(each: Instruction, timing: Timing) -> Cost:
    if each.shifted and timing.shifted is not None:
        return timing.shifted
    return timing.costs.get(each.kind, Cost())


def _find_cycles(each: Instruction, before: Instruction | None, cost: Cost, timing: Timing) -> int:
    cycles = cost.cycles + round(cost.register_cycles * each.registers + 0.25)
    follows = before is not None and before.kind in (*_LOADS, "store", "float_store")
    if timing.follows_load and follows and each.kind in _LOADS:
        return cycles - 1
    return cycles


def _can_pair(first: Instruction, second: Instruction, timing: Timing) -> bool:
    if timing.pairing == "never":
        return False
    if timing.pairing == "narrow":
        is_simple = any(
            each.kind == "branch" or each.name.removesuffix("s") in _SIMPLE for each in (first, second)
        )
        return is_simple and first.size == second.size == 2
    one, other = _find_cost(first, timing), _find_cost(second, timing)
    return not (one.alone or other.alone or other.first)
