"""Channels, zeros and clusters on trial: each is given a few epochs, at the same flash."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from edgeprune.build.artefact import Artefact
from edgeprune.build.job import Job, plan_recovery, with_epochs
from edgeprune.build.request import Shaping
from edgeprune.build.workdir import WorkDirectory
from edgeprune.errors import InfeasibleError
from edgeprune.measuring.backend import backend_of
from edgeprune.methods.budget_loop import exceeded, free_flash, shrink_to_budgets
from edgeprune.methods.method import find_clustering, find_zeroing, shape_weights
from edgeprune.methods.start import Opening
from edgeprune.progress import Progress, Within

if TYPE_CHECKING:
    import keras

TRIAL_SHARE = 0.25
"""Fraction of all epochs that the trials take together, but at least one epoch each."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """What the trials say.

    Attributes:
        shaping: what lost least; None for channels alone.
        epochs: what the trials took.
        note: why, as a sentence.
    """

    shaping: Shaping | None = None
    epochs: int
    note: str


def try_means(job: Job, lean: Artefact, *, opening: Opening, progress: Progress) -> Tried:
    """Which of channels, zeros and clusters loses least accuracy at the flash that is allowed.

    Args:
        job: what was asked; its flash budget is exceeded.
        lean: what is pruned first, measured.
        opening: the same model as `open_loop` gives it.
        progress: is told what is going on.
    """
    rest = [name for name in exceeded(lean.measured, job.budgets) if name != "flash"]
    trials = 4 if rest else 3
    epochs = max(1, round(TRIAL_SHARE * job.epochs / trials))
    trial = with_epochs(job, epochs)
    judge, metric = job.inputs.validation, job.inputs.task.metric
    dense = opening.steps[0]["accuracy"]
    progress.stage("channels, zeros or clusters: try each", total=trials * plan_recovery(trial).total_steps)
    within = Within(progress)

    def end(note: str, shaping: Shaping | None = None) -> Tried:
        return Tried(shaping=shaping, epochs=trials * epochs, note=note)

    narrow, missed = _try_channels(trial, lean, opening=opening, progress=within)
    start = opening.model
    if rest:
        found, _ = _try_channels(free_flash(trial, dense=lean), lean, opening=opening, progress=within)
        if found is None:
            return end(f"Channels alone: {' and '.join(rest)} cannot be met on trial.")
        start = found
    lost: dict[str, tuple[float, Shaping | None]] = {}
    if narrow is not None:
        lost["channels alone"] = (judge.drop(before=dense, after=judge.score_model(narrow)), None)
    finders: list[Callable[..., Shaping | None]] = [find_zeroing]
    if backend_of(job.profile).value_clusters().flash:
        finders.append(find_clustering)
    for find in finders:
        if (shaping := find(job, start)) is not None:
            shaped = shape_weights(job, start, shaping, epochs=epochs, progress=within)
            lost[shaping.describe()] = (judge.drop(before=dense, after=shaped.accuracy), shaping)
    if all(shaping is None for _, shaping in lost.values()):
        return end("Channels alone: neither zeros up to 0.95 nor clusters bring flash under its budget.")
    best = min(lost, key=lambda name: lost[name][0])
    shaping = lost[best][1]
    name = best if shaping is None else shaping.name
    if shaping is not None and rest:
        name = f"Channels for the other budgets, then {name.lower()}"
    told = ", ".join(f"{what} {drop:.4f}" for what, (drop, _) in lost.items())
    told = f"lost after {epochs} epochs on trial, at the same flash, of {metric}: {told}"
    if narrow is None:
        told += f"; channels alone: {missed}"
    return end(f"{name[0].upper()}{name[1:]}: {told}.", shaping)


def _try_channels(
    job: Job, lean: Artefact, *, opening: Opening, progress: Progress
) -> tuple[keras.Model | None, str]:
    """The model after a short loop, or None and why there is none."""
    job = replace(job, request=replace(job.request, whole_layers=False))
    with TemporaryDirectory() as folder:
        work = WorkDirectory(Path(folder) / "trial", key="trial", resume=False)
        try:
            shrunk = shrink_to_budgets(job, lean, opening=opening, work=work, progress=progress)
        except InfeasibleError as error:
            return None, error.message
    return shrunk.model, ""
