"""Fit the laws of `edgeprune/device/laws.py` and write `edgeprune/device/tables/instructions_*.json`.

    python scripts/fit_instructions.py ../shared/data [--write]

Reads instructions counted per op (Cortex-M7 and -M4) and per model (Cortex-M0+ and -M55). Prints, per
core, the error of each model's total when its architecture is held out of the fit.
"""

import argparse
import csv
import json
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from edgeprune.device.laws import count_features, count_other
from edgeprune.graph.opshape import OpShape

TABLES = Path(__file__).resolve().parents[1] / "edgeprune" / "device" / "tables"
COUNTED = "counted in qemu with -icount, TFLM and CMSIS-NN of August 2026, GCC 12.2"

NOT_INT8 = {
    "mlperf_tiny/image_classification/pretrainedResnet.tflite",
    "tflm/trained_lstm.tflite",
    "tflm/dtln_noise_suppression.tflite",
}
"""Models that compute in float, at least in part: their ops are not the kernels priced here."""

INNER = {
    "conv": ("conv", {5, 6, 8, 10}),
    "conv_1x1": ("conv_1x1", {1, 2, 3, 5, 7}),
    "depthwise": ("depthwise", {0}),
    "depthwise_window": ("depthwise", {0}),
    "depthwise_by_four": ("depthwise", {0}),
    "depthwise_plain": ("depthwise", {0}),
    "fully_connected": ("fully_connected", {0, 1}),
}
"""Kinds with multiply-accumulates: their name as a group, and the counts that are its inner loop."""

