"""The files that people write, and `report.json`, from the dataclasses that read and write them."""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, get_args, get_type_hints, is_typeddict

from documentation.markdown import code, escape, page, table
from edgeprune.config.build_options import GROUPS, describe_default, flags_of, list_options
from edgeprune.config.recipe import make_recipe_schema
from edgeprune.config.table_schema import read_docstring
from edgeprune.measuring.profiles import make_profile_schema
from edgeprune.report.schema import Report

Schema = Mapping[str, Any]
_LIMITS = {
    "minimum": "at least {:g}",
    "exclusiveMinimum": "above {:g}",
    "maximum": "at most {:g}",
    "exclusiveMaximum": "below {:g}",
    "minItems": "{} or more",
}


def write_recipe() -> str:
    """The page of recipes: every key, by group."""
    schema = make_recipe_schema()
    properties = schema["properties"]
    options = [(item, text) for item, text in list_options() if item.name in properties]
    blocks = []
    for group in GROUPS:
        rows = [
            [
                code(item.name),
                ", ".join(map(code, flags_of(item, text))) or "recipe only",
                _name_type(properties[item.name]),
                escape(text.help),
                escape(describe_default(item, text)),
            ]
            for item, text in options
            if text.group == group
        ]
        if rows:
            blocks += [f"## {group}", table(["key", "flag", "value", "what it does", "default"], rows)]
    intro = (
        "A recipe is a TOML file for `edgeprune build --recipe FILE`. Flags beat it, and it beats the "
        "device's profile. Unknown keys and values out of range are refused, all at once. "
        "`edgeprune list options` prints the same keys."
    )
    return page("Recipe", intro, *blocks, *_describe_definitions(schema))


def write_profile() -> str:
    """The page of device profiles: every key of every table."""
    schema = make_profile_schema()
    intro = (
        "A device profile is a TOML file; `edgeprune devices new` starts one, `edgeprune devices validate` "
        "finds all its errors, and `edgeprune devices schema` prints this as JSON Schema for editors."
    )
    return page("Device profile", intro, _describe_keys(schema), *_describe_definitions(schema))


def write_report() -> str:
    """The page of `report.json`: its keys, and those of its parts."""
    summary, attributes = read_docstring(Report)
    hints = get_type_hints(Report)
    rows = [
        [code(field.name), _name_hint(hints[field.name]), escape(attributes.get(field.name, ""))]
        for field in dataclasses.fields(Report)
    ]
    schema_row = [
        code("schema"),
        "integer",
        "version of this form; rises when a key changes its meaning or goes",
    ]
    parts = dict.fromkeys(
        part for field in dataclasses.fields(Report) for part in _find_parts(hints[field.name])
    )
    intro = (
        f"{summary} It is written by `edgeprune build`, which prints it with `--json` as well. Keys that are "
        "added leave `schema` as it is."
    )
    return page(
        "report.json",
        intro,
        table(["key", "value", "what it is"], [schema_row, *rows]),
        *map(_describe_part, parts),
    )


def _describe_definitions(schema: Schema) -> Iterator[str]:
    for name, definition in schema["$defs"].items():
        yield f"## {name}"
        yield escape(definition.get("description", ""))
        yield _describe_keys(definition)


def _describe_keys(schema: Schema) -> str:
    required = schema.get("required", ())
    rows = [
        [
            code(name),
            _name_type(described),
            "yes" if name in required else str(described.get("default", "")),
            escape(described.get("description", "")),
        ]
        for name, described in schema["properties"].items()
    ]
    return table(["key", "value", "required, or default", "what it is"], rows)


def _name_type(schema: Schema) -> str:
    """The type as people say it, with its limits and a link to the table that it is."""
    limits = [text.format(schema[word]) for word, text in _LIMITS.items() if word in schema]
    return ", ".join([_name_kind(schema), *limits])


def _name_kind(schema: Schema) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "enum" in schema:
        return " or ".join(code(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(map(_name_kind, schema["anyOf"]))
    if schema["type"] == "array":
        return f"list of {_name_kind(schema['items'])}"
    if schema["type"] == "object":
        return f"table of {_name_kind(schema['additionalProperties'])}"
    return {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false"}[
        schema["type"]
    ]


def _find_parts(hint: Any) -> Iterator[type]:
    """The TypedDicts that a type is made of, and those that these are made of."""
    if is_typeddict(hint):
        yield hint
        for inner in get_type_hints(hint).values():
            yield from _find_parts(inner)
    for argument in get_args(hint):
        yield from _find_parts(argument)


def _describe_part(part: type) -> str:
    summary, _ = read_docstring(part)
    rows = [[code(name), _name_hint(hint)] for name, hint in get_type_hints(part).items()]
    return "\n\n".join([f"## {part.__name__}", escape(summary), table(["key", "value"], rows)])


def _name_hint(hint: Any) -> str:
    """The JSON of a type."""
    plain = {str: "text", int: "integer", float: "number", bool: "true or false", type(None): "null"}
    if hint in plain:
        return plain[hint]
    if is_typeddict(hint):
        return f"[{hint.__name__}](#{hint.__name__.lower()})"
    arguments = [argument for argument in get_args(hint) if argument is not Ellipsis]
    kind = getattr(hint, "__origin__", None)
    if isinstance(kind, type) and issubclass(kind, Mapping):
        return f"object of {_name_hint(arguments[1])}"
    if isinstance(kind, type) and issubclass(kind, list | tuple):
        return f"list of {_name_hint(arguments[0])}"
    if kind is None and not arguments:
        return "anything"
    return " or ".join(
        _name_hint(argument) if isinstance(argument, type) or get_args(argument) else code(argument)
        for argument in arguments
    )
