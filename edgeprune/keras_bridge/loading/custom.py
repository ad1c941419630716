"""Layers, functions and rules that the user brings along: `--custom module:object` or `file.py:object`."""

from collections.abc import Sequence
from typing import Any

import keras

from edgeprune.errors import ModelError
from edgeprune.graph.layers.rules import RULES, LayerRule, rule
from edgeprune.keras_bridge.loading.python_source import import_place


def import_custom(names: Sequence[str]) -> dict[str, Any]:
    """Classes and functions by the names under which files know them; layer rules go into the registry.

    Modules are looked for in the working directory first. What is imported stays registered with Keras, so
    that the pruned model can be opened again by this process.

    Args:
        names: "module:object" or "file.py:object" each.

    Raises:
        ModelError: a module or object cannot be imported, or is nothing that a model is made of.
    """
    found: dict[str, Any] = {}
    for name in names:
        value = _import(name)
        if isinstance(value, LayerRule):
            if value.kind not in RULES:
                rule(value)
            continue
        if not callable(value):
            raise ModelError(
                f"'{name}' is neither a class, a function nor a layer rule",
                where="--custom",
                why=f"it is a {type(value).__name__}",
                fix="name a subclass of keras.layers.Layer, or an edgeprune.graph.layers.rules.LayerRule",
            )
        found[name.rpartition(":")[2].rpartition(".")[2]] = value
        found[keras.saving.get_registered_name(value)] = value
    keras.saving.get_custom_objects().update(found)
    return found


def _import(name: str) -> Any:
    place, colon, path = name.rpartition(":")
    if not (place and colon and path):
        raise ModelError(
            f"'{name}' is not of the form module:object",
            where="--custom",
            fix="give module:object or file.py:object",
        )
    try:
        value: Any = import_place(place)
        for part in path.split("."):
            value = getattr(value, part)
    except (Exception, SystemExit) as error:  # an import runs the user's own code
        raise ModelError(
            f"'{name}' cannot be imported",
            where="--custom",
            why=f"{type(error).__name__}: {error}",
            fix="run edgeprune where the module is, or install it",
        ) from error
    return value
