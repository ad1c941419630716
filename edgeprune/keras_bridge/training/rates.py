"""The learning rate of recovery, held against a range test: the rate rises until the loss does.

What a model was compiled with is what its training ended or began with, perhaps a hundredth of what recovery
needs, perhaps ten times what it bears (Smith 2017, "Cyclical learning rates for training neural networks").
"""

from dataclasses import dataclass, replace

import keras
import numpy as np

from edgeprune.errors import InfeasibleError
from edgeprune.keras_bridge.model.weights import copy_model
from edgeprune.keras_bridge.training.optimizers import Optimizing
from edgeprune.keras_bridge.training.train import Recovery, Trained, Training, Tuner

LOWEST, HIGHEST = 1e-5, 1.0
"""Where the test begins, and where it ends in any case."""
_PIECES, _PIECE_STEPS = 20, 5
_HARMLESS = 6
"""Pieces at the start of which the scatter of the loss is taken."""
_RISE = 5.0
"""Standard errors by which the loss of two pieces is above the lowest so far when it counts as harm."""
_ROOM = 30.0
"""How many times smaller than the harmful rate, which is found to within a factor of three, a rate may be."""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Rising(Recovery):
    """Recovery at a rate that rises from step to step."""

    def rate_at(self, step: int) -> float:
        """The rate of a step."""
        return float(LOWEST * (HIGHEST / LOWEST) ** (step / self.total_steps))


def find_harmful_rate(
    student: keras.Model, teacher: keras.Model, *, training: Training, recovery: Recovery
) -> float:
    """The lowest learning rate at which the training loss rises, `HIGHEST` where it does at none.

    Args:
        student: what would be trained; not changed.
        teacher: the original.
        training: what on.
        recovery: how.
    """
    fields = {name: getattr(recovery, name) for name in Recovery.__slots__}
    # Nor may the teacher fade: the loss would fall with its share, whatever the rate does.
    rising = _Rising(**{**fields, "total_steps": _PIECES * _PIECE_STEPS, "falls_from": 0, "fading": False})
    tuner = Tuner(copy_model(student), teacher, training=training, recovery=rising)
    state = Trained(step=0, optimizer=[], losses=[])
    lowest = np.inf
    while state.step < rising.total_steps:
        rate = rising.rate_at(state.step)
        try:
            state = tuner.tune(_PIECE_STEPS, start=state)
        except InfeasibleError:  # the loss is no number
            return rate
        recent = float(np.mean(state.losses[-2:]))
        if len(state.losses) > _HARMLESS:
            scatter = float(np.std(state.losses[:_HARMLESS], ddof=1)) / np.sqrt(2)
            if recent > lowest + _RISE * scatter:
                return rate
        lowest = min(lowest, recent) if len(state.losses) > 1 else lowest
    return HIGHEST


def suit_rate(optimizing: Optimizing, *, harmful: float) -> Optimizing:
    """The optimizer as it is where its rate neither harms nor gets nowhere, else with half the harmful one.

    Args:
        optimizing: with the rate that the model was compiled with, or the usual one.
        harmful: what `find_harmful_rate` gives.
    """
    if harmful / _ROOM <= optimizing.learning_rate <= harmful:
        return optimizing
    origin = f"found by a range test, {optimizing.learning_rate:g} {optimizing.origin}"
    return replace(optimizing, learning_rate=harmful / 2, origin=origin)
