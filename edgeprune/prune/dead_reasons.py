"""Which dead channels went from which layers, why, and how that is known: for people."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.intervals import Interval
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.layers.rules import rule_for
from edgeprune.prune.dead import Dead


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadChannels:
    """Channels of one layer that went for one reason.

    Attributes:
        layer, kind: the layer that made them.
        channels: their numbers in its output.
        of: how many channels it had.
        reason: for example "always 0 behind 'relu_3' (Activation)".
        basis: how it is known.
    """

    layer: str
    kind: str
    channels: tuple[int, ...]
    of: int
    reason: str
    basis: str


def explain_dead(
    graph: LayerGraph,
    channels: ChannelMap,
    *,
    found: Mapping[str, Dead],
    intervals: Mapping[str, Interval],
) -> tuple[DeadChannels, ...]:
    """What went, by the layers that made it, in the order in which they run.

    Args:
        graph: the model before.
        channels: its channel map.
        found: how it is known → what is dead by that, the strictest first; what the last one holds goes.
        intervals: bounds of all tensors, those the last one is known by.
    """
    *_, last = found.values()
    constants = _first_constants(graph, channels, intervals)
    rows: dict[tuple[str, str, str], list[int]] = {}
    widths: dict[str, int] = {}
    for node in graph.nodes:
        if rule_for(graph.layers[node.layer].kind).status != "prunable" or node.layer in widths:
            continue
        groups = channels.tensors[node.outputs[0]]
        widths[node.layer] = len(groups)
        for number, group in enumerate(groups.tolist()):
            if last.groups[group]:
                reason = "no weight reads it" if last.unread[group] else constants.get(group, "constant")
                basis = next(name for name, dead in found.items() if (dead.groups | dead.spared)[group])
                rows.setdefault((node.layer, reason, basis), []).append(number)
    return tuple(
        DeadChannels(
            layer=layer,
            kind=graph.layers[layer].kind,
            channels=tuple(numbers),
            of=widths[layer],
            reason=reason,
            basis=basis,
        )
        for (layer, reason, basis), numbers in rows.items()
    )


def _first_constants(
    graph: LayerGraph, channels: ChannelMap, intervals: Mapping[str, Interval]
) -> dict[int, str]:
    """Group → the value it is stuck at from the first layer on behind which it is."""
    found: dict[int, str] = {}
    for node in graph.nodes:
        for tensor in node.outputs:
            groups = channels.tensors[tensor]
            values = intervals[tensor].constants(len(groups))
            for i in np.flatnonzero(~np.isnan(values)).tolist():
                kind = graph.layers[node.layer].kind
                text = f"always {values[i] + 0.0:.4g} behind '{node.layer}' ({kind})"
                found.setdefault(int(groups[i]), text)
    return found
