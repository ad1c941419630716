"""Channels, zeros or clusters, or two of them: by what means a build comes to its budgets.

Channels save flash, RAM and time everywhere. Zeros, and few values for many weights, save what the device's
runtime makes of them: where that is flash, and flash is over its budget, all are tried on the model at hand,
and what loses least accuracy is taken; see `trials.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from edgeprune.build.artefact import Artefact
from edgeprune.build.job import Job, with_epochs
from edgeprune.build.request import Shaping
from edgeprune.build.workdir import WorkDirectory
from edgeprune.measuring.backend import backend_of
from edgeprune.methods.budget_loop import exceeded, free_flash
from edgeprune.methods.clustering import Clustering
from edgeprune.methods.loop import Shrunk
from edgeprune.methods.method import Shaped, shape_weights
from edgeprune.methods.sparsity import Zeroing
from edgeprune.methods.start import Opening, describe_step
from edgeprune.methods.trials import try_means
from edgeprune.progress import Progress
from edgeprune.prune.masks import UNSTRUCTURED, Pattern, Zeros

LEAST_EPOCHS = 4
"""With fewer epochs nothing is tried: a trial would say little, and leave little."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What was chosen.

    Attributes:
        shaping: zeros or clusters to be made; None for channels alone.
        epochs: what is left of the build's epochs after trials.
        note: why, in at most two sentences; "" where there was no question.
    """

    shaping: Shaping | None = None
    epochs: int
    note: str = ""


def choose_means(
    job: Job, lean: Artefact, *, opening: Opening, work: WorkDirectory, progress: Progress
) -> Means:
    """By what means this model comes to its budgets on this device.

    What was asked for is done. Otherwise zeros and clusters are considered where flash is over its budget and
    the device stores them in less: the least of each that brings flash under its budget is found on files,
    and tried against channels alone.

    Args:
        job: what was asked.
        lean: what is pruned first, measured.
        opening: the same model as `open_loop` gives it.
        work: keeps the choice for `--resume`.
        progress: is told what is going on.
    """
    asked = job.request.shaping
    if isinstance(asked, Clustering):
        reason = backend_of(job.profile).value_clusters().reason
        return Means(shaping=asked, epochs=job.epochs, note=f"Clusters, as asked: {reason}.")
    pattern = UNSTRUCTURED if asked is None else asked.pattern
    worth = backend_of(job.profile).value_zeros(pattern, scheme=job.request.scheme)
    if asked is not None:
        return Means(shaping=asked, epochs=job.epochs, note=f"Zeros, as asked: {worth.reason}.")
    if "flash" not in exceeded(lean.measured, job.budgets):
        return Means(epochs=job.epochs)
    if not worth.flash:
        return Means(epochs=job.epochs, note=f"Channels alone: {worth.reason}.")
    if job.epochs < LEAST_EPOCHS:
        return Means(epochs=job.epochs, note="Channels alone: with so few epochs nothing else is tried.")
    if (finished := work.load("means")) is not None:
        return read_means(finished[1])
    tried = try_means(job, lean, opening=opening, progress=progress)
    means = Means(shaping=tried.shaping, epochs=max(1, job.epochs - tried.epochs), note=tried.note)
    with work.finish("means", describe_means(means)):
        pass
    return means


def leave_flash_to_weights(job: Job, means: Means, *, dense: Artefact) -> Job:
    """The job of the channels: half of the epochs, and no flash to save, where weights are shaped later."""
    if means.shaping is None:
        return with_epochs(job, means.epochs)
    job = with_epochs(job, max(1, means.epochs // 2))
    if isinstance(means.shaping, Zeroing):
        worth = backend_of(job.profile).value_zeros(means.shaping.pattern)
        if not worth.flash:
            return job
    return free_flash(job, dense=dense)


def shape_last(
    job: Job, shrunk: Shrunk, *, means: Means, work: WorkDirectory, progress: Progress
) -> tuple[Shrunk, Mapping[str, Zeros]]:
    """The loop with a model of shaped weights as its last step, and the zeros of each kernel.

    Args:
        job: what was asked.
        shrunk: how the loop of channels went, or its opening.
        means: what was chosen; `shaping` is not None.
        work: keeps the model for `--resume`.
        progress: is told about every optimizer step.
    """
    from edgeprune.keras_bridge.loading.save import open_saved, save_model
    from edgeprune.keras_bridge.training.sparsity import list_zeros

    shaping = means.shaping
    assert shaping is not None
    pruned_before = any(row["kind"] == "prune" for row in shrunk.steps)
    epochs = means.epochs - means.epochs // 2 if pruned_before else means.epochs
    if (finished := work.load("shaped")) is not None:
        folder, state = finished
        model = open_saved(folder / "model.keras")
        zeros = list_zeros(model, keep=shaping.keep) if isinstance(shaping, Zeroing) else {}
        shaped = Shaped(model=model, zeros=zeros, accuracy=state["accuracy"], note=state["note"])
    else:
        shaped = shape_weights(job, shrunk.model, shaping, epochs=epochs, progress=progress)
        with work.finish("shaped", {"accuracy": shaped.accuracy, "note": shaped.note}) as folder:
            save_model(shaped.model, folder / "model.keras")
    last = shrunk.steps[-1]
    row = describe_step(
        len(shrunk.steps),
        shaping.name,
        model=shaped.model,
        cost=last["cost"],
        macs=last["macs"],
        accuracy=shaped.accuracy,
        epochs=last["epochs"] + epochs,
        note=shaped.note,
    )
    again = Shrunk(model=shaped.model, steps=[*shrunk.steps, row], equivalence=shrunk.equivalence)
    return again, shaped.zeros


def describe_means(means: Means) -> dict[str, Any]:
    """The means as JSON takes them."""
    kind = None if means.shaping is None else means.shaping.name
    return {**asdict(means), "kind": kind}


def read_means(state: dict[str, Any]) -> Means:
    """What `describe_means` made of the means."""
    told = state["shaping"]
    shaping: Shaping | None = None
    if state["kind"] == "clusters":
        shaping = Clustering(values=told["values"], keep=tuple(told["keep"]))
    elif state["kind"] == "zeros":
        shaping = Zeroing(**{**told, "pattern": Pattern(**told["pattern"]), "keep": tuple(told["keep"])})
    return Means(shaping=shaping, epochs=state["epochs"], note=state["note"])
