"""HTML and SVG as values: whatever is not markup already is escaped on its way in."""

from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources

_VOID = frozenset({"meta", "br", "hr", "circle", "line", "path", "rect", "polyline"})
"""Elements of HTML and SVG that are written without an end tag."""


class Markup(str):
    """Text that is HTML or SVG and must not be escaped again."""

    __slots__ = ()


Attributes = Mapping[str, str | float | None]


def element(name: str, attributes: Attributes | None = None, /, *children: str) -> Markup:
    """One element.

    Args:
        name: its tag.
        attributes: values are escaped, numbers rounded to two digits; those that are None are left out.
        children: `Markup` stands as it is, other text is escaped.
    """
    pairs = "".join(
        f' {key}="{escape(_format_number(value))}"'
        for key, value in (attributes or {}).items()
        if value is not None
    )
    if name in _VOID and not children:
        return Markup(f"<{name}{pairs}/>")
    return Markup(f"<{name}{pairs}>{join(children)}</{name}>")


def join(parts: Iterable[str], separator: str = "") -> Markup:
    """All parts one after the other; what is not markup is escaped."""
    return Markup(separator.join(part if isinstance(part, Markup) else escape(part) for part in parts))


def read_style() -> str:
    """The style sheet of all pages and charts."""
    return resources.files("edgeprune.report").joinpath("report.css").read_text(encoding="utf-8")


def _format_number(value: str | float | None) -> str:
    # Two digits: a hundredth of a pixel, and the same text for the same report on every platform.
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
