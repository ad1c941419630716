"""A latency law for every profile whose core's instructions are counted.

The board with the most models gives the paces of the kinds of ops. Another board takes them times one factor
of its own: from TFLM's latencies on it, else from another runtime's, relative to what the same runtime takes
for the same models on the first board. A core without a board takes the mean of its boards' factors, and the
scatter of factors about their means, over all cores, as its interval.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import exp, hypot, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from latency_rows import LATENCIES, TABLES, Published, read_csv

from edgeprune.device.fitting import fit_law, hold_out
from edgeprune.device.instructions import load_instruction_table
from edgeprune.device.latency import LatencyModel, fetched_bytes, is_beyond_cache
from edgeprune.device.profile import Profile, list_profiles
from edgeprune.device.samples import Law, Sample, count_architectures

REFERENCE = "stm32l4r5zi"
BOARDS = {
    "apollo510-evb": "apollo510",
    "arduino-nano-33-ble": "nrf52840",
    "arduino-portenta-h7": "stm32h747xi",
    "b-u585i-iot02a": "stm32u585ai",
    "cortex-m0plus": "rp2040",
    "cortex-m33": "ra6m4",
    "cortex-m4": "stm32l4r5zi",
    "cortex-m55": "apollo510",
    "cortex-m7": "stm32h743zi",
    "cortex-m85": "ra8d1",
    "cy8cproto-062-4343w": "psoc62_cy8c624",
    "ek-ra6m4": "ra6m4",
    "ek-ra8d1": "ra8d1",
    "feather-m4": "samd51j19",
    "nrf52840-dk": "nrf52840",
    "nrf5340-dk": "nrf5340",
    "nucleo-g0b1re": "stm32g0b1re",
    "nucleo-h743zi": "stm32h743zi",
    "nucleo-h7a3zi-q": "stm32h7a3zi",
    "nucleo-l4r5zi": "stm32l4r5zi",
    "nucleo-u385rg-q": "stm32u385rg",
    "nucleo-u575zi-q": "stm32u575zi",
    "numaker-m467hj": "nuvoton_m467",
    "raspberry-pi-pico": "rp2040",
    "raspberry-pi-pico-2": "rp2350",
    "stm32f746g-disco": "stm32f746ng",
    "stm32h747i-disco": "stm32h747xi",
    "teensy-4.1": "teensy41",
}
"""Profile → the device whose latencies were published; a generic one takes the board it stands for."""

NOT_LIKE_OTHERS = {"stm32f767zi"}
"""Devices that had their tensors in external memory."""
WITHIN_CACHE = {"rp2350": {"MLPerf KWS DS-CNN"}}
"""Of boards that run from external flash: the models whose every layer fits its cache."""

RP2040_FETCHING = (3.5, 2.0)
"""Cycles per byte that a Pico's flash delivers anew, and how far off that is. With its QSPI at half the
core's clock a line of 8 bytes takes 7 a byte, had nothing been fetched ahead; person_detect, published by
pico-tflmicro with 823 ms, waits for none that could be told from the error of the law."""

_RP2350_CACHE_KIB = 16.0
_REACH = 1.8
"""Standard deviations to either side that hold nine of ten cases: Student's t for the ten boards or twenty
models that errors are estimated from."""
_OTHER_TYPE = 0.10
"""What is added to the error of a board that only float32, or fewer than three int8 models were published of:
on NUCLEO-L4R5ZI int8 and float32 paces differ by a tenth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Factor:
    """How many times the reference law's cycles a board takes.

    Attributes:
        core: of the board.
        value: geometric mean over the rows.
        models: how many different ones they are.
        runtimes, dtypes: of the rows.
        is_direct: whether they are TFLM's own.
    """

    core: str
    value: float
    models: int
    runtimes: tuple[str, ...]
    dtypes: tuple[str, ...]
    is_direct: bool

    def describe(self) -> str:
        """For a profile's `source`."""
        of = f"{self.models} {'model' if self.models == 1 else 'models'}, {' and '.join(self.dtypes)}"
        how = "" if self.is_direct else ", relative to the same on NUCLEO-L4R5ZI"
        return f"published latencies of {of}, {', '.join(self.runtimes)}{how}"


