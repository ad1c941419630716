"""The end of the road: the report of a build, and the directory that holds its artefacts."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from edgeprune import __version__
from edgeprune.annotation import describe_origin, hash_origin
from edgeprune.artefact import Artefact
from edgeprune.device.arena import planning_bytes, read_arena_inputs
from edgeprune.device.check import KEYS, Budgets
from edgeprune.device.estimate import arena_kernels
from edgeprune.device.instructions import instructions_of, load_instruction_table
from edgeprune.device.latency import total_cycles
from edgeprune.device.profile import Profile
from edgeprune.errors import ToolMissingError
from edgeprune.figures import Check
from edgeprune.firmware.golden import FILE_NAME as GOLDEN_FILE
from edgeprune.firmware.golden import Golden, save_golden
from edgeprune.firmware.rendering import write_files
from edgeprune.firmware.tflm import reserve_arena, write_tflm_package
from edgeprune.firmware_step import GOLDEN_SAMPLES, Firmware
from edgeprune.golden_samples import record_golden
from edgeprune.graph.branches import unfolded_name
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.keeping import keep_layers
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.lower import Lowering
from edgeprune.graph.opshape import OpShape
from edgeprune.inputs import Inputs
from edgeprune.ladder import Climbed
from edgeprune.measure import verdict
from edgeprune.report import Report, SparsityPart
from edgeprune.report_html import render_html
from edgeprune.runtimes.agreement import Comparison
from edgeprune.runtimes.samples import as_real
from edgeprune.shrink import Shrunk
from edgeprune.tflite.read import read_model
from edgeprune.workdir import whole_directory

_REPORTED_PACKAGES = (
    "tensorflow",
    "keras",
    "tensorflow-model-optimization",
    "tflite-micro",
    "tflite-runtime",
    "ai-edge-litert",
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
        engine=outcome.firmware and outcome.firmware.facts,  # type: ignore[arg-type]
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


def describe_layers(graph: LayerGraph, profile: Profile) -> dict[str, dict[str, Any]]:
    """For each layer: kind, output shape, channels, weights, MACs and, where there is a table, cost."""
    channels = name_channels(graph)
    lowering = Lowering(graph, channels)
    # The tables hold what TFLM's kernels take; the C engine's are counted op by op, in the report's `engine`.
    counted = profile.latency.by == "instructions" and profile.runtime.name != "c"
    table = load_instruction_table(profile.latency.table) if counted else None
    rows: dict[str, dict[str, Any]] = {}
    for index, node in enumerate(graph.nodes):
        layer, shape = graph.layers[node.layer], graph.shapes[node.outputs[0]]
        ops = lowering.lower_node(index, channels.everything)
        row = rows.setdefault(
            node.layer,
            {
                "kind": layer.kind,
                "output_shape": list(shape),
                "channels": shape[-1] if shape else 1,
                "params": sum(int(w.size) for w in layer.weights.values()),
                "macs": 0,
                "instructions": 0.0 if table else None,
                "latency_ms": 0.0 if table else None,
            },
        )
        row["macs"] += sum(op.macs for op in ops)
        if table:
            row["instructions"] += sum(_rounded(op, table) for op in ops)
            row["latency_ms"] += total_cycles(ops, profile.latency, table) / (profile.clock_mhz * 1e3)
    return rows


def _list_kept(outcome: Outcome) -> list[dict[str, Any]]:
    graph = outcome.dense.graph
    return list_frozen(graph, keep_layers(name_channels(graph), outcome.settings.get("keep", ())))


def list_frozen(graph: LayerGraph, channels: ChannelMap) -> list[dict[str, Any]]:
    """Channels that stay, by the layer that makes them, with the reason."""
    counted: Counter[tuple[str, str]] = Counter()
    for group in np.flatnonzero(~channels.prunable).tolist():
        family = channels.family_names[channels.family[group]]
        counted[family, channels.frozen[group]] += 1
    return [
        {"layer": layer, "channels": count, "reason": reason}
        for (layer, reason), count in counted.items()
        if layer in graph.layers
    ]


def write_output(path: Path, outcome: Outcome, *, report: Report, force: bool) -> None:
    """Writes the whole directory, or nothing.

    Raises:
        OutputError: it exists and `force` is not set, or it cannot be written.
    """
    from edgeprune.keras_bridge.save import save_model

    pruned = outcome.pruned
    document = report.to_json()
    with whole_directory(path, force=force) as folder:
        (folder / "model.tflite").write_bytes(pruned.tflite)
        save_model(pruned.model, folder / "model.keras")
        (folder / "report.json").write_text(json.dumps(document, indent=2) + "\n")
        (folder / "report.html").write_text(render_html(document))
        if pruned.flashed is not pruned.tflite:
            (folder / "model_encoded.tflite").write_bytes(pruned.flashed)
        compiled = pruned.measured.compiled
        if compiled is not None:
            (folder / "model_vela.tflite").write_bytes(compiled.tflite)
        if outcome.profile.runtime.name == "tflm":
            arena = int(pruned.figures["arena_bytes"].value or 0)
            flashed = compiled.model if compiled else read_model(pruned.flashed, where="model.tflite")
            planning = planning_bytes(read_arena_inputs(flashed), arena_kernels(outcome.profile))
            write_tflm_package(
                folder / "tflm",
                tflite=compiled.tflite if compiled else pruned.flashed,
                model=flashed,
                arena_bytes=arena,
                arena_evidence=pruned.figures["arena_bytes"].evidence,
                arena_size_bytes=reserve_arena(arena, planning_bytes=planning),
                provenance={"Device": outcome.profile.id, "Pruned from": outcome.inputs.source}
                | ({"Compiled by": compiled.describe} if compiled else {}),
            )
            if compiled is None:  # what Vela compiled runs on the NPU alone
                with suppress(ToolMissingError):  # the report's agreement says why there are none
                    save_golden(folder / GOLDEN_FILE, _record_golden(outcome))
        if outcome.firmware is not None and outcome.firmware.golden is not None:
            write_files(folder / "firmware", outcome.firmware.files)
            save_golden(folder / GOLDEN_FILE, outcome.firmware.golden)
        (folder / "manifest.json").write_text(json.dumps(_manifest(folder, outcome), indent=2) + "\n")


def _record_golden(outcome: Outcome) -> Golden:
    """Test samples with the artefact's outputs, for firmware to check itself with."""
    return record_golden(
        outcome.pruned.flashed,
        as_real(outcome.pruned.flashed, outcome.inputs.test.inputs),
        samples=GOLDEN_SAMPLES,
        origin="Test samples of the build",
        labels=outcome.inputs.data.class_names or (),
    )


