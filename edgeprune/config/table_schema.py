"""A JSON Schema of a file that `parse_table` reads, so that editors can complete and check it.

Types, names, ranges and descriptions come from the dataclass itself: its fields, `ruled` and the
`Attributes` of its docstring. What values need of one another is beyond a schema.
"""

import dataclasses
import inspect
import re
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from edgeprune.config.tables import describe_fields

_TYPES = {str: "string", Path: "string", int: "integer", float: "number", bool: "boolean"}
_RULES = {
    "low": "minimum",
    "above": "exclusiveMinimum",
    "high": "maximum",
    "below": "exclusiveMaximum",
    "items": "minItems",
}


def make_schema(kind: type, *, title: str) -> dict[str, Any]:
    """The schema (draft 2020-12) of the tables that describe a dataclass.

    Args:
        kind: a dataclass as `parse_table` takes it.
        title: what such a file is called.
    """
    definitions: dict[str, Any] = {}
    root = _describe_table(kind, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": title,
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


def _describe_table(kind: type, definitions: dict[str, Any]) -> dict[str, Any]:
    fields, hints = describe_fields(kind)
    summary, attributes = read_docstring(kind)
    properties = {}
    for name, field in fields.items():
        text = attributes.get(name, field.metadata.get("help", ""))
        described = {"description": text} if text else {}
        rules = {
            word: field.metadata[rule]
            for rule, word in _RULES.items()
            if field.metadata.get(rule) is not None
        }
        has_default = isinstance(field.default, int | float) or (
            isinstance(field.default, str) and field.default
        )
        default = {"default": field.default} if has_default else {}
        properties[name] = described | _describe_value(hints[name], definitions) | rules | default
    required = [
        name
        for name, field in fields.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]
    return {
        "description": summary,
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _describe_value(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        # TOML has no null: what may be None is left out.
        given = [a for a in arguments if a is not type(None) and a is not Any]
        described = [_describe_value(a, definitions) for a in given]
        return described[0] if len(described) == 1 else {"anyOf": described}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _describe_value(arguments[0], definitions)}
    if origin is not None and issubclass(origin, Mapping):
        return {"type": "object", "additionalProperties": _describe_value(arguments[1], definitions)}
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if hint.__name__ not in definitions:
            definitions[hint.__name__] = {}
            definitions[hint.__name__] = _describe_table(hint, definitions)
        return {"$ref": f"#/$defs/{hint.__name__}"}
    return {"type": _TYPES[hint]}


def read_docstring(kind: type) -> tuple[str, dict[str, str]]:
    """The first paragraph, and what `Attributes` says of each name."""
    text = inspect.getdoc(kind) or ""
    summary, _, rest = text.partition("\n\n")
    attributes: dict[str, str] = {}
    _, _, listed = rest.partition("Attributes:\n")
    for entry in re.findall(r"^    (\w[\w, ]*): (.*(?:\n {5,}.*)*)", listed, re.MULTILINE):
        for name in entry[0].split(", "):
            attributes[name] = " ".join(entry[1].split())
    return " ".join(summary.split()), attributes
