"""The one table of budgets: what can be asked for, under which names, and the figure that must keep to it.

Command line, recipes, profiles, the solver, checks and pages read it; a budget that is added here exists in
all of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edgeprune.config.figures import FIGURES
from edgeprune.errors import RecipeError
from edgeprune.units import format_quantity

Origin = Literal["flag", "recipe", "profile", "device", "minimize", "none"]
"""Who asked for a budget; "flag" is a flag or an argument of the API, "minimize" the search for the least."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BudgetKind:
    """One thing that can be limited.

    Attributes:
        name: of its check, and of what the solver counts.
        key: in recipes and profiles, and of the API's argument; it ends in the unit people give it in.
        figure: the figure that is limited.
        scale: units of the figure in one of the key's.
        offer: where a device has it, as a clause after an amount; "" for what no device has an amount of.
        settled_by: what tells where an estimate cannot, as an imperative clause.
    """

    name: str
    key: str
    figure: str
    scale: float
    offer: str
    settled_by: str

    @property
    def flag(self) -> str:
        """Of the command line."""
        return "--" + self.key.replace("_", "-")

    @property
    def unit(self) -> str:
        """Of the figure."""
        return FIGURES[self.figure].unit

    @property
    def label(self) -> str:
        """What people call it within a sentence."""
        return FIGURES[self.figure].label

    def say(self, amount: float) -> str:
        """An amount of it, in units of the figure, for example "latency 25.3 ms"."""
        return f"{self.label} {format_quantity(amount, self.unit)}"


BUDGETS: Mapping[str, BudgetKind] = {
    kind.name: kind
    for kind in (
        BudgetKind(
            name="flash",
            key="flash_kib",
            figure="flash_bytes",
            scale=1024.0,
            offer="of flash",
            settled_by="build and link the firmware",
        ),
        BudgetKind(
            name="ram",
            key="ram_kib",
            figure="ram_bytes",
            scale=1024.0,
            offer="in its largest block of RAM",
            settled_by="build and link the firmware",
        ),
        BudgetKind(
            name="latency",
            key="latency_ms",
            figure="latency_ms",
            scale=1.0,
            offer="",
            settled_by="measure it ('edgeprune bench')",
        ),
    )
}
"""By name, in the order of checks and tables."""


def find_budget(key: str) -> BudgetKind:
    """The budget of a flag, recipe or profile.

    Raises:
        RecipeError: no budget has that key.
    """
    for kind in BUDGETS.values():
        if kind.key == key:
            return kind
    known = ", ".join(kind.key for kind in BUDGETS.values())
    raise RecipeError(f"'{key}' is not a budget", fix=f"known: {known}")
