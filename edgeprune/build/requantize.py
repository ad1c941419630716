"""The pruned model quantized with care: the plain file, or the one that the ladder finds better."""

from __future__ import annotations

from dataclasses import replace

from edgeprune.build.artefact import Artefact, make_artefact
from edgeprune.build.job import Job, make_trainer
from edgeprune.device.check import budget_limits
from edgeprune.methods.method import Applied
from edgeprune.methods.pricing import cost_of, exceeded
from edgeprune.progress import Progress
from edgeprune.quantization.ladder import (
    MAX_DROP,
    MORE_SAMPLES,
    RECOVERY_EPOCHS,
    Ladder,
    climb_ladder,
    plan_ladder,
)
from edgeprune.tflite.schemes import choose_io_type


def requantize(
    plain: Artefact, job: Job, *, applied: Applied, progress: Progress
) -> tuple[Artefact, Ladder | None]:
    """The artefact with the better file, and the ladder; None for other schemes than int8.

    Weights that were shaped are not trained again, since zeros and clusters would not survive it; clusters
    are not scaled either. A file that breaks a budget which the plain one keeps is not taken.

    Args:
        plain: the artefact as the converter makes it.
        job: what was asked.
        applied: what was done to its model.
        progress: is told about every step.
    """
    from edgeprune.keras_bridge.data.representative import draw_representative

    if job.request.scheme != "int8":
        return plain, None
    epochs = 0 if applied.is_shaped else min(RECOVERY_EPOCHS, job.epochs)
    inputs, seed = job.inputs, job.request.seed
    required = plan_ladder(
        make_trainer(job, progress=progress).for_epochs(epochs),
        representative=inputs.representative,
        more=draw_representative(inputs.data, samples=MORE_SAMPLES, seed=seed).inputs,
        io_type=choose_io_type("int8", job.request.io_type),
        max_drop=min(MAX_DROP, inputs.task.limit_drop(job.request.drop, before=applied.accuracy)),
    )
    ladder = climb_ladder(plain.model, replace(required, may_scale=applied.may_scale), progress=progress)
    if not any(step.kept for step in ladder.steps[1:]):
        return plain, ladder
    better = make_artefact(ladder.model, job, applied=applied, named=ladder.tflite, like=plain)
    limits = budget_limits(job.budgets)
    before, after = (exceeded(cost_of(a.measured.figures, limits), limits) for a in (plain, better))
    return (plain if set(after) - set(before) else better), ladder
