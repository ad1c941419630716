"""What a model answers to samples with known answers: a confusion matrix, or values against values."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from edgeprune.keras_bridge.data.batches import Array, Arrays
from edgeprune.keras_bridge.training.scores import Masks, OutputTask, Predictions, pair_up
from edgeprune.keras_bridge.training.task import Task
from edgeprune.report.sections.answers import AnswersPart, ConfusedPart

SHOWN_CLASSES = 32
"""Classes of which people can still read a matrix; of more, the most frequent mistakes are kept."""
_MISTAKES = 20
_VALUES = 100_000
"""Pairs of values that are kept; the first."""
_BINS = 24


@dataclass(slots=True, eq=False)
class AnswerTally:
    """Answers of a model with one output, in the making.

    Attributes:
        task: says whether outputs are classes or values.
    """

    task: OutputTask
    _classes: int = 0
    _counts: Counter[tuple[int, int]] = field(default_factory=Counter)
    _pairs: list[tuple[Array, Array]] = field(default_factory=list)
    _kept: int = 0

    def add(self, y: Arrays, predictions: Predictions, masks: Masks) -> None:
        """More samples: labels, outputs as floats, and which places of these count."""
        mask = None if masks is None else masks[0]
        if self.task.output_kind == "values":
            self._add_values(y[0], predictions[0], mask)
            return
        found, true = pair_up("classes", self.task, y[0], predictions[0], mask)
        self._classes = predictions[0].shape[-1] if self.task.output_kind == "classes" else 2
        both = np.stack([true, found]).astype(np.int64).reshape(2, -1)
        known = (both[0] >= 0) & (both[0] < self._classes)  # others stand for no label, 255 for example
        pairs, counts = np.unique(both[:, known], axis=1, return_counts=True)
        for (label, answer), count in zip(pairs.T.tolist(), counts.tolist(), strict=True):
            self._counts[label, answer] += count

    def _add_values(self, y: Array, predictions: Array, mask: Array | None) -> None:
        if self._kept >= _VALUES:
            return
        found, true = (part.reshape(-1) for part in pair_up("values", self.task, y, predictions, mask))
        self._pairs.append((found[: _VALUES - self._kept], true[: _VALUES - self._kept]))
        self._kept += len(self._pairs[-1][0])

    def result(self, names: Sequence[str] = ()) -> AnswersPart | None:
        """All answers so far; None where there were none that could be counted.

        Args:
            names: of the classes; numbers stand for them where there are not as many.
        """
        against = "the original's outputs" if self.task.label_kind == "none" else "labels"
        if self.task.output_kind == "values":
            return _bin_values(self._pairs, against=against)
        if not self._counts:
            return None
        known = self._name_classes(names)
        is_shown = self._classes <= SHOWN_CLASSES
        everywhere = range(self._classes)
        return {
            "kind": "classes",
            "against": against,
            "samples": sum(self._counts.values()),
            "labels": known if is_shown else [],
            "counts": [[self._counts[i, j] for j in everywhere] for i in everywhere] if is_shown else [],
            "confused": _list_mistakes(self._counts, known),
            "low": None,
            "high": None,
        }

    def _name_classes(self, names: Sequence[str]) -> list[str]:
        if len(names) == self._classes:
            return list(names)
        if self.task.output_kind != "classes":
            return ["no", "yes"]
        return [str(number) for number in range(self._classes)]


def start_answers(task: Task) -> AnswerTally | None:
    """An empty tally; None for a model with several outputs."""
    return AnswerTally(task=task.outputs[0]) if len(task.outputs) == 1 else None


def _list_mistakes(counts: Counter[tuple[int, int]], names: Sequence[str]) -> list[ConfusedPart]:
    mistakes = [(-count, pair) for pair, count in counts.items() if pair[0] != pair[1]]
    return [
        {"label": names[label], "answer": names[answer], "count": -count}
        for count, (label, answer) in sorted(mistakes)[:_MISTAKES]
    ]


def _bin_values(pairs: Sequence[tuple[Array, Array]], *, against: str) -> AnswersPart | None:
    if not pairs:
        return None
    found, true = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    finite = np.isfinite(found) & np.isfinite(true)
    found, true = found[finite], true[finite]
    if not len(found):
        return None
    low, high = (float(end) for end in (min(found.min(), true.min()), max(found.max(), true.max())))
    if low == high:
        return None
    counts = np.histogram2d(true, found, bins=_BINS, range=[[low, high], [low, high]])[0]
    return {
        "kind": "values",
        "against": against,
        "samples": len(found),
        "labels": [],
        "counts": counts.astype(int).tolist(),
        "confused": [],
        "low": low,
        "high": high,
    }
