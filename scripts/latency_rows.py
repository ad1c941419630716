"""Published latencies, each with what its model executes."""

import csv
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import exp, log
from pathlib import Path

import numpy as np
from fit_instructions import Row, architecture_of, read_rows

from edgeprune.device.fitting import Sample, describe_sample
from edgeprune.device.instructions import load_instruction_table
from edgeprune.graph.opshape import OpShape

COUNTED_OPS, TOTALS, LATENCIES = (
    "tflm_cmsis_nn_op_instructions.csv",
    "tflm_model_instructions_by_build.csv",
    "latency_ground_truth.csv",
)

TABLES = {
    "Cortex-M0+": "cortex-m0plus",
    "Cortex-M4": "cortex-m4",
    "Cortex-M7": "cortex-m7",
    "Cortex-M33": "cortex-m33",
    "Cortex-M55": "cortex-m55",
    "Cortex-M85": "cortex-m55",
}
"""Instruction table of a core; a Cortex-M85 runs the same kernels as a Cortex-M55."""

SIZE_OPTIMISED = {"nrf52840", "stm32h747xi", "rp2040"}
"""Boards whose Arduino core compiles with -Os unless told otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Published:
    """One published latency.

    Attributes:
        device, core, runtime, version, dtype, build: what was measured; `build` is the optimisation level.
        sample: the model and its cycles.
        ops: the model's, where they are known one by one.
    """

    device: str
    core: str
    runtime: str
    version: str
    dtype: str
    build: str
    sample: Sample
    ops: tuple[OpShape, ...] = ()


def read_csv(path: Path) -> list[dict[str, str]]:
    """The lines of a file."""
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def build_of(line: Mapping[str, str]) -> str:
    """The optimisation level a row was compiled with; "" where it is not stated."""
    compiler = line["compiler"]
    if "no FPU" in compiler:
        return "-O3 without FPU"
    if "-Os" in compiler or (compiler == "Arduino default" and line["device_id"] in SIZE_OPTIMISED):
        return "-Os"
    return next((level for level in ("-O3", "-Ofast") if level in compiler), "")


def read_published(data: Path) -> Iterator[Published]:
    """Every usable row whose model's instructions are known."""
    shapes: dict[str, list[Row]] = defaultdict(list)
    for row in read_rows(data / COUNTED_OPS, "cortex-m4"):
        shapes[row.model].append(row)
    totals = {line["model_file"]: line for line in read_csv(data / TOTALS)}
    for line in read_csv(data / LATENCIES):
        core = next((core for core in TABLES if line["core"].startswith(core)), None)
        accelerated = "MVP" in line["core"] or "NPU" in line["core"] or "MVP" in line["runtime"]
        if line["use"] != "ok" or not line["latency_ms"] or not line["clock_mhz"] or not core or accelerated:
            continue
        if "board ambiguous" in line["quality"]:
            continue
        cycles = float(line["latency_ms"]) * float(line["clock_mhz"]) * 1e3
        sample = describe_row(line, core, cycles=cycles, shapes=shapes, totals=totals)
        if sample is not None:
            yield Published(
                device=line["device_id"] or line["board"],
                core=core,
                runtime=line["runtime"],
                version=line["runtime_version"].removeprefix("TFLM ").split(".")[0],
                dtype=line["dtype"],
                build=build_of(line),
                sample=sample,
                ops=tuple(row.op for row in shapes.get(line["model_file"], [])),
            )


def describe_row(
    line: Mapping[str, str],
    core: str,
    *,
    cycles: float,
    shapes: Mapping[str, list[Row]],
    totals: Mapping[str, Mapping[str, str]],
) -> Sample | None:
    """What a row measured: int8 models op by op, float models by their counted total."""
    model = line["model_file"]
    if line["dtype"] == "int8" and model in shapes:
        return describe_sample(
            [row.op for row in shapes[model]],
            load_instruction_table(TABLES[core]),
            cycles=cycles,
            model=line["model"],
            architecture=architecture_of(model),
        )
    if line["dtype"] != "float32" or model not in totals:
        return None
    total = totals[model]
    count = count_float(total, totals, build=build_of(line), has_fpu=core != "Cortex-M0+")
    if count is None:
        return None
    sibling = shapes.get(model.replace("float", "int8"), [])
    weights = sum(float(np.prod(row.op.filter)) for row in sibling if row.op.filter) or float(total["macs"])
    return Sample(
        model=line["model"],
        architecture=architecture_of(model.replace("_float", "")),
        instructions={"float32": count},
        weight_bytes=4 * weights,
        ops=int(total["nops"]),
        cycles=cycles,
    )


def count_float(
    total: Mapping[str, str], totals: Mapping[str, Mapping[str, str]], *, build: str, has_fpu: bool
) -> float | None:
    """Instructions of a float model in the build that was measured, None where they were not counted."""
    if not has_fpu:
        return float(total["instructions_m0p_cmsis"] or 0) or None
    if "without FPU" in build:
        return float(total["instructions_m4_cmsis"] or 0) or None
    fast = float(total["instructions_m4f_o3"] or 0)
    if build != "-Os":
        return fast or None
    # Counted at -Os for some; the others take what dense networks take on average.
    logs = [
        log(float(other["instructions_m4f_os"]) / float(other["instructions_m4f_o3"]))
        for name, other in totals.items()
        if "FC_" in name and "float" in name and other["instructions_m4f_os"] and other["instructions_m4f_o3"]
    ]
    return float(total["instructions_m4f_os"] or 0) or fast * exp(float(np.mean(logs))) or None
