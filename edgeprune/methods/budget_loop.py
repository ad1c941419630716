"""Towards the budgets: dead channels first, then whole layers on trial, then the loop of `shrink`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from edgeprune.build.artefact import Artefact, make_artefact, make_file
from edgeprune.build.job import Job, plan_recovery
from edgeprune.build.workdir import WorkDirectory
from edgeprune.config.budgets import BUDGETS
from edgeprune.device.check import Budgets, budget_limits
from edgeprune.device.op_costs import op_costs
from edgeprune.errors import InfeasibleError
from edgeprune.graph.branches import bypass
from edgeprune.graph.channels import name_channels
from edgeprune.graph.kept_layers import keep_layers
from edgeprune.measuring.backend import Measured, measure
from edgeprune.methods.channels import Pruner, require_feasible
from edgeprune.methods.dead_channels import strip_dead
from edgeprune.methods.layers import LayerChoice, choose_layers, take_branches
from edgeprune.methods.loop import Shrunk, shrink
from edgeprune.methods.start import Opening, go_on_without_dead, open_with_dense
from edgeprune.progress import Progress
from edgeprune.prune.solve import family_widths, fit_costs

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.train import Recovery

_CALIBRATION_FOR_SIZES = 8
_SHARING_SLACK_BYTES = 256
_ENCODING_SLACK = 0.02


def free_flash(job: Job, *, dense: Artefact) -> Job:
    """The job with a flash budget that already holds: something else will save flash."""
    flash = job.budgets.flash_bytes
    if flash.value is None:
        return job
    free = replace(flash, value=max(flash.value, dense.figures["flash_bytes"].value or 0.0))
    return replace(job, budgets=replace(job.budgets, flash_bytes=free))


def open_loop(job: Job, dense: Artefact, *, progress: Progress) -> tuple[Opening, Artefact]:
    """Where pruning starts, and that model as an artefact: the teacher without its dead channels, if any.

    Channels that are dead for every input of the data's range always go. Those that were merely constant on
    all samples go where something has to go anyway: the proof of no loss does not cover inputs unlike these.
    """
    judge, measured = job.inputs.validation, _costs(dense.measured, job.budgets)
    macs = int(dense.figures["macs"].value or 0)
    opening = open_with_dense(job.inputs.teacher, cost=measured, macs=macs, judge=judge)
    progress.stage("remove dead channels")
    try:
        stripped = strip_dead(
            job.inputs.teacher,
            data=job.inputs.data.x_train,
            trust_seen=bool(exceeded(dense.measured, job.budgets)),
            limits=job.limits,
            seed=job.request.seed,
        )
    except InfeasibleError as error:  # lossless or not at all; what costs accuracy can still be pruned
        progress.warn(f"dead channels stay: {error.message}")
        return opening, dense
    if not stripped.removed:
        return opening, dense
    progress.note(stripped.describe())
    lean = make_artefact(stripped.model, job)
    cost = _costs(lean.measured, job.budgets)
    return go_on_without_dead(opening, stripped, cost=cost, judge=judge), lean


def shrink_to_budgets(
    job: Job, start: Artefact, *, opening: Opening, work: WorkDirectory, progress: Progress
) -> Shrunk:
    """The loop of `shrink`, for this job.

    Args:
        job: what was asked.
        start: what is pruned first, measured.
        opening: the same model as `open_loop` gives it.
        work: keeps finished segments.
        progress: is told what is going on.

    Raises:
        InfeasibleError: no plan meets the budgets.
    """

    def measure_costs(model: keras.Model) -> Mapping[str, float]:
        # Costs hardly depend on the values of weights and ranges, so a few samples calibrate them; but equal
        # vectors are stored once, and fine-tuning changes which are equal. Vela encodes common values in
        # fewer bits, and fine-tuning changes which are common.
        tflite = make_file(job, model, samples=_CALIBRATION_FOR_SIZES)
        found = _costs(measure(tflite, profile=job.profile, where="model.tflite"), job.budgets)
        slack = _SHARING_SLACK_BYTES + _ENCODING_SLACK * found.get("flash", 0.0) * (
            job.profile.npu is not None
        )
        return {name: cost + slack * (name == "flash") for name, cost in found.items()}

    graph = start.graph
    channels = keep_layers(name_channels(graph), job.limits.keep)
    measured = _costs(start.measured, job.budgets)
    costs = fit_costs(graph, channels, per_op=op_costs(job.profile), peak="ram", measured=measured)
    limits = budget_limits(job.budgets)
    pruner = Pruner(
        criterion=job.criterion,
        limits=job.limits,
        dense=measured,
        budgets=limits,
        widths=family_widths(channels),
        costs=costs,
        measure=measure_costs,
        normalise=job.request.normalise,
        judge=job.inputs.validation,
    )
    recovery = plan_recovery(job)
    if job.request.whole_layers:
        choice = _try_layers(
            job, opening.model, pruner=pruner, recovery=recovery, work=work, progress=progress
        )
        pruner = take_branches(opening.model, pruner, choice.branches)
        recovery = replace(recovery, total_steps=recovery.total_steps - choice.steps)
    require_feasible(bypass(graph, pruner.branches), costs=costs, budgets=limits, limits=job.limits)
    return shrink(
        job.inputs.teacher,
        training=job.inputs.training,
        judge=job.inputs.validation,
        recovery=recovery,
        pruner=pruner,
        schedule=job.request.schedule,
        opening=opening,
        work=work,
        progress=progress,
    )


def _try_layers(
    job: Job,
    model: keras.Model,
    *,
    pruner: Pruner,
    recovery: Recovery,
    work: WorkDirectory,
    progress: Progress,
) -> LayerChoice:
    """What the trials of `choose_layers` found, now or before the build was interrupted."""
    if (finished := work.load("layers")) is not None:
        _, state = finished
        return LayerChoice(**{**state, "branches": tuple(state["branches"])})
    choice = choose_layers(
        model,
        pruner=pruner,
        training=job.inputs.training,
        judge=job.inputs.validation,
        recovery=recovery,
        progress=progress,
    )
    with work.finish("layers", asdict(choice)):
        pass
    if choice.note:
        progress.note(f"whole layers go: {choice.note}")
    return choice


def exceeded(measured: Measured, budgets: Budgets) -> list[str]:
    """The budgets that a file breaks. Raises InfeasibleError as `_costs` does."""
    costs = _costs(measured, budgets)
    return [name for name, limit in budget_limits(budgets).items() if costs[name] > limit]


def _costs(measured: Measured, budgets: Budgets) -> dict[str, float]:
    """Budget name → what the file costs, for the budgets that are asked.

    Raises:
        InfeasibleError: a budget is asked for a figure that cannot be had.
    """
    costs = {}
    for name in budget_limits(budgets):
        figure = measured.figures[BUDGETS[name].figure]
        if figure.value is None:
            raise InfeasibleError(
                f"whether the {name} budget holds cannot be known",
                why=figure.evidence,
                fix=f"choose another device, or give no {name} budget",
            )
        costs[name] = figure.value
    return costs
