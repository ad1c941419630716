"""TOML files into frozen dataclasses: the fields' names and types are the schema.

A dataclass field says all there is to know: its type, whether it has a default, and through `ruled` what
values it takes. All errors of a file are found in one pass and reported together, each with its dotted key.
"""

import dataclasses
import tomllib
import types
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from edgeprune.errors import RecipeError
from edgeprune.files import refuse_special

T = TypeVar("T")

_INTEGERS = range(-1 << 63, 1 << 63)
"""TOML's integers have 64 bits; Python's parser takes any."""

_NAMES = {str: "text", Path: "a path", int: "a whole number", float: "a number", bool: "true or false"}


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class TableError:
    """One thing that is wrong in a file.

    Attributes:
        key: dotted key, with a position in lists: "memory[1].kib"; "" for the file as a whole.
        problem: what is wrong and what would be right, as a clause.
    """

    key: str
    problem: str

    def __str__(self) -> str:
        """Key and problem."""
        return f"{self.key}: {self.problem}" if self.key else self.problem


def ruled(
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    below: float | None = None,
    items: int | None = None,
    default: Any = ...,
    default_factory: Callable[[], Any] | None = None,
    **more: Any,
) -> Any:
    """A dataclass field that takes numbers in a range, or lists of some length.

    Args:
        low: the least number.
        above: what the number must be above.
        high: the largest number.
        below: what the number must be below.
        items: the least length of a list that is given; the default may be shorter.
        default: the value where none is given; without it, one must be.
        default_factory: what makes that value, where it cannot be shared.
        more: what else the field's metadata hold, for whoever reads them.
    """
    metadata = {"low": low, "above": above, "high": high, "below": below, "items": items, **more}
    if default_factory is not None:
        return dataclasses.field(metadata=metadata, default_factory=default_factory)
    if default is ...:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(metadata=metadata, default=default)


def read_toml(path: Path) -> tuple[dict[str, Any], list[TableError]]:
    """The tables of a file, or the one error that kept it from being read."""
    try:
        refuse_special(path, RecipeError)
        # With the mark that Windows' editors put in front of UTF-8, or without.
        return tomllib.loads(path.read_text(encoding="utf-8-sig")), []
    except RecipeError as error:
        return {}, [TableError(key="", problem=f"{error.what} ({error.why})" if error.why else error.what)]
    except OSError as error:
        return {}, [TableError(key="", problem=f"cannot be read: {error.strerror or error}")]
    except UnicodeDecodeError:
        return {}, [TableError(key="", problem="is not a text file in UTF-8")]
    except (ValueError, RecursionError) as error:  # a TOMLDecodeError, or an absurdly long or deep value
        return {}, [TableError(key="", problem=f"is not TOML: {error}")]


def parse_table(table: Mapping[str, Any], kind: type[T]) -> tuple[T | None, list[TableError]]:
    """The dataclass a table describes, or None and everything that is wrong with it.

    Args:
        table: keys and values as `tomllib` reads them.
        kind: a dataclass whose fields are of the types str, Path, int, float, bool, a Literal of strings,
            another dataclass, a tuple of one of these, a mapping from text to one of these, or any of them or
            None.
    """
    errors: list[TableError] = []
    found = _table(table, kind, "", errors)
    return (None if errors else found), errors


def parse_values(table: Mapping[str, Any], kind: type) -> tuple[dict[str, Any], list[TableError]]:
    """What a table says of a dataclass's fields, and everything that is wrong with it; nothing need be said.

    Args:
        table: keys and values as `tomllib` reads them, or as Python has them: tuples for lists, `Path`s, and
            whatever a field takes besides that is of type `Any`.
        kind: as for `parse_table`.
    """
    errors: list[TableError] = []
    return _values(table, kind, "", errors, is_whole=False), errors


@lru_cache(maxsize=64)
def describe_fields(kind: type) -> tuple[dict[str, dataclasses.Field[Any]], dict[str, Any]]:
    """Fields and types of a dataclass, by name."""
    return {field.name: field for field in dataclasses.fields(kind)}, get_type_hints(kind)


def _table(table: Mapping[str, Any], kind: type[T], prefix: str, errors: list[TableError]) -> T | None:
    before = len(errors)
    values = _values(table, kind, prefix, errors, is_whole=True)
    return kind(**values) if len(errors) == before else None


