"""NPUs of phones, by what Qualcomm published of networks that LiteRT runs there with Qualcomm's delegate.

    ms = ops x a + weights x b

Multiply-accumulates add nothing to that for networks on images of up to 299 x 299: an NPU waits for weights.
Other files are out of its reach, and `MACS_PER_WEIGHT` says where that begins.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from re import fullmatch
from typing import Any

import numpy as np
from fit_instructions import solve_nonnegative
from latency_rows import read_csv

from edgeprune.device.kernels.work import WORK

NPUS = {
    "qualcomm-snapdragon-8gen3": ("Hexagon of Snapdragon 8 Gen 3", 1.0),
    "qualcomm-qcs8550-proxy": ("Hexagon of Snapdragon 8 Gen 2", 1.2),
}
"""SoC in the table of latencies → the entry, and how far it may be off besides: QCS8550 is a sibling."""
MACS_PER_WEIGHT = 400.0
"""DenseNet-121 has most of those that were timed, 355."""
_NUMBERS = {"float (16-bit on NPU)": "float32", "w8a8": "int8"}


@dataclass(frozen=True, kw_only=True, slots=True)
class OnNpu:
    """One published latency of a network that an NPU has all of; `macs` is 0 where they are not known."""

    soc: str
    model: str
    number: str
    macs: float
    ops: float
    weights: float
    ms: float


def read_npus(data: Path) -> Iterator[OnNpu]:
    """The rows of networks that an NPU has all of."""
    for line in read_csv(data / "phone_latency.csv"):
        layers = fullmatch(r"npu (\d+) gpu 0 cpu 0", line["cores"])
        if line["runtime"] == "tflite NPU" and layers:
            yield OnNpu(
                soc=line["soc"],
                model=line["model"],
                number=_NUMBERS[line["dtype"]],
                macs=float(line["macs"] or 0),
                ops=float(layers[1]),
                weights=float(line["params"] or 0),
                ms=float(line["ms"]),
            )


def pick_fitted(rows: Iterable[OnNpu]) -> list[OnNpu]:
    """Those of known multiply-accumulates, which are networks of images of up to 299 x 299."""
    return [row for row in rows if row.macs]


def fit_npu(rows: Sequence[OnNpu]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Milliseconds of an op and of a weight, of least relative error."""
    features = np.array([[row.ops, row.weights] for row in rows])
    return solve_nonnegative(features, np.array([row.ms for row in rows]))


def hold_out_networks(rows: Sequence[OnNpu]) -> dict[str, list[float]]:
    """Type of numbers → measured over estimated, of each network by a fit without it, over all SoCs."""
    groups: dict[tuple[str, str], list[OnNpu]] = defaultdict(list)
    for row in pick_fitted(rows):
        groups[row.soc, row.number].append(row)
    ratios: dict[str, list[float]] = defaultdict(list)
    for (_, number), own in groups.items():
        for row in own:
            op_ms, weight_ms = fit_npu([other for other in own if other.model != row.model])
            ratios[number].append(row.ms / (row.ops * op_ms + row.weights * weight_ms))
    return ratios


def npu_paces(rows: Sequence[OnNpu], ends: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """Entries of the table of paces, in nanoseconds, with the intervals of each type of numbers."""
    entries: dict[str, Any] = {}
    for soc, (name, reach) in NPUS.items():
        entries[name] = {}
        for number, (low, high) in ends.items():
            published = [row for row in rows if (row.soc, row.number) == (soc, number)]
            own = pick_fitted(published)
            op_ms, weight_ms = fit_npu(own)
            entries[name][number] = {
                "cycles": {kind: float(f"{op_ms * 1e6:.4g}") if kind == "ops" else 0.0 for kind in WORK},
                "cycles_per_weight": float(f"{weight_ms * 1e6:.4g}"),
                "macs_per_weight": MACS_PER_WEIGHT,
                "shortest_ms": min(row.ms for row in published),
                "low": round(low / reach, 3),
                "high": round(high * reach, 3),
                "evidence": "measured" if reach == 1 else "borrowed",
                "source": (
                    f"{len(own)} networks that Qualcomm published for LiteRT with its delegate, which took "
                    f"all ops, on {soc.removeprefix('qualcomm-')}, qualcomm/ai-hub-models; "
                    "scripts/fit_phones.py"
                ),
            }
    return entries
