"""Channels, zeros, or both: by what means a build comes to its budgets.

Channels save flash, RAM and time everywhere. Zeros save what the device's runtime makes of them: where that
is flash, and flash is over its budget, both are tried on the model at hand, and what loses less accuracy is
taken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from edgeprune.artefact import Artefact, encode_for_device
from edgeprune.budget_loop import exceeded, shrink_to_budgets
from edgeprune.device.check import Budget
from edgeprune.device.zeros import value_zeros
from edgeprune.errors import InfeasibleError
from edgeprune.job import Job, plan_recovery
from edgeprune.opening import Opening, describe_step
from edgeprune.progress import Progress, Within
from edgeprune.prune.masks import UNSTRUCTURED, Pattern, Zeros
from edgeprune.quantities import format_quantity
from edgeprune.shrink import Shrunk
from edgeprune.sparse_step import Sparsified, Zeroing, sparsify, sparsify_at_once
from edgeprune.tflite.strip import strip
from edgeprune.workdir import WorkDirectory

if TYPE_CHECKING:
    import keras

TRIAL_SHARE = 0.1
"""Fraction of all epochs that each of the two trials may take."""
LEAST_EPOCHS = 4
"""With fewer epochs nothing is tried: a trial would say little, and leave little."""
SPARSITIES = tuple(round(0.3 + 0.05 * i, 2) for i in range(14))
"""Sparsities that may be chosen where none was asked for, up to 0.95."""
FLASH_SLACK = 0.01
"""Kept below the flash budget while zeros are planned: fine-tuning changes which weights are zero."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Means:
    """What was chosen.

    Attributes:
        zeroing: the zeros to be made; None for channels alone.
        epochs: what is left of the build's epochs after trials.
        note: why, in at most two sentences; "" where there was no question.
    """

    zeroing: Zeroing | None = None
    epochs: int
    note: str = ""


def choose_means(
    job: Job, lean: Artefact, *, opening: Opening, work: WorkDirectory, progress: Progress
) -> Means:
    """By what means this model comes to its budgets on this device.

    Zeros that were asked for are made. Otherwise they are considered where flash is over its budget and the
    device stores zeros in less: the smallest sparsity that brings flash under its budget is measured on
    files, and tried against channels alone.

    Args:
        job: what was asked.
        lean: what is pruned first, measured.
        opening: the same model as `open_loop` gives it.
        work: keeps the choice for `--resume`.
        progress: is told what is going on.
    """
    pattern = UNSTRUCTURED if job.request.zeroing is None else job.request.zeroing.pattern
    worth = value_zeros(job.profile, pattern, scheme=job.request.scheme)
    if job.request.zeroing is not None:
        return Means(zeroing=job.request.zeroing, epochs=job.epochs, note=f"Zeros, as asked: {worth.reason}.")
    over = exceeded(lean.measured, job.budgets)
    if "flash" not in over:
        return Means(epochs=job.epochs)
    if not worth.flash:
        return Means(epochs=job.epochs, note=f"Channels alone: {worth.reason}.")
    if job.epochs < LEAST_EPOCHS:
        return Means(epochs=job.epochs, note="Channels alone: with so few epochs zeros are not tried.")
    if (finished := work.load("means")) is not None:
        return read_means(finished[1])
    means = _compare(job, lean, opening=opening, progress=progress)
    with work.finish("means", asdict(means)):
        pass
    return means


