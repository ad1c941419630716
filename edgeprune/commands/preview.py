"""What a model costs on a device as an int8 file, what its runtime lacks, and how far pruning can go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeprune.config.budgets import BUDGETS
from edgeprune.device.figures import Figure
from edgeprune.errors import EdgepruneError, InfeasibleError
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.measuring.backend import Backend
from edgeprune.prune.costs import fit_costs, sum_costs
from edgeprune.prune.limits import Limits
from edgeprune.prune.ratio import remove_ratio
from edgeprune.tflite.op_table import OPS
from edgeprune.tflite.strip import strip

if TYPE_CHECKING:
    import keras

_SAMPLES = 2
"""Drawn at random: costs hardly depend on the values of ranges."""
_PEAK = "ram"
_ALL_BUT_NONE = 1.0 - 1e-9


@dataclass(frozen=True, kw_only=True, slots=True)
class Lacking:
    """An op of the file that the device's runtime cannot execute.

    Attributes:
        op: its name, "" where that is not said.
        where: the layers that become it.
        reason: why, and what to do.
    """

    op: str
    where: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Preview:
    """A model as an int8 file on a device.

    Attributes:
        figures: `flash_bytes`, `ram_bytes` and `latency_ms`, as `check` gives them; empty where there is no
            file.
        smallest: the same of the narrowest model that removing channels can make, estimated; none where
            nothing may go.
        lacking: what its runtime cannot execute.
        reason: why there is no file, "" where there is one.
    """

    figures: Mapping[str, Figure] = field(default_factory=dict)
    smallest: Mapping[str, float] = field(default_factory=dict)
    lacking: tuple[Lacking, ...] = ()
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Its part of the document of `inspect --json`."""
        return {
            "figures": {name: figure.to_json() for name, figure in self.figures.items()},
            "smallest": dict(self.smallest),
            "unsupported": [
                {"op": item.op, "where": item.where, "reason": item.reason} for item in self.lacking
            ],
            "reason": self.reason,
        }


def preview(
    model: keras.Model, graph: LayerGraph, channels: ChannelMap, *, backend: Backend, limits: Limits
) -> Preview:
    """Converts the model with random data, and measures its file.

    Args:
        model: what is looked at.
        graph: its trace.
        channels: those of the graph.
        backend: the device's.
        limits: what pruning has to respect.
    """
    from edgeprune.keras_bridge.conversion.convert import convert
    from edgeprune.keras_bridge.conversion.layer_names import describe_place
    from edgeprune.keras_bridge.model.probes import draw_inputs

    try:
        given = draw_inputs(model, graph, seed=0, samples=_SAMPLES)
        named = backend.rewrite(convert(model, scheme="int8", representative=given))
        measured = backend.measure(strip(named), where="the int8 file")
    except EdgepruneError as error:
        return Preview(reason=error.message)
    kinds = {kind.figure: name for name, kind in BUDGETS.items() if kind.figure in measured.figures}
    figures = {name: measured.figures[name] for name in kinds}
    said = {reason.partition(" ")[0].rstrip(":"): reason for reason in measured.unsupported}
    return Preview(
        figures=figures,
        smallest=_find_smallest(graph, channels, figures, kinds, backend=backend, limits=limits),
        lacking=tuple(
            Lacking(op=op if op in OPS else "", where=describe_place(model, named, op=op), reason=reason)
            for op, reason in said.items()
        ),
    )


def _find_smallest(
    graph: LayerGraph,
    channels: ChannelMap,
    figures: Mapping[str, Figure],
    kinds: Mapping[str, str],
    *,
    backend: Backend,
    limits: Limits,
) -> dict[str, float]:
    known = {kinds[name]: figure.value for name, figure in figures.items() if figure.value is not None}
    try:
        kept = remove_ratio(channels, scores=np.ones(channels.groups), ratio=_ALL_BUT_NONE, limits=limits)
    except InfeasibleError:
        return {}
    per_op = {name: cost for name, cost in backend.op_costs().items() if name in known}
    costs = fit_costs(graph, channels, per_op=per_op, peak=_PEAK, measured=known)
    raw = sum_costs(graph, channels, kept=kept, per_op=per_op, peak=_PEAK)
    figure_of = {budget: figure for figure, budget in kinds.items()}
    return {figure_of[name]: costs.of(name, value) for name, value in raw.items() if name in known}
