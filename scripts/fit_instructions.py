"""Fit the counts of `edgeprune/device/kernels/counts.py`; write `edgeprune/device/tables/`.

    python scripts/fit_instructions.py ../shared/data [--write]

Reads `edgeprune/device/tables/counted_ops.csv`: instructions of each op of networks and of files with
unrelated ops (`ops_*`), made with random shapes, by core and kernel library; and, for Cortex-M7 and -M4, of
the further models of ../shared/data. Prints, per table, the errors of networks' totals when their
architecture is held out of the fit, quantized and float ones apart.

Floats in software take less the more zeros they meet. Convolutions and dense layers on floats were therefore
counted on a Cortex-M0+ in networks only, whose values are what a ReLU leaves: random inputs within -1 to 1,
random or trained weights. With all inputs 0 these networks took 0.50 to 1.04 times as many instructions.

Of `ops_loops` only the loops were counted: QUANTIZE that flips signs, and MAXIMUM with a constant, compiled
from TFLM and CMSIS-NN with the flags of edgeprune's projects and run in qemu. What TFLM does around a kernel
is added as it was counted where the same kernel ran in a network: 164 instructions for QUANTIZE, 455 for
MAXIMUM with CMSIS-NN and 330 without, a third more on a Cortex-M0+.
"""

import argparse
import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.device.kernels.counts import FLOAT, count_features, count_other, is_on_floats
from edgeprune.device.kernels.elsewhere import Kernels
from edgeprune.graph.opshape import OpShape

TABLES = Path(__file__).resolve().parents[1] / "edgeprune" / "device" / "tables"
COUNTED = "counted in qemu with -icount, TFLM 90b983c and CMSIS-NN 4ab83cc (August 2026), GCC 12.2.1 -O3"

FURTHER = "tflm_cmsis_nn_op_instructions.csv"

NOT_INT8 = {
    "mlperf_tiny/image_classification/pretrainedResnet.tflite",
    "tflm/trained_lstm.tflite",
    "tflm/dtln_noise_suppression.tflite",
}
"""Models that compute in float, at least in part: their ops are not the kernels priced here."""

QUANTIZE_ELSEWHERE = 65.0
"""Instructions per element that another build is said to take for QUANTIZE of floats. None was found that
does: on a Cortex-M7 -O3, -Ofast and TF_LITE_USE_GLOBAL_CMATH_FUNCTIONS take 16, -Os 36; requantizing int8
takes 65 with TFLM's assertions on, and 52 without. The interval reaches as far until that build is known."""

LOOSE_OPS = "ops_"
"""How the names of files with unrelated ops begin: their totals say nothing about networks."""

BUILDS: dict[str, tuple[str, str, Kernels]] = {
    "cortex-m0plus": ("cortex-m0plus", "cmsis-nn", "plain"),
    "cortex-m4": ("cortex-m4", "cmsis-nn", "dsp"),
    "cortex-m7": ("cortex-m7", "cmsis-nn", "dsp"),
    "cortex-m33": ("cortex-m33", "cmsis-nn", "dsp"),
    "cortex-m55": ("cortex-m55", "cmsis-nn", "mve"),
    "cortex-m0plus-reference": ("cortex-m0plus", "reference", "reference"),
    "cortex-m4-reference": ("cortex-m4", "reference", "reference"),
    "cortex-m7-reference": ("cortex-m7", "reference", "reference"),
    "cortex-m33-reference": ("cortex-m33", "reference", "reference"),
    "cortex-m55-reference": ("cortex-m55", "reference", "reference"),
}
"""Name of each table, with its core, its kernel library, and whose laws hold there."""

SAME_FILE = {
    "mlperf_tiny/anomaly_detection/ad01_int8.tflite": "ad01",
    "mlperf_tiny/image_classification/pretrainedResnet_quant.tflite": "resnet8",
    "mlperf_tiny/keyword_spotting/kws_ref_model.tflite": "kws",
    "tflm/person_detect.tflite": "person",
    "tflm/hello_world_int8.tflite": "hello",
    "tflm/micro_speech_quantized.tflite": "microspeech",
    "tflm/trained_lstm_int8.tflite": "lstm",
    "tflm/keyword_scrambled.tflite": "keyword_scrambled",
}
"""Files of ../shared/data that were counted again."""

