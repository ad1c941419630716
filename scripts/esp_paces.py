"""Paces of ESP-NN on the ESP32, op by op from mcufit-bench; its relatives by what Espressif publishes.

ESP-NN has no kernel for dense layers on the ESP32: TFLM's own runs, and fetches its weights from flash.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fit_instructions import solve_nonnegative
from numpy.typing import NDArray

from edgeprune.device.kernels.work import WORK, count_work
from edgeprune.tflite.ops import op_shapes
from edgeprune.tflite.read import read_model

LX6, _CLOCK_MHZ = "Xtensa LX6 with ESP-NN", 240.0
_README = "Espressif's README of ESP-NN gives person_detect"
RELATIVES = {
    "RISC-V of the ESP32-C3 with ESP-NN": {
        "like": LX6,
        "times": round(426 * 160 / (380 * 240), 3),
        "reach": 1.4,
        "evidence": "borrowed",
        "source": f"{_README} 426 ms on an ESP32-C3 and 380 on an ESP32",
    },
    "RISC-V of the ESP32-C6 with ESP-NN": {
        "like": LX6,
        "times": round(426 * 160 / (380 * 240), 3),
        "reach": 1.5,
        "evidence": "assumed",
        "source": "taken for an ESP32-C3, whose instructions it executes",
    },
    "Xtensa LX7 of the ESP32-S3 with ESP-NN": {
        "like": LX6,
        "times": round(54 / 380, 3),
        "reach": 1.9,
        "evidence": "borrowed",
        "source": f"{_README} 54 ms on an ESP32-S3 and 380 on an ESP32; vectors help kernels unequally",
    },
    "RISC-V of the ESP32-P4 with ESP-NN": {
        "like": LX6,
        "times": round(73 * 360 / (380 * 240), 3),
        "reach": 1.9,
        "evidence": "borrowed",
        "source": f"{_README} 73 ms on an ESP32-P4 and 380 on an ESP32; vectors help kernels unequally",
    },
}
"""Cores that ran one network: the LX6's paces, times their ratio for it."""

_LEAST_MS, _CYCLES_PER_OP = 1.0, 12_300.0
"""What an op takes that moves nothing: RESHAPE, 46 to 58 us."""
_OLDER_KERNELS = 380 / 474.4
"""person_detect on an ESP32, Espressif's README over mcufit-bench: other versions, other caches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Layers:
    """All ops of one kind in one model: their work and cycles."""

    model: str
    op: str
    work: NDArray[np.float64]
    cycles: float


def read_layers(data: Path) -> Iterator[Layers]:
    """The ops that were timed on an ESP32, with ESP-NN."""
    work: dict[tuple[str, str], dict[str, float]] = {}
    for path in sorted((data.parent / "models").rglob("*.tflite")):
        for op in op_shapes(read_model(path.read_bytes(), where=str(path))):
            counted = work.setdefault((path.name, op.op), defaultdict(float))
            for kind, amount in count_work(op).items():
                counted[kind] += amount
    for line in map(json.loads, (data / "esp32_nano33_layers.jsonl").read_text("utf-8").splitlines()):
        counted = work.get((line["model"], line["op"]), {})
        if line["target"] == "esp32" and counted:
            yield Layers(
                model=line["model"],
                op=line["op"],
                work=np.array([counted.get(kind, 0.0) for kind in WORK]),
                cycles=line["us_per_inference"] * line["cpu_mhz"],
            )


def fit_layers(layers: list[Layers]) -> NDArray[np.float64]:
    """Cycles per unit of each kind of work; what takes less than a millisecond says nothing of a total."""
    long = [each for each in layers if each.cycles >= _LEAST_MS * _CLOCK_MHZ * 1e3]
    work = np.array([each.work for each in long])
    cycles = np.array([each.cycles for each in long]) - work[:, -1] * _CYCLES_PER_OP
    return np.append(solve_nonnegative(work[:, :-1], cycles), _CYCLES_PER_OP)


def hold_out_models(layers: list[Layers]) -> dict[str, float]:
    """Measured over estimated cycles of each model, by the ops of the others.

    A kind that no other model has is priced by all of them: the autoencoder's dense layers.
    """
    ratios, everything = {}, fit_layers(layers)
    for model in sorted({each.model for each in layers}):
        own = [each for each in layers if each.model == model]
        pace = fit_layers([each for each in layers if each.model != model])
        pace = np.where(pace > 0, pace, everything)
        ratios[model] = sum(each.cycles for each in own) / sum(float(each.work @ pace) for each in own)
    return ratios


def esp_paces(data: Path) -> dict[str, Any]:
    """The entries of the table."""
    layers = list(read_layers(data))
    pace, ratios = fit_layers(layers), list(hold_out_models(layers).values())
    entire = pace.copy()
    kinds = list(WORK)
    # No network with groups was timed, and no op of functions that takes long.
    entire[kinds.index("grouped")] = pace[kinds.index("depthwise")]
    entire[kinds.index("functions")] = pace[kinds.index("elements")]
    entry = {
        "cycles": {kind: float(f"{c:.4g}") for kind, c in zip(kinds, entire, strict=True)},
        "low": round(min([_OLDER_KERNELS, *ratios]), 3),
        "high": round(max([1 / _OLDER_KERNELS, *ratios]), 3),
        "evidence": "measured",
        "source": "4 networks of MLPerf Tiny on an ESP32, op by op, mcufit-bench; scripts/esp_paces.py",
    }
    return {LX6: {"int8": entry}, **RELATIVES}
