"""Budgets: what is asked of an artefact, by whom, and whether it holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Literal

from edgeprune.device.estimate import spare_for_errors
from edgeprune.device.figures import Check, Figure, unavailable
from edgeprune.device.latency import latency_reach
from edgeprune.device.profile import Profile
from edgeprune.errors import RecipeError
from edgeprune.units import format_quantity

Origin = Literal["flag", "recipe", "profile", "device", "none"]

KEYS: dict[str, tuple[str, float]] = {
    "flash_kib": ("flash_bytes", 1024.0),
    "ram_kib": ("ram_bytes", 1024.0),
    "latency_ms": ("latency_ms", 1.0),
}
"""Keys of flags, recipes and profiles: the figure each limits, and the figure's units in one of the key's."""

_CHECKS = {"flash_bytes": "flash", "ram_bytes": "ram", "latency_ms": "latency"}


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
    what of each limit that takes, in the limit's unit, by "flash", "ram" and "latency"; empty where it need
    not.
    """

    flash_bytes: Budget
    ram_bytes: Budget
    latency_ms: Budget
    is_strict: bool = False
    spare: Mapping[str, float] = field(default_factory=dict)


def resolve_budgets(
    profile: Profile,
    *,
    flags: Mapping[str, float | None] | None = None,
    recipe: Mapping[str, float | None] | None = None,
    is_strict: bool = False,
) -> Budgets:
    """The limits that hold: a flag before a recipe before the profile's default, never above the device.

    Args:
        profile: the device.
        flags: values by `flash_kib`, `ram_kib` and `latency_ms`; None or absent where not given.
        recipe: the same, from the recipe.
        is_strict: whether an uncertain verdict is a no.

    Raises:
        RecipeError: an unknown key, or a value that is not a number above 0.
    """
    for origin, given in (("flag", flags or {}), ("recipe", recipe or {})):
        for key, value in given.items():
            if key not in KEYS:
                raise RecipeError(f"'{key}' is not a budget", where=origin, fix=f"known: {', '.join(KEYS)}")
            if value is not None and not (isfinite(value) and value > 0):
                name = "--" + key.replace("_", "-") if origin == "flag" else key
                raise RecipeError(f"{name} is {value:g}", where=origin, fix="give a number above 0")
    resolved = {}
    for key, (figure, scale) in KEYS.items():
        resolved[figure] = _resolve(key, scale, profile, flags or {}, recipe or {})
    limits = {figure: budget.value for figure, budget in resolved.items()}
    spare = _find_spare(profile, limits) if is_strict else {}
    return Budgets(**resolved, is_strict=is_strict, spare=spare)


def _find_spare(profile: Profile, limits: Mapping[str, float | None]) -> dict[str, float]:
    flash, ram = spare_for_errors(profile, flash=limits["flash_bytes"], ram=limits["ram_bytes"])
    latency = (limits["latency_ms"] or 0.0) * (1 - 1 / latency_reach(profile.latency))
    return {"flash": flash, "ram": ram, "latency": latency}


def budget_limits(budgets: Budgets) -> dict[str, float]:
    """Budget name ("flash", "ram", "latency") → what a figure may be, in bytes or ms, if anything is asked.

    Where budgets are strict, each stays below its limit by as much as its estimate may be wrong.
    """
    asked = {"flash": budgets.flash_bytes, "ram": budgets.ram_bytes, "latency": budgets.latency_ms}
    return {
        name: budget.value - budgets.spare.get(name, 0.0)
        for name, budget in asked.items()
        if budget.value is not None
    }


def check_budgets(figures: Mapping[str, Figure], budgets: Budgets, profile: Profile) -> list[Check]:
    """The checks "flash", "ram" and "latency", in this order.

    A figure that is missing or unavailable holds no budget. The note says where the budget comes from.
    """
    checks = []
    for name, label in _CHECKS.items():
        budget: Budget = getattr(budgets, name)
        figure = figures.get(name) or unavailable(name, f"{name} was not estimated for {profile.id}")
        checks.append(
            Check(
                name=label,
                figure=figure,
                budget=budget.value,
                note=_note(budget, profile),
                is_strict=budgets.is_strict,
            )
        )
    return checks


def _resolve(
    key: str,
    scale: float,
    profile: Profile,
    flags: Mapping[str, float | None],
    recipe: Mapping[str, float | None],
) -> Budget:
    value: float | None = None
    origin: Origin = "none"
    default = getattr(profile.budgets, key)
    chosen: tuple[tuple[Origin, float | None], ...] = (
        ("flag", flags.get(key)),
        ("recipe", recipe.get(key)),
        ("profile", default),
    )
    for candidate, given in chosen:
        if given is not None:
            value, origin = given, candidate
            break
    reason = profile.budgets.reason if origin == "profile" else ""
    offered = {"flash_kib": profile.flash_kib, "ram_kib": profile.largest_any_ram_kib}.get(key)
    if offered is not None and (value is None or value > offered):
        what = "of flash" if key == "flash_kib" else "in its largest block of RAM"
        asked = f", {value:g} KiB were asked for" if value is not None else ""
        reason, value, origin = f"the device has {offered:g} KiB {what}{asked}", offered, "device"
    return Budget(value=None if value is None else value * scale, origin=origin, reason=reason)


def _note(budget: Budget, profile: Profile) -> str:
    if budget.value is None:
        return "no budget"
    return {
        "flag": "budget from the command line",
        "recipe": "budget from the recipe",
        "profile": f"default budget of {profile.id}",
        "device": budget.reason,
        "none": "",
    }[budget.origin]


def verdict(checks: tuple[Check, ...], device: str) -> str:
    """One sentence: what fits and by how much, or what does not."""
    broken = [c for c in checks if not c.ok]
    uncertain = [c for c in checks if c.verdict == "uncertain"]
    if broken:
        return f"does not fit {device}: {'; '.join(_describe_miss(c) for c in broken)}."
    bounded = [c for c in checks if c.budget and c.margin is not None and not c.at_least]
    if not bounded:
        return f"runs on {device}; no budget was asked for."
    tightest = min(bounded, key=lambda c: (c.margin or 0.0) / (c.budget or 1.0))
    if uncertain:
        names = " and ".join(c.name for c in uncertain)
        latency = any(c.name == "latency" for c in uncertain)
        how = "measure it ('edgeprune bench')" if latency else "build and link the firmware"
        return (
            f"may fit {device}: {names} cannot be told from the estimate, whose interval holds the budget; "
            f"{how}, or use --strict to refuse it."
        )
    estimated = [c.name for c in bounded if c.figure.source == "estimated"]
    hint = f"; estimated: {', '.join(estimated)}" if estimated else ""
    return f"fits {device}: {tightest.name} is tightest with {_amount(tightest)} to spare{hint}."


def _describe_miss(item: Check) -> str:
    if item.figure.value is None:
        return f"{item.name} is not known ({item.figure.evidence})"
    if item.verdict == "uncertain":
        return f"{item.name} may exceed its budget within its interval (--strict)"
    if item.name == "ops":
        return f"the runtime cannot execute {int(item.figure.value)} of its ops"
    return f"{item.name} misses its budget by {_amount(item)}"


def _amount(item: Check) -> str:
    return format_quantity(abs(item.margin or 0.0), item.figure.unit)