Vector = NDArray[np.float64]
Kinds = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One counted op."""

    model: str
    op: OpShape
    instructions: float


def architecture_of(model: str) -> str:
    """The architecture: resolutions, datasets and fine-tunings of one are held out together."""
    name = re.sub(r"_int8|_quant|_fullint|_q$|_tfs|_tl|_fft|_grayscale", "", Path(model).stem)
    name = re.sub(r"_(28|32|64x50|64x96|96|128|224)$", "", name)
    name = re.sub(r"squeezenetv", "squeezenet_v", name)
    same = {
        "person_detect": "mobilenet_v1_0.25",
        "pretrainedResnet": "resnet_v1_8",
        "model_ToyCar": "ad01",
        "mnist_resnet": "resnet_v1_8",
    }
    return same.get(name, name)


def pair(text: str) -> tuple[int, int]:
    """Sizes written as 2x1; nothing stands for 1x1."""
    height, width = shape(text) or (1, 1)
    return height, width


def shape(text: str) -> tuple[int, ...]:
    """A shape written as 1x8x8x3."""
    return tuple(int(size) for size in text.split("x")) if text else ()


def read_rows(path: Path, core: str) -> list[Row]:
    """The counted int8 ops of one core."""
    rows = []
    for line in csv.DictReader(path.read_text(encoding="utf-8").splitlines()):
        if line["core"] != core or line["model"] in NOT_INT8:
            continue
        count = float(line["instructions"])
        name, first, output = line["op"], shape(line["input_shape"]), shape(line["output_shape"])
        weights = shape(line["filter_shape"])
        elements = np.prod(output)
        inputs: tuple[tuple[int, ...], ...] = (first,)
        window = (1, 1)
        if name.endswith("POOL_2D"):
            window, weights = (weights[0], weights[1]), ()
        if name == "ADD" and count / elements < 110:
            # The file names the first input only. Adding a constant takes a kernel of its own, at about
            # 139 instructions per element against 81.
            inputs = (first, first)
        if name == "CONCATENATION":
            inputs = (first,) * max(round(output[-1] / first[-1]), 1)
        # The file does not name types. Requantization takes about 62 instructions per element; what takes
        # less than 10 only flips the sign.
        flips_sign = name == "QUANTIZE" and count / elements < 10
        stride = shape(line["stride"]) or (1, 1)
        op = OpShape(
            op=name,
            inputs=inputs,
            output=output,
            filter=weights or None,
            stride=(stride[0], stride[1]),
            window=window,
            # All of these were converted before dense layers got a scale for each output.
            weights_per_tensor=name == "FULLY_CONNECTED",
            flips_sign=bool(flips_sign),
        )
        rows.append(Row(model=line["model"], op=op, instructions=count))
    return rows


def solve_nonnegative(features: Vector, target: Vector) -> Vector:
    """Non-negative coefficients of least relative error (Lawson and Hanson's active sets)."""
    a = features / target[:, None]
    scale = np.where(a.max(axis=0) > 0, a.max(axis=0), 1.0)
    a = a / scale
    ones = np.ones(len(a))
    x, active = np.zeros(a.shape[1]), np.zeros(a.shape[1], dtype=bool)
    for _ in range(30 * a.shape[1]):
        gradient = a.T @ (ones - a @ x)
        gradient[active] = -np.inf
        best = int(np.argmax(gradient))
        if gradient[best] < 1e-9 * len(a):
            break
        active[best] = True
        while True:
            trial = np.zeros_like(x)
            trial[active] = np.linalg.lstsq(a[:, active], ones, rcond=None)[0]
            if trial[active].min() > 0:
                x = trial
                break
            stuck = active & (trial <= 0)
            step = np.min(x[stuck] / np.maximum(x[stuck] - trial[stuck], 1e-300))
            x = x + step * (trial - x)
            active &= x > 1e-12
            x[~active] = 0.0
            if not active.any():
                break
    solution: Vector = x / scale
    return solution


def read_counted(build: str) -> list[Row]:
    """The ops that were counted with a build, for example "cortex-m55-cmsis-nn"."""
    rows = []
    for line in csv.DictReader((TABLES / "counted_ops.csv").read_text(encoding="utf-8").splitlines()):
        if line[build]:
            op = OpShape(
                op=line["op"],
                inputs=tuple(shape(text) for text in line["inputs"].split("|") if text),
                output=shape(line["output"]),
                filter=shape(line["filter"]) or None,
                stride=pair(line["stride"]),
                dilation=pair(line["dilation"]),
                window=pair(line["window"]),
                padding={"S": "SAME", "V": "VALID"}.get(line["padding"], ""),
                dtype=line["dtype"] or "int8",
                weights_per_tensor=line["scales"] == "1",
                flips_sign=(line["op"], line["dtype"]) == ("QUANTIZE", "uint8"),
            )
            rows.append(Row(model=line["model"], op=op, instructions=float(line[build])))
    return rows


def fit_kinds(rows: Iterable[Row], kernels: Kernels) -> dict[str, dict[str, object]]:
    """Coefficients of every kind that has rows; equal ops count once, int8 softmax by its slowest input."""
    seen: dict[str, dict[tuple[float, ...], list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        kind, counts = count_features(row.op, kernels=kernels)
        if not kind.startswith("other"):
            seen[kind][counts].append(row.instructions)
    kinds: dict[str, dict[str, object]] = {}
    for kind, by_counts in sorted(seen.items()):
        pick = np.max if kind == "softmax" else np.median
        features = np.array(list(by_counts), dtype=float)
        target = np.array([float(pick(v)) for v in by_counts.values()])
        x = solve_nonnegative(features, target)
        ratio = np.concatenate([np.array(v) / np.dot(counts, x) for counts, v in by_counts.items()])
        low, high = float(np.quantile(ratio, 0.05)), float(np.quantile(ratio, 0.95))
        if kind == "quantize":
            high = max(high, QUANTIZE_ELSEWHERE / x[0])
        kinds[kind] = {
            "coefficients": [float(f"{c:.6g}") for c in x],
            "rows": len(target),
            "low": round(low, 4),
            "high": round(high, 4),
        }
    # An op that was never counted: reference code at the pace of MUL (about 62 instructions per element),
    # from a plain copy (RELU-like, 10) to transcendental functions (600).
    kinds["other"] = {"coefficients": [62.0, 2000.0], "rows": 0, "low": 0.15, "high": 10.0}
    # On floats at the pace of their MUL, from a copy to transcendental functions in software.
    pace = kinds.get(f"mul{FLOAT}", kinds["other"])["coefficients"]
    kinds[f"other{FLOAT}"] = {"coefficients": pace, "rows": 0, "low": 0.02, "high": 20.0}
    return kinds


def predict(rows: Iterable[Row], kinds: Kinds, kernels: Kernels) -> float:
    """Instructions of a model under a fit."""
    total = 0.0
    for row in rows:
        kind, counts = count_features(row.op, kernels=kernels)
        cost = kinds.get(kind)
        if cost is None:
            cost = kinds[f"other{FLOAT}" if is_on_floats(row.op) else "other"]
            counts = count_other(row.op)
        total += float(np.dot(np.array(cost["coefficients"]), np.array(counts, dtype=float)))
    return total


def hold_out(rows: list[Row], kernels: Kernels) -> dict[str, float]:
    """Relative error of each network's total, its architecture held out of the fit."""
    by_model: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_model[row.model].append(row)

    def kind_of_row(row: Row) -> str:
        return count_features(row.op, kernels=kernels)[0]

    networks = {model: own for model, own in by_model.items() if not model.startswith(LOOSE_OPS)}
    errors = {}
    for architecture in sorted({architecture_of(model) for model in networks}):
        held = [model for model in networks if architecture_of(model) == architecture]
        needed = {kind_of_row(row) for model in held for row in networks[model]}
        others = (row for row in rows if architecture_of(row.model) != architecture)
        kinds = fit_kinds([row for row in others if kind_of_row(row) in needed], kernels)
        for model in held:
            true = sum(row.instructions for row in networks[model])
            errors[model] = predict(networks[model], kinds, kernels) / true - 1
    return errors


def score(errors: Iterable[float]) -> tuple[float, float]:
    """Median and P90 of the absolute errors."""
    sizes = np.abs(list(errors))
    return float(np.median(sizes)), float(np.quantile(sizes, 0.9))


def float_models(rows: Iterable[Row]) -> set[str]:
    """Names of the models that multiply and accumulate floats."""
    return {row.model for row in rows if is_on_floats(row.op) and row.op.macs}


def gather_rows(data: Path, *, core: str, library: str) -> list[Row]:
    """All ops that were counted on a core with a kernel library."""
    rows = read_counted(f"{core}-{library}")
    if library == "cmsis-nn" and core in ("cortex-m7", "cortex-m4"):
        known = {row.model for row in rows}
        further = read_rows(data / FURTHER, core)
        rows += [row for row in further if SAME_FILE.get(row.model) not in known]
    return rows


def describe_left_out(data: Path, *, core: str, library: str) -> str:
    """Counted ops that are in no fit or in no error, and why."""
    rows = read_counted(f"{core}-{library}")
    loose = sum(row.model.startswith(LOOSE_OPS) for row in rows)
    parts = [f"{loose} ops of files with unrelated ops are in no network's total"]
    if library == "cmsis-nn" and core in ("cortex-m7", "cortex-m4"):
        known = {row.model for row in rows}
        lines = csv.DictReader((data / FURTHER).read_text(encoding="utf-8").splitlines())
        models = [line["model"] for line in lines if line["core"] == core]
        again = sum(SAME_FILE.get(model) in known for model in models)
        floats = sum(model in NOT_INT8 for model in models)
        parts += [f"{again} of {FURTHER} were counted again here", f"{floats} there are of float files"]
    return "; ".join(parts)


def build_tables(data: Path) -> dict[str, dict[str, object]]:
    """Every table, as it is written to JSON."""
    tables: dict[str, dict[str, object]] = {}
    for name, (core, library, kernels) in BUILDS.items():
        rows = gather_rows(data, core=core, library=library)
        errors, floats = hold_out(rows, kernels), float_models(rows)
        median, p90 = score(error for model, error in errors.items() if model not in floats)
        float_median, float_p90 = score(error for model, error in errors.items() if model in floats)
        tables[name] = {
            "core": core,
            "kernels": kernels,
            "median_error": round(median, 6),
            "p90_error": round(p90, 6),
            "float_median_error": round(float_median, 6),
            "float_p90_error": round(float_p90, 6),
            "source": f"{len(rows)} ops of {len({row.model for row in rows})} files, {COUNTED}",
            "kinds": fit_kinds(rows, kernels),
        }
    return tables


def main() -> None:
    """Fit, print the errors, and write the tables if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    for core, table in build_tables(arguments.data).items():
        integers, floats = (
            f"median {table[f'{prefix}median_error']:.2%}  P90 {table[f'{prefix}p90_error']:.2%}"
            for prefix in ("", "float_")
        )
        print(f"{core:23} held-out {integers}  floats {floats}")
        place, library, _ = BUILDS[core]
        print(f"{'':23} left out: {describe_left_out(arguments.data, core=place, library=library)}")
        if arguments.write:
            TABLES.mkdir(exist_ok=True)
            text = json.dumps(table, indent=1)
            text = re.sub(r"\[\s+([^\]]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text)
            (TABLES / f"instructions_{core}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
