"""How fast cores do each kind of work: the laws of phones, Linux boards and cores with other kernels.

    cycles of an op = sum over the kinds of `kernels/work.py` of work x cycles per unit

On several cores, of each kind a share goes on in one thread, the rest is parted evenly, so that the slowest
core has the last word. `scripts/fit_phones.py` writes `tables/paces.json` from published latencies.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import resources
from math import exp, hypot, inf, log
from pathlib import Path
from typing import Literal

from edgeprune.config.tables import ruled
from edgeprune.device.kernels.work import count_work
from edgeprune.errors import RecipeError, UnknownNameError
from edgeprune.graph.opshape import OpShape

_TABLE = Path(str(resources.files("edgeprune.device"))) / "tables" / "paces.json"

Number = Literal["float32", "int8"]
NUMBERS: tuple[Number, ...] = ("float32", "int8")

ACCELERATORS = ("gpu", "npu")
"""What may run a file in the place of cores."""
ACCELERATOR_CLOCK_MHZ = 1000.0
"""Their paces are in nanoseconds: they are only ever themselves."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CoreGroup:
    """Cores of a kind in one SoC.

    Attributes:
        count: how many.
        core: their entry in the table of timed cores.
        clock_mhz: their highest clock.
        times: how many times as long as their entry says they take in this SoC, with its caches and memory.
    """

    count: int = ruled(low=1)
    core: str
    clock_mhz: float = ruled(above=0, high=1e5)
    times: float = ruled(above=0, default=1.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How fast a core, GPU or NPU works on one type of numbers.

    Attributes:
        cycles: per unit of each kind of work.
        low, high: measured over estimated latency, 5th and 95th percentile for networks of families, and
            where there were others SoCs, that the fit had not seen.
        evidence: "measured" on this core, "borrowed" from another, by a ratio that was measured, or
            "assumed" where nobody measured it.
        source: the latencies.
        cycles_per_weight: of an NPU, which waits for its weights.
        macs_per_weight: multiply-accumulates for each weight of what was timed, at most.
        shortest_ms: of what was timed, of which nobody knows how much is there in any case.
    """

    cycles: Mapping[str, float]
    low: float
    high: float
    evidence: Literal["measured", "borrowed", "assumed"]
    source: str
    cycles_per_weight: float = 0.0
    macs_per_weight: float = inf
    shortest_ms: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """How long ops take.

    Attributes:
        ms, least_ms: of one inference; the least where branches are skipped.
        low, high: factors of the interval.
        evidence, source: of the paces; the weakest, where there are several.
        untimed: types of numbers for which there is no pace.
        shortest_ms: what the shortest of the latencies behind the paces took, where that matters.
        is_beyond: whether there are more multiply-accumulates for each weight than in what was timed.
    """

    ms: float
    least_ms: float
    low: float
    high: float
    evidence: str
    source: str
    untimed: tuple[str, ...] = field(default=())
    shortest_ms: float = 0.0
    is_beyond: bool = False


@lru_cache(maxsize=1)
def _table() -> dict[str, dict[str, dict[str, object]]]:
    table: dict[str, dict[str, dict[str, object]]] = json.loads(_TABLE.read_text(encoding="utf-8"))
    return table


@lru_cache(maxsize=1)
def list_cores() -> tuple[str, ...]:
    """Cores that have paces."""
    return tuple(sorted(_table()["cores"]))


@lru_cache(maxsize=256)
def load_pace(core: str, number: Number) -> Pace | None:
    """How fast a core works on such numbers; None where that was never timed.

    Raises:
        UnknownNameError: the core is not in the table.
    """
    cores = _table()["cores"]
    if core not in cores:
        raise UnknownNameError("core", core, list_cores())
    entry: dict[str, object] = cores[core]
    if "like" in entry:
        base = load_pace(str(entry["like"]), number)
        if base is None:
            return None
        times, reach = float(str(entry["times"])), float(str(entry["reach"]))
        return Pace(
            cycles={kind: cycles * times for kind, cycles in base.cycles.items()},
            low=widen(base.low, 1 / reach),
            high=widen(base.high, reach),
            evidence="borrowed" if entry["evidence"] == "borrowed" else "assumed",
            source=f"{entry['source']}; {base.source}",
        )
    pace = entry.get(number)
    return Pace(**pace) if isinstance(pace, dict) else None


def serial_share(kind: str, number: Number) -> float:
    """Which share of a kind of work goes on in one thread, however many there are: 0 to 1."""
    return float(str(_table()["serial"][number].get(kind, 1.0)))


def widen(one: float, other: float) -> float:
    """Two independent factors on the same side of 1, together: their logarithms add at a right angle."""
    reach = hypot(log(one), log(other))
    return exp(reach if one > 1 or other > 1 else -reach)


def choose_cores(groups: Sequence[CoreGroup], choice: str) -> tuple[CoreGroup, CoreGroup, int]:
    """The fastest and the slowest of the cores that are used, and how many threads run on them.

    Args:
        groups: of the SoC, fastest first.
        choice: "big" and "little" for one core of the first and of the last group, a number for as many
            threads on the fastest cores; "gpu" or "npu" where the only group is one.

    Raises:
        RecipeError: there are no such cores.
    """
    if choice in ("big", "little", *ACCELERATORS):
        group = groups[-1 if choice == "little" else 0]
        return group, group, 1
    offered = [group for group in groups for _ in range(group.count)]
    if not choice.isdecimal() or not 1 <= int(choice) <= len(offered):
        raise RecipeError(
            f"--cores is {choice}", fix=f"use big, little, or a number of threads from 1 to {len(offered)}"
        )
    return offered[0], offered[int(choice) - 1], int(choice)


def describe_cores(groups: Sequence[CoreGroup], choice: str) -> str:
    """The cores that are used, as a clause: "4 threads on Cortex-A72 at 1500 MHz"."""
    first, last, threads = choose_cores(groups, choice)
    if choice in ACCELERATORS:
        return f"on {first.core}"
    at = f"{first.core} at {first.clock_mhz:g} MHz"
    if last is not first:
        at += f" to {last.core} at {last.clock_mhz:g} MHz"
    return f"{threads} {'thread' if threads == 1 else 'threads'} on {at}"


def number_of(op: OpShape) -> Number:
    """The type of numbers whose pace an op has."""
    return "float32" if op.dtype.startswith("float") else "int8"


def time_ops(ops: Sequence[OpShape], groups: Sequence[CoreGroup], choice: str) -> Timing:
    """How long ops take on some cores of an SoC. `turns` of the ops are known."""
    paces: dict[Number, Pace] = {}
    total, least, untimed = 0.0, 0.0, dict[str, None]()
    for op in ops:
        once, missing = op_ms(op, groups, choice)
        untimed.update(dict.fromkeys(missing))
        total += once * (op.turns or 0)
        least += once * op.least_turns
        pace = load_pace(groups[0].core, number_of(op)) if count_work(op) else None
        if pace is not None:
            paces[number_of(op)] = pace
    used = [*paces.values()]
    macs, weights = sum(op.macs for op in ops), sum(op.weight_count for op in ops)
    ranks = ("measured", "borrowed", "assumed")
    return Timing(
        ms=total,
        least_ms=least,
        low=min((pace.low for pace in used), default=1.0),
        high=max((pace.high for pace in used), default=1.0),
        evidence=max((pace.evidence for pace in used), key=ranks.index, default="measured"),
        source=" and ".join(dict.fromkeys(pace.source for pace in used)),
        untimed=tuple(untimed),
        shortest_ms=max((pace.shortest_ms for pace in used), default=0.0),
        is_beyond=any(macs > pace.macs_per_weight * weights for pace in used),
    )


def mac_ms(groups: Sequence[CoreGroup], choice: str) -> float:
    """Milliseconds of one multiply-accumulate of a convolution on floats; 0 where none was timed."""
    first, _, _ = choose_cores(groups, choice)
    pace = load_pace(first.core, "float32") or load_pace(first.core, "int8")
    return pace.cycles.get("conv", 0.0) * first.times / first.clock_mhz / 1e3 if pace else 0.0


def op_ms(op: OpShape, groups: Sequence[CoreGroup], choice: str) -> tuple[float, tuple[str, ...]]:
    """Milliseconds of one run of an op, and its type where that has no pace."""
    first, last, threads = choose_cores(groups, choice)
    number = number_of(op)
    fast, slow = load_pace(first.core, number), load_pace(last.core, number)
    work = count_work(op)
    if fast is None or slow is None:
        return 0.0, (number,) if work else ()
    milliseconds = op.weight_count * fast.cycles_per_weight * first.times / first.clock_mhz / 1e3
    for kind, amount in work.items():
        share = serial_share(kind, number) if threads > 1 else 1.0
        alone = share * fast.cycles[kind] * first.times / first.clock_mhz
        parted = (1 - share) * slow.cycles[kind] * last.times / last.clock_mhz / threads
        milliseconds += amount * (alone + parted) / 1e3
    return milliseconds, ()
