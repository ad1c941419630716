"""What a build found out, and the report that says it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from edgeprune.build.artefact import Artefact
from edgeprune.build.inputs import Inputs
from edgeprune.build.machine import installed_versions
from edgeprune.build.request import BuildRequest
from edgeprune.config.budgets import BUDGETS
from edgeprune.device.check import Budgets, verdict
from edgeprune.device.figures import Check
from edgeprune.device.profile import Profile
from edgeprune.errors import InfeasibleError
from edgeprune.graph.branches import unfolded_name
from edgeprune.graph.channels import name_channels
from edgeprune.graph.kept_layers import keep_layers, list_frozen
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.measuring.backend import backend_of
from edgeprune.measuring.records import Finished
from edgeprune.methods.method import Applied
from edgeprune.quantization.ladder import Ladder
from edgeprune.report.schema import Report
from edgeprune.report.sections.agreement import AgreementPart, RuntimePart
from edgeprune.report.sections.deployment import DeploymentPart
from edgeprune.report.sections.engine import EnginePart
from edgeprune.report.sections.frozen import FrozenPart
from edgeprune.report.sections.head import DevicePart
from edgeprune.report.sections.layers import LayerPart
from edgeprune.report.sections.minimized import TrialPart
from edgeprune.report.sections.origin import DataPart, MetricPart, OpPart, TaskPart
from edgeprune.report.sections.quantization import QuantizationPart
from edgeprune.report.sections.samples import SamplePart
from edgeprune.report.sections.sparsity import SparsityPart
from edgeprune.runtimes.agreement import Comparison
from edgeprune.version import __version__


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Outcome:
    """Everything a build knows when it is done.

    Attributes:
        request: what was asked.
        inputs: what it started from.
        profile, budgets: what it was for.
        dense, pruned: the artefacts before and after.
        is_pruned: whether anything was taken from the model, or done to its weights.
        applied: how the methods went.
        checks: the pruned artefact's figures against what is allowed.
        comparison: of the artefact in several runtimes; None where there was none.
        ladder: the ladder of quantization; None for other schemes than int8.
        shortage: what it costs that there are few representative samples; "" where there are enough.
        why: why these methods were chosen, as a sentence; "" where there was no question.
        refusal: why no plan holds, where none does: the artefact is then what came nearest, not trained.
        settings: what was chosen.
        seed: of everything random.
        finished: what was built from the artefact for its runtime.
        trials: of the search for the least of a budget, if one was asked for.
        samples: golden samples as pictures, where inputs are images.
    """

    request: BuildRequest
    inputs: Inputs
    profile: Profile
    budgets: Budgets
    dense: Artefact
    pruned: Artefact
    is_pruned: bool
    applied: Applied
    checks: tuple[Check, ...]
    comparison: Comparison | None
    ladder: Ladder | None
    shortage: str
    why: str
    refusal: InfeasibleError | None
    settings: Mapping[str, Any]
    seed: int
    finished: Finished
    trials: tuple[TrialPart, ...] = ()
    samples: tuple[SamplePart, ...] = ()


def compose_report(outcome: Outcome) -> Report:
    """The report: nothing in it depends on the clock or on where the build ran."""
    inputs = outcome.inputs
    artefacts = {"dense": outcome.dense, "pruned": outcome.pruned}
    return Report(
        model={"name": inputs.model.name, "source": inputs.source, "sha256": inputs.sha256},
        device=_describe_device(outcome.profile),
        data=_describe_data(inputs),
        task=_describe_task(outcome),
        settings=dict(outcome.settings),
        budgets=tuple(_list_budgets(outcome.budgets)),
        verdict=all(check.ok for check in outcome.checks),
        sentence=_say_verdict(outcome),
        checks=tuple(check.to_json() for check in outcome.checks),
        dense=_numbers(outcome.dense),
        pruned=_numbers(outcome.pruned),
        provenance={
            name: {figure: found.to_json() for figure, found in artefact.figures.items()}
            for name, artefact in artefacts.items()
        },
        steps=tuple(outcome.applied.steps),
        layers=tuple(compare_layers(outcome.dense.graph, outcome.pruned.graph, outcome.profile)),
        frozen=tuple(_list_kept(outcome)),
        equivalence=tuple(outcome.applied.equivalence),
        plans=outcome.applied.plans,
        trials=outcome.trials,
        sparsity=_describe_sparsity(outcome),
        quantization=_describe_quantization(outcome),
        agreement=_describe_agreement(outcome),
        engine=cast("EnginePart | None", outcome.finished.facts),
        ops=_count_ops(outcome.pruned),
        seed=outcome.seed,
        versions={"edgeprune": __version__, **installed_versions()},
        answers=outcome.pruned.answers,
        samples=outcome.samples,
        memory=backend_of(outcome.profile).plan_memory(outcome.pruned.measured),
        deployment=_describe_deployment(outcome.profile),
    )


def _describe_device(profile: Profile) -> DevicePart:
    return {
        "id": profile.id,
        "name": profile.name,
        "core": profile.core,
        "clock_mhz": profile.clock_mhz,
        "runtime": profile.runtime.name,
        "kernel_library": profile.runtime.kernels,
    }


def _describe_deployment(profile: Profile) -> DeploymentPart:
    return {
        "steps": list(backend_of(profile).list_deployment()),
        "note": profile.flashing.note if profile.flashing else "",
    }


def _describe_data(inputs: Inputs) -> DataPart:
    data = inputs.data
    return {
        "source": data.source,
        "notes": list(inputs.notes),
        "ranges": [
            {"input": r.name, "min": r.minimum, "max": r.maximum, "dtype": r.dtype} for r in data.ranges
        ],
        "counts": {
            "train": data.train.samples,
            "val": len(data.validation),
            "test": 0 if data.test is None else data.test.samples,
        },
    }


def _describe_task(outcome: Outcome) -> TaskPart:
    task, dense, pruned = outcome.inputs.task, outcome.dense, outcome.pruned
    metrics: list[MetricPart] = []
    for score in task.scores:
        before, after = dense.float_metrics[score.name], pruned.metrics[score.name]
        drop = before - after if score.higher_is_better else after - before
        metrics.append(
            {
                "name": score.name,
                "higher_is_better": score.higher_is_better,
                "dense_float": before,
                "dense": dense.metrics[score.name],
                "pruned_float": pruned.float_metrics[score.name],
                "pruned": after,
                "drop": drop,
                "relative_drop": drop / abs(before) if before else None,
            }
        )
    return {
        "loss": task.loss_name,
        "metric": task.metric,
        "higher_is_better": task.higher_is_better,
        "origin": task.origin,
        "metrics": metrics,
    }


def _say_verdict(outcome: Outcome) -> str:
    sentence = verdict(outcome.checks, outcome.profile.id)
    if not outcome.is_pruned:
        return f"{sentence.removesuffix('.')}; the dense model was not pruned."
    return sentence


def _describe_sparsity(outcome: Outcome) -> SparsityPart | None:
    pruned = outcome.pruned
    if not (outcome.why or pruned.arrived):
        return None
    return {
        "why": outcome.why,
        "kernels": [
            {
                "kernel": item.kernel,
                "tensors": list(item.tensors),
                "weights": item.weights,
                "masked": item.masked,
                "zeros": item.zeros,
            }
            for item in pruned.arrived
        ],
        "stored": pruned.compressed.describe() if pruned.compressed else [],
    }


def _describe_quantization(outcome: Outcome) -> QuantizationPart:
    calibration, ladder = outcome.inputs.calibration, outcome.ladder
    return {
        "scheme": outcome.settings["scheme"],
        "io_type": outcome.settings["io_type"],
        "samples": calibration.samples,
        "seed": calibration.seed,
        "selection": calibration.selection,
        "warning": outcome.shortage,
        "notes": list(outcome.pruned.notes),
        "ladder": None if ladder is None else ladder.to_json(),
    }


def _describe_agreement(outcome: Outcome) -> AgreementPart | None:
    comparison = outcome.comparison
    if comparison is None:
        return None
    ran = [row.agreement for row in comparison.rows if row.agreement]
    return {
        "reference": comparison.reference,
        "samples": ran[0].samples if ran else 0,
        "elements": ran[0].elements if ran else 0,
        "note": comparison.note,
        "runtimes": [cast(RuntimePart, row.to_json()) for row in comparison.rows],
    }


def _count_ops(artefact: Artefact) -> tuple[OpPart, ...]:
    counted = Counter(op.op for op in artefact.measured.ops)
    return tuple({"op": op, "count": count} for op, count in sorted(counted.items()))


def compare_layers(dense: LayerGraph, pruned: LayerGraph, profile: Profile) -> list[LayerPart]:
    """Channels, weights and cost of each layer before and after; layers without any are left out."""
    backend = backend_of(profile)
    before, after = backend.describe_layers(dense), backend.describe_layers(pruned)
    names = {name: name if name in after else unfolded_name(name) for name in before}
    made = after.keys() - names.values()  # factors of kernels
    pairs = [(name, old, after.get(names[name], {})) for name, old in before.items()]
    pairs += [(name, {}, new) for name, new in after.items() if name in made]
    rows = []
    for name, old, new in pairs:
        known = old or new
        if not (known["params"] or known["macs"] or known["instructions"]):
            continue
        row = {"name": name, "kind": known["kind"]}
        for key in ("channels", "macs", "params", "instructions", "latency_ms"):
            none = 0 if known[key] is not None else None
            row |= {f"{key}_before": old.get(key, none), f"{key}_after": new.get(key, none)}
        rows.append(cast(LayerPart, row))
    return rows


def _list_kept(outcome: Outcome) -> list[FrozenPart]:
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
