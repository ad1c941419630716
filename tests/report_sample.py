"""A report as a build of ResNet-8 writes it, to test and to look at; the numbers are made up."""

from typing import Any, cast

from edgeprune.device.figures import Check, Figure
from edgeprune.report.png import as_text, encode_png
from edgeprune.report.schema import Report
from edgeprune.report.sections.answers import AnswersPart
from edgeprune.report.sections.deployment import DeploymentPart
from edgeprune.report.sections.engine import EnginePart
from edgeprune.report.sections.layers import LayerPart
from edgeprune.report.sections.memory import MemoryPart
from edgeprune.report.sections.plans import PlanPart
from edgeprune.report.sections.samples import SamplePart
from edgeprune.report.sections.steps import StepPart

_CHANNELS = ((16, 12), (16, 8), (16, 12), (32, 16), (32, 24), (32, 24), (64, 24), (64, 40), (64, 40))
_NAMES = ("conv2d", *(f"conv2d_{i}" for i in range(1, 9)))
_MILLIONS = (1.75, 6.19, 6.19, 3.02, 5.83, 0.41, 2.51, 4.78, 0.33)
_KEPT = (0.76, 0.39, 0.42, 0.44, 0.43, 0.58, 0.31, 0.27, 0.44)


ENGINE: EnginePart = {
    "board": "mps2-an500",
    "arena_bytes": 4096,
    "steps": ["model_conv_2d_0", "model_add_1"],
    "blocks": [
        {"name": "tensor 1", "offset": 0, "bytes": 2048, "first": 0, "last": 1},
        {"name": "scratch of model_add_1", "offset": 2048, "bytes": 2048, "first": 1, "last": 1},
    ],
    "sizes": {"flash": 9000, "code": 3000, "weights": 6000, "ram": 5000, "golden": 700},
    "layers": [
        {
            "op": 0,
            "name": "CONV_2D",
            "function": "model_conv_2d_0",
            "instructions": 3000,
            "weight_bytes": 6000,
        },
        {"op": 1, "name": "ADD", "function": "model_add_1", "instructions": 1000, "weight_bytes": 0},
    ],
}


MEMORY: MemoryPart = {
    "planner": "TFLM's greedy planner",
    "total_bytes": 8192,
    "steps": ["inputs", "CONV_2D 0", "ADD 1"],
    "blocks": [
        {"name": "tensor 0", "offset": 4096, "bytes": 3072, "first": 0, "last": 1},
        {"name": "tensor 1", "offset": 0, "bytes": 4096, "first": 1, "last": 2},
    ],
}
ANSWERS: AnswersPart = {
    "kind": "classes",
    "against": "labels",
    "samples": 30,
    "labels": ["aeroplane", "car", "ship"],
    "counts": [[9, 0, 1], [0, 10, 0], [3, 0, 7]],
    "confused": [
        {"label": "ship", "answer": "aeroplane", "count": 3},
        {"label": "aeroplane", "answer": "ship", "count": 1},
    ],
    "low": None,
    "high": None,
}
VALUES: AnswersPart = {
    "kind": "values",
    "against": "labels",
    "samples": 10,
    "labels": [],
    "counts": [[4, 0], [1, 5]],
    "confused": [],
    "low": -1.0,
    "high": 1.0,
}
DEPLOYMENT: DeploymentPart = {
    "steps": [
        {"say": "Write a project.", "command": "edgeprune firmware . --project cmake --output ../firmware"},
        {"say": "Build it.", "command": ""},
        {"say": "Flash it.", "command": "edgeprune flash ../firmware --device cortex-m7"},
    ],
    "note": "needs its CMSIS pack",
}
_PICTURE = as_text(encode_png(bytes(range(0, 256, 4)), width=8, height=8, channels=1))
SAMPLES: tuple[SamplePart, ...] = tuple(
    {"image": _PICTURE, "label": "ship", "answer": answer, "share": share, "original": "ship"}
    for answer, share in (("ship", 0.98), ("aeroplane", 0.51), ("ship", None))
)