def leave_flash_to_zeros(job: Job, means: Means, *, dense: Artefact) -> Job:
    """The job of the channels: where zeros follow, half of the epochs, and flash only if zeros save none."""
    if means.zeroing is None:
        return _with_epochs(job, means.epochs)
    job = _with_epochs(job, max(1, means.epochs // 2))
    if not value_zeros(job.profile, means.zeroing.pattern).flash:
        return job
    flash = job.budgets.flash_bytes
    if flash.value is None:
        return job
    largest = max(flash.value, dense.figures["flash_bytes"].value or 0.0)
    unbound = Budget(value=largest, origin=flash.origin, reason=flash.reason)
    return replace(job, budgets=replace(job.budgets, flash_bytes=unbound))


def bring_zeros_in(
    job: Job, shrunk: Shrunk, *, means: Means, work: WorkDirectory, progress: Progress
) -> tuple[Shrunk, Mapping[str, Zeros]]:
    """The loop with a sparse model as its last step, and the zeros of each kernel.

    Args:
        job: what was asked.
        shrunk: how the loop of channels went, or its opening.
        means: what was chosen; `zeroing` is not None.
        work: keeps the sparse model for `--resume`.
        progress: is told about every optimizer step.
    """
    from edgeprune.keras_bridge.save import open_saved, save_model
    from edgeprune.keras_bridge.sparsity import list_zeros

    assert means.zeroing is not None
    pruned_before = any(row["kind"] == "prune" for row in shrunk.steps)
    epochs = means.epochs - means.epochs // 2 if pruned_before else means.epochs
    if (finished := work.load("zeros")) is not None:
        folder, state = finished
        model = open_saved(folder / "model.keras")
        zeros = list_zeros(model, keep=means.zeroing.keep)
        sparse = Sparsified(model=model, zeros=zeros, accuracy=state["accuracy"])
    else:
        sparse = _sparsify(job, shrunk.model, means.zeroing, epochs=epochs, progress=progress)
        with work.finish("zeros", {"accuracy": sparse.accuracy}) as folder:
            save_model(sparse.model, folder / "model.keras")
    last = shrunk.steps[-1]
    row = describe_step(
        len(shrunk.steps),
        "zeros",
        model=sparse.model,
        cost=last["cost"],
        macs=last["macs"],
        accuracy=sparse.accuracy or 0.0,
        epochs=last["epochs"] + epochs,
        note=f"{sparse.sparsity:.1%} of the weights in kernels are zero ({means.zeroing.pattern})",
    )
    again = Shrunk(model=sparse.model, steps=[*shrunk.steps, row], equivalence=shrunk.equivalence)
    return again, sparse.zeros


def find_sparsity(job: Job, model: keras.Model, *, pattern: Pattern = UNSTRUCTURED) -> float | None:
    """The smallest of `SPARSITIES` that brings flash under its budget, measured on files; None if none does.

    The zeros are made at once, without training: how small a file becomes hardly depends on which they are.
    """
    from edgeprune.keras_bridge.convert import convert

    limit = job.budgets.flash_bytes.value
    if limit is None:
        return None
    few = tuple(x[:8] for x in job.inputs.representative)

    def fits(sparsity: float) -> bool:
        zeroing = Zeroing(final_sparsity=sparsity, pattern=pattern, keep=tuple(job.request.keep))
        sparse = sparsify_at_once(model, zeroing)
        tflite = strip(convert(sparse.model, scheme=job.request.scheme, representative=few))
        flash = encode_for_device(tflite, job).figures["flash_bytes"].value
        return flash is not None and flash <= limit * (1 - FLASH_SLACK)

    return find_first(SPARSITIES, fits)


def find_first(values: tuple[float, ...], holds: Callable[[float], bool]) -> float | None:
    """The first value from which on it holds, by bisection; None if it does not hold for the last."""
    if not holds(values[-1]):
        return None
    low, high = 0, len(values) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(values[middle]) else (middle + 1, high)
    return values[high]


def _compare(job: Job, lean: Artefact, *, opening: Opening, progress: Progress) -> Means:
    """Both ways on trial."""
    epochs = max(1, round(TRIAL_SHARE * job.epochs))
    trial = _with_epochs(job, epochs)
    judge = job.inputs.validation
    rest = [name for name in exceeded(lean.measured, job.budgets) if name != "flash"]
    trials = 3 if rest else 2
    left = max(1, job.epochs - trials * epochs)
    progress.stage("channels or zeros: try both", total=trials * plan_recovery(trial).total_steps)
    within = Within(progress)
    dense = opening.steps[0]["accuracy"]
    narrow, missed = _try_channels(trial, lean, opening, progress=within)
    lost_by_channels = None if narrow is None else judge.drop(before=dense, after=judge.score_model(narrow))
    start = opening.model
    if rest:
        unbound = leave_flash_to_zeros(
            trial, Means(zeroing=Zeroing(final_sparsity=0.0), epochs=2 * epochs), dense=lean
        )
        found, _ = _try_channels(unbound, lean, opening, progress=within)
        if found is None:
            return Means(epochs=left, note=f"Channels alone: {' and '.join(rest)} cannot be met on trial.")
        start = found
    sparsity = find_sparsity(job, start)
    if sparsity is None:
        over = format_quantity(job.budgets.flash_bytes.value, "bytes")
        return Means(epochs=left, note=f"Channels alone: no sparsity up to 0.95 brings flash under {over}.")
    zeroing = Zeroing(final_sparsity=sparsity, keep=tuple(job.request.keep))
    sparse = _sparsify(trial, start, zeroing, epochs=epochs, progress=within)
    lost_by_zeros = judge.drop(before=dense, after=sparse.accuracy or 0.0)
    metric = judge.task.metric
    if lost_by_channels is None:
        return Means(zeroing=zeroing, epochs=left, note=f"Zeros ({sparsity:g}): {missed}.")
    tried = (
        f"after {epochs} epochs on trial, {sparsity:g} zeros had lost {lost_by_zeros:.4f} of {metric} and "
        f"channels alone {lost_by_channels:.4f}, at the same flash"
    )
    if lost_by_zeros < lost_by_channels:
        first = "Channels for the other budgets, then zeros" if rest else "Zeros"
        return Means(zeroing=zeroing, epochs=left, note=f"{first}: {tried}.")
    return Means(epochs=left, note=f"Channels alone: {tried}.")


def _try_channels(
    job: Job, lean: Artefact, opening: Opening, *, progress: Progress
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


def _sparsify(
    job: Job, model: keras.Model, zeroing: Zeroing, *, epochs: int, progress: Progress
) -> Sparsified:
    return sparsify(
        model,
        job.inputs.teacher,
        zeroing=zeroing,
        training=job.inputs.training,
        judge=job.inputs.validation,
        recovery=plan_recovery(_with_epochs(job, epochs)),
        progress=progress,
    )


def _with_epochs(job: Job, epochs: int) -> Job:
    return replace(job, request=replace(job.request, epochs=epochs))


def read_means(state: dict[str, Any]) -> Means:
    """What `asdict` made of the means, from JSON."""
    zeroing = state["zeroing"]
    if zeroing is not None:
        pattern, keep = Pattern(**zeroing["pattern"]), tuple(zeroing["keep"])
        zeroing = Zeroing(**{**zeroing, "pattern": pattern, "keep": keep})
    return Means(zeroing=zeroing, epochs=state["epochs"], note=state["note"])
