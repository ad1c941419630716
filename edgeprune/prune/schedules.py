"""Schedules: how much of the way is done after each step, and how TFMOT, which computes it, is asked."""

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
        tfmot_class: its class in `tensorflow_model_optimization.sparsity.keras`.
        arguments: what that class is called with, by name.
    """

    name: str
    summary: str
    tfmot_class: str
    arguments: Callable[[Course], dict[str, Any]]


SCHEDULES: Registry[Schedule] = Registry("schedule", listing="edgeprune list schedules")


def _polynomial_arguments(course: Course) -> dict[str, Any]:
    return {
        "initial_sparsity": course.initial_sparsity,
        "final_sparsity": course.final_sparsity,
        "begin_step": course.begin_step,
        "end_step": course.end_step,
        "power": course.power,
        "frequency": course.frequency,
    }


def _constant_arguments(course: Course) -> dict[str, Any]:
    return {
        "target_sparsity": course.final_sparsity,
        "begin_step": course.begin_step,
        "end_step": course.end_step,
        "frequency": course.frequency,
    }


for _schedule in (
    Schedule(
        name="polynomial_decay",
        summary="much at first, ever less towards the end: 1 - (1 - step / end_step)^power",
        tfmot_class="PolynomialDecay",
        arguments=_polynomial_arguments,
    ),
    Schedule(
        name="constant_sparsity",
        summary="all at once in the first step (one-shot)",
        tfmot_class="ConstantSparsity",
        arguments=_constant_arguments,
    ),
):
    SCHEDULES.add(_schedule.name, _schedule)
