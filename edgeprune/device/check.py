"""Budgets: what is asked of an artefact, by whom, and whether it holds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from math import isfinite
from typing import Any

from edgeprune.config.budgets import BUDGETS, BudgetKind, Origin, find_budget
from edgeprune.device.estimate import spare_for_errors
from edgeprune.device.figures import Check, Figure, unavailable
from edgeprune.device.latency import latency_reach
from edgeprune.device.profile import Profile
from edgeprune.errors import RecipeError
from edgeprune.units import format_quantity


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """One limit, in the figure's unit; None where nothing is asked. `origin` is who asked."""

    value: float | None
    origin: Origin
    reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Budgets:
    """The limits of a build: bytes of flash and RAM, milliseconds of latency.

    `is_strict` is whether an estimate must stay below its limit with the whole of its interval, and `spare`
    what of each limit that takes, in the limit's unit, by the names of `BUDGETS`; empty where it need not.
    """

    flash_bytes: Budget
    ram_bytes: Budget
    latency_ms: Budget
    is_strict: bool = False
    spare: Mapping[str, float] = field(default_factory=dict)

    def of(self, kind: BudgetKind) -> Budget:
        """The limit of one kind."""
        budget: Budget = getattr(self, kind.figure)
        return budget


def resolve_budgets(
    profile: Profile,
    *,
    asked: Mapping[str, float | None] | None = None,
    origins: Mapping[str, Origin] | None = None,
    is_strict: bool = False,
) -> Budgets:
    """The limits that hold: what was asked for, else the profile's default, never above the device.

    Args:
        profile: the device.
        asked: values by the keys of `BUDGETS`; None or absent where nothing was said.
        origins: who asked, by the same keys; "flag" where nothing is said.
        is_strict: whether an uncertain verdict is a no.

    Raises:
        RecipeError: an unknown key, or a value that is not a number above 0.
    """
    asked, origins = asked or {}, origins or {}
    for key, value in asked.items():
        kind, origin = find_budget(key), origins.get(key, "flag")
        if value is not None and not (isfinite(value) and value > 0):
            name = kind.flag if origin == "flag" else key
            raise RecipeError(f"{name} is {value:g}", where=origin, fix="give a number above 0")
    resolved = {
        kind.figure: _resolve(kind, profile, asked.get(kind.key), origins.get(kind.key, "flag"))
        for kind in BUDGETS.values()
    }
    limits = {figure: budget.value for figure, budget in resolved.items()}
    spare = _find_spare(profile, limits) if is_strict else {}
    return Budgets(**resolved, is_strict=is_strict, spare=spare)


def _find_spare(profile: Profile, limits: Mapping[str, float | None]) -> dict[str, float]:
    flash, ram = spare_for_errors(profile, flash=limits["flash_bytes"], ram=limits["ram_bytes"])
    latency = (limits["latency_ms"] or 0.0) * (1 - 1 / latency_reach(profile.latency))
    return {"flash": flash, "ram": ram, "latency": latency}


def narrow_profile(profile: Profile, budgets: Budgets, *, minimized: str | None = None) -> Profile:
    """The profile with what was asked for in place of its default budgets of flash and RAM.

    Args:
        profile: the device.
        budgets: the limits that hold.
        minimized: a name in `BUDGETS` of which there is to be as little as possible, if any.
    """
    limits = budget_limits(budgets)
    kib: dict[str, Any] = {
        kind.key: 0.0 if name == minimized else limits[name] / kind.scale
        for name, kind in BUDGETS.items()
        if name in limits and kind.offer
    }
    return replace(profile, budgets=replace(profile.budgets, **kib))


def limit_budget(budgets: Budgets, kind: BudgetKind, value: float) -> Budgets:
    """The limits with another one, that a search came to; it leaves nothing to spare."""
    spare = {name: amount for name, amount in budgets.spare.items() if name != kind.name}
    limit: dict[str, Any] = {kind.figure: Budget(value=value, origin="minimize")}
    return replace(budgets, spare=spare, **limit)


def budget_limits(budgets: Budgets) -> dict[str, float]:
    """Name in `BUDGETS` → what its figure may be, in the figure's unit, if anything is asked.

    Where budgets are strict, each stays below its limit by as much as its estimate may be wrong.
    """
    asked = {name: budgets.of(kind).value for name, kind in BUDGETS.items()}
    return {name: value - budgets.spare.get(name, 0.0) for name, value in asked.items() if value is not None}


