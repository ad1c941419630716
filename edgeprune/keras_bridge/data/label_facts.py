"""What the labels of one output look like, gathered batch by batch."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True, slots=True)
class LabelFacts:
    """What all labels seen of an output have in common.

    Attributes:
        shape: of one sample's label.
        dtype: as stored.
        low, high: smallest and largest value.
        are_bits: whether all are 0 or 1.
        are_one_hot: whether they are, and each row of the last axis holds one 1.
        are_whole: whether all are whole numbers.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    low: float
    high: float
    are_bits: bool
    are_one_hot: bool
    are_whole: bool

    @property
    def are_integers(self) -> bool:
        """Whether they are stored as integers or booleans."""
        return self.dtype.kind in "iub"

    def merge(self, other: "LabelFacts") -> "LabelFacts":
        """What both have in common."""
        return replace(
            self,
            low=min(self.low, other.low),
            high=max(self.high, other.high),
            are_bits=self.are_bits and other.are_bits,
            are_one_hot=self.are_one_hot and other.are_one_hot,
            are_whole=self.are_whole and other.are_whole,
        )


def look_at(labels: NDArray[Any]) -> LabelFacts:
    """The facts of some labels, (samples, ...) numbers."""
    bits = bool(((labels == 0) | (labels == 1)).all())
    rows = labels.ndim > 1 and labels.shape[-1] > 1
    return LabelFacts(
        shape=tuple(labels.shape[1:]),
        dtype=labels.dtype,
        low=float(labels.min()),
        high=float(labels.max()),
        are_bits=bits,
        are_one_hot=bits and rows and bool((labels.sum(axis=-1) == 1).all()),
        are_whole=labels.dtype.kind in "iub" or bool((np.rint(labels) == labels).all()),
    )
