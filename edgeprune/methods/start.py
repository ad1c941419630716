"""Where pruning starts, what was done so far, and how a step stands in the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from edgeprune.graph.layergraph import LayerGraph
from edgeprune.methods.pricing import Price
from edgeprune.report.sections.equivalence import EquivalencePart
from edgeprune.report.sections.steps import StepKind, StepPart

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Start:
    """A model to be pruned, and what happened to it so far.

    Attributes:
        model: what is pruned next.
        graph: its layer graph.
        cost: budget name → what it costs on the device.
        macs: multiply-accumulates of one inference.
        steps: one JSON object per step, as `StepPart` of the report.
        equivalence: the proofs that what was taken away changed nothing else, as `EquivalencePart`.
    """

    model: keras.Model
    graph: LayerGraph
    cost: Price
    macs: int
    steps: list[StepPart]
    equivalence: list[EquivalencePart]


def describe_step(
    number: int,
    kind: str,
    *,
    model: keras.Model,
    cost: Price,
    macs: int,
    accuracy: float,
    epochs: float = 0.0,
    note: str = "",
) -> StepPart:
    """A row of the report's steps; see `StepPart`."""
    return {
        "step": number,
        "kind": cast(StepKind, kind),
        "epochs": round(epochs, 4),
        "accuracy": accuracy,
        "cost": dict(cost),
        "params": model.count_params(),
        "macs": macs,
        "note": note,
    }
