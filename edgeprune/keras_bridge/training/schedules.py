"""Schedules of `edgeprune.prune.schedules`, computed by TensorFlow Model Optimization."""

import os
from typing import Any

from edgeprune.prune.schedules import SCHEDULES, Course

_LEGACY = "TF_USE_LEGACY_KERAS"


def make_schedule(name: str, course: Course) -> Any:
    """The TFMOT schedule of that name. Raises UnknownNameError."""
    schedule = SCHEDULES[name]
    before = os.environ.get(_LEGACY)
    # Seconds to import, and only needed here.
    from tensorflow_model_optimization.sparsity import keras as tfmot

    # It asks for Keras 2 in its process, and so in all that are started from there.
    if before is None:
        os.environ.pop(_LEGACY, None)
    return getattr(tfmot, schedule.tfmot_class)(**schedule.arguments(course))


def fractions(name: str, *, steps: int) -> list[float]:
    """How much of the whole reduction is asked for after each of `steps` pruning steps, rising to 1.

    The reduction of a cost (flash, RAM, latency) follows the schedule as sparsity does in TFMOT: step k of n
    stands at `schedule(k)` with begin_step 0, end_step n and final_sparsity 1.
    """
    # TFMOT wants a final sparsity below 1.
    schedule = make_schedule(name, Course(final_sparsity=1.0 - 1e-9, end_step=steps))
    return [min(1.0, sparsity_at(schedule, k)) for k in range(1, steps + 1)]


def sparsity_at(schedule: Any, step: int) -> float:
    """The sparsity a TFMOT schedule asks for at a step, in [0, 1)."""
    import tensorflow as tf

    return float(schedule(tf.constant(step))[1])
