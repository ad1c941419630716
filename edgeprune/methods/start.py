"""Where the loop starts: the dense model, then the same without its dead channels, as steps of a report."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgeprune.methods.dead_channels import Stripped

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.evaluation import Judge


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Opening:
    """Where the loop starts.

    Attributes:
        model: what is pruned first.
        cost: budget name → what it costs on the device.
        macs: multiply-accumulates of one inference.
        steps, equivalence: what happened so far, as in `Shrunk`.
    """

    model: keras.Model
    cost: Mapping[str, float]
    macs: int
    steps: list[dict[str, Any]]
    equivalence: list[dict[str, Any]]


def open_with_dense(model: keras.Model, *, cost: Mapping[str, float], macs: int, judge: Judge) -> Opening:
    """The dense model as the first step."""
    row = describe_step(0, "dense", model=model, cost=cost, macs=macs, accuracy=judge.score_model(model))
    return Opening(model=model, cost=cost, macs=macs, steps=[row], equivalence=[])


def go_on_without_dead(
    opening: Opening, stripped: Stripped, *, cost: Mapping[str, float], judge: Judge
) -> Opening:
    """The opening, with the removal of dead channels as the next step.

    Args:
        opening: what came before.
        stripped: the model without its dead channels, and the proof.
        cost: of that model.
        judge: scores models on validation data.
    """
    number = len(opening.steps)
    row = describe_step(
        number,
        "dead",
        model=stripped.model,
        cost=cost,
        macs=stripped.macs_after,
        accuracy=judge.score_model(stripped.model),
        note=stripped.describe(),
    )
    proof = {
        "step": number,
        "error": stripped.error,
        "samples": stripped.samples,
        "tolerance": stripped.tolerance,
    }
    return Opening(
        model=stripped.model,
        cost=cost,
        macs=stripped.macs_after,
        steps=[*opening.steps, row],
        equivalence=[*opening.equivalence, proof],
    )


def describe_step(
    number: int,
    kind: str,
    *,
    model: keras.Model,
    cost: Mapping[str, float],
    macs: int,
    accuracy: float,
    epochs: float = 0.0,
    note: str = "",
) -> dict[str, Any]:
    """A row of the report's steps; see `StepPart`."""
    return {
        "step": number,
        "kind": kind,
        "epochs": round(epochs, 4),
        "accuracy": accuracy,
        "cost": dict(cost),
        "params": model.count_params(),
        "macs": macs,
        "note": note,
    }