def check_budgets(figures: Mapping[str, Figure], budgets: Budgets, profile: Profile) -> list[Check]:
    """One check for each of `BUDGETS`, in their order.

    A figure that is missing or unavailable holds no budget. The note says where the budget comes from.
    """
    checks = []
    for kind in BUDGETS.values():
        budget = budgets.of(kind)
        missing = f"{kind.figure} was not estimated for {profile.id}"
        checks.append(
            Check(
                name=kind.name,
                figure=figures.get(kind.figure) or unavailable(kind.figure, missing),
                budget=budget.value,
                note=_note(budget, profile),
                is_strict=budgets.is_strict,
            )
        )
    return checks


def _resolve(kind: BudgetKind, profile: Profile, asked: float | None, origin: Origin) -> Budget:
    value: float | None = asked
    reason, default = "", getattr(profile.budgets, kind.key)
    if asked is None:
        value, origin = default, "none" if default is None else "profile"
        reason = profile.budgets.reason if origin == "profile" else ""
    offered = _offer(kind, profile)
    if offered is not None and (value is None or value > offered):
        wanted = f", {value:g} KiB were asked for" if value is not None else ""
        reason, value, origin = f"the device has {offered:g} KiB {kind.offer}{wanted}", offered, "device"
    return Budget(value=None if value is None else value * kind.scale, origin=origin, reason=reason)


def _offer(kind: BudgetKind, profile: Profile) -> float | None:
    """How much of it the device has, in the unit of the key."""
    return {"flash": profile.flash_kib, "ram": profile.largest_any_ram_kib}.get(kind.name)


def _note(budget: Budget, profile: Profile) -> str:
    if budget.value is None:
        return "no budget"
    return {
        "flag": "budget as asked for",
        "recipe": "budget from the recipe",
        "profile": f"default budget of {profile.id}",
        "device": budget.reason,
        "minimize": "the least that was found",
        "none": "",
    }[budget.origin]


def verdict(checks: tuple[Check, ...], device: str) -> str:
    """One sentence: what fits and by how much, or what does not."""
    broken = [c for c in checks if not c.ok]
    uncertain = [c for c in checks if c.verdict == "uncertain"]
    if broken:
        is_known = any(c.figure.value is not None for c in broken)
        begun = f"does not fit {device}" if is_known else f"is not known to fit {device}"
        return f"{begun}: {'; '.join(_describe_miss(c) for c in broken)}."
    tightest = find_tightest(checks)
    if tightest is None:
        return f"runs on {device}; no budget was asked for."
    if uncertain:
        found = ", and ".join(_describe_doubt(c) for c in uncertain)
        how = BUDGETS[uncertain[-1].name].settled_by
        return f"may fit {device}: {found}; {how}, or use --strict to refuse it."
    estimated = [c.name for c in _list_bounded(checks) if c.figure.source == "estimated"]
    hint = f"; estimated: {', '.join(estimated)}" if estimated else ""
    return f"fits {device}: {tightest.name} is tightest with {_amount(tightest)} to spare{hint}."


def find_tightest(checks: Sequence[Check]) -> Check | None:
    """The check of a budget with the smallest part of it to spare; None where no figure has one."""
    return min(_list_bounded(checks), key=share_left, default=None)


def share_left(item: Check) -> float:
    """What is left of a budget, as a fraction of it; negative where it is exceeded."""
    return (item.margin or 0.0) / (item.budget or 1.0)


def _list_bounded(checks: Sequence[Check]) -> list[Check]:
    return [c for c in checks if c.budget and c.margin is not None and not c.at_least]


def _describe_doubt(item: Check) -> str:
    low, high, budget = (
        format_quantity(value, item.figure.unit) for value in (item.figure.low, item.figure.high, item.budget)
    )
    return f"{item.name} is estimated at {low} to {high}, and its budget of {budget} lies in between"


def _describe_miss(item: Check) -> str:
    if item.figure.value is None:
        return f"{item.name} is not known ({item.figure.evidence})"
    if item.verdict == "uncertain":
        return f"{_describe_doubt(item)} (--strict)"
    if item.name == "ops":
        return f"the runtime cannot execute {int(item.figure.value)} of its ops"
    return f"{item.name} misses its budget by {_amount(item)}"


def _amount(item: Check) -> str:
    return format_quantity(abs(item.margin or 0.0), item.figure.unit)
