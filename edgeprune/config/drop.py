"""How much of a metric is lost, and may be, as somebody says it: "0.02" of it, or "2%" of what it was."""

from dataclasses import dataclass

from edgeprune.errors import RecipeError


@dataclass(frozen=True, kw_only=True, slots=True)
class Drop:
    """A drop of a score, or a rise of an error.

    Attributes:
        value: in the metric's own unit, or as a fraction of what it was.
        is_relative: which of the two.
    """

    value: float
    is_relative: bool

    def describe(self) -> str:
        """As it was said."""
        return f"{100 * self.value:g}%" if self.is_relative else f"{self.value:g}"


def count_drop(before: float, after: float, *, higher_is_better: bool) -> float:
    """How much worse a metric is: the absolute drop of a score, the relative increase of an error.

    An error of 0 can only grow absolutely.
    """
    if higher_is_better:
        return before - after
    return after / before - 1 if before > 0 else after - before


def parse_drop(given: str | float | None) -> Drop | None:
    """What is said; None where nothing is. Raises RecipeError."""
    if given is None:
        return None
    text = str(given).strip()
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise RecipeError(
            f"max_drop is {given}",
            where="--max-drop",
            fix="give a number from 0 in the metric's own unit, for example 0.02, or one with %, as in 2%",
        )
    return (
        Drop(value=value / 100, is_relative=True)
        if text.endswith("%")
        else Drop(value=value, is_relative=False)
    )
