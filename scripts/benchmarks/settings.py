"""What `--set NAME=VALUE` changes, so that one part of a build can be left out or done otherwise.

An option of the build by its name in a recipe, a constant of a module, the default of a dataclass's field:

    learning_rate=3e-3
    edgeprune.methods.loop.PRUNING_SHARE=0.3
    edgeprune.keras_bridge.training.train.Recovery.distill_weight=0.9

A constant that another module has imported by its name is changed there, too, once it is imported; a function
or a class cannot be set.
"""

import importlib
import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import is_dataclass
from types import ModuleType
from typing import Any

PACKAGE = "edgeprune"


def parse_settings(said: Sequence[str]) -> dict[str, Any]:
    """Names and values of texts as NAME=VALUE; values are TOML, or text as it stands.

    Raises:
        ValueError: there is no "=" in one.
    """
    settings = {}
    for text in said:
        name, is_set, value = text.partition("=")
        if not is_set:
            raise ValueError(f"--set {text}: say NAME=VALUE")
        settings[name.strip()] = _parse_value(value.strip())
    return settings


def _parse_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def options_among(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that are options of a build."""
    return {name: value for name, value in settings.items() if not name.startswith(f"{PACKAGE}.")}


@contextmanager
def changed(settings: Mapping[str, Any]) -> Iterator[None]:
    """While the block runs, constants and defaults have the values that are set; options are left alone.

    Raises:
        ValueError: a name is not one of a constant or of a field with a default.
    """
    before: list[tuple[dict[str, Any], str, Any]] = []
    try:
        for name, value in settings.items():
            if name.startswith(f"{PACKAGE}."):
                for namespace, key in _find_places(name):
                    before.append((namespace, key, namespace[key]))
                    namespace[key] = value
        yield
    finally:
        for namespace, key, value in reversed(before):
            namespace[key] = value


def _find_places(name: str) -> list[tuple[dict[str, Any], str]]:
    """Where the value of a dotted name is looked up."""
    place, _, last = name.rpartition(".")
    owner = _find_owner(place, name)
    if isinstance(owner, ModuleType):
        if not hasattr(owner, last) or callable(getattr(owner, last)):
            raise ValueError(f"--set {name}: {place} has no constant of this name")
        value = getattr(owner, last)
        loaded = [vars(m) for key, m in list(sys.modules.items()) if key.startswith(PACKAGE)]
        return [(names, last) for names in loaded if last in names and names[last] is value]
    defaults = getattr(owner.__init__, "__kwdefaults__", None) or {}
    if not is_dataclass(owner) or last not in defaults:
        raise ValueError(f"--set {name}: {place} has no field of this name with a default")
    return [(defaults, last)]


def _find_owner(place: str, name: str) -> Any:
    """The module, or the class in one, that a dotted name means."""
    try:
        return importlib.import_module(place)
    except ModuleNotFoundError:
        module, _, last = place.rpartition(".")
    try:
        return getattr(importlib.import_module(module), last)
    except (ModuleNotFoundError, AttributeError, ValueError) as error:
        raise ValueError(f"--set {name}: there is no module or class {place}") from error
