"""What models cost on the device: converted as the build converts them, and measured as files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeprune.config.budgets import BUDGETS
from edgeprune.device.figures import Figure
from edgeprune.errors import InfeasibleError
from edgeprune.prune.costs import OpCost

if TYPE_CHECKING:
    import keras

Budgets = Mapping[str, float]
"""Budget name → largest cost allowed, in bytes or ms."""
Price = Mapping[str, float]
"""Budget name → what a model costs."""

_SAMPLES = 8
"""Of the representative set: costs hardly depend on the values of weights and ranges."""
_SHARING_SLACK_BYTES = 256


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Pricing:
    """How models are priced.

    Attributes:
        convert: (model, samples of the representative set) → the file as it would be shipped.
        measure: a file → its figures.
        encode: a file of shaped weights → its figures as it is stored on the device.
        per_op: budget → cost of one op, roughly: the solver's view.
        flash_slack: fraction of flash by which fine-tuning may change what the same plan takes.
    """

    convert: Callable[[keras.Model, int], bytes]
    measure: Callable[[bytes], Mapping[str, Figure]]
    encode: Callable[[bytes], Mapping[str, Figure]]
    per_op: Mapping[str, OpCost]
    flash_slack: float = 0.0

    def price(self, model: keras.Model, *, budgets: Budgets) -> Price:
        """What a model costs before it is fine-tuned, with what fine-tuning may add to its file.

        Equal vectors are stored once, and fine-tuning changes which are equal; compilers encode common values
        in fewer bits, and it changes which are common.
        """
        found = cost_of(self.measure(self.convert(model, _SAMPLES)), budgets)
        slack = _SHARING_SLACK_BYTES + self.flash_slack * found.get("flash", 0.0)
        return {name: cost + slack * (name == "flash") for name, cost in found.items()}

    def price_shaped(self, model: keras.Model, *, budgets: Budgets) -> Price:
        """What a model of shaped weights costs once they are encoded."""
        return cost_of(self.encode(self.convert(model, _SAMPLES)), budgets)


def cost_of(figures: Mapping[str, Figure], budgets: Budgets) -> dict[str, float]:
    """Budget name → what a file costs, for the budgets that are asked.

    Raises:
        InfeasibleError: a budget is asked for a figure that cannot be had.
    """
    costs = {}
    for name in budgets:
        figure = figures[BUDGETS[name].figure]
        if figure.value is None:
            raise InfeasibleError(
                f"whether the {name} budget holds cannot be known",
                why=figure.evidence,
                fix=f"choose another device, or give no {name} budget",
            )
        costs[name] = figure.value
    return costs


def exceeded(costs: Price, budgets: Budgets) -> list[str]:
    """The budgets that these costs break."""
    return [name for name, limit in budgets.items() if costs[name] > limit]
