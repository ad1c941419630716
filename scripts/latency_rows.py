"""Published latencies, each with what its model executes."""

import csv
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import exp, log
from pathlib import Path

import numpy as np
from fit_instructions import Row, architecture_of, read_rows

from edgeprune.device.instructions import load_instruction_table
from edgeprune.device.samples import Sample, describe_sample
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


DENSE = re.compile(r"FC_(?P<layers>10\+50|\d+_x_10)_(?P<data>\w+)\.tflite")
"""Names of tinyml_benchmark_nns's networks: so many hidden layers of 10, or one of 10 and one of 50."""
DATA_SETS = {"Iris": (4, 3), "Wine": (13, 3), "Breast_cancer": (30, 2), "Digits": (64, 10)}
"""Inputs and classes of their data."""

SIBLINGS = {
    "mlperf_tiny/image_classification/pretrainedResnet.tflite": (
        "mlperf_tiny/image_classification/pretrainedResnet_quant.tflite"
    ),
    "mlperf_tiny/keyword_spotting/kws_ref_model_fp32_converted_here.tflite": (
        "mlperf_tiny/keyword_spotting/kws_ref_model.tflite"
    ),
}
"""int8 siblings of float models whose names do not say so."""


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
    """What a row measured: int8 models op by op, float models by their counted total.

    The published float models were built otherwise than edgeprune's projects, with TFLM's assertions or for
    size, and counted so; the laws only say how much of the total is of which pace.
    """
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
    build = build_of(line)
    count = count_float(total, totals, build=build, has_fpu=core != "Cortex-M0+")
    if count is None:
        return None
    table = load_instruction_table(TABLES["Cortex-M0+" if "without FPU" in build else core])
    described = describe_sample(
        float_ops(model, shapes),
        table,
        cycles=cycles,
        model=line["model"],
        architecture=architecture_of(re.sub("_float|_fp32", "", model)),
    )
    times = count / sum(described.instructions.values())
    return replace(
        described,
        instructions={pace: times * part for pace, part in described.instructions.items()},
    )


def float_ops(model: str, shapes: Mapping[str, list[Row]]) -> list[OpShape]:
    """The ops of a float model: those of its int8 sibling, or the dense layers that its name tells."""
    named = DENSE.search(model)
    if not named:
        sibling = shapes[SIBLINGS.get(model) or re.sub("float|fp32", "int8", model)]
        return [replace(row.op, dtype="float32", weights_per_tensor=False) for row in sibling]
    inputs, classes = DATA_SETS[named["data"]]
    hidden = [10, 50] if named["layers"] == "10+50" else [10] * int(named["layers"].split("_")[0])
    ops = [
        OpShape(
            op="FULLY_CONNECTED",
            inputs=((1, before),),
            output=(1, after),
            filter=(after, before),
            dtype="float32",
        )
        for before, after in pairwise([inputs, *hidden, classes])
    ]
    return [*ops, OpShape(op="SOFTMAX", inputs=((1, classes),), output=(1, classes), dtype="float32")]


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