def _values(
    table: Mapping[str, Any], kind: type, prefix: str, errors: list[TableError], *, is_whole: bool
) -> dict[str, Any]:
    fields, hints = describe_fields(kind)
    for key in table:
        if key not in fields:
            near = get_close_matches(key, fields, n=1, cutoff=0.6)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(fields)}"
            errors.append(TableError(key=prefix + key, problem=f"is not a known key; {hint}"))
    values = {}
    for name, field in fields.items():
        if name in table:
            value = _value(table[name], hints[name], prefix + name, errors)
            if field.metadata:
                _check_range(value, field.metadata, prefix + name, errors)
            values[name] = value
        elif (
            is_whole and field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ):
            errors.append(
                TableError(key=prefix + name, problem=f"is missing; it takes {_wants(hints[name])}")
            )
    return values


def _value(value: Any, hint: Any, key: str, errors: list[TableError]) -> Any:
    if isinstance(value, int) and value not in _INTEGERS:
        errors.append(TableError(key=key, problem="is a whole number of more than 64 bits"))
        return None
    if type(value) is hint:  # most values, and asking for an origin takes ten times as long
        return value
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if Any in arguments and not isinstance(value, str):
            return value
        return _value(value, _choose(value, arguments), key, errors)
    if origin is Literal:
        if value in arguments:
            return value
        near = get_close_matches(str(value), arguments, n=1, cutoff=0.5)
        hint_text = f"did you mean '{near[0]}'?" if near else f"it takes {_wants(hint)}"
        errors.append(TableError(key=key, problem=f"is {value!r}; {hint_text}"))
        return None
    if origin is tuple:
        if isinstance(value, list | tuple):
            return tuple(_value(v, arguments[0], f"{key}[{i}]", errors) for i, v in enumerate(value))
    elif origin is not None and issubclass(origin, Mapping):
        if isinstance(value, dict):
            return {k: _value(v, arguments[1], f"{key}.{k}", errors) for k, v in value.items()}
    elif dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if isinstance(value, dict):
            return _table(value, hint, f"{key}.", errors)
        if isinstance(value, hint):
            return value
    elif hint is Path:
        if isinstance(value, str | Path):
            return Path(value)
    elif hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    elif isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    errors.append(TableError(key=key, problem=f"is {_describe(value)}; it takes {_wants(hint)}"))
    return None


def _choose(value: Any, arguments: tuple[Any, ...]) -> Any:
    """Of types beside None the one that a value is held against: a word can only be one of a Literal's."""
    literals = [a for a in arguments if get_origin(a) is Literal]
    if literals and isinstance(value, str):
        return literals[0]
    return next(a for a in arguments if a is not type(None))


def _check_range(value: Any, rules: Mapping[str, Any], key: str, errors: list[TableError]) -> None:
    if isinstance(value, tuple) and len(value) < (rules.get("items") or 0):
        problem = f"has {len(value)} values; it takes at least {rules['items']}"
        errors.append(TableError(key=key, problem=problem))
    if not isinstance(value, int | float) or isinstance(value, bool):
        return
    low, above, high, below = (rules.get(rule) for rule in ("low", "above", "high", "below"))
    if not isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
        pass
    elif (above is None or value > above) and (below is None or value < below):
        return
    bounds = [
        *([f"at least {_show(low)}"] if low is not None else []),
        *([f"above {_show(above)}"] if above is not None else []),
        *([f"at most {_show(high)}"] if high is not None else []),
        *([f"below {_show(below)}"] if below is not None else []),
    ]
    problem = f"is {_show(value)}; it takes a number {' and '.join(bounds)}"
    errors.append(TableError(key=key, problem=problem))


def _show(number: float) -> str:
    """A whole number with all its digits, for an address has ten of them."""
    return str(number) if isinstance(number, int) else f"{number:g}"


def _wants(hint: Any) -> str:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_wants(a) for a in arguments if a is not type(None) and a is not Any)
    if origin is Literal:
        return "one of " + ", ".join(f"'{a}'" for a in arguments)
    if origin is tuple:
        return f"a list, each {_wants(arguments[0])}"
    if dataclasses.is_dataclass(hint) or origin is not None:
        return "a table"
    return _NAMES.get(hint, str(hint))


def _describe(value: Any) -> str:
    if isinstance(value, str):
        return f"the text '{value}'"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, Sequence):
        return "a list"
    return repr(value).lower() if isinstance(value, bool) else repr(value)
