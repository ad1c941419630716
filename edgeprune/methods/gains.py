"""How long recovery goes on where nobody says: as long as the validation metric gains.

The learning rate stays up while it does, and then falls to zero over half as many steps again. Where that
begins need not be known beforehand, unlike for a cosine, and the result is as good (Hägele et al. 2024,
"Scaling laws and compute-optimal training beyond fixed training durations").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

PATIENCE = 3
"""Rounds without a gain after which the rate falls."""
LEAST_ROUNDS = 4
MOST_EPOCHS = 60
"""Of the rounds; half of them again follow."""
LEAST_GAIN = 0.001
"""Of the metric, as in `Task.drop`, that counts as one."""
_ROUND_STEPS, _ROUND_EPOCHS = 100, 4
"""A round is an epoch, or several that have together so many steps."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Gains:
    """What the rounds have brought so far.

    Attributes:
        rounds: how many there were.
        steps: optimizer steps in them.
        best: the best score; None before the first.
        since: rounds since it was reached.
        falls_from: the step from which the learning rate falls; None as long as it stays up.
        falls_for: over how many steps.
    """

    rounds: int = 0
    steps: int = 0
    best: float | None = None
    since: int = 0
    falls_from: int | None = None
    falls_for: int = 0

    def after(self, steps: int, *, score: float, drop: Callable[[float, float], float]) -> Gains:
        """After a round of so many steps, which led to this score.

        Args:
            steps: of the round.
            score: the validation metric.
            drop: how much worse the second of two scores is; see `Task.drop`.
        """
        gained = self.best is None or drop(self.best, score) < -LEAST_GAIN
        return replace(
            self,
            rounds=self.rounds + 1,
            steps=self.steps + steps,
            best=score if gained else self.best,
            since=0 if gained else self.since + 1,
        )

    @property
    def are_over(self) -> bool:
        """Whether the last rounds brought nothing."""
        return self.rounds >= LEAST_ROUNDS and self.since >= PATIENCE

    def fall(self, step: int, *, least: int) -> Gains:
        """The rate falls from this step on, for half as long as it stayed up.

        Args:
            step: of the build.
            least: steps that it takes to fall at least.
        """
        return replace(self, falls_from=step, falls_for=max(least, self.steps // 2))

    def to_json(self) -> dict[str, Any]:
        """As work directories keep it."""
        return {name: getattr(self, name) for name in self.__slots__}


def round_steps(per_epoch: int) -> int:
    """Steps of a round."""
    return max(per_epoch, min(_ROUND_STEPS, _ROUND_EPOCHS * per_epoch))
