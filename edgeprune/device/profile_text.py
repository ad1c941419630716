"""The text of a profile's file: one of its tables written anew, the rest left as its author wrote it."""

import json
import re
from collections.abc import Mapping
from typing import Any

_DIGITS = 4


def format_table(name: str, values: Mapping[str, Any]) -> str:
    """A TOML table of texts, numbers and flat mappings from text to numbers; what is empty is left out."""
    lines = [f"[{name}]"]
    lines += [f"{key} = {_format(value)}" for key, value in values.items() if value not in (None, "", {})]
    return "\n".join(lines) + "\n"


def replace_table(text: str, name: str, values: Mapping[str, Any]) -> str:
    """The file's text with that table, its sub-tables included, replaced, or added at the end.

    Raises:
        ValueError: the file has the table more than once, so that it is no valid TOML.
    """
    table = re.compile(
        rf"^\[{re.escape(name)}\][^\n]*\n(?:(?!\[)[^\n]*\n|\[{re.escape(name)}\.[^\n]*\n)*", re.M
    )
    text = text if text.endswith("\n") else text + "\n"
    found = table.findall(text)
    if len(found) > 1:
        raise ValueError(f"[{name}] stands there {len(found)} times")
    if not found:
        return f"{text}\n{format_table(name, values)}"
    # Blank lines before the next table are part of the match.
    tail = "\n" if found[0].endswith("\n\n") else ""
    return text.replace(found[0], format_table(name, values) + tail)


def _format(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_format(item)}" for key, item in value.items()) + " }"
    if isinstance(value, float):
        # TOML wants a digit on both sides of the point, which repr gives.
        return repr(float(f"{value:.{_DIGITS}g}"))
    return json.dumps(value, ensure_ascii=False)