def fit_reference(published: Sequence[Published]) -> tuple[Law, list[float], int]:
    """Law of the board with the most models, its errors for unseen ones, and how many models those are."""
    samples = [
        row.sample
        for row in published
        if row.device == REFERENCE
        and row.runtime == "TFLM+CMSIS-NN"
        and row.version == "2024-09"
        and row.build == "-O3"
    ]
    return fit_law(samples), hold_out(samples), count_architectures(samples)


def find_factors(published: Sequence[Published], law: Law) -> dict[str, Factor]:
    """Board → its cycles over the reference's law.

    From TFLM's latencies where there are any; else from another runtime's, relative to what the same
    runtime takes for the same models on the reference board.
    """
    boards: dict[str, list[Published]] = defaultdict(list)
    for row in published:
        if row.device not in NOT_LIKE_OTHERS:
            boards[row.device].append(row)
    found = {}
    for device, rows in boards.items():
        direct = [row for row in rows if row.runtime.startswith("TFLM") and row.build != "-O3 without FPU"]
        if device == REFERENCE:
            direct = [row for row in direct if row.build == "-O3"]
        if device in WITHIN_CACHE:
            direct = [row for row in direct if row.sample.model in WITHIN_CACHE[device]]
        logs = [log(row.sample.cycles / law.estimate(row.sample)) for row in direct]
        if not direct:
            logs = list(_relative(rows, boards[REFERENCE]))
        if logs:
            used = direct or rows
            found[device] = Factor(
                core=used[0].core,
                value=exp(float(np.mean(logs))),
                models=count_architectures([row.sample for row in used]),
                runtimes=tuple(sorted({row.runtime for row in used})),
                dtypes=tuple(sorted({row.dtype for row in used})),
                is_direct=bool(direct),
            )
    return found


def _relative(rows: Sequence[Published], reference: Sequence[Published]) -> Iterator[float]:
    """Logarithms of the board's pace over the reference's, for what ran on both."""
    paces = {(row.runtime, row.version, row.sample.model): _pace(row.sample) for row in reference}
    for row in rows:
        other = paces.get((row.runtime, row.version, row.sample.model))
        if other is not None and row.dtype == "int8":
            yield log(_pace(row.sample) / other)


def _pace(sample: Sample) -> float:
    return sample.cycles / sum(sample.instructions.values())


def between_boards(factors: Mapping[str, Factor]) -> float:
    """Standard deviation of the logarithm of a board's factor about its core's mean, over all cores."""
    squares, freedom = 0.0, 0
    for core in {factor.core for factor in factors.values()}:
        logs = np.log([factor.value for factor in factors.values() if factor.core == core])
        squares += float(((logs - logs.mean()) ** 2).sum())
        freedom += len(logs) - 1
    return sqrt(squares / freedom)


def foretell_board(same: Mapping[str, Factor], between: float) -> tuple[float, float]:
    """Factor of a board of which nothing was published, and the standard deviation of its logarithm.

    Args:
        same: factors of the boards with the same core.
        between: what `between_boards` says; the mean of few boards is uncertain by a part of that, too.
    """
    logs = np.log([factor.value for factor in same.values()])
    return exp(float(logs.mean())), between * sqrt(1 + 1 / len(logs))


def find_fetching(published: Sequence[Published], law: Law, factor: Factor) -> list[float]:
    """Cycles for each byte of weights that external flash delivers again and again: RP2350's, by model."""
    cache = LatencyModel(by="none", cached_weights_kib=_RP2350_CACHE_KIB, evidence="measured", source="")
    cycles = []
    for row in published:
        if row.device != "rp2350" or row.sample.model in WITHIN_CACHE["rp2350"]:
            continue
        table = load_instruction_table(TABLES[row.core])
        fetched = sum(fetched_bytes(op, table) for op in row.ops if is_beyond_cache(op, cache))
        cycles.append((row.sample.cycles - law.estimate(row.sample) * factor.value) / fetched)
    return cycles


