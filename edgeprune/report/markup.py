"""SVG as values: whatever is not markup already is escaped on its way in. Pages are templates; see `page`."""

from collections.abc import Iterable, Mapping
from importlib import resources

from markupsafe import Markup, escape

Attributes = Mapping[str, str | float | None]


def element(name: str, attributes: Attributes | None = None, /, *children: str) -> Markup:
    """One element.

    Args:
        name: its tag.
        attributes: values are escaped, numbers rounded to two digits; those that are None are left out.
        children: `Markup` stands as it is, other text is escaped; without any, the tag closes itself.
    """
    pairs = "".join(
        f' {key}="{escape(_format_number(value))}"'
        for key, value in (attributes or {}).items()
        if value is not None
    )
    if not children:
        return Markup(f"<{name}{pairs}/>")
    return Markup(f"<{name}{pairs}>{join(children)}</{name}>")


def join(parts: Iterable[str]) -> Markup:
    """All parts one after the other; what is not markup is escaped."""
    return Markup("").join(parts)


def read_style() -> Markup:
    """The style sheet of all pages and charts."""
    file = resources.files("edgeprune.report").joinpath("templates", "report.css")
    return Markup(file.read_text(encoding="utf-8"))


def read_script() -> Markup:
    """What the report of a build does beside being read."""
    file = resources.files("edgeprune.report").joinpath("templates", "report.js")
    return Markup(file.read_text(encoding="utf-8"))


def _format_number(value: str | float | None) -> str:
    # Two digits: a hundredth of a pixel, and the same text for the same report on every platform.
    return value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip(".")