def _manifest(folder: Path, outcome: Outcome) -> dict[str, Any]:
    files = [
        {
            "path": file.relative_to(folder).as_posix(),
            "bytes": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    ]
    origin = describe_origin(
        device=outcome.profile.id,
        model_sha256=outcome.inputs.sha256,
        seed=outcome.seed,
        settings=outcome.settings,
    )
    return {"schema": 1, **origin, "sha256": hash_origin(origin), "files": files}


def _numbers(artefact: Artefact) -> dict[str, float | None]:
    numbers: dict[str, float | None] = {
        name: _plain(figure.value) for name, figure in artefact.figures.items()
    }
    return {**numbers, "float_accuracy": artefact.float_accuracy}


def _plain(value: float | None) -> float | None:
    """Counts as integers, so that they read as counts."""
    return int(value) if value is not None and float(value).is_integer() and abs(value) > 1 else value


def _list_budgets(budgets: Budgets) -> list[Any]:
    rows = []
    for key, (figure, _) in KEYS.items():
        budget = getattr(budgets, figure)
        if budget.value is not None:
            unit = "ms" if figure.endswith("_ms") else "bytes"
            rows.append(
                {"name": key.split("_")[0], "value": budget.value, "unit": unit, "origin": budget.origin}
            )
    return rows


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


def _rounded(op: OpShape, table: Any) -> float:
    return float(round(instructions_of(op, table)))
