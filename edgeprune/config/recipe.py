"""Recipes: the options of a build in a TOML file, under the names of `BuildOptions`.

A flag beats the recipe, the recipe beats the device's profile. Paths in a recipe are relative to the
directory in which edgeprune runs, as those on the command line are. Rarely used options stand in recipes
alone ('edgeprune list options' says which), and so do limits of single layers:

    [layers."conv2d_*"]
    min_channels = 8
    max_ratio = 0.3
"""

from collections.abc import Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from edgeprune.config.build_options import BuildOptions, recipe_keys
from edgeprune.config.drop import parse_drop
from edgeprune.config.table_schema import make_schema
from edgeprune.config.tables import TableError, parse_values, read_toml
from edgeprune.errors import RecipeError


def read_recipe(path: Path) -> dict[str, Any]:
    """What a recipe says, by the names of `BuildOptions`; what it is silent on is left out.

    Raises:
        RecipeError: the file cannot be read, or has errors; all are reported together, with their keys.
    """
    table, errors = read_toml(path)
    if errors:
        raise _refuse(errors, where=str(path))
    misplaced = [
        TableError(key=key, problem="belongs to one run, not to a recipe; give it as a flag")
        for key in table
        if key in BuildOptions.__dataclass_fields__ and key not in recipe_keys()
    ]
    values, errors = parse_values(_spell_drop(table), BuildOptions)
    errors += _check_drop(values)
    if misplaced or errors:
        raise _refuse([*misplaced, *errors], where=str(path))
    return values


def check_options(asked: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """What flags or arguments say, as `BuildOptions` takes it; silence is left out.

    None is silence, and so is nothing at all of what can be given several times.

    Raises:
        RecipeError: values of a wrong type or out of range; all are reported together.
    """
    said = {name: _plain(value) for name, value in asked.items() if not _is_silent(value)}
    values, errors = parse_values(_spell_drop(said), BuildOptions)
    errors += _check_drop(values)
    if errors:
        raise _refuse(errors, where=where)
    return values


def make_recipe_schema() -> dict[str, Any]:
    """The JSON Schema of recipes, so that editors can complete and check them."""
    schema = make_schema(BuildOptions, title="Recipe of edgeprune build")
    keys = recipe_keys()
    # A flag may say what the recipe does not, so nothing is required of the file itself.
    return schema | {
        "properties": {name: value for name, value in schema["properties"].items() if name in keys},
        "required": [],
    }


def _spell_drop(table: Mapping[str, Any]) -> dict[str, Any]:
    """With `max_drop` as text, which may be a number or one with a percent sign."""
    drop = table.get("max_drop")
    is_number = isinstance(drop, int | float) and not isinstance(drop, bool)
    return {**table, "max_drop": f"{drop:g}"} if is_number else dict(table)


def _check_drop(values: Mapping[str, Any]) -> list[TableError]:
    """What is wrong with `max_drop`, if anything."""
    try:
        parse_drop(values.get("max_drop"))
    except RecipeError as error:
        return [TableError(key="max_drop", problem=f"is {values['max_drop']}; {error.fix}")]
    return []


def _is_silent(value: Any) -> bool:
    # Not `value in (None, (), {})`: arrays compare element by element.
    return value is None or (isinstance(value, tuple | list | dict) and not value)


def _plain(value: Any) -> Any:
    """A number of numpy's, which Python's own types are not, as Python's."""
    if isinstance(value, bool | int | float) or not isinstance(value, Real):
        return value
    return int(value) if isinstance(value, Integral) else float(value)


def _refuse(errors: list[TableError], *, where: str) -> RecipeError:
    count = f"{len(errors)} errors: " if len(errors) > 1 else ""
    return RecipeError(count + "; ".join(map(str, errors)), where=where)
