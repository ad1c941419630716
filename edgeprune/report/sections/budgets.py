"""Budgets: what was asked, and the figure that each limits."""

from typing import TypedDict

from edgeprune.config.budgets import BUDGETS as BUDGET_KINDS

BUDGET_FIGURES = {name: kind.figure for name, kind in BUDGET_KINDS.items()}
"""The figure that each budget limits."""


class BudgetPart(TypedDict):
    """What was asked, in `unit`; `origin` is the flag, recipe or profile that asked it."""

    name: str
    value: float
    unit: str
    origin: str
