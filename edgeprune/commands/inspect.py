"""Looking at a model: what each layer costs on a device, what can be pruned, and how sensitive it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeprune.build.inputs import open_samples
from edgeprune.commands.preview import Preview, preview
from edgeprune.config.build_options import ModelSource
from edgeprune.config.load_options import AS_SAVED, LoadOptions
from edgeprune.device.profile import load_profile
from edgeprune.files import whole_file
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.kept_layers import keep_layers, list_frozen
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.layers.rules import rule_for
from edgeprune.graph.liveness import peak_activation_bytes
from edgeprune.measuring.backend import backend_of
from edgeprune.methods.ranking import Ranking
from edgeprune.methods.sensitivity import study_sensitivity
from edgeprune.progress import Progress
from edgeprune.prune.limits import Limits
from edgeprune.report.html import render_sensitivity
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.report.sections.frozen import FrozenPart

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.model.trace import Traced


@dataclass(frozen=True, kw_only=True, slots=True, repr=False)
class Inspection(Summarized):
    """What `edgeprune inspect` found.

    Attributes:
        model, device: what was looked at, and for what.
        layers: cost of each layer, its group and whether it can be pruned.
        groups: families of channels, with the layers whose outputs they are.
        frozen: what stays, with reasons.
        totals: params, macs, instructions, latency_ms, peak_activation_bytes.
        preview: what the int8 file would cost, what the device's runtime lacks, and how far pruning can go.
        sensitivity: as `Study.to_json` gives it; None where it was not asked for.
    """

    model: str
    device: str
    layers: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    frozen: list[FrozenPart]
    totals: dict[str, Any]
    preview: dict[str, Any]
    sensitivity: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """The document of `inspect --json`."""
        return {"schema": 1, **{name: getattr(self, name) for name in self.__slots__}}

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        prunable = sum(1 for layer in self.layers if layer["status"] == "prunable")
        return Summary(
            f"{self.model} on {self.device}: {prunable} of {len(self.layers)} layers can be pruned.",
            figures=self.totals,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class SensitivityRequest:
    """What `edgeprune inspect --sensitivity` was asked for.

    Attributes:
        ranking: in which order channels are switched off, and the data to measure on.
        max_drop: largest drop of the metric that is allowed, as in `Task.drop`.
    """

    ranking: Ranking
    max_drop: float = 0.02


def inspect(
    model: ModelSource,
    *,
    device: str,
    keep: tuple[str, ...] = (),
    sensitivity: SensitivityRequest | None = None,
    load: LoadOptions = AS_SAVED,
    progress: Progress,
) -> Inspection:
    """Cost per layer on a device, groups of channels, and what cannot be pruned and why.

    Args:
        model: a saved Keras model, or one in memory.
        device: a profile's id or file.
        keep: patterns of layer names whose channels stay.
        sensitivity: what else to measure; needs data.
        load: how the model is opened.
        progress: is told what is going on.

    Raises:
        ModelError: the model cannot be used.
        UnknownNameError: there is no such device.
        RecipeError: a pattern of `keep` matches no layer.
        DataError: sensitivity is to be measured, but the data cannot be used.
        InfeasibleError: sensitivity is to be measured, but no channel may go.
    """
    profile = load_profile(device)
    if sensitivity is not None:
        sensitivity.ranking.check()
    from edgeprune.keras_bridge.loading.given import describe_source, open_model
    from edgeprune.keras_bridge.model.trace import trace
    from edgeprune.keras_bridge.training.determinism import fix_seeds

    fix_seeds(0 if sensitivity is None else sensitivity.ranking.seed)
    options = replace(load, assume_image=True, allow_state=True)
    original = open_model(model, options=options, progress=progress)
    traced = trace(original)
    graph = traced.graph
    channels = keep_layers(name_channels(graph), keep)
    backend, align = backend_of(profile), profile.runtime.round_to
    described = backend.describe_layers(graph)
    total = _sum(row["instructions"] for row in described.values())
    layers = []
    for name, row in described.items():
        status, reason = _status(graph, channels, name)
        share = row["instructions"] / total if total else None
        layers.append(
            {
                "name": name,
                **row,
                "share": share,
                "group": _family_of(graph, channels, name),
                "status": status,
                "reason": reason,
            }
        )
    progress.stage("convert and measure")
    limits = Limits(round_to=align, min_channels=align, scope="local")
    seen = preview(original, graph, channels, backend=backend, limits=limits)
    return Inspection(
        model=describe_source(model),
        device=profile.id,
        layers=layers,
        groups=_describe_families(graph, channels),
        frozen=list_frozen(graph, channels),
        totals={
            "params": graph.params,
            "macs": sum(row["macs"] for row in described.values()),
            "instructions": total,
            "latency_ms": _latency(seen) or _sum(row["latency_ms"] for row in described.values()),
            "peak_activation_bytes": peak_activation_bytes(graph, dict(graph.shapes)),
        },
        preview=seen.to_json(),
        sensitivity=_study(original, traced, channels, asked=sensitivity, progress=progress),
    )


def _latency(seen: Preview) -> float | None:
    figure = seen.figures.get("latency_ms")
    return None if figure is None else figure.value


def _sum(values: Iterable[float | None]) -> float | None:
    """Their sum, None where one of them is."""
    known = list(values)
    return None if None in known else sum(value for value in known if value is not None)


def _study(
    model: keras.Model,
    traced: Traced,
    channels: ChannelMap,
    *,
    asked: SensitivityRequest | None,
    progress: Progress,
) -> dict[str, Any] | None:
    if asked is None or asked.ranking.data is None:
        return None
    ranking = asked.ranking
    samples = open_samples(
        model, asked.ranking.data, options=ranking.training, seed=ranking.seed, progress=progress
    )
    return study_sensitivity(
        model,
        traced,
        channels=channels,
        samples=samples,
        ranking=ranking,
        max_drop=asked.max_drop,
        progress=progress,
    ).to_json()


def _status(graph: LayerGraph, channels: ChannelMap, name: str) -> tuple[str, str]:
    layer = graph.layers[name]
    if name in channels.kept_layers:
        return "kept", channels.kept_layers[name]
    status = rule_for(layer.kind).status
    output = next(node.outputs[0] for node in graph.nodes if node.layer == name)
    own = (channels.tensors[output], channels.made.get(name, channels.tensors[output]))
    reasons = [channels.frozen[group] for group in np.concatenate(own).tolist()]
    if status == "prunable" and all(reasons):
        return "kept", reasons[0]
    return status, ""


def _family_of(graph: LayerGraph, channels: ChannelMap, name: str) -> str:
    output = next(node.outputs[0] for node in graph.nodes if node.layer == name)
    families = dict.fromkeys(channels.family[channels.tensors[output]].tolist())
    return "+".join(channels.family_names[family] for family in families)


def _describe_families(graph: LayerGraph, channels: ChannelMap) -> list[dict[str, Any]]:
    members: dict[int, dict[str, None]] = {}
    for node in graph.nodes:
        outputs = channels.tensors[node.outputs[0]]
        for family in np.unique(channels.family[outputs]).tolist():
            members.setdefault(family, {})[node.layer] = None
    for layer, groups in channels.made.items():  # heads and the like are in no output
        for family in np.unique(channels.family[groups]).tolist():
            if family not in members or channels.units[family] != "channels":
                members.setdefault(family, {})[layer] = None
    return [
        {
            "name": channels.family_names[family],
            "unit": channels.units[family],
            "channels": int((channels.family == family).sum()),
            "prunable": int(channels.prunable[channels.family == family].sum()),
            "layers": [name for name in layers if graph.layers[name].weights],
        }
        for family, layers in members.items()
    ]


def write_sensitivity(path: Path, document: dict[str, Any], *, force: bool) -> None:
    """Writes the page of an inspection that has its sensitivity.

    Args:
        path: the file to write.
        document: as `Inspection.to_json` gives it.
        force: replace an existing file.

    Raises:
        OutputError: it exists and `force` is not set, or it cannot be written.
    """
    with whole_file(path, force=force) as temporary:
        temporary.write_text(render_sensitivity(document), encoding="utf-8")
