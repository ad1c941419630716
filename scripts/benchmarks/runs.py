"""One run of the benchmark, from a subject to a row."""

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.plans import RULES, drop_a_block, list_widths, narrow_by
from benchmarks.recovering import Course, make_file, make_fresh
from benchmarks.rows import AS_GIVEN, TUNED, Row, Run, now
from benchmarks.settings import changed, options_among
from benchmarks.subjects import Subject
from edgeprune.build.artefact import Artefact, make_artefact
from edgeprune.build.job import Job, open_job
from edgeprune.build.request import make_request
from edgeprune.config.budgets import BUDGETS
from edgeprune.errors import InfeasibleError
from edgeprune.methods.method import Applied
from edgeprune.progress import Silent

SCRATCH = "from scratch: "
"""What methods begin with that train an architecture from random weights."""
BLOCK_FEWER = "block-fewer"
MODELS, ARCHITECTURES = "models", "architectures"
"""Folders of a benchmark: what runs made, and files that are trained from scratch."""
LOOSE = 4.0
"""Budgets that are not asked for are this many times what the dense model takes: they must not bind."""
OF_THE_MODEL = {"flash": "tflite_bytes", "ram": "arena_bytes", "latency": "latency_ms"}
"""Budget → the part of its figure that pruning can change: code, stack and the like stay as they are."""