Vector = NDArray[np.float64]


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
        if name == "QUANTIZE" and count / elements < 10:
            continue  # uint8 to int8 flips one bit; all other types are requantized
        stride = shape(line["stride"]) or (1, 1)
        op = OpShape(
            op=name,
            inputs=inputs,
            output=output,
            filter=weights or None,
            stride=(stride[0], stride[1]),
            window=window,
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


def fit_kinds(rows: Iterable[Row]) -> dict[str, dict[str, object]]:
    """Coefficients of every kind that has rows; equal ops count once, softmax by its slowest input."""
    seen: dict[str, dict[tuple[float, ...], list[float]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        kind, counts = count_features(row.op)
        if kind != "other":
            seen[kind][counts].append(row.instructions)
    kinds: dict[str, dict[str, object]] = {}
    for kind, by_counts in seen.items():
        pick = np.max if kind == "softmax" else np.median
        features = np.array(list(by_counts), dtype=float)
        target = np.array([float(pick(v)) for v in by_counts.values()])
        x = solve_nonnegative(features, target)
        ratio = target / np.maximum(features @ x, 1e-9)
        kinds[kind] = {
            "coefficients": [float(f"{c:.6g}") for c in x],
            "rows": len(target),
            "low": round(float(np.quantile(ratio, 0.05)), 4),
            "high": round(float(np.quantile(ratio, 0.95)), 4),
        }
    # Windows other than 3x3 take a kernel that copies patches first; from its source, half to four thirds.
    if "depthwise" in kinds:
        kinds["depthwise_window"] = kinds["depthwise"] | {"rows": 0, "low": 0.5, "high": 1.3}
    # An op that was never counted: reference code at the pace of MUL (about 62 instructions per element),
    # from a plain copy (RELU-like, 10) to transcendental functions (600).
    kinds["other"] = {"coefficients": [62.0, 2000.0], "rows": 0, "low": 0.15, "high": 10.0}
    return kinds


def predict(rows: Iterable[Row], kinds: dict[str, dict[str, object]]) -> float:
    """Instructions of a model under a fit."""
    total = 0.0
    for row in rows:
        kind, counts = count_features(row.op)
        cost = kinds.get(kind)
        if cost is None:
            cost, counts = kinds["other"], count_other(row.op)
        total += float(np.dot(np.array(cost["coefficients"]), np.array(counts, dtype=float)))
    return total


def hold_out(rows: list[Row]) -> dict[str, float]:
    """Relative error of each model's total, its architecture held out of the fit."""
    by_model: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_model[row.model].append(row)
    errors = {}
    for architecture in sorted({architecture_of(model) for model in by_model}):
        kinds = fit_kinds(row for row in rows if architecture_of(row.model) != architecture)
        for model, own in by_model.items():
            if architecture_of(model) == architecture:
                true = sum(row.instructions for row in own)
                errors[model] = predict(own, kinds) / true - 1
    return errors


def group_of(kind: str, index: int) -> str:
    """What shares one ratio between two cores: an inner loop, all around it, or the ops without any."""
    if kind not in INNER:
        return "vector" if kind in ("add", "mul", "max_pool", "average_pool") else "scalar"
    group, inner = INNER[kind]
    return f"{group} inner" if index in inner else f"{group} around"


def group_totals(rows: list[Row], kinds: dict[str, dict[str, object]]) -> dict[str, dict[str, float]]:
    """Predicted instructions per model and group of counts."""
    totals: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        kind, counts = count_features(row.op)
        cost = kinds[kind if kind in kinds else "other"]["coefficients"]
        if kind not in kinds:
            counts = count_other(row.op)
        for index, (coefficient, count) in enumerate(zip(cost, counts, strict=True)):  # type: ignore[call-overload]
            totals[row.model][group_of(kind, index)] += coefficient * count
    return totals


def fit_ratios(
    totals: dict[str, dict[str, float]], counted: dict[str, float]
) -> tuple[dict[str, float], dict[str, float]]:
    """Ratio of each group to the Cortex-M4, from model totals, and held-out errors by model."""
    groups = sorted({group for by_group in totals.values() for group in by_group})
    models = sorted(set(totals) & set(counted))
    features = np.array([[totals[m].get(g, 0.0) for g in groups] for m in models])
    target = np.array([counted[m] for m in models])
    errors: dict[str, float] = {}
    for architecture in sorted({architecture_of(m) for m in models}):
        held = np.array([architecture_of(m) == architecture for m in models])
        x = solve_nonnegative(features[~held], target[~held])
        errors |= {m: float(features[i] @ x / target[i] - 1) for i, m in enumerate(models) if held[i]}
    x = solve_nonnegative(features, target)
    return dict(zip(groups, (float(v) for v in x), strict=True)), errors


def scale_kinds(
    kinds: dict[str, dict[str, object]], ratios: dict[str, float]
) -> dict[str, dict[str, object]]:
    """The Cortex-M4's laws times a core's ratios."""
    scaled = {}
    for kind, cost in kinds.items():
        old: list[float] = cost["coefficients"]  # type: ignore[assignment]
        # A group that is in none of the models keeps the Cortex-M4's cost.
        new = [c * ratios.get(group_of(kind, i), 1.0) for i, c in enumerate(old)]
        scaled[kind] = cost | {"coefficients": [float(f"{c:.6g}") for c in new]}
    return scaled


def score(errors: Iterable[float]) -> tuple[float, float]:
    """Median and P90 of the absolute errors."""
    sizes = np.abs(list(errors))
    return float(np.median(sizes)), float(np.quantile(sizes, 0.9))


def build_tables(data: Path) -> dict[str, dict[str, object]]:
    """Every core's table, as it is written to JSON."""
    tables: dict[str, dict[str, object]] = {}
    rows_of, kinds_of = {}, {}
    for core in ("cortex-m7", "cortex-m4"):
        rows_of[core] = read_rows(data / "tflm_cmsis_nn_op_instructions.csv", core)
        kinds_of[core] = fit_kinds(rows_of[core])
        median, p90 = score(hold_out(rows_of[core]).values())
        tables[core] = {"median_error": median, "p90_error": p90, "source": COUNTED, "kinds": kinds_of[core]}
    lines = list(
        csv.DictReader(
            (data / "tflm_model_instructions_by_build.csv").read_text(encoding="utf-8").splitlines()
        )
    )
    totals = group_totals(rows_of["cortex-m4"], kinds_of["cortex-m4"])
    for core, column in (("cortex-m0plus", "m0p_cmsis"), ("cortex-m55", "m55_cmsis")):
        found = {line["model_file"]: line[f"instructions_{column}"] for line in lines}
        counted = {model: float(text) for model, text in found.items() if text}
        ratios, errors = fit_ratios(totals, counted)
        median, p90 = score(errors.values())
        source = f"the Cortex-M4's laws times ratios fitted to the totals of {len(errors)} models, {COUNTED}"
        kinds = scale_kinds(kinds_of["cortex-m4"], ratios)
        tables[core] = {"median_error": median, "p90_error": p90, "source": source, "kinds": kinds}
    # A Cortex-M33 runs the same DSP kernels from the same instruction set as a Cortex-M4.
    m4 = tables["cortex-m4"]
    tables["cortex-m33"] = m4 | {
        "p90_error": 2 * float(m4["p90_error"]),  # type: ignore[arg-type]
        "source": f"the Cortex-M4's laws (same kernels; interval doubled), {COUNTED}",
    }
    return {core: {"core": core} | table for core, table in tables.items()}


def main() -> None:
    """Fit, print the errors, and write the tables if asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    for core, table in build_tables(arguments.data).items():
        print(f"{core:15} held-out median {table['median_error']:.2%}  P90 {table['p90_error']:.2%}")
        if arguments.write:
            TABLES.mkdir(exist_ok=True)
            text = json.dumps(table, indent=1)
            text = re.sub(r"\[\s+([^\]]*?)\s+\]", lambda m: "[" + re.sub(r"\s+", " ", m[1]) + "]", text)
            (TABLES / f"instructions_{core}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
