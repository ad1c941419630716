"""Pages from the templates beside this file: each is one file that needs nothing else.

Templates escape whatever they are given unless it is markup, and stop at a variable that nobody gave them.
"""

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from edgeprune.report.markup import read_script, read_style
from edgeprune.report.section import Document, Section
from edgeprune.units import (
    NOTHING,
    format_drop,
    format_metric,
    format_quantity,
    format_ratio,
    format_signed,
    short_unit,
)


def render(template: str, variables: Mapping[str, Any]) -> Markup:
    """What a template makes of its variables."""
    return Markup(_ENVIRONMENT.get_template(template).render(variables))


def draw_section(section: Section, document: Document) -> Markup | None:
    """The section of a document; None where there is nothing to show."""
    variables = section.summarise({key: document[key] for key in section.reads})
    return None if variables is None else render(section.template, variables)


def _quantity(value: float | None, unit: str = "") -> str:
    return format_quantity(value, unit)


def _signed(value: float | None, unit: str = "") -> str:
    return format_signed(value, unit)


def _metric(value: float | None) -> str:
    return NOTHING if value is None else format_metric(value)


def _drop(value: float | None) -> str:
    return NOTHING if value is None else format_drop(value)


def _number(value: float | None, digits: str = "g") -> str:
    return NOTHING if value is None else format(value, digits)


def _or_nothing(text: str) -> str:
    return text or NOTHING


def _tone(check: Document) -> str:
    """How a check sounds: a class of the style sheet."""
    return "bad" if not check["ok"] else "unsure" if check["verdict"] == "uncertain" else "good"


def _percent_of(value: float | None, whole: float | None) -> str:
    """The part of a width, for `left` and `width` in a style."""
    share = (value or 0.0) / whole if whole else 0.0
    return f"{100 * min(max(share, 0.0), 1.0):.2f}%"


_ENVIRONMENT = Environment(
    loader=PackageLoader("edgeprune.report", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    quantity=_quantity,
    signed=_signed,
    ratio=format_ratio,
    metric=_metric,
    drop=_drop,
    number=_number,
    short_unit=short_unit,
    or_nothing=_or_nothing,
    percent_of=_percent_of,
    tone=_tone,
)
_ENVIRONMENT.globals.update(style=read_style(), script=read_script())
