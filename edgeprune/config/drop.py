"""How much of a metric may be lost, as somebody says it: "0.02" of it, or "2%" of what it was."""

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
