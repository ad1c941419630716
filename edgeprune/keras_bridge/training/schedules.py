"""Schedules, from TensorFlow Model Optimization: how much of the way is done after each step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeprune.registry import Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """Parameters of a schedule, by TFMOT's names.

    Attributes:
        final_sparsity: where it ends (TFMOT's `target_sparsity` of a constant one), in [0, 1).
        end_step: the step from which on it stays there.
        initial_sparsity: where it starts; a constant schedule does not use it.
        begin_step: its first step; before it the sparsity is 0.
        frequency: it moves on every so many steps.
        power: of the polynomial; a constant schedule does not use it.
    """

    final_sparsity: float
    end_step: int
    initial_sparsity: float = 0.0
    begin_step: int = 0
    frequency: int = 1
    power: float = 3.0

    def update_steps(self) -> set[int]:
        """The steps after which masks are chosen anew; TFMOT would leave out an end between two of them."""
        return {*range(self.begin_step, self.end_step + 1, self.frequency), self.end_step}


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A kind of schedule.

    Attributes:
        name: as in `--schedule`.
        summary: one line for `edgeprune list schedules`.
        make: builds the TFMOT schedule.
    """

    name: str
    summary: str
    make: Callable[["Course"], Any]


SCHEDULES: Registry[Schedule] = Registry("schedule", listing="edgeprune list schedules")


def fractions(name: str, *, steps: int) -> list[float]:
    """How much of the whole reduction is asked for after each of `steps` pruning steps, rising to 1.

    The reduction of a cost (flash, RAM, latency) follows the schedule as sparsity does in TFMOT: step k of n
    stands at `schedule(k)` with begin_step 0, end_step n and final_sparsity 1.
    """
    # TFMOT wants a final sparsity below 1.
    schedule = SCHEDULES[name].make(Course(final_sparsity=1.0 - 1e-9, end_step=steps))
    return [min(1.0, sparsity_at(schedule, k)) for k in range(1, steps + 1)]


def sparsity_at(schedule: Any, step: int) -> float:
    """The sparsity a TFMOT schedule asks for at a step, in [0, 1)."""
    import tensorflow as tf

    return float(schedule(tf.constant(step))[1])


def _polynomial_decay(course: Course) -> Any:
    from tensorflow_model_optimization.sparsity.keras import PolynomialDecay

    return PolynomialDecay(
        initial_sparsity=course.initial_sparsity,
        final_sparsity=course.final_sparsity,
        begin_step=course.begin_step,
        end_step=course.end_step,
        power=course.power,
        frequency=course.frequency,
    )


def _constant_sparsity(course: Course) -> Any:
    from tensorflow_model_optimization.sparsity.keras import ConstantSparsity

    return ConstantSparsity(
        course.final_sparsity, course.begin_step, end_step=course.end_step, frequency=course.frequency
    )


SCHEDULES.add(
    "polynomial_decay",
    Schedule(
        name="polynomial_decay",
        summary="much at first, ever less towards the end: 1 - (1 - step / end_step)^power",
        make=_polynomial_decay,
    ),
)
SCHEDULES.add(
    "constant_sparsity",
    Schedule(
        name="constant_sparsity",
        summary="all at once in the first step (one-shot)",
        make=_constant_sparsity,
    ),
)
