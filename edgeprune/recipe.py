"""Recipes: the flags of `edgeprune build` in a TOML file, under the same names with underscores.

A flag beats the recipe, the recipe beats the device's profile. Paths in a recipe are relative to the
directory in which edgeprune runs, as those on the command line are.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from edgeprune.errors import RecipeError
from edgeprune.tables import parse_table, read_toml, ruled

_LARGEST = 1e9  # above any real budget; it keeps TOML's `inf` out
MAX_SEED = 2**32 - 1
"""The largest seed that numpy's and TensorFlow's generators take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What a recipe asks for; None where it says nothing.

    Attributes:
        model, data, output: paths, or `module:function` for data.
        device: a profile's id or file.
        flash_kib, ram_kib, latency_ms: budgets.
        max_drop: largest drop of the metric, a fraction.
        metric, loss, scheme, criterion, scope, schedule: names.
        epochs: of recovery, all steps together.
        seed: of everything random.
    """

    model: str | None = None
    device: str | None = None
    data: str | None = None
    output: str | None = None
    flash_kib: float | None = ruled(above=0, high=_LARGEST, default=None)
    ram_kib: float | None = ruled(above=0, high=_LARGEST, default=None)
    latency_ms: float | None = ruled(above=0, high=_LARGEST, default=None)
    max_drop: float | None = ruled(low=0, high=1, default=None)
    metric: str | None = None
    loss: str | None = None
    scheme: str | None = None
    criterion: str | None = None
    scope: Literal["global", "local"] | None = None
    schedule: str | None = None
    epochs: int | None = ruled(low=1, default=None)
    seed: int | None = ruled(low=0, high=MAX_SEED, default=None)


def read_recipe(path: Path) -> Recipe:
    """The recipe in a file.

    Raises:
        RecipeError: the file cannot be read, or has errors; all are reported together, with their keys.
    """
    table, errors = read_toml(path)
    recipe = None
    if not errors:
        recipe, errors = parse_table(table, Recipe)
    if recipe is None:
        count = f"{len(errors)} errors: " if len(errors) > 1 else ""
        raise RecipeError(count + "; ".join(map(str, errors)), where=str(path))
    return recipe


def merge(flags: Mapping[str, Any], recipe: Recipe) -> dict[str, Any]:
    """What was asked for: flags first, then the recipe; keys on which both are silent (None) are left out."""
    asked = {name: value for name, value in asdict(recipe).items() if value is not None}
    return asked | {name: value for name, value in flags.items() if value is not None}
