"""Whether a classifier is better than one that always gives the same answer."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from edgeprune.keras_bridge.data.batches import Array, Arrays
from edgeprune.keras_bridge.training.evaluation import Evaluator
from edgeprune.keras_bridge.training.scores import Predictions

_ACCURACIES = (
    "accuracy",
    "acc",
    "binary_accuracy",
    "categorical_accuracy",
    "sparse_categorical_accuracy",
)

PATIENCE_STEPS = 30
"""Optimizer steps after which a student that has learnt nothing will not: it copies a teacher that is right
in front of it, and what is merely damaged is above chance after a few."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChanceWatch:
    """How long a student has been no better than chance.

    Attributes:
        metric: the name of the metric.
        limit: the highest score that luck explains; None where nothing can be said of it.
        steps: optimizer steps since the last score above it, or since the start.
    """

    metric: str
    limit: float | None
    steps: int = 0

    def after(self, steps: int, *, score: float) -> "ChanceWatch":
        """The watch after so many more optimizer steps, which led to this score."""
        return replace(self, steps=self.steps + steps if is_at_chance(score, limit=self.limit) else 0)

    @property
    def is_stuck(self) -> bool:
        """Whether it has been at chance for `PATIENCE_STEPS`, so that going on is of no use."""
        return self.steps >= PATIENCE_STEPS

    def say(self, score: float) -> str:
        """The sentence about a student that is stuck.

        Args:
            score: its last.
        """
        return (
            f"After {self.steps} steps of recovery the pruned model's validation {self.metric} of "
            f"{score:.4f} is still no better than always giving the commonest answer: too much was taken "
            "from it. Allow wider budgets, or keep layers with --keep."
        )


def watch_chance(evaluator: Evaluator, *, reference: float) -> ChanceWatch:
    """A watch over students that has seen none yet.

    Args:
        evaluator: gives metric and labels.
        reference: score of the original; if that is at chance itself, nothing can be said of students.
    """
    limit = find_chance(evaluator)
    if is_at_chance(reference, limit=limit):
        limit = None
    return ChanceWatch(metric=evaluator.task.metric, limit=limit)


def is_at_chance(score: float, *, limit: float | None) -> bool:
    """Whether a score is no better than chance.

    Args:
        score: of the metric that decides.
        limit: what `find_chance` gives; None for no.
    """
    return limit is not None and not score > limit  # so is NaN


def find_chance(evaluator: Evaluator) -> float | None:
    """The highest accuracy that is chance: of always giving the commonest answer, and what luck adds to it.

    Luck is two standard deviations of a fraction p of n answers, √(p (1 − p) / n). The answer is scored by
    the metric itself, which knows what does not count. None for other metrics, for several outputs, and where
    one output gives several yeses and noes.
    """
    task = evaluator.task
    if task.metric not in _ACCURACIES or len(task.outputs) != 1:
        return None
    if task.label_kind not in ("sparse", "one_hot", "binary"):
        return None
    labels = evaluator.source.take(np.arange(evaluator.source.drawable)).y
    assert labels is not None  # they have a kind
    y = labels[0]
    if task.label_kind == "binary" and y.size != len(y):
        return None
    classes, counts = np.unique(y.argmax(axis=-1) if task.label_kind == "one_hot" else y, return_counts=True)
    counted = ~np.isin(classes, list(task.outputs[0].ignored))
    if not counted.any():
        return None
    score, width = task.scores[0], int(classes[counted].max()) + 1
    possible = (classes >= 0) & (classes < width)  # 255 for void is no answer
    answers = {int(classes[some][counts[some].argmax()]) for some in (counted, possible)}
    share = max(
        evaluator.score_all(_always(answer, labels=y, kind=task.label_kind, width=width), scores=[score])[
            score.name
        ]
        for answer in answers
    )
    return share + 2 * float(np.sqrt(share * (1 - share) / counts[counted].sum()))


def _always(answer: int, *, labels: Array, kind: str, width: int) -> Callable[[Arrays], Predictions]:
    """A model that gives one class whatever it is given.

    Args:
        answer: the class.
        labels: of all samples, (samples, ...).
        kind: of the labels.
        width: how many classes there are, where labels are class numbers.
    """
    if kind == "binary":
        one = np.full(labels.shape[1:] or (1,), 1.0 if answer else -1.0, np.float32)  # also of logits
    else:
        one = np.zeros(labels.shape[1:] if kind == "one_hot" else (*labels.shape[1:], width), np.float32)
        one[..., answer] = 1
    return lambda x: [np.broadcast_to(one, (len(x[0]), *one.shape))]


def say_chance(evaluator: Evaluator, *, score: float) -> str:
    """The sentence about an original that is no better than chance, "" for one that is.

    Args:
        evaluator: gives metric and labels.
        score: the original's.
    """
    if not is_at_chance(score, limit=find_chance(evaluator)):
        return ""
    return (
        f"The original's validation {evaluator.task.metric} of {score:.4f} is no better than always giving "
        "the commonest answer: no result can be judged by it. Check labels, preprocessing and weights."
    )
