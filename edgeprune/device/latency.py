"""How long an inference takes on a device: the law of a profile's `[latency]` table.

A core executes instructions, at a pace that depends on the kernel, on the flash its weights come from and
on what a runtime does between ops:

    cycles of an op = instructions x cycles per instruction of its kind
                      + bytes of weights x cycles per byte + cycles per op

`scripts/fit_latency.py` fits the constants to published latencies of a board, `edgeprune devices calibrate`
to one's own. `low` and `high` say what measured latencies were relative to the law for models that the fit
had not seen, so that every estimate has an interval.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import hypot, prod
from typing import Literal

from edgeprune.config.tables import TableError, ruled
from edgeprune.device.instructions import (
    InstructionTable,
    instructions_of,
    list_instruction_tables,
    load_instruction_table,
)
from edgeprune.device.kernels.counts import count_features
from edgeprune.device.kernels.elsewhere import Kernels
from edgeprune.device.kernels.loops import divide_up, rows_of
from edgeprune.device.paces import NUMBERS, list_cores, load_pace, widen
from edgeprune.graph.opshape import OpShape

Evidence = Literal["measured", "borrowed", "assumed"]
"""Where a number of a profile comes from: measured on this very part; measured on another part and taken
over; or assumed."""

PACES = ("conv", "conv_1x1", "depthwise", "fully_connected", "float32", "float32_exp", "other")
"""Kinds of ops that a law may give cycles per instruction of their own."""

_WITH_EXP = ("ELU", "LOGISTIC", "LOG_SOFTMAX", "SOFTMAX", "TANH")
"""Ops that on floats call exp() of the C library, which may compute it in double precision without an FPU
for that: about 1,500 cycles on a Cortex-M4 instead of 250."""

_PIXELS_AT_A_TIME: Mapping[Kernels, int] = {"plain": 2, "dsp": 2, "mve": 4, "reference": 1}
"""Outputs for which a convolution's kernel reads a weight once."""
EXTERNAL_ARENA_TIMES, EXTERNAL_ARENA_REACH = 3.8, 2.0
"""What tensors in SDRAM behind a memory controller cost, and how far that is off: person_detect on an
STM32F767 (3.66 cycles per instruction) over what Cortex-M7 boards take with tensors inside."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LatencyModel:
    """How latency is estimated.

    Attributes:
        by: "instructions" counts them from the ops' shapes; "work" counts kinds of work;
            "macs" only multiply-accumulates; "vela" takes cycles of the NPU from its compiler and counts
            instructions for what stays on the core; "none" where nothing measured supports an estimate.
        table: core of the instruction table, for "instructions" and "vela"; of the timed cores, for "work".
        cores: which of the profile's cores run, for "work": "big", "little", a number of threads, "gpu" or
            "npu".
        times: how many times as long as its timed core, for "work": from one's own measurements.
        cycles_per_instruction: cycles per instruction, likewise.
        cycles_by_kind: the same for kinds of ops that differ, by a name of `PACES`.
        cycles_per_weight_byte: what fetching weights costs on top.
        cycles_per_op: what the runtime does between ops.
        cached_weights_kib: where weights lie in external flash: what its cache holds. An op with as many
            fetches them anew in each sweep, see `fetched_bytes`.
        cycles_per_fetched_byte: what that costs on top.
        fetching_reach: how many times less or more that may be.
        ms_per_mac: milliseconds per multiply-accumulate, for "macs".
        base_ms: milliseconds of any inference, for "macs".
        low, high: measured over estimated latency: 5th and 95th percentile for models the fit has not seen.
        evidence: where the constants come from.
        source: the measurement, or the reason why there is none.
    """

    by: Literal["instructions", "work", "macs", "vela", "none"]
    table: str = ""
    cores: str = "big"
    times: float = ruled(above=0, default=1.0)
    cycles_per_instruction: float | None = ruled(above=0, default=None)
    cycles_by_kind: Mapping[str, float] = field(default_factory=dict)
    cycles_per_weight_byte: float = ruled(low=0, default=0.0)
    cycles_per_op: float = ruled(low=0, default=0.0)
    cached_weights_kib: float | None = ruled(above=0, default=None)
    cycles_per_fetched_byte: float = ruled(low=0, default=0.0)
    fetching_reach: float = ruled(low=1, default=1.0)
    ms_per_mac: float | None = ruled(above=0, default=None)
    base_ms: float = ruled(low=0, default=0.0)
    low: float = ruled(above=0, high=1, default=1.0)
    high: float = ruled(low=1, default=1.0)
    evidence: Evidence
    source: str


FITTED_BY_MACS = (
    *("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "ADD", "MUL", "PAD", "RESHAPE"),
    *("MEAN", "AVERAGE_POOL_2D", "MAX_POOL_2D", "RELU", "RELU6", "HARD_SWISH", "SOFTMAX"),
)
"""What the networks have that laws "by macs" are fitted to: their cost is in the milliseconds per MAC."""
_UNFITTED_MACS_PER_ELEMENT, _UNFITTED_MS_PER_OP = 100, 2e-3
"""What any other op, and any op of a loop, may take at most: for each element it reads or writes as long as
so many multiply-accumulates (an exp() of the C library takes tens of cycles, a MAC a fraction of one), and
the interpreter's work between two ops."""


def time_unfitted(ops: Sequence[OpShape], *, ms_per_mac: float) -> tuple[float, tuple[str, ...]]:
    """Milliseconds that a law by MACs or work may miss, and the names of the ops that take them."""
    missed, names = 0.0, dict[str, None]()
    for op in ops:
        turns = op.turns or 0
        is_fitted = op.op in FITTED_BY_MACS
        if not turns or (is_fitted and turns == 1):
            continue
        elements = 0 if is_fitted else prod(op.output) + sum(map(prod, op.inputs))
        once = _UNFITTED_MS_PER_OP + elements * _UNFITTED_MACS_PER_ELEMENT * ms_per_mac
        missed += turns * once
        names[op.op] = None
    return missed, tuple(names)