class Stopwatch(Silent):
    """Progress that keeps the time of each stage, and says on stderr which one is on."""

    def __init__(self) -> None:
        """The clock is running; what comes before the first stage has no name yet."""
        self.seconds: dict[str, float] = {}
        self._started = self._last = time.monotonic()
        self._stage = "open the inputs"

    @property
    def total(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def stage(self, name: str, *, total: int = 0) -> None:
        """A stage begins, and the one before is over."""
        now, before = time.monotonic(), self._stage
        self.seconds[before] = round(self.seconds.get(before, 0.0) + now - self._last, 1)
        self._last, self._stage = now, name
        if name:
            print(f"    {self.total:6.0f} s  {name}", file=sys.stderr, flush=True)

    def stop(self) -> dict[str, float]:
        """Seconds of each stage, now that the last is over."""
        self.stage("")
        return self.seconds


def carry_out(run: Run, *, subject: Subject, dense: Row | None, output: Path) -> Row:
    """The row of a run; what has no file, because no plan meets the budget, has a row that says so.

    Args:
        run: what to do.
        subject: the model and its data.
        dense: the row of the dense model as it was given, for budgets; None for that run itself.
        output: the benchmark's folder.
    """
    watch = Stopwatch()
    with changed(run.options):
        try:
            if run.method == "edgeprune":
                row, model = build(run, subject=subject, dense=dense, watch=watch)
            else:
                job = open_for(run, subject=subject, dense=dense, watch=watch)
                row, model = make_baseline(run, job, watch=watch, folder=output / ARCHITECTURES)
        except InfeasibleError as error:
            row, model = Row(run=run, outcome=f"no plan: {error}"), None
    return finish(row, model, watch=watch, models=output / MODELS)


def finish(row: Row, model: Any, *, watch: Stopwatch, models: Path) -> Row:
    """The row with its times and date; the model, if there is one, is saved under the run's name."""
    row = replace(row, seconds=round(watch.total, 1), stages=watch.stop(), date=now())
    if model is not None:
        models.mkdir(parents=True, exist_ok=True)
        model.save(models / f"{name_run(row.run)}.keras")
    return row


def name_run(run: Run) -> str:
    """A file name that no other run has."""
    parts = (run.model, run.label, run.budget, f"{run.epochs}ep", f"seed{run.seed}", run.device, run.commit)
    text = " ".join(part for part in parts if part)
    return "".join(c if c.isalnum() or c in ".-+=" else "_" for c in text)


def build(run: Run, *, subject: Subject, dense: Row | None, watch: Stopwatch) -> tuple[Row, Any]:
    """The row and model of `edgeprune.build` itself, with all of its choices and its int8 ladder."""
    import edgeprune

    arguments = list_arguments(run, subject=subject, dense=dense)
    try:
        built = edgeprune.build(**arguments, progress=watch)
    except InfeasibleError as error:
        if error.best is None:
            raise
        built = error.best  # a check fails, perhaps that of accuracy: its figures count all the same
    pruned = built.outcome.pruned
    return make_row(run, pruned, job_metric=built.outcome.inputs.task, outcome=built.sentence), pruned.model


def make_baseline(run: Run, job: Job, *, watch: Stopwatch, folder: Path) -> tuple[Row, Any]:
    """The row and model of what edgeprune is compared with; `folder` has files to train from scratch."""
    if run.method == AS_GIVEN:
        artefact = make_artefact(job.inputs.model, job)
    else:
        applied = recover(run, job, watch=watch, folder=folder)
        artefact = make_file(applied, job, progress=watch)
    return make_row(run, artefact, job_metric=job.inputs.task, outcome="made"), artefact.model


def recover(run: Run, job: Job, *, watch: Stopwatch, folder: Path) -> Applied:
    """The student of a method after all steps of the build's own recovery.

    That is a copy of the dense model, the one that a rule narrows at once, or an architecture with random
    weights.
    """
    from edgeprune.keras_bridge.model.weights import copy_model

    watch.stage("plan")
    if run.method == TUNED:
        student = copy_model(job.inputs.teacher)
    elif run.method.startswith(SCRATCH):
        architecture = find_architecture(run.method.removeprefix(SCRATCH), job, folder=folder)
        student = make_fresh(architecture, seed=run.seed)
    else:
        student = narrow_by(run.method, job.inputs.teacher, job)
    watch.stage("recover")
    return Course(job, progress=watch).finish(student)


def open_for(run: Run, *, subject: Subject, dense: Row | None, watch: Stopwatch) -> Job:
    """The run's request with everything opened."""
    return open_job(make_request(list_arguments(run, subject=subject, dense=dense)), progress=watch)


def find_architecture(name: str, job: Job, *, folder: Path) -> Any:
    """The architecture of that name that just keeps to the budgets, or that of a `.keras` file as it is."""
    from edgeprune.keras_bridge.loading.load import load_model

    if name.endswith(".keras"):
        return load_model(folder / name)
    teacher = job.inputs.teacher
    if name == BLOCK_FEWER:
        return narrow_by("uniform", drop_a_block(teacher, job), job)
    return narrow_by(name, teacher, job)


def list_scratch() -> tuple[str, ...]:
    """The architectures that are solved to a budget by name."""
    return (*(name for name in RULES if name != "random"), BLOCK_FEWER)


def list_arguments(run: Run, *, subject: Subject, dense: Row | None) -> dict[str, Any]:
    """The arguments of `edgeprune.build` that ask for a run."""
    asked: dict[str, Any] = {
        "model": subject.model,
        "data": None if subject.data is None else str(subject.data),
        "device": run.device,
        "max_drop": 1e6,  # whatever is lost is reported
        "epochs": max(1, run.epochs),
        "seed": run.seed,
        "loss": subject.loss,
        "metric": subject.metric,
    }
    return asked | ask_budgets(run.budget, dense) | options_among(run.options)


def ask_budgets(budget: str, dense: Row | None) -> dict[str, float]:
    """The arguments of a budget, which is a fraction of what the dense model itself takes.

    Of flash that is its file, of RAM its arena: with the code and the stack beside them half of a small
    model's flash could not be had.

    Args:
        budget: "latency:0.5", say; "" for none.
        dense: the dense model's row.
    """
    if not budget:
        return {}
    assert dense is not None
    chosen, fraction = parse_budget(budget)
    asked = {}
    for name, kind in BUDGETS.items():
        whole, part = dense.figures[kind.figure], dense.figures[OF_THE_MODEL[name]]
        if whole is None or part is None:
            continue
        allowed = whole - (1 - fraction) * part if name == chosen else LOOSE * whole
        asked[kind.key] = allowed / kind.scale
    return asked


def parse_budget(text: str) -> tuple[str, float]:
    """The name and the fraction of a budget.

    Raises:
        ValueError: it is not one.
    """
    name, _, fraction = text.partition(":")
    if name not in BUDGETS or not 0 < float(fraction or 0) <= 1:
        raise ValueError(
            f"budget '{text}': say one of {', '.join(BUDGETS)} and a fraction, as in latency:0.5"
        )
    return name, float(fraction)


def make_row(run: Run, artefact: Artefact, *, job_metric: Any, outcome: str) -> Row:
    """The row of an artefact; `job_metric` is the task that scored it."""
    figures: Mapping[str, float | None] = {name: f.value for name, f in artefact.figures.items()}
    widths: dict[str, int] = {}
    with suppress(AttributeError):  # of nested models there is no such list
        widths = list_widths(artefact.model)
    return Row(
        run=run,
        metric=artefact.metric,
        higher_is_better=job_metric.higher_is_better,
        value=figures["accuracy"],
        float_value=artefact.float_accuracy,
        figures=figures,
        widths=widths,
        outcome=outcome,
    )