def make_report(**changes: Any) -> Report:
    parts: dict[str, Any] = {
        "model": {"name": "pretrainedResnet", "source": "models/pretrainedResnet.h5", "sha256": "ab" * 32},
        "device": {
            "id": "cortex-m7",
            "name": "Cortex-M7 (generic)",
            "core": "Cortex-M7",
            "clock_mhz": 480.0,
            "runtime": "TFLM",
            "kernel_library": "CMSIS-NN",
        },
        "data": {
            "source": "cifar10_20k.npz",
            "notes": ["2000 training samples were held out for validation, by class"],
            "ranges": [{"input": "input_1", "min": 0.0, "max": 255.0, "dtype": "uint8"}],
            "counts": {"train": 18000, "val": 2000, "test": 5000},
        },
        "task": {
            "loss": "sparse_categorical_crossentropy",
            "metric": "accuracy",
            "higher_is_better": True,
            "origin": "from the compiled model, whose one-hot loss was replaced: the labels are integers",
        },
        "settings": {
            "criterion": "taylor",
            "scope": "global",
            "schedule": "polynomial_decay",
            "scheme": "int8",
            "epochs": 16,
            "max_drop": 0.02,
            "round_to": 4,
            "augmentation": ["flip", "crop"],
        },
        "budgets": (
            {"name": "flash", "value": 262144.0, "unit": "bytes", "origin": "profile cortex-m7"},
            {"name": "ram", "value": 131072.0, "unit": "bytes", "origin": "profile cortex-m7"},
            {"name": "latency", "value": 62.5, "unit": "ms", "origin": "--latency-ms"},
        ),
        "verdict": True,
        "sentence": "fits cortex-m7: latency is tightest with 0.4 ms to spare; latency is estimated.",
        "checks": tuple(check.to_json() for check in make_checks()),
        "dense": _figures(78666, 12501632, 98496, 196340, 55092, 62404, 29.94e6, 124.1, 0.8272, 0.8294),
        "pruned": _figures(33214, 5893120, 50672, 148516, 41220, 48532, 14.97e6, 62.1, 0.8121, 0.8140),
        "provenance": {
            name: {
                figure: {"source": source, "evidence": evidence, "low": None, "high": None}
                for figure, (source, evidence) in _PROVENANCE.items()
            }
            for name in ("dense", "pruned")
        },
        "plans": make_plans(),
        "steps": make_steps(),
        "layers": make_layers(),
        "frozen": (
            {"layer": "dense", "channels": 10, "reason": "these are the model's outputs"},
            {"layer": "input_1", "channels": 3, "reason": "these are the model's inputs"},
        ),
        "equivalence": tuple(
            {"step": i, "error": 3.1e-7 * i, "samples": 8, "tolerance": 1e-4} for i in range(1, 7)
        ),
        "quantization": {
            "scheme": "int8",
            "io_type": "int8",
            "samples": 200,
            "seed": 0,
            "selection": "from the training data, by class",
            "warning": "",
            "notes": [],
            "ladder": {
                "scheme": "int8",
                "float_metric": 0.9,
                "rungs": [
                    {"name": "int8", "detail": "200 samples", "metric": 0.85, "drop": 0.05, "kept": True},
                    {
                        "name": "bias correction",
                        "detail": "32 samples",
                        "metric": 0.89,
                        "drop": 0.01,
                        "kept": True,
                    },
                ],
                "tensors": [
                    {
                        "tensor": 3,
                        "name": "a/b;c",
                        "op": "CONV_2D",
                        "layer": "conv2d",
                        "sqnr_db": 12.5,
                        "saturated": 0.02,
                        "range_used": 0.4,
                        "scale": 0.1,
                        "low": -12.8,
                        "high": 12.7,
                    }
                ],
            },
        },
        "sparsity": {
            "why": "Zeros: after 2 epochs on trial, 0.8 zeros had lost 0.0100 and channels alone 0.0300.",
            "kernels": [
                {"kernel": "conv/kernel", "tensors": ["tensor 3"], "weights": 100, "masked": 80, "zeros": 80}
            ],
            "stored": ["1 of 2 constants are stored encoded."],
        },
        "engine": None,
        "answers": ANSWERS,
        "samples": SAMPLES,
        "memory": MEMORY,
        "deployment": DEPLOYMENT,
        "agreement": {
            "reference": "LiteRT (tflite-runtime 2.14.0)",
            "samples": 200,
            "elements": 2000,
            "note": "",
            "runtimes": [
                {
                    "kind": "tflm",
                    "runtime": "TFLM",
                    "max_difference_steps": 1,
                    "max_difference": 1 / 256,
                    "max_difference_fraction": 1 / 256,
                    "differing_elements": 37,
                    "elements": 2000,
                    "changed_top1": 0,
                    "samples": 200,
                    "unavailable": "",
                }
            ],
        },
        "ops": (
            {"op": "CONV_2D", "count": 9},
            {"op": "ADD", "count": 3},
            {"op": "AVERAGE_POOL_2D", "count": 1},
            {"op": "FULLY_CONNECTED", "count": 1},
        ),
        "seed": 0,
        "versions": {"python": "3.11.2", "tensorflow": "2.21.0", "keras": "3.15.1"},
    }
    return Report(**{**parts, **changes})


