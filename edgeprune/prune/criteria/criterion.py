"""The registry of criteria, and the one way to score the groups of a model."""

from collections.abc import Callable
from dataclasses import dataclass

from edgeprune.errors import DataError
from edgeprune.prune.criteria.evidence import Evidence, Scores
from edgeprune.prune.criteria.normalise import NORMALISERS
from edgeprune.registry import Registry

_SOURCES = {
    "gradients": "gradients on training data",
    "fisher": "gradients at the model's own predictions",
    "activity": "activations on training data",
    "curves": "the metric on validation data",
}
"""Field of `Evidence` → what a criterion that needs it ranks by."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Criterion:
    """A way to score groups.

    Attributes:
        name: as in `--criterion`.
        summary: one line for `edgeprune list criteria`.
        needs: the field of `Evidence` that it looks at besides the model; "" for none.
        normalise: a name in `NORMALISERS`: how its scores are made comparable across families by default.
        score: the function; returns (groups,) floats, not below 0.
    """

    name: str
    summary: str
    needs: str = ""
    normalise: str = "mean"
    score: Callable[[Evidence], Scores]

    @property
    def needs_data(self) -> bool:
        """Whether it looks at anything but the model."""
        return bool(self.needs)


CRITERIA: Registry[Criterion] = Registry("criterion", listing="edgeprune list criteria")


def criterion(record: Criterion) -> Criterion:
    """The record, now in the registry."""
    return CRITERIA.add(record.name, record)


def score_groups(chosen: Criterion, evidence: Evidence, *, normalise: str | None = None) -> Scores:
    """Scores of all groups, (groups,) floats, comparable across families.

    Args:
        chosen: what to rank by.
        evidence: the model, and what the criterion needs of data.
        normalise: a name in `NORMALISERS`; None for the criterion's own.

    Raises:
        DataError: the criterion needs data and there are none.
        UnknownNameError: there is no such normaliser.
    """
    normaliser = NORMALISERS[normalise or chosen.normalise]
    if chosen.needs and getattr(evidence, chosen.needs) is None:
        refuse_without_data(chosen)
    return normaliser.normalise(chosen.score(evidence), evidence.channels)


def refuse_without_data(chosen: Criterion) -> None:
    """Raises DataError if the criterion needs data."""
    if chosen.needs:
        raise DataError(
            f"criterion '{chosen.name}' ranks channels by {_SOURCES[chosen.needs]}",
            why="no data were given",
            fix="pass --data, or choose --criterion l2",
        )
