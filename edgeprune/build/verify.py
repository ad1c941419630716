"""What is checked about an artefact: budgets, accuracy, ops, and the agreement of runtimes."""

from __future__ import annotations

from edgeprune.build.artefact import Artefact
from edgeprune.build.job import Job
from edgeprune.device.check import check_budgets
from edgeprune.device.figures import Check, Figure
from edgeprune.device.profile import Profile
from edgeprune.measuring.backend import check_ops
from edgeprune.runtimes.agreement import (
    FRACTION_ALLOWED,
    STEPS_ALLOWED,
    Compared,
    Comparison,
    choose_sample_count,
    compare_runtimes,
)
from edgeprune.runtimes.samples import as_real


def verify(artefact: Artefact, job: Job) -> Comparison:
    """The artefact in several runtimes, the device's among them, compared with LiteRT's reference kernels.

    What Vela compiled runs on an NPU alone; there the file before Vela is compared.
    """
    samples = choose_sample_count(int(artefact.figures["macs"].value or 0))
    return compare_runtimes(
        artefact.tflite,
        as_real(artefact.tflite, tuple(x[:samples] for x in job.inputs.test.inputs)),
        encoded=artefact.flashed,
        with_tflm=job.profile.runtime.name != "litert",
    )


def find_verified(comparison: Comparison, job: Job) -> Compared | None:
    """The row of the device's runtime, if it is to agree with the reference.

    None for LiteRT, whose kernels round differently by design, and for ops that only the NPU executes. The C
    engine computes what TFLM's reference kernels do, bit for bit.
    """
    profile = job.profile
    if profile.runtime.name == "litert" or comparison.tflm is None:
        return None
    return None if profile.npu is not None and comparison.tflm.unavailable else comparison.tflm


def check_artefact(
    pruned: Artefact, job: Job, *, dense: Artefact, comparison: Comparison
) -> tuple[Check, ...]:
    """Budgets, accuracy against the dense model's, ops and agreement of runtimes."""
    checks = [*check_budgets(pruned.figures, job.budgets, job.profile)]
    task = job.inputs.task
    worst = task.worst_allowed(dense.float_accuracy, max_drop=job.request.max_drop)
    checks.append(
        Check(
            name="accuracy",
            figure=pruned.figures["accuracy"],
            budget=worst,
            at_least=task.higher_is_better,
            note=f"the original's {task.metric} of {dense.float_accuracy:.4f}, less --max-drop",
        )
    )
    checks.append(check_ops(pruned.measured, job.profile))
    verified = find_verified(comparison, job)
    if verified is not None:
        checks.append(_check_agreement(verified, comparison, job.profile))
    return tuple(checks)


def _check_agreement(row: Compared, comparison: Comparison, profile: Profile) -> Check:
    found = row.agreement
    if found is None:
        figure = Figure(value=None, unit="steps", source="unavailable", evidence=row.unavailable)
        return Check(name="agreement", figure=figure, budget=float(STEPS_ALLOWED))
    in_steps = found.max_steps is not None
    file = " (on the file before Vela: what it compiles runs on the NPU alone)" if profile.npu else ""
    figure = Figure(
        value=float(found.max_steps or 0) if in_steps else found.max_fraction,
        unit="steps" if in_steps else "of the range",
        source="simulated",
        evidence=f"{found.elements} output elements of {found.samples} test samples, {found.differing} "
        f"of them differ between {comparison.reference} and {row.runtime}{file}",
    )
    if not comparison.decides:
        note = "this LiteRT rounds otherwise than TFLM; tflite-runtime 2.14 would tell (Python 3.11, Linux)"
        return Check(name="agreement", figure=figure, budget=None, note=note)
    budget = float(STEPS_ALLOWED) if in_steps else FRACTION_ALLOWED
    return Check(name="agreement", figure=figure, budget=budget, note="what rounding can explain")