def make_checks() -> tuple[Check, ...]:
    flash = Figure(
        value=148516.0,
        unit="bytes",
        source="estimated",
        evidence="50,672 bytes of model and linked sizes of its 4 kinds of op",
    )
    ram = Figure(
        value=48532.0, unit="bytes", source="simulated", evidence="TFLM's allocator, 32-bit pointers"
    )
    latency = Figure(
        value=62.1,
        unit="ms",
        source="estimated",
        evidence="14.97 M instructions × 1.99 cycles at 480 MHz",
        low=55.9,
        high=68.3,
    )
    accuracy = Figure(value=0.8121, unit="", source="simulated", evidence="LiteRT on 5000 test samples")
    ops = Figure(value=0.0, unit="unsupported ops", source="simulated", evidence="tflm's op table")
    return (
        Check(name="flash", figure=flash, budget=262144.0),
        Check(name="ram", figure=ram, budget=131072.0),
        Check(name="latency", figure=latency, budget=62.5),
        Check(
            name="accuracy",
            figure=accuracy,
            budget=0.8072,
            at_least=True,
            note="dense 0.8272, --max-drop 0.02",
        ),
        Check(name="ops", figure=ops, budget=0.0),
    )


def make_plans() -> tuple[PlanPart, ...]:
    """Three that were trained on trial, and one that cannot be."""
    return (
        _plan("channels alone", macs=6_241_152, untrained=0.569, steps=90, trained=0.415, foreseen=0.212),
        _plan("without block_3", note="no pruned model meets the budgets"),
        _plan(
            "without block_1",
            macs=5_893_120,
            untrained=3.86,
            steps=90,
            trained=0.588,
            foreseen=0.0926,
            taken=True,
        ),
        _plan(
            "without block_1, more even",
            macs=5_903_296,
            untrained=0.614,
            steps=30,
            trained=0.539,
            foreseen=0.101,
        ),
    )


def _plan(name: str, **known: Any) -> PlanPart:
    part: dict[str, Any] = {
        "name": name,
        "macs": None,
        "untrained": None,
        "steps": 0,
        "trained": None,
        "foreseen": None,
        "taken": name == "without block_1",
        "note": "",
    }
    return cast(PlanPart, part | known)


def make_steps() -> tuple[StepPart, ...]:
    rows: list[tuple[str, float, float, float]] = [("dense", 0, 0.829, 124.1)]
    pruning = ((0.817, 106.0), (0.811, 92.4), (0.802, 81.0), (0.793, 72.7), (0.788, 66.4), (0.771, 62.1))
    rows += [("prune", 0.8 * (i + 1), value, cost) for i, (value, cost) in enumerate(pruning)]
    rows.insert(5, ("rollback", 4.0, 0.52, 64.0))
    recovering = (0.792, 0.797, 0.803, 0.801, 0.808, 0.812, 0.815, 0.814, 0.816)
    rows += [("recover", 4.8 + 1.2 * (i + 1), value, 62.1) for i, value in enumerate(recovering)]
    rows.append(("final", 16, 0.817, 62.1))
    return tuple(
        {
            "step": i,
            "kind": kind,  # type: ignore[typeddict-item]
            "epochs": round(epochs, 2),
            "accuracy": value,
            "cost": {"flash": 148516.0, "ram": 48532.0, "latency": cost},
            "params": 78666,
            "macs": 12501632,
            "note": "accuracy collapsed; going to 0.81 of the way first" if kind == "rollback" else "",
        }
        for i, (kind, epochs, value, cost) in enumerate(rows)
    )


def make_layers() -> tuple[LayerPart, ...]:
    return tuple(
        {
            "name": name,
            "kind": "Conv2D",
            "channels_before": before,
            "channels_after": after,
            "macs_before": round(millions * 4e5),
            "macs_after": round(millions * 4e5 * kept),
            "params_before": 9 * before * 16,
            "params_after": 9 * after * 16,
            "instructions_before": millions * 1e6,
            "instructions_after": millions * 1e6 * kept,
        }
        for name, (before, after), millions, kept in zip(_NAMES, _CHANNELS, _MILLIONS, _KEPT, strict=True)
    )


_PROVENANCE = {
    "params": ("simulated", "counted"),
    "macs": ("simulated", "counted"),
    "tflite_bytes": ("simulated", "size of the file"),
    "flash_bytes": ("estimated", "file and linked sizes of its ops"),
    "arena_bytes": ("simulated", "TFLM's allocator, corrected to 32-bit pointers"),
    "ram_bytes": ("estimated", "arena, 4.2 KiB of runtime data, 3 KiB of stack"),
    "instructions": ("estimated", "per op, fitted on runs in qemu; leave-one-model-out error 2.5 %"),
    "latency_ms": ("estimated", "instructions × 1.99 cycles at 480 MHz"),
    "accuracy": ("simulated", "LiteRT on 5000 test samples"),
}


def _figures(*values: float) -> dict[str, float]:
    names = (*_PROVENANCE, "float_accuracy")
    return dict(zip(names, values, strict=True))
