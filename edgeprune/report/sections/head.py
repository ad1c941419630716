"""The head of the page: the verdict in plain words, and what it is about."""

from collections.abc import Sequence
from typing import TypedDict

from edgeprune.config.budgets import BUDGETS
from edgeprune.report.section import Document, Section
from edgeprune.report.sections.figures import say_change
from edgeprune.units import format_quantity

_SAID = {"holds": "Fits", "uncertain": "May fit", "broken": "Does not fit"}
_RUNTIMES = {"tflm": "TensorFlow Lite Micro", "c": "edgeprune's C engine", "litert": "LiteRT"}
"""What people call a runtime, by its name in profiles."""
_OTHER_FAULTS = {
    "accuracy": "too much accuracy is lost",
    "ops": "its runtime cannot execute every op",
    "agreement": "runtimes disagree about the outputs",
    "answers": "too many answers change from one runtime to another",
    "firmware": "the image failed its check",
}
"""What it means that a check is broken which is no budget."""


class DevicePart(TypedDict):
    """What it was pruned for, from the device's profile."""

    id: str
    name: str
    core: str
    clock_mhz: float | None
    runtime: str
    kernel_library: str


def _summarise(report: Document) -> Document:
    device, checks = report["device"], report["checks"]
    clock = f"{device['clock_mhz']:g} MHz" if device.get("clock_mhz") else ""
    is_uncertain = any(check["verdict"] == "uncertain" for check in checks)
    state = "broken" if not report["verdict"] else "uncertain" if is_uncertain else "holds"
    return {
        "state": state,
        "headline": f"{_SAID[state]} {device['name']}: {say_budgets(checks, state=state)}.",
        "change": say_change(report),
        "model": f"{report['model']['source']} ({report['model']['name']})",
        "facts": [fact for fact in (device["core"], clock, *_say_runtime(device)) if fact],
    }


def _say_runtime(device: Document) -> tuple[str, str]:
    kernels = device["kernel_library"]
    runtime = str(device["runtime"])
    is_own = runtime == "c"  # its kernels are its own
    return _RUNTIMES.get(runtime, runtime), f"{kernels} kernels" if kernels and not is_own else ""


def say_budgets(checks: Sequence[Document], *, state: str) -> str:
    """The clause on the budgets: which are broken, which cannot be told, or which is tightest.

    Args:
        checks: as in report.json.
        state: "holds", "uncertain" or "broken".
    """
    if state == "broken":
        return " and ".join(map(_say_miss, (check for check in checks if not check["ok"]))) or "a check fails"
    if state == "uncertain":
        return "; ".join(map(_say_doubt, (check for check in checks if check["verdict"] == "uncertain")))
    bounded = [check for check in checks if check["name"] in BUDGETS and check["budget"] and check["margin"]]
    if not bounded:
        return "no budget was asked for"
    tightest = min(bounded, key=lambda check: check["margin"] / check["budget"])
    spare, budget = (format_quantity(tightest[key], tightest["unit"]) for key in ("margin", "budget"))
    return f"{BUDGETS[tightest['name']].label} is the tightest budget, with {spare} of {budget} to spare"


def _say_miss(check: Document) -> str:
    if check["name"] not in BUDGETS:
        return _OTHER_FAULTS.get(check["name"], f"the check '{check['name']}' fails")
    label = BUDGETS[check["name"]].label
    if check["value"] is None:
        return f"{label} is not known"
    budget = format_quantity(check["budget"], check["unit"])
    if check["margin"] >= 0:
        return f"{label} may exceed its {budget}"
    over = format_quantity(-check["margin"], check["unit"])
    return f"{label} is {over} over its budget of {budget}"


def _say_doubt(check: Document) -> str:
    low, high, budget = (format_quantity(check[key], check["unit"]) for key in ("low", "high", "budget"))
    kind = BUDGETS[check["name"]]
    return f"{kind.label} is between {low} and {high}, and the budget is {budget}; {kind.settled_by}"


HEAD = Section(
    reads=("verdict", "model", "device", "checks", "dense", "pruned", "task"),
    summarise=_summarise,
    template="head.html",
)