def model_laws(published: Sequence[Published], profiles: Sequence[Profile]) -> dict[str, dict[str, Any]]:
    """Profile → its `[latency]` table, for every core whose instructions are counted."""
    law, ratios, models = fit_reference(published)
    factors = find_factors(published, law)
    within, between = sqrt(float(np.mean(np.log(ratios) ** 2))), between_boards(factors)
    fetching = find_fetching(published, law, factors["rp2350"])
    tables = {}
    for profile in profiles:
        if profile.latency.by not in ("instructions", "vela") or profile.core not in TABLES:
            continue
        factor = factors.get(BOARDS.get(profile.id, ""))
        same = {name: other for name, other in factors.items() if other.core == profile.core}
        if factor is None:
            value, scatter = foretell_board(same, between)
            error = hypot(within, scatter)
            boards = ", ".join(sorted(same))
            source = f"mean of the {profile.core} boards that latencies were published of: {boards}"
        else:
            like = "int8" in factor.dtypes and factor.models >= 3
            value, source = factor.value, factor.describe()
            error = hypot(within, (0.0 if like else _OTHER_TYPE) if factor.is_direct else between)
        reach = exp(_REACH * error)
        tables[profile.id] = {
            "by": profile.latency.by,
            "table": TABLES[profile.core],
            **asdict(law.times(value)),
            **_beyond_cache(profile, fetching),
            "low": 1 / reach,
            "high": reach,
            # Edgeprune's files are int8; a pace of float32 networks is only the nearest there is.
            "evidence": "measured" if factor and factor.is_direct and "int8" in factor.dtypes else "borrowed",
            "source": f"{source}; kinds of ops as on NUCLEO-L4R5ZI ({models} models), scripts/fit_latency.py",
        }
    return tables


def board_powers(data: Path) -> dict[str, dict[str, Any]]:
    """Profile → its `[power]` table: what boards drew at the profile's clock, over all runtimes."""
    drawn: dict[tuple[str, float], list[float]] = defaultdict(list)
    for line in read_csv(data / LATENCIES):
        if line["use"] == "ok" and line["energy_uj"] and line["latency_ms"] and line["clock_mhz"]:
            power = float(line["energy_uj"]) / float(line["latency_ms"])
            drawn[line["device_id"], float(line["clock_mhz"])].append(power)
    tables = {}
    for profile in list_profiles():
        found = drawn.get((BOARDS.get(profile.id, profile.id), profile.clock_mhz))
        if found and profile.npu is None:
            tables[profile.id] = {
                "active_mw": float(np.median(found)),
                "low_mw": min(found),
                "high_mw": max(found),
                "source": f"energy over latency of {len(found)} published inferences, scripts/fit_latency.py",
            }
    return tables


def _beyond_cache(profile: Profile, fetching: Sequence[float]) -> dict[str, float]:
    """Of a device all of whose weights lie in external flash."""
    weights = [memory for memory in profile.memory if memory.role == "flash" and "weights" in memory.holds]
    if profile.cache is None or not weights or not all(memory.external for memory in weights):
        return {}
    cached = profile.cache.xip_kib or profile.cache.data_kib
    if not cached:
        return {}
    slow = exp(float(np.mean(np.log(fetching))))
    own = {"rp2040": RP2040_FETCHING, "rp2350": (slow, max(fetching) / slow)}
    between = exp((log(slow) + log(RP2040_FETCHING[0])) / 2)
    cycles, reach = own.get(BOARDS.get(profile.id, ""), (between, slow / between))
    return {
        "cached_weights_kib": float(cached),
        "cycles_per_fetched_byte": cycles,
        "fetching_reach": reach,
    }
