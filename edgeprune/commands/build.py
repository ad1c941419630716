"""The road of a build, top to bottom.

    open the inputs → measure the dense model → remove channels → shape weights → convert → strip → encode
    → build firmware (C engine) → verify → check → write

`build` is that road. Everything it calls is a function with plain values on both ends; the only things that
change on the way are the Keras model being trained and the files on disk.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from edgeprune.build.artefact import find_shortage, make_artefact, refuse_unsupported
from edgeprune.build.firmware import Firmware, build_firmware
from edgeprune.build.job import Job, describe_settings, open_job, open_work
from edgeprune.build.report import Outcome, compose_report
from edgeprune.build.request import BuildRequest
from edgeprune.build.result import BuildResult
from edgeprune.build.verify import check_artefact, verify
from edgeprune.build.workdir import WorkDirectory
from edgeprune.errors import InfeasibleError, RecipeError
from edgeprune.files import refuse_existing
from edgeprune.methods.budget_loop import exceeded, open_loop, shrink_to_budgets
from edgeprune.methods.choose import choose_means, leave_flash_to_weights, shape_last
from edgeprune.methods.loop import Shrunk
from edgeprune.progress import Progress
from edgeprune.quantization.requantize import requantize


def build(request: BuildRequest, *, progress: Progress) -> BuildResult:
    """Takes the road, and writes the output directory if one is asked for.

    Raises:
        InfeasibleError: the budgets cannot be met within `max_drop`; `best` is what was found.
        InputError: an input cannot be used; nothing was written.
        ToolError: a runtime failed.
    """
    if request.output is not None:
        refuse_existing(request.output, force=request.force)
    job = open_job(request, progress=progress)
    with _open_work(job) as work:
        with work.kept_if_useful():
            outcome = take_road(job, work=work, progress=progress)
        result = BuildResult(outcome=outcome, report=compose_report(outcome))
        if not result.fits:
            raise _infeasible(result, None if request.output is None else work)
        if request.output is not None:
            progress.stage("write")
            result.save(request.output, force=request.force)
            work.remove()
    return result


@contextmanager
def _open_work(job: Job) -> Iterator[WorkDirectory]:
    """The work directory: beside the output, or a temporary one where nothing is to be written."""
    request = job.request
    if request.output is not None:
        yield open_work(job, request.output.with_name(f"{request.output.name}.work"))
        return
    if request.resume:
        raise RecipeError("a build without an output cannot be resumed", where="resume", fix="give output")
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        yield open_work(job, Path(folder, "work"))


def take_road(job: Job, *, work: WorkDirectory, progress: Progress) -> Outcome:
    """From the dense model to a checked artefact; nothing is written but finished stages."""
    progress.stage("dense model: convert, measure, evaluate")
    dense = make_artefact(job.inputs.model, job)
    refuse_unsupported(dense, job)
    for note in dense.measured.notes:
        progress.note(note)
    shortage = find_shortage(dense, job)
    if shortage:
        progress.warn(shortage)
    opening, lean = open_loop(job, dense, progress=progress)
    means = choose_means(job, lean, opening=opening, work=work, progress=progress)
    if means.note:
        progress.note(means.note)
    shrunk, zeros, pruned = Shrunk.opened(opening), None, lean
    loop = leave_flash_to_weights(job, means, dense=dense)
    if exceeded(lean.measured, loop.budgets):
        shrunk = shrink_to_budgets(loop, lean, opening=opening, work=work, progress=progress)
    if means.shaping is not None:
        shrunk, zeros = shape_last(job, shrunk, means=means, work=work, progress=progress)
    if shrunk.model is not opening.model:
        progress.stage("pruned model: convert, measure, evaluate")
        pruned = make_artefact(shrunk.model, job, zeros=zeros)
    elif lean is not dense:
        progress.note("without its dead channels the model already fits: nothing else is pruned")
    else:
        progress.note("the dense model already fits: nothing is pruned")
        shrunk = Shrunk(model=job.inputs.model, steps=[], equivalence=[])
    progress.stage("quantize with care")
    pruned, climbed = requantize(pruned, job, zeros=zeros, progress=progress)
    firmware: Firmware | None = None
    if job.profile.runtime.name == "c":
        progress.stage("build the firmware and run it")
        pruned, firmware = build_firmware(pruned, job)
    progress.stage("compare runtimes")
    comparison = verify(pruned, job)
    checks = check_artefact(pruned, job, dense=dense, comparison=comparison)
    return Outcome(
        inputs=job.inputs,
        profile=job.profile,
        budgets=job.budgets,
        dense=dense,
        pruned=pruned,
        shrunk=shrunk,
        comparison=comparison,
        climbed=climbed,
        shortage=shortage,
        means=means.note,
        checks=checks if firmware is None else (*checks, firmware.check),
        firmware=firmware,
        settings=describe_settings(job),
        seed=job.request.seed,
    )


def _infeasible(best: BuildResult, work: WorkDirectory | None) -> InfeasibleError:
    """The error of a build whose best model breaks a check; that model is kept where a directory is."""
    fix = "allow a larger --max-drop, more --epochs, or a wider budget"
    if work is not None:
        best.save(work.path / "best", force=True)
        fix = f"it is kept in {work.path / 'best'}; {fix}"
    error = InfeasibleError(f"the best model found {best.sentence.removesuffix('.')}", fix=fix)
    error.best = best
    return error
