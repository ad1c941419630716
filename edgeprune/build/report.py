"""What a build found out, and the report that says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from edgeprune import __version__
from edgeprune.build.artefact import Artefact
from edgeprune.build.firmware import Firmware
from edgeprune.build.inputs import Inputs
from edgeprune.config.budgets import BUDGETS
from edgeprune.device.check import Budgets, verdict
from edgeprune.device.figures import Check
from edgeprune.device.layer_costs import describe_layers
from edgeprune.device.profile import Profile
from edgeprune.graph.branches import unfolded_name
from edgeprune.graph.channels import name_channels
from edgeprune.graph.kept_layers import keep_layers, list_frozen
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.methods.loop import Shrunk
from edgeprune.quantization.ladder import Climbed
from edgeprune.report.schema import Report, SparsityPart
from edgeprune.runtimes.agreement import Comparison

_REPORTED_PACKAGES = (
    "tensorflow",
    "keras",
    "tensorflow-model-optimization",
    "tflite-micro",
    "ethos-u-vela",
    "numpy",
)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outcome:
    """Everything a build knows when it is done.

    Attributes:
        inputs: what it started from.
        profile, budgets: what it was for.
        dense, pruned: the artefacts before and after; the same one where nothing was pruned.
        shrunk: how the loop went.
        checks: the pruned artefact's figures against what is allowed.
        comparison: of the artefact in several runtimes; None where there was none.
        climbed: the ladder of quantization; None for other schemes than int8.
        shortage: what it costs that there are few representative samples; "" where there are enough.
        means: why channels, zeros or both were chosen, as a sentence; "" where there was no question.
        settings: what was chosen.
        seed: of everything random.
        firmware: the project and images of the C engine; None for other runtimes.
    """

    inputs: Inputs
    profile: Profile
    budgets: Budgets
    dense: Artefact
    pruned: Artefact
    shrunk: Shrunk
    checks: tuple[Check, ...]
    comparison: Comparison | None
    climbed: Climbed | None
    shortage: str
    means: str
    settings: Mapping[str, Any]
    seed: int
    firmware: Firmware | None = None


def compose_report(outcome: Outcome) -> Report:
    """The report: nothing in it depends on the clock or on where the build ran."""
    inputs, profile = outcome.inputs, outcome.profile
    ok = all(check.ok for check in outcome.checks)
    sentence = verdict(outcome.checks, profile.id)
    if outcome.pruned is outcome.dense:
        sentence = f"{sentence.removesuffix('.')}; the dense model was not pruned."
    return Report(
        model={"name": inputs.model.name, "source": inputs.source, "sha256": inputs.sha256},
        device={
            "id": profile.id,
            "name": profile.name,
            "core": profile.core,
            "clock_mhz": profile.clock_mhz,
            "runtime": profile.runtime.name,
            "kernel_library": profile.runtime.kernels,
        },
        data={
            "source": inputs.data.source,
            "notes": list(inputs.notes),
            "ranges": [
                {"input": r.name, "min": r.minimum, "max": r.maximum, "dtype": r.dtype}
                for r in inputs.data.ranges
            ],
            "counts": {
                "train": len(inputs.data.x_train[0]),
                "val": len(inputs.data.x_val[0]),
                "test": len(inputs.data.x_test[0]),
            },
        },
        task={
            "loss": inputs.task.loss_name,
            "metric": inputs.task.metric,
            "higher_is_better": inputs.task.higher_is_better,
            "origin": inputs.task.origin,
        },
        settings=dict(outcome.settings),
        budgets=tuple(_list_budgets(outcome.budgets)),
        verdict=ok,
        sentence=sentence,
        checks=tuple(check.to_json() for check in outcome.checks),
        dense=_numbers(outcome.dense),
        pruned=_numbers(outcome.pruned),
        provenance={
            name: {figure: found.to_json() for figure, found in artefact.figures.items()}
            for name, artefact in (("dense", outcome.dense), ("pruned", outcome.pruned))
        },
        steps=tuple(outcome.shrunk.steps),  # type: ignore[arg-type]
        layers=tuple(compare_layers(outcome.dense.graph, outcome.pruned.graph, profile)),  # type: ignore[arg-type]
        frozen=tuple(_list_kept(outcome)),  # type: ignore[arg-type]
        equivalence=tuple(outcome.shrunk.equivalence),  # type: ignore[arg-type]
        sparsity=_describe_sparsity(outcome),
        quantization={
            "scheme": outcome.settings["scheme"],
            "io_type": outcome.settings["io_type"],
            "samples": inputs.calibration.samples,
            "seed": inputs.calibration.seed,
            "selection": inputs.calibration.selection,
            "warning": outcome.shortage,
            "ladder": None if outcome.climbed is None else outcome.climbed.to_json(),
        },
        agreement=_describe_agreement(outcome),
        engine=None if outcome.firmware is None else outcome.firmware.facts,  # type: ignore[arg-type]
        ops=tuple(
            {"op": op, "count": count}
            for op, count in sorted(Counter(op.op for op in outcome.pruned.measured.ops).items())
        ),
        seed=outcome.seed,
        versions={"edgeprune": __version__, **_installed_versions()},
    )


def _describe_sparsity(outcome: Outcome) -> SparsityPart | None:
    pruned = outcome.pruned
    if not (outcome.means or pruned.arrived):
        return None
    return {
        "why": outcome.means,
        "kernels": [{**asdict(item), "tensors": list(item.tensors)} for item in pruned.arrived],
        "stored": pruned.compressed.describe() if pruned.compressed else [],
    }


def compare_layers(dense: LayerGraph, pruned: LayerGraph, profile: Profile) -> list[dict[str, Any]]:
    """Channels, weights and cost of each layer before and after; layers without any are left out."""
    before, after = describe_layers(dense, profile), describe_layers(pruned, profile)
    rows = []
    for name, old in before.items():
        if not (old["params"] or old["macs"] or old["instructions"]):
            continue
        new = after.get(name) or after.get(unfolded_name(name)) or {}
        row = {"name": name, "kind": old["kind"]}
        for key in ("channels", "macs", "params", "instructions"):
            gone = 0 if old[key] is not None else None
            row |= {f"{key}_before": old[key], f"{key}_after": new.get(key, gone)}
        rows.append(row)
    return rows


def _list_kept(outcome: Outcome) -> list[dict[str, Any]]:
    graph = outcome.dense.graph
    return list_frozen(graph, keep_layers(name_channels(graph), outcome.settings.get("keep", ())))


def _numbers(artefact: Artefact) -> dict[str, float | None]:
    numbers: dict[str, float | None] = {
        name: _plain(figure.value) for name, figure in artefact.figures.items()
    }
    return {**numbers, "float_accuracy": artefact.float_accuracy}


def _plain(value: float | None) -> float | None:
    """Counts as integers, so that they read as counts."""
    return int(value) if value is not None and float(value).is_integer() and abs(value) > 1 else value


def _list_budgets(budgets: Budgets) -> list[Any]:
    limits = ((kind, budgets.of(kind)) for kind in BUDGETS.values())
    return [
        {"name": kind.name, "value": limit.value, "unit": kind.unit, "origin": limit.origin}
        for kind, limit in limits
        if limit.value is not None
    ]


def _describe_agreement(outcome: Outcome) -> Any:
    comparison = outcome.comparison
    if comparison is None:
        return None
    ran = [row.agreement for row in comparison.rows if row.agreement]
    return {
        "reference": comparison.reference,
        "samples": ran[0].samples if ran else 0,
        "elements": ran[0].elements if ran else 0,
        "note": "" if outcome.profile.npu is None else "The file before Vela: its result needs the NPU.",
        "runtimes": [row.to_json() for row in comparison.rows],
    }


def _installed_versions() -> dict[str, str]:
    found = {}
    for package in _REPORTED_PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
