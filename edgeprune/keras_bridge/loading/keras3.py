"""Configs that Keras 3 wrote and cannot read back as they are, in the words that it reads."""

from typing import Any

import keras
from keras.src import ops as source

from edgeprune.keras_bridge.loading.named_objects import Names, find_foreign_object, has_functional_config


def name_root_functional(config: dict[str, Any], *, names: Names) -> dict[str, Any]:
    """The config with a subclass of `keras.Model` that is not known named as what its graph makes it."""
    named = {key: config.get(key) for key in ("class_name", "module", "registered_name")}
    foreign = find_foreign_object(named, names)
    if foreign is None or not has_functional_config(config):
        return config
    return {**config, "module": "keras", "class_name": "Model", "registered_name": None}


def name_operations(config: Any) -> Any:
    """The config with the modules of operations, which Keras 3 leaves out when it writes HDF5.

    An operation may have the class name of a layer, but a layer's config always says whether it is trainable.
    """
    if isinstance(config, list):
        return [name_operations(item) for item in config]
    if not isinstance(config, dict):
        return config
    named = {key: name_operations(value) for key, value in config.items()}
    inner = config.get("config")
    if "inbound_nodes" in config and isinstance(inner, dict) and "trainable" not in inner:
        module = _OPERATION_MODULES.get(str(config.get("class_name")))
        if module and "module" not in config and "layers" not in inner:
            named |= {"module": module, "registered_name": None}
        if config.get("class_name") == "GetItem":
            for call in named["inbound_nodes"]:
                call["args"] = _spell_out(*call["args"])
    return named


def _spell_out(tensor: dict[str, Any], key: Any = None) -> list[Any]:
    """The arguments of a slice without "...", which Keras 3 cannot read back from HDF5."""
    full = {"start": None, "stop": None, "step": None}
    parts = key if isinstance(key, list) else [key]
    plain = [part.get("class_name") if isinstance(part, dict) else part for part in parts]
    if "__ellipsis__" not in plain:
        return [tensor, key]
    at = plain.index("__ellipsis__")
    count = len(tensor["config"]["shape"]) - sum(part is not None for part in parts) + 1
    slices = [{"class_name": "__slice__", "config": full}] * count
    return [tensor, [*parts[:at], *slices, *parts[at + 1 :]]]


def _list_operations() -> dict[str, str]:
    modules = [getattr(source, name) for name in ("numpy", "nn", "core", "math", "image", "linalg")]
    return {
        name: cls.__module__
        for module in modules
        for name, cls in vars(module).items()
        if isinstance(cls, type) and issubclass(cls, keras.Operation)
    }


_OPERATION_MODULES = _list_operations()
