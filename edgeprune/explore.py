"""Looking at a model, and pruning it by ratio: no data, no training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgeprune.assemble import describe_layers, list_frozen
from edgeprune.device.profile import load_profile
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.lower import Lowering, count_macs, peak_activation_bytes
from edgeprune.graph.rules import rule_for
from edgeprune.progress import Progress
from edgeprune.prune.criteria import CRITERIA, Evidence, score_groups
from edgeprune.prune.solve import Limits, remove_ratio
from edgeprune.workdir import refuse_existing, whole_file


@dataclass(frozen=True, kw_only=True, slots=True)
class PruneResult:
    """What `edgeprune prune` did.

    Attributes:
        output: the file written.
        params_before, params_after: weights, trainable or not.
        macs_before, macs_after: multiply-accumulates of one inference.
        error: largest difference between masked and compacted outputs, as a fraction of their range.
        tolerance: what counts as equal.
        samples: random inputs it was compared on.
        layers: name, kind and channels before and after of each layer whose channels changed.
        frozen: what stayed, with reasons.
    """

    output: str
    params_before: int
    params_after: int
    macs_before: int
    macs_after: int
    error: float
    tolerance: float
    samples: int
    layers: list[dict[str, Any]]
    frozen: list[dict[str, Any]]

    def to_json(self) -> dict[str, Any]:
        """The document of `prune --json`."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {"schema": 1, **fields, "equal": self.error <= self.tolerance}


def prune(
    model: Path,
    *,
    ratio: float,
    output: Path,
    criterion: str,
    scope: str,
    round_to: int,
    seed: int,
    force: bool,
    progress: Progress,
) -> PruneResult:
    """Removes a fraction of the prunable channels and writes the smaller model once it is proven equal.

    Args:
        model: a `.keras` or `.h5` file.
        ratio: fraction of channels that go, in [0, 1).
        output: the `.keras` file to write.
        criterion: a name in `CRITERIA` that needs no data.
        scope: "local": that fraction of every family; "global": the least important anywhere.
        round_to: widths become multiples of this.
        seed: of random scores and probes.
        force: replace an existing output.
        progress: is told what is going on.

    Raises:
        ModelError: the model cannot be used.
        DataError: the criterion needs data.
        InfeasibleError: nothing can be removed, or the two models differ.
    """
    refuse_existing(output, force=force)
    chosen = CRITERIA[criterion]
    from edgeprune.keras_bridge.determinism import fix_seeds
    from edgeprune.keras_bridge.load import load_model
    from edgeprune.keras_bridge.probes import draw_inputs
    from edgeprune.keras_bridge.rebuild import compact
    from edgeprune.keras_bridge.save import save_model
    from edgeprune.keras_bridge.trace import trace

    fix_seeds(seed)
    progress.stage("load and trace")
    original = load_model(model, progress=progress)
    traced = trace(original)
    channels = name_channels(traced.graph)
    progress.stage("plan")
    scores = score_groups(chosen, Evidence(graph=traced.graph, channels=channels, seed=seed))
    kept = remove_ratio(channels, scores=scores, ratio=ratio, limits=Limits(round_to=round_to, scope=scope))
    progress.stage("rebuild and prove")
    probe = draw_inputs(original, traced.graph, seed=seed)
    smaller = compact(original, traced, channels=channels, kept=kept, probe=probe)
    lowering = Lowering(traced.graph, channels)
    with whole_file(output, force=force) as temporary:
        save_model(smaller.model, temporary)
    return PruneResult(
        output=str(output),
        params_before=traced.graph.params,
        params_after=smaller.graph.params,
        macs_before=count_macs(lowering.lower(channels.everything)),
        macs_after=count_macs(lowering.lower(kept)),
        error=smaller.error,
        tolerance=smaller.tolerance,
        samples=smaller.samples,
        layers=_changed_layers(traced.graph, smaller.graph),
        frozen=list_frozen(traced.graph, channels),
    )


def _changed_layers(before: LayerGraph, after: LayerGraph) -> list[dict[str, Any]]:
    rows = []
    for node in before.nodes:
        tensor = node.outputs[0]
        old, new = before.shapes[tensor], after.shapes[tensor]
        if old != new and before.layers[node.layer].weights:
            rows.append(
                {
                    "name": node.layer,
                    "kind": before.layers[node.layer].kind,
                    "channels_before": old[-1],
                    "channels_after": new[-1],
                }
            )
    return rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Inspection:
    """What `edgeprune inspect` found.

    Attributes:
        model, device: what was looked at, and for what.
        layers: cost of each layer, its group and whether it can be pruned.
        groups: families of channels, with the layers whose outputs they are.
        frozen: what stays, with reasons.
        totals: params, macs, instructions, latency_ms, peak_activation_bytes.
    """

    model: str
    device: str
    layers: list[dict[str, Any]]
    groups: list[dict[str, Any]]
    frozen: list[dict[str, Any]]
    totals: dict[str, Any]

    def to_json(self) -> dict[str, Any]:
        """The document of `inspect --json`."""
        return {"schema": 1, **{name: getattr(self, name) for name in self.__slots__}}


def inspect(model: Path, *, device: str) -> Inspection:
    """Cost per layer on a device, groups of channels, and what cannot be pruned and why.

    Raises:
        ModelError: the model cannot be used.
        UnknownNameError: there is no such device.
    """
    profile = load_profile(device)
    from edgeprune.keras_bridge.load import load_model
    from edgeprune.keras_bridge.trace import trace

    graph = trace(load_model(model)).graph
    channels = name_channels(graph)
    described = describe_layers(graph, profile)
    instructions = [row["instructions"] for row in described.values()]
    total = None if None in instructions else sum(instructions)
    cycles = profile.latency.cycles_per_instruction
    ms = cycles / (profile.clock_mhz * 1e3) if cycles and total is not None else None
    layers = []
    for name, row in described.items():
        status, reason = _status(graph, channels, name)
        share = row["instructions"] / total if total else None
        latency = row["instructions"] * ms if ms is not None else None
        layers.append(
            {
                "name": name,
                **row,
                "latency_ms": latency,
                "share": share,
                "group": _family_of(graph, channels, name),
                "status": status,
                "reason": reason,
            }
        )
    return Inspection(
        model=str(model),
        device=profile.id,
        layers=layers,
        groups=_describe_families(graph, channels),
        frozen=list_frozen(graph, channels),
        totals={
            "params": graph.params,
            "macs": sum(row["macs"] for row in described.values()),
            "instructions": total,
            "latency_ms": total * ms if ms is not None and total is not None else None,
            "peak_activation_bytes": peak_activation_bytes(graph, dict(graph.shapes)),
        },
    )


def _status(graph: LayerGraph, channels: ChannelMap, name: str) -> tuple[str, str]:
    layer = graph.layers[name]
    if name in channels.kept_layers:
        return "kept", channels.kept_layers[name]
    status = rule_for(layer.kind).status
    output = next(node.outputs[0] for node in graph.nodes if node.layer == name)
    reasons = [channels.frozen[group] for group in channels.tensors[output].tolist()]
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
        for family in np.unique(channels.family[channels.tensors[node.outputs[0]]]).tolist():
            members.setdefault(family, {})[node.layer] = None
    return [
        {
            "name": channels.family_names[family],
            "channels": int((channels.family == family).sum()),
            "prunable": int(channels.prunable[channels.family == family].sum()),
            "layers": [name for name in layers if graph.layers[name].weights],
        }
        for family, layers in members.items()
    ]
