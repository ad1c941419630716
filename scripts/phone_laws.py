"""Latency law of a Linux board whose core is not in the table of paces: milliseconds per multiply-accumulate.

`fit_phones.py` has the law of phones and of the other boards.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from latency_rows import LATENCIES, read_csv
from published_macs import published_macs

from edgeprune.device.fitting import fit_law, hold_out, interval_of
from edgeprune.device.samples import Sample

_SAMPLES_FOR_BASE = 8
"""Fewer do not tell a base from the differences between families of networks."""
_ROWS = {
    "device_id": "stm32mp157f",
    "runtime": "TFLite (X-LINUX-AI, TFLite 2.11)",
    "dtype": "int8",
    "threads": "2",
}
"""The Cortex-A7 of an STM32MP157F-DK2."""


def phone_laws(data: Path) -> dict[str, dict[str, Any]]:
    """Profile → its `[latency]` table."""
    lines = [line for line in read_csv(data / LATENCIES) if line["use"] == "ok" and line["latency_ms"]]
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
        if all(line[key] == value for key, value in _ROWS.items()) and (macs := published_macs(line))
    ]
    if len(samples) >= _SAMPLES_FOR_BASE:
        samples = [replace(sample, ops=1) for sample in samples]
    law = fit_law(samples)
    low, high = interval_of(hold_out(samples), independent=len({sample.architecture for sample in samples}))
    return {
        "stm32mp157f-dk2": {
            "by": "macs",
            "ms_per_mac": law.cycles_by_kind.get("macs", law.cycles_per_instruction),
            "base_ms": law.cycles_per_op,
            "low": min(low, 1.0),
            "high": max(high, 1.0),
            "evidence": "measured",
            "source": (
                f"STM32MP157F-DK2: {len({sample.model for sample in samples})} networks, {_ROWS['dtype']}, "
                f"{_ROWS['threads']} threads, published with {_ROWS['runtime']}; scripts/fit_latency.py"
            ),
        }
    }
