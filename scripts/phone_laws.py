"""Latency laws of phones and Linux boards: milliseconds per multiply-accumulate, from published latencies.

Within a family of networks that is fair; across families XNNPACK's kernels differ by several times, which is
why the intervals are wide.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
from latency_rows import LATENCIES, read_csv
from published_macs import published_macs

from edgeprune.device.fitting import fit_law, hold_out, interval_of
from edgeprune.device.samples import Law, Sample

_SAMPLES_FOR_BASE = 8
"""Fewer do not tell a base from the differences between families of networks."""
_BORROWED = 2.0
"""How much wider an interval gets on another part of the same core."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where a profile's law comes from.

    Attributes:
        device, runtime, dtype, threads: the rows, as in the table of latencies.
        relative_to: a device that ran the same networks; the law is that device's, times their ratio.
        faster: how many times faster than the measured device, by its clock; 1.0 for the device itself.
        what: for people.
    """

    device: str
    runtime: str
    dtype: str
    threads: str = "4"
    relative_to: str = ""
    faster: float = 1.0
    what: str


_XNNPACK = "XNNPACK end2end_bench"
_RASPBIAN = f"{_XNNPACK} (32-bit Raspbian)"
SOURCES = {
    "raspberry-pi-4": Source(device="rpi4", runtime=_RASPBIAN, dtype="float32", what="Raspberry Pi 4"),
    "raspberry-pi-3": Source(
        device="rpi3bplus", runtime=_RASPBIAN, dtype="float32", what="Raspberry Pi 3 B+"
    ),
    "raspberry-pi-5": Source(
        device="rpi5", runtime=_RASPBIAN, dtype="float32", relative_to="rpi4", what="Raspberry Pi 5"
    ),
    "raspberry-pi-zero-2": Source(
        device="rpizero2w",
        runtime=_RASPBIAN,
        dtype="float32",
        relative_to="rpi3bplus",
        what="Raspberry Pi Zero 2 W",
    ),
    "imx8m-mini-evk": Source(
        device="rpi3bplus", runtime=_RASPBIAN, dtype="float32", faster=1.8 / 1.4, what="Raspberry Pi 3 B+"
    ),
    "imx8m-plus-evk": Source(
        device="rpi3bplus", runtime=_RASPBIAN, dtype="float32", faster=1.8 / 1.4, what="Raspberry Pi 3 B+"
    ),
    "stm32mp157f-dk2": Source(
        device="stm32mp157f",
        runtime="TFLite (X-LINUX-AI, TFLite 2.11)",
        dtype="int8",
        threads="2",
        what="STM32MP157F-DK2",
    ),
    "galaxy-s10": Source(device="pixel3", runtime="TFLite CPU", dtype="uint8", what="Pixel 3"),
}


def phone_laws(data: Path) -> dict[str, dict[str, Any]]:
    """Profile → its `[latency]` table."""
    lines = [line for line in read_csv(data / LATENCIES) if line["use"] == "ok" and line["latency_ms"]]
    return {name: _write_law(source, lines) for name, source in SOURCES.items()}


def _write_law(source: Source, lines: list[dict[str, str]]) -> dict[str, Any]:
    measured = source.relative_to or source.device
    samples = [
        Sample(
            model=line["model"],
            architecture=line["model_group"],
            instructions={"macs": macs},
            weight_bytes=0.0,
            ops=0,
            cycles=float(line["latency_ms"]),
        )
        for line in lines
        if (line["device_id"], line["runtime"], line["dtype"], line["threads"])
        == (measured, source.runtime, source.dtype, source.threads)
        and (macs := published_macs(line))
    ]
    if len(samples) >= _SAMPLES_FOR_BASE:
        samples = [replace(sample, ops=1) for sample in samples]
    law, factor = fit_law(samples), 1.0 / source.faster
    low, high = interval_of(hold_out(samples), independent=len({sample.architecture for sample in samples}))
    networks = (
        f"{len({sample.model for sample in samples})} networks, {source.dtype}, {source.threads} threads"
    )
    if source.relative_to:
        ratios = _compare(lines, source.device, source.relative_to)
        factor *= exp(float(np.mean(ratios)))
        spread = exp(1.7 * float(np.std(ratios)))
        low, high = low / spread, high * spread
        networks += f" on {source.relative_to}, times the ratio of {len(ratios)} networks that ran on both"
    is_own = source.faster == 1.0 and not source.relative_to and source.what != "Pixel 3"
    if not is_own and not source.relative_to:
        low, high = low / _BORROWED, high * _BORROWED
    return {
        "by": "macs",
        "ms_per_mac": _pace(law) * factor,
        "base_ms": law.cycles_per_op * factor,
        "low": min(low, 1.0),
        "high": max(high, 1.0),
        "evidence": "measured" if is_own else "borrowed",
        "source": f"{source.what}: {networks}, published with {source.runtime}; scripts/fit_latency.py",
    }


def _pace(law: Law) -> float:
    return law.cycles_by_kind.get("macs", law.cycles_per_instruction)


def _compare(lines: list[dict[str, str]], device: str, other: str) -> list[float]:
    """Logarithms of the ratio of both devices' latencies, network by network."""
    times: dict[tuple[str, ...], dict[str, float]] = defaultdict(dict)
    for line in lines:
        if line["device_id"] in (device, other) and line["model"].startswith("NetsPresso"):
            times[line["model"], line["dtype"]][line["device_id"]] = float(line["latency_ms"])
    return [log(both[device] / both[other]) for both in times.values() if len(both) == 2]
