"""The road of a build, top to bottom.

    open the inputs → measure the dense model → remove channels → shape weights → convert → strip → encode
    → finish (the C engine builds its firmware) → verify → check → write

`build` is that road. Everything it calls is a function with plain values on both ends; the only things that
change on the way are the Keras model being trained and the files on disk.
"""

from __future__ import annotations

from dataclasses import replace

from edgeprune.build.artefact import find_shortage, make_artefact, refuse_unsupported
from edgeprune.build.job import Job, describe_settings, make_trainer, open_job, open_work
from edgeprune.build.output import write_output
from edgeprune.build.pricing import ask_methods
from edgeprune.build.report import Outcome, compose_report
from edgeprune.build.requantize import requantize
from edgeprune.build.request import BuildRequest
from edgeprune.build.start import find_start
from edgeprune.build.verify import check_artefact, take_test_samples, verify
from edgeprune.build.workdir import WorkDirectory
from edgeprune.errors import InfeasibleError
from edgeprune.files import refuse_existing
from edgeprune.measuring.backend import backend_of
from edgeprune.methods.choose import carry_out, choose_method
from edgeprune.methods.method import Applied
from edgeprune.progress import Progress
from edgeprune.report.schema import Report


def build(request: BuildRequest, *, progress: Progress) -> Report:
    """Makes the output directory and returns its report.

    Raises:
        InfeasibleError: the budgets cannot be met within `max_drop`; `report` says what was found.
        InputError: an input cannot be used; nothing was written.
        ToolError: a runtime failed.
    """
    refuse_existing(request.output, force=request.force)
    job = open_job(request, progress=progress)
    work = open_work(job)
    with work.kept_if_useful():
        outcome = take_road(job, work=work, progress=progress)
    report = compose_report(outcome)
    if not report.verdict:
        raise _infeasible(report, outcome, work)
    progress.stage("write")
    write_output(request.output, outcome, report=report, force=request.force)
    work.remove()
    return report


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
    trainer = make_trainer(job, progress=progress, work=work)
    start, lean = find_start(job, dense, trainer=trainer)
    asked = ask_methods(job, start=start)
    choice = choose_method(asked, wanted=job.request.shaping, trainer=trainer)
    if choice.note:
        progress.note(choice.note)
    dense_flash = dense.figures["flash_bytes"].value or 0.0
    applied = carry_out(choice, asked, dense_flash_bytes=dense_flash, trainer=trainer)
    is_pruned = True
    if applied.model is not start.model:
        progress.stage("pruned model: convert, measure, evaluate")
        pruned = make_artefact(applied.model, job, applied=applied)
    elif lean is not dense:
        progress.note("what was removed without loss is enough: nothing else is pruned")
        pruned = lean
    else:
        progress.note("the dense model already fits: nothing is pruned")
        pruned, is_pruned = dense, False
        applied = Applied(model=job.inputs.model, accuracy=applied.accuracy)
    progress.stage("quantize with care")
    pruned, ladder = requantize(pruned, job, applied=applied, progress=progress)
    finished = backend_of(job.profile).finish(
        pruned.tflite, figures=pruned.figures, samples=take_test_samples(job.inputs), progress=progress
    )
    pruned = replace(pruned, figures={**pruned.figures, **finished.figures})
    progress.stage("compare runtimes")
    comparison = verify(pruned, job)
    checks = check_artefact(pruned, job, dense=dense, comparison=comparison)
    return Outcome(
        inputs=job.inputs,
        profile=job.profile,
        budgets=job.budgets,
        dense=dense,
        pruned=pruned,
        is_pruned=is_pruned,
        applied=applied,
        comparison=comparison,
        ladder=ladder,
        shortage=shortage,
        why=choice.note,
        checks=(*checks, *finished.checks),
        finished=finished,
        settings=describe_settings(job),
        seed=job.request.seed,
    )


def _infeasible(report: Report, outcome: Outcome, work: WorkDirectory) -> InfeasibleError:
    """The error of a build whose best model breaks a check; that model is kept in the work directory."""
    best = work.path / "best"
    write_output(best, outcome, report=report, force=True)
    error = InfeasibleError(
        f"the best model found {report.sentence.removesuffix('.')}",
        fix=f"it is kept in {best}; allow a larger --max-drop, more --epochs, or a wider budget",
    )
    error.report = report
    return error