def pace_of(op: OpShape) -> str:
    """Which of `PACES` an op has."""
    if op.dtype == "float32":
        return "float32_exp" if op.op in _WITH_EXP else "float32"
    kind = count_features(op)[0]
    if kind.startswith("depthwise"):
        return "depthwise"
    return kind if kind in PACES else "other"


def weight_bytes(op: OpShape) -> int:
    """Bytes of the weights that an op reads: of a table, the rows that are looked up."""
    if op.filter is None:
        return 0
    return prod(op.output if op.op == "GATHER" else op.filter) * (4 if op.dtype == "float32" else 1)


def cycles_of(op: OpShape, law: LatencyModel, table: InstructionTable) -> float:
    """Cycles that one op takes."""
    assert law.cycles_per_instruction is not None
    pace = law.cycles_by_kind.get(pace_of(op), law.cycles_per_instruction)
    reading = weight_bytes(op) * law.cycles_per_weight_byte
    return instructions_of(op, table) * pace + reading + law.cycles_per_op + fetching_cycles(op, law, table)


def is_beyond_cache(op: OpShape, law: LatencyModel) -> bool:
    """Whether an op's weights lie in external flash and fill its cache."""
    return law.cached_weights_kib is not None and weight_bytes(op) >= law.cached_weights_kib * 1024


def fetching_cycles(op: OpShape, law: LatencyModel, table: InstructionTable) -> float:
    """Cycles in which an op waits for weights that external flash delivers once more in each sweep."""
    if not is_beyond_cache(op, law):
        return 0.0
    return fetched_bytes(op, table) * law.cycles_per_fetched_byte


def fetched_bytes(op: OpShape, table: InstructionTable) -> int:
    """Bytes of weights that an op's kernel reads from end to end, once in each sweep.

    Convolutions sweep over them for each pixel, or for as many as the kernel takes at a time.
    """
    if op.op == "GATHER":
        return weight_bytes(op)
    at_a_time = 1 if op.dtype == "float32" else _PIXELS_AT_A_TIME[table.kernels]
    pixels = rows_of(op.output)
    return weight_bytes(op) * divide_up(pixels, at_a_time if op.op == "CONV_2D" else 1)


def slowdown_of(op: OpShape, law: LatencyModel, table: InstructionTable) -> float:
    """How many times as long an op takes because its weights fill the cache of an external flash."""
    pace = law.cycles_by_kind.get(pace_of(op), law.cycles_per_instruction or 1.0)
    return 1 + fetching_cycles(op, law, table) / (instructions_of(op, table) * pace)


def spread(value: float, law: LatencyModel, *, down: float = 0.0, up: float = 0.0) -> tuple[float, float]:
    """The interval of an estimate of `value` ms.

    Args:
        value: the estimate.
        law: its law, whose error is independent of that of the counts it is given.
        down: relative error of these counts towards less; the two add as the sides of a right angle.
        up: likewise towards more.
    """
    low = max(1 - hypot(down, 1 - law.low), 0.0)
    return value * low, value * (1 + hypot(up, law.high - 1))


def latency_reach(law: LatencyModel) -> float:
    """How many times its value the upper end of an estimate usually is, the count's error included."""
    if law.by == "work":
        paces = (load_pace(law.table, number) for number in NUMBERS)
        return max(widen(pace.high, law.high) for pace in paces if pace is not None)
    if law.by != "instructions":
        return law.high
    return spread(1.0, law, up=load_instruction_table(law.table).p90_error)[1]


def find_latency_faults(law: LatencyModel) -> Iterator[TableError]:
    """What contradicts itself in a `[latency]` table."""
    counted = law.by in ("instructions", "vela")
    if law.by == "work":
        yield from _find_pace_faults(law)
        return
    needed = {"macs": "ms_per_mac"}.get(law.by, "cycles_per_instruction" if counted else None)
    if needed and getattr(law, needed) is None:
        yield TableError(key=f"latency.{needed}", problem=f"is missing; latency.by = '{law.by}' needs it")
    if counted and not law.table:
        yield TableError(key="latency.table", problem=f"is missing; latency.by = '{law.by}' needs it")
    known = list_instruction_tables()
    if law.table and law.table not in known:
        problem = f"is '{law.table}'; there are tables for {', '.join(known)}"
        yield TableError(key="latency.table", problem=problem)
    for kind, cycles in law.cycles_by_kind.items():
        key = f"latency.cycles_by_kind.{kind}"
        if kind not in PACES:
            yield TableError(key=key, problem=f"is not a kind of op; known: {', '.join(PACES)}")
        elif not cycles > 0:
            yield TableError(key=key, problem=f"is {cycles:g}; it takes a number above 0")
    if not law.source:
        yield TableError(key="latency.source", problem="is empty; a number without a source is no fact")


def _find_pace_faults(law: LatencyModel) -> Iterator[TableError]:
    if law.table not in list_cores():
        problem = f"is '{law.table}'; there are paces for {', '.join(list_cores())}"
        yield TableError(key="latency.table", problem=problem)
    if not law.source:
        yield TableError(key="latency.source", problem="is empty; a number without a source is no fact")


def total_cycles(ops: Sequence[OpShape], law: LatencyModel, table: InstructionTable) -> float:
    """Cycles of one inference. `turns` of the ops are known."""
    return sum(cycles_of(op, law, table) * (op.turns or 0) for op in ops)
