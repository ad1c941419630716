"""Schedules, from TensorFlow Model Optimization: how much of the way is done after each step."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from edgeprune.registry import Registry


@dataclass(frozen=True, kw_only=True, slots=True)
class Schedule:
    """A kind of schedule.

    Attributes:
        name: as in `--schedule`.
        summary: one line for `edgeprune list schedules`.
        make: (final_sparsity, end_step) → the TFMOT schedule that starts at step 0.
    """

    name: str
    summary: str
    make: Callable[[float, int], Any]


SCHEDULES: Registry[Schedule] = Registry("schedule", listing="edgeprune list schedules")


def fractions(name: str, *, steps: int) -> list[float]:
    """How much of the whole reduction is asked for after each of `steps` pruning steps, rising to 1.

    The reduction of a cost (flash, RAM, latency) follows the schedule as sparsity does in TFMOT: step k of n
    stands at `schedule(k)` with begin_step 0, end_step n and final_sparsity 1.
    """
    # TFMOT wants a final sparsity below 1.
    schedule = SCHEDULES[name].make(1.0 - 1e-9, steps)
    return [min(1.0, sparsity_at(schedule, k)) for k in range(1, steps + 1)]


def sparsity_at(schedule: Any, step: int) -> float:
    """The sparsity a TFMOT schedule asks for at a step, in [0, 1)."""
    import tensorflow as tf

    return float(schedule(tf.constant(step))[1])


def _polynomial_decay(final_sparsity: float, end_step: int) -> Any:
    from tensorflow_model_optimization.sparsity.keras import PolynomialDecay

    return PolynomialDecay(0.0, final_sparsity, 0, end_step, power=3, frequency=1)


def _constant_sparsity(final_sparsity: float, end_step: int) -> Any:
    from tensorflow_model_optimization.sparsity.keras import ConstantSparsity

    return ConstantSparsity(final_sparsity, 0, end_step, frequency=1)


SCHEDULES.add(
    "polynomial_decay",
    Schedule(
        name="polynomial_decay",
        summary="much at first, ever less towards the end: 1 - (1 - step / end_step)^3",
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
