"""The text of a profile's file: one of its tables written anew, the rest left as its author wrote it."""

import json
import re
import tomllib
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
        ValueError: the table cannot be told from the rest of the file, for example because it stands there
            twice, or as `name = { … }`.
    """
    table = re.compile(
        rf"^\[{re.escape(name)}\][^\n]*\n(?:(?!\[)[^\n]*\n|\[{re.escape(name)}\.[^\n]*\n)*", re.M
    )
    text = text if text.endswith("\n") else text + "\n"
    found = table.findall(text)
    if len(found) > 1:
        raise ValueError(f"[{name}] stands there {len(found)} times")
    if found:
        # Blank lines and comments before the next table are part of the match.
        tail = re.search(r"^(?:[ \t]*(?:#[^\n]*)?\n)*\Z", found[0], re.M)
        written = text.replace(found[0], format_table(name, values) + (tail[0] if tail else ""), 1)
    else:
        written = f"{text}\n{format_table(name, values)}"
    if _read_others(written, name) != _read_others(text, name):
        raise ValueError("other tables would change with it")
    return written


def _read_others(text: str, name: str) -> dict[str, Any]:
    return {key: value for key, value in tomllib.loads(text).items() if key != name}


def _format(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{key} = {_format(item)}" for key, item in value.items()) + " }"
    if isinstance(value, float):
        # TOML wants a digit on both sides of the point, which repr gives.
        return repr(float(f"{value:.{_DIGITS}g}"))
    return json.dumps(value, ensure_ascii=False)
