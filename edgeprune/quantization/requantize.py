"""The pruned model quantized with care: the plain file, or the one that the ladder finds better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from edgeprune.build.artefact import Artefact, make_artefact
from edgeprune.build.job import Job
from edgeprune.methods.budget_loop import exceeded
from edgeprune.progress import Progress
from edgeprune.prune.masks import Zeros
from edgeprune.quantization.ladder import MAX_DROP, RECOVERY_EPOCHS, Climbed, climb, plan_climb
from edgeprune.tflite.schemes import choose_io_type


def requantize(
    plain: Artefact, job: Job, *, zeros: Mapping[str, Zeros] | None, progress: Progress
) -> tuple[Artefact, Climbed | None]:
    """The artefact with the better file, and the ladder; None for other schemes than int8.

    Weights that were shaped are not trained again, since zeros and clusters would not survive it; clusters
    are not scaled either. A file that breaks a budget which the plain one keeps is not taken.

    Args:
        plain: the artefact as the converter makes it.
        job: what was asked.
        zeros: as `make_artefact` takes them.
        progress: is told about every rung.
    """
    if job.request.scheme != "int8":
        return plain, None
    epochs = min(RECOVERY_EPOCHS, job.epochs) if zeros is None else 0
    asked = plan_climb(
        job.inputs,
        io_type=choose_io_type("int8", job.request.io_type),
        max_drop=min(MAX_DROP, job.request.max_drop),
        epochs=epochs,
        seed=job.request.seed,
        progress=progress,
    )
    clustered = zeros is not None and not zeros
    climbed = climb(plain.model, replace(asked, may_scale=not clustered), progress=progress)
    if not any(rung.kept for rung in climbed.rungs[1:]):
        return plain, climbed
    better = make_artefact(climbed.model, job, zeros=zeros, named=climbed.tflite)
    if set(exceeded(better.measured, job.budgets)) - set(exceeded(plain.measured, job.budgets)):
        return plain, climbed
    return better, climbed
