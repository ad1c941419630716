"""The road of a build, top to bottom.

    open the inputs → measure the dense model → remove channels → shape weights → convert → strip → encode
    → finish (the C engine builds its firmware) → verify → check → write

`build` is that road. Everything it calls is a function with plain values on both ends; the only things that
change on the way are the Keras model being trained and the files on disk.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from edgeprune.build.artefact import Artefact, find_shortage, make_artefact, refuse_unsupported
from edgeprune.build.job import Job, describe_settings, make_trainer, open_job, open_work
from edgeprune.build.kept import telling_what_is_kept
from edgeprune.build.learning_rate import suit_learning_rate
from edgeprune.build.pictures import picture_samples
from edgeprune.build.pricing import ask_methods
from edgeprune.build.report import Outcome, compose_report
from edgeprune.build.requantize import requantize
from edgeprune.build.request import BuildRequest
from edgeprune.build.result import BuildResult
from edgeprune.build.start import find_start
from edgeprune.build.verify import check_artefact, take_test_samples, verify
from edgeprune.build.workdir import BEST, WorkDirectory, check_work, place_of_work
from edgeprune.config.budgets import BUDGETS
from edgeprune.config.workers import is_first_worker
from edgeprune.device.check import limit_budget
from edgeprune.errors import InfeasibleError, OutputError, RecipeError
from edgeprune.files import claim_output, refuse_existing
from edgeprune.measuring.backend import backend_of
from edgeprune.methods.channels import fine_tune, narrow_to_least
from edgeprune.methods.choose import carry_out, choose_method
from edgeprune.methods.method import Applied, Asked
from edgeprune.methods.minimize import find_least
from edgeprune.methods.pricing import cost_of, exceeded
from edgeprune.methods.start import Start
from edgeprune.progress import Progress

if TYPE_CHECKING:
    from edgeprune.keras_bridge.training.trainer import Trainer


def build(request: BuildRequest, *, progress: Progress) -> BuildResult:
    """Takes the road, and writes the output directory if one is asked for.

    Raises:
        InfeasibleError: the budgets cannot be met within `max_drop`; `best` is what was found.
        InputError: an input cannot be used; nothing was written.
        ToolError: a runtime failed.
    """
    if request.distribute == "multiworker" and not is_first_worker():
        progress.note("this worker trains; the first one writes the output")
        request = replace(request, output=None)
    if request.output is None:
        if request.resume:
            raise RecipeError(
                "a build without an output cannot be resumed", where="resume", fix="give output"
            )
        with TemporaryDirectory(prefix="edgeprune-") as folder:
            return _build(request, place=Path(folder, "work"), progress=progress)
    refuse_existing(request.output, force=request.force, holds="folder")
    _refuse_own_inputs(request, request.output)
    place = place_of_work(request.output)
    with claim_output(request.output, force=request.force, holds="folder"):
        check_work(place, resume=request.resume)  # before minutes of reading data, not after
        with telling_what_is_kept(request.output, is_resumed=request.resume):
            return _build(request, place=place, progress=progress)


def _build(request: BuildRequest, *, place: Path, progress: Progress) -> BuildResult:
    """The same, with finished stages in that place."""
    job = open_job(request, progress=progress)
    work = open_work(job, place, progress=progress)
    with work.kept_if_useful():
        outcome = take_road(job, work=work, progress=progress)
        result = BuildResult(outcome=outcome, report=compose_report(outcome))
        if outcome.refusal is not None or not result.fits:
            raise _infeasible(result, None if request.output is None else work)
        if request.output is not None:
            progress.stage("write")
            result.save(request.output, force=request.force)
            progress.note(f"everything is in {request.output}; start with report.html")
    work.remove()
    return result


def _refuse_own_inputs(request: BuildRequest, output: Path) -> None:
    """Raises OutputError where the output would take the place of what it is made from."""
    for source in (request.model, request.data):
        path = Path(source) if isinstance(source, str | Path) else None
        if path is not None and "\0" not in str(path) and os.path.abspath(path) == os.path.abspath(output):
            raise OutputError(
                "is an input of this build, which must not be replaced",
                where=str(output),
                fix="choose another name for the output",
            )


def take_road(job: Job, *, work: WorkDirectory, progress: Progress) -> Outcome:
    """From the dense model to a checked artefact; nothing is written but finished stages."""
    progress.stage("dense model: convert, measure, evaluate")
    dense = make_artefact(job.inputs.model, job)
    refuse_unsupported(dense, job)
    progress.advance(0, detail=dense.told)
    for note in dense.measured.notes:
        progress.note(note)
    shortage = find_shortage(dense, job)
    if shortage:
        progress.warn(shortage)
    trainer = make_trainer(job, progress=progress, work=work)
    start, lean = find_start(job, dense, trainer=trainer)
    asked = ask_methods(job, start=start)
    request = job.request
    trains = request.only_fine_tune or request.minimize or request.shaping is not None
    if trains or exceeded(start.cost, asked.budgets):
        job = suit_learning_rate(job, start.model, trainer=trainer)
        trainer = make_trainer(job, progress=progress, work=work)
    beginning = Beginning(dense=dense, lean=lean, start=start, shortage=shortage, progress=progress)
    if request.minimize is not None:
        return _minimize(job, asked, beginning, trainer=trainer)
    dense_flash = dense.figures["flash_bytes"].value or 0.0
    why, refusal = "", None
    try:
        if request.only_fine_tune:
            applied = fine_tune(asked, trainer=trainer)
        else:
            choice = choose_method(asked, wanted=request.shaping, trainer=trainer)
            if choice.note:
                progress.note(choice.note)
            why = choice.note
            applied = carry_out(choice, asked, dense_flash_bytes=dense_flash, trainer=trainer)
    except InfeasibleError as error:
        if (nearest := narrow_to_least(asked, trainer=trainer)) is None:
            raise
        applied, refusal = nearest, error
    return replace(_finish(job, applied, beginning, refusal=refusal), why=why)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Beginning:
    """What the end of the road needs of its beginning.

    Attributes:
        dense, lean: the artefacts of the original, and of where pruning starts.
        start: where that is.
        shortage: as in `Outcome`.
        progress: is told what is going on.
    """

    dense: Artefact
    lean: Artefact
    start: Start
    shortage: str
    progress: Progress


def _minimize(job: Job, asked: Asked, beginning: Beginning, *, trainer: Trainer) -> Outcome:
    """The smallest model whose drop is small enough and whose file holds all that is checked, if any."""
    kind = BUDGETS[job.request.minimize or ""]
    budgets = {name: limit for name, limit in asked.budgets.items() if name != kind.name}
    cost = cost_of(beginning.lean.measured.figures, {**budgets, kind.name: 0.0})
    asked = replace(asked, budgets=budgets, start=replace(beginning.start, cost=cost))
    task = job.inputs.task
    found = find_least(
        asked,
        kind=kind.name,
        max_drop=task.limit_drop(job.request.drop, before=trainer.reference),
        trainer=trainer,
    )
    for good in found.good:
        limited = replace(job, budgets=limit_budget(job.budgets, kind, good.budget))
        outcome = replace(_finish(limited, good.applied, beginning), trials=found.trials)
        if all(check.ok for check in outcome.checks):
            break
        beginning.progress.note("its int8 file fails a check; the next larger model is taken")
    return outcome


def _finish(
    job: Job, applied: Applied, beginning: Beginning, *, refusal: InfeasibleError | None = None
) -> Outcome:
    """From a model to a checked artefact."""
    from edgeprune.keras_bridge.model.inference_form import compile_alike

    progress, dense, is_pruned = beginning.progress, beginning.dense, True
    if applied.model is not beginning.start.model:
        progress.stage("pruned model: convert, measure, evaluate")
        pruned = make_artefact(applied.model, job, applied=applied)
        progress.advance(0, detail=pruned.told)
    elif beginning.lean is not dense:
        progress.note("without the channels that do nothing it fits: nothing else is pruned")
        pruned = beginning.lean
    else:
        progress.note("the dense model already fits: nothing is pruned")
        pruned, is_pruned = dense, False
        applied = Applied(model=job.inputs.model, accuracy=applied.accuracy)
    ladder = None
    if refusal is None:
        progress.stage("quantize with care")
        pruned, ladder = requantize(pruned, job, applied=applied, progress=progress)
        progress.advance(0, detail=pruned.told)
    finished = backend_of(job.profile).finish(
        pruned.tflite, figures=pruned.figures, samples=take_test_samples(job.inputs), progress=progress
    )
    pruned = replace(pruned, figures={**pruned.figures, **finished.figures})
    if pruned.model is not job.inputs.model:
        compile_alike(job.inputs.model, pruned.model)
    for note in pruned.notes:
        progress.note(note)
    progress.stage("compare runtimes")
    comparison = verify(pruned, job)
    checks = check_artefact(pruned, job, dense=dense, comparison=comparison)
    return Outcome(
        request=job.request,
        inputs=job.inputs,
        profile=job.profile,
        budgets=job.budgets,
        dense=dense,
        pruned=pruned,
        is_pruned=is_pruned,
        applied=applied,
        comparison=comparison,
        ladder=ladder,
        shortage=beginning.shortage,
        why="",
        refusal=refusal,
        checks=(*checks, *finished.checks),
        finished=finished,
        samples=picture_samples(pruned.tflite, job.inputs),
        settings=describe_settings(job),
        seed=job.request.seed,
    )


def _infeasible(best: BuildResult, work: WorkDirectory | None) -> InfeasibleError:
    """The error of a build without a model that holds; the best one is kept where a directory is."""
    refusal, request = best.outcome.refusal, best.outcome.request
    if refusal is None:
        more = "" if request.epochs == "auto" else "more --epochs, "
        what, why = f"the best model found {best.sentence.removesuffix('.')}", ""
        fix = f"allow a larger --max-drop, {more}or a wider budget"
    else:
        what, why, fix = refusal.what, refusal.why, refusal.fix
    if work is not None:
        best.save(work.path / BEST, force=True)
        kept = f"it is kept in {work.path / BEST}"
        fix = f"{kept}; {fix}" if refusal is None else f"{fix}; {kept}, refitted but not fine-tuned"
    error = InfeasibleError(what, why=why, fix=fix)
    error.best = best
    return error
