"""What is checked about an artefact: budgets, accuracy, ops, and the agreement of runtimes."""

from __future__ import annotations

from dataclasses import replace

from edgeprune.build.artefact import Artefact
from edgeprune.build.inputs import Inputs
from edgeprune.build.job import Job
from edgeprune.device.check import check_budgets
from edgeprune.device.figures import Check, Figure
from edgeprune.measuring.backend import backend_of, check_ops
from edgeprune.measuring.records import Samples
from edgeprune.runtimes.agreement import (
    FRACTION_ALLOWED,
    STEPS_ALLOWED,
    Compared,
    Comparison,
    choose_sample_count,
)

ANSWERS_ALLOWED = 0.05
"""Fraction of a classifier's answers that may change between two correct runtimes: where classes tie."""
TEST_SAMPLES = 4096
"""Test samples that runtimes are compared on and golden ones are chosen of, at most."""


def verify(artefact: Artefact, job: Job) -> Comparison:
    """The artefact in several runtimes, the device's among them, compared with LiteRT's reference kernels."""
    count = choose_sample_count(int(artefact.figures["macs"].value or 0))
    samples = take_test_samples(job.inputs)
    few = replace(samples, inputs=tuple(x[:count] for x in samples.inputs))
    return backend_of(job.profile).verify(artefact.tflite, few, stored=artefact.flashed)


def take_test_samples(inputs: Inputs) -> Samples:
    """The test samples of a build, as a backend gets them."""
    return Samples(
        inputs=inputs.data.take_test(TEST_SAMPLES).x,
        origin="Test samples of the build",
        labels=inputs.data.class_names or (),
    )


def check_artefact(
    pruned: Artefact, job: Job, *, dense: Artefact, comparison: Comparison
) -> tuple[Check, ...]:
    """Budgets, accuracy against the dense model's, ops and agreement of runtimes."""
    checks = [*check_budgets(pruned.figures, job.budgets, job.profile)]
    task = job.inputs.task
    original, of_what = find_reference(job.inputs, dense)
    limit = task.limit_drop(job.request.drop, before=original)
    worst = task.worst_allowed(original, max_drop=limit)
    checks.append(
        Check(
            name="accuracy",
            figure=pruned.figures["accuracy"],
            budget=worst,
            at_least=task.higher_is_better,
            note=f"{of_what} of {original:.4f}, less --max-drop",
        )
    )
    checks.append(check_ops(pruned.measured, job.profile))
    if comparison.verified is not None:
        checks.append(_check_agreement(comparison.verified, comparison))
    is_classifier = task.output_kind == "classes" and len(pruned.model.outputs[0].shape) == 2
    if is_classifier and (answers := check_answers(comparison)) is not None:
        checks.append(answers)
    return tuple(checks)


def find_reference(inputs: Inputs, dense: Artefact) -> tuple[float, str]:
    """What accuracy is held against, on test samples: the original's or the teacher's, whichever is better.

    A model whose moving statistics lag behind its weights may be far worse than it is once they are estimated
    anew; against it, any model would pass.
    """
    task, given = inputs.task, dense.float_accuracy
    if inputs.teacher is not inputs.model:
        settled = inputs.test.score_model(inputs.teacher)
        if task.drop(before=settled, after=given) > 0:
            return settled, f"the original's {task.metric}, with BatchNorm statistics estimated anew,"
    return given, f"the original's {task.metric}"


def check_answers(comparison: Comparison) -> Check | None:
    """How many answers of a classifier change between kernels that ran it; None where none were compared."""
    ran = [row for row in comparison.rows if row.agreement is not None and row.kind != "odd"]
    if not ran:
        return None
    worst = max(ran, key=lambda row: row.agreement.changed_top1 if row.agreement else 0)
    found = worst.agreement
    assert found is not None
    figure = Figure(
        value=float(found.changed_top1),
        unit="changed answers",
        source="simulated",
        evidence=f"of {found.samples} test samples, {found.changed_top1} get another answer from "
        f"{worst.runtime} than from {comparison.reference}",
    )
    allowed = max(1.0, ANSWERS_ALLOWED * found.samples)
    return Check(name="answers", figure=figure, budget=allowed, note="ties that rounding may decide")


def _check_agreement(row: Compared, comparison: Comparison) -> Check:
    found = row.agreement
    if found is None:
        figure = Figure(value=None, unit="steps", source="unavailable", evidence=row.unavailable)
        # Nobody can be held to what this machine cannot tell; a file that TFLM refuses is another matter.
        budget = None if row.is_missing else float(STEPS_ALLOWED)
        return Check(name="agreement", figure=figure, budget=budget)
    in_steps = found.max_steps is not None
    file = f" (on {comparison.file})" if comparison.file else ""
    figure = Figure(
        value=float(found.max_steps or 0) if in_steps else found.max_fraction,
        unit="steps" if in_steps else "of the range",
        source="simulated",
        evidence=f"{found.elements} output elements of {found.samples} test samples, {found.differing} "
        f"of them differ between {comparison.reference} and {row.runtime}{file}",
    )
    if not comparison.decides:
        return Check(name="agreement", figure=figure, budget=None, note=comparison.undecided)
    budget = float(STEPS_ALLOWED) if in_steps else FRACTION_ALLOWED
    return Check(name="agreement", figure=figure, budget=budget, note="what rounding can explain")
