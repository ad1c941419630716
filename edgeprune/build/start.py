"""Where a build starts pruning: the dense model, without what may go for nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from edgeprune.build.artefact import Artefact, make_artefact
from edgeprune.build.job import Job
from edgeprune.build.pricing import ask_methods
from edgeprune.device.check import budget_limits
from edgeprune.errors import InfeasibleError
from edgeprune.methods.method import Applied, list_methods
from edgeprune.methods.pricing import cost_of
from edgeprune.methods.start import Start, describe_step

if TYPE_CHECKING:
    from edgeprune.keras_bridge.training.trainer import Trainer


def find_start(job: Job, dense: Artefact, *, trainer: Trainer) -> tuple[Start, Artefact]:
    """Where pruning starts, and that model as an artefact: the teacher, after every lossless method.

    A lossless method is applied as strongly as it offers; what it takes away changes no output that matters,
    or it takes nothing.

    Args:
        job: what was asked.
        dense: the original as an artefact.
        trainer: data and teacher.
    """
    budgets = budget_limits(job.budgets)
    teacher = job.inputs.teacher
    lean, macs = dense, int(dense.figures["macs"].value or 0)
    cost = cost_of(dense.measured.figures, budgets)
    row = describe_step(0, "dense", model=teacher, cost=cost, macs=macs, accuracy=job.inputs.score)
    start = Start(model=teacher, graph=dense.graph, cost=cost, macs=macs, steps=[row], equivalence=[])
    for method in () if job.request.only_fine_tune else list_methods("lossless"):
        trainer.progress.stage(method.title)
        settings = method.settings(ask_methods(job, start=start))
        if not settings:
            continue
        try:
            applied = method.apply(start.model, settings[-1], trainer=trainer)
        except InfeasibleError as error:  # what costs accuracy can still be pruned
            trainer.progress.warn(f"{method.title}: not done, {error.message}")
            continue
        if applied.model is start.model:
            continue
        trainer.progress.note(applied.note)
        lean = make_artefact(applied.model, job)
        start = _go_on(start, applied, lean, kind=method.name, cost=cost_of(lean.measured.figures, budgets))
    return start, lean


def _go_on(start: Start, applied: Applied, lean: Artefact, *, kind: str, cost: dict[str, float]) -> Start:
    number, macs = len(start.steps), int(lean.figures["macs"].value or 0)
    row = describe_step(
        number,
        kind,
        model=applied.model,
        cost=cost,
        macs=macs,
        accuracy=applied.accuracy,
        note=applied.note,
    )
    for proof in applied.equivalence:
        proof["step"] = number
    return replace(
        start,
        model=applied.model,
        graph=lean.graph,
        cost=cost,
        macs=macs,
        steps=[*start.steps, row],
        equivalence=[*start.equivalence, *applied.equivalence],
    )
