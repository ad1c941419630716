"""Numbers as people read them: the one place that decides on prefixes and digits."""

import math
from typing import Any

NOTHING = "–"
"""Stands where there is no number."""

_KIB = 1024
_LEAST_COUNT = 1000  # estimates of counts have digits after the point, but fractions and scores are smaller


def format_quantity(value: float | None, unit: str) -> str:
    """A number with its unit, about four digits long.

    Args:
        value: None and what is not finite become `NOTHING`.
        unit: "bytes" (shown in KiB or MiB), "ms", "" for counts and fractions, or any other (shown as it is).
    """
    if value is None or not math.isfinite(value):
        return NOTHING
    if unit == "bytes":
        return _format_bytes(value)
    if unit == "":
        is_count = float(value).is_integer() or abs(value) >= _LEAST_COUNT
        return _format_count(value) if is_count else f"{value:.4f}"
    return f"{_format_short(value)} {unit}"


def format_signed(value: float | None, unit: str) -> str:
    """A difference, with its sign even where it is positive."""
    text = format_quantity(value, unit)
    if value is None or text == NOTHING:
        return text
    return f"+{text}" if value > 0 else text.replace("-", "−", 1) if value < 0 else text


def short_unit(unit: str) -> str:
    """The unit where a longer one, such as "unsupported ops", was named beside the value before: then ""."""
    return unit if unit in ("bytes", "ms") else ""


def format_ratio(after: float | None, before: float | None) -> str:
    """What is left of a number, as a fraction: "0.50×"; `NOTHING` where that means nothing."""
    if after is None or not before:
        return NOTHING
    return f"{after / before:.2f}×"


def _format_bytes(value: float) -> str:
    if abs(value) < _KIB:
        return f"{value:.0f} B"
    if abs(value) < _KIB**2:
        return f"{_trim(f'{value / _KIB:.1f}')} KiB"
    return f"{_trim(f'{value / _KIB**2:.2f}')} MiB"


def _format_count(value: float) -> str:
    for factor, prefix in ((10**9, "G"), (10**6, "M"), (10**4, "k")):
        if abs(value) >= factor:
            size = factor if prefix != "k" else 1000
            return f"{_format_short(value / size)} {prefix}"
    return f"{value:.0f}"


def _format_short(value: float) -> str:
    size = abs(value)
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3
    if 0 < size < 0.001:
        return f"{value:.2g}"
    return _trim(f"{value:.{digits}f}")


def _trim(text: str) -> str:
    """Without zeros that only follow a decimal point."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def format_drop(drop: float) -> str:
    """A drop of a metric: four places, fewer digits where it is smaller than they show; never minus zero."""
    if drop == 0:
        return "0.0000"
    return f"{drop:.4f}" if abs(drop) >= 1e-4 else f"{drop:.0e}"


def say_drop(drop: float) -> str:
    """A drop as a clause: "loses 0.0077", or "gains 0.0020" where there is none."""
    return f"gains {format_drop(-drop)}" if drop < 0 else f"loses {format_drop(drop)}"


def format_metric(value: float) -> str:
    """A metric: four places, or six digits where it is large."""
    return f"{value:.4f}" if abs(value) < 100 else f"{value:.6g}"


def format_setting(setting: tuple[str, Any]) -> str:
    """A name and its value, which has three digits where it was drawn from a range."""
    name, value = setting
    return f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
