"""What a model's config names: classes and functions of Keras, of the user, and those that would run code."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import keras
from keras.src import ops as source

from edgeprune.errors import ModelError

CODE_CLASSES = {
    "Lambda": "a Lambda layer",
    "__lambda__": "a Python function as bytecode",
    "TFSMLayer": "a TFSMLayer, which runs a SavedModel",
    "TorchModuleWrapper": "a pickled PyTorch module",
    "JaxLayer": "a JaxLayer, which runs a JAX function",
    "FlaxLayer": "a FlaxLayer, which runs a Flax module",
}
"""Keras classes that run code which a file brings along, and what to call them."""

KERAS_MODULES = ("keras", "tf_keras", "builtins")
"""Where the classes and functions of an ordinary model come from; `builtins` is how Keras files functions."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedObject:
    """One serialized object of a config: its class, its module, and the named object it stands in."""

    class_name: str
    module: str | None
    registered_name: str | None
    owner: str


def find_foreign_object(config: Any, *, known: Collection[str] = ()) -> NamedObject | None:
    """The first object of a config whose class or function lies outside Keras, or None.

    Args:
        config: the config.
        known: names of classes and functions that the user gave.
    """
    return next((item for item in _walk(config) if _is_foreign(item) and not _names(item) & set(known)), None)


def _names(item: NamedObject) -> set[str]:
    return {item.class_name, str(item.registered_name), str(item.registered_name).rpartition(">")[2]}


def refuse_code(config: Any, *, where: str) -> None:
    """Raises ModelError if a config holds code."""
    for item in _walk(config):
        if item.class_name in CODE_CLASSES:
            named = f" named '{item.owner}'" if item.owner else ""
            raise ModelError(
                f"holds {CODE_CLASSES[item.class_name]}{named}",
                where=where,
                why="code inside a model file is not run unless it is trusted",
                fix="replace it by built-in layers or keras.ops and save again; or, if you trust the file, "
                "pass --trust",
            )


def refuse_foreign_classes(config: dict[str, Any], *, known: Collection[str], where: str) -> None:
    """Raises ModelError if a config names a layer that neither Keras nor the user has.

    A subclass of `keras.Model` whose graph is in the file is let through: its class is not needed.
    """
    root = config
    if has_functional_config(config):
        config = {key: value for key, value in config.items() if key not in ("module", "registered_name")}
    item = find_foreign_object(config, known=known)
    if item is None:
        return
    if item.class_name == root.get("class_name") and item.module == root.get("module"):
        raise ModelError(
            f"the model is of a class of its own, '{item.class_name}'",
            where=where,
            why="the layers of a subclassed model cannot be known without its Python code",
            fix="build it as keras.Model(inputs, outputs) from Keras layers and save that",
        )
    raise ModelError(
        f"layer '{item.owner}' needs '{item.class_name}', which is no part of Keras",
        where=where,
        why=f"its Python code is in the module '{item.module or item.registered_name}'",
        fix=f"pass it with --custom module:{item.class_name}, or build that part from Keras layers",
    )


def has_functional_config(config: dict[str, Any]) -> bool:
    """Whether a config lists the layers and calls of a model, whatever its class is."""
    inner = config.get("config")
    return isinstance(inner, dict) and isinstance(inner.get("layers"), list) and "output_layers" in inner


def name_root_functional(config: dict[str, Any], *, known: Collection[str]) -> dict[str, Any]:
    """The config with a subclass of `keras.Model` that is not known named as what its graph makes it."""
    foreign = find_foreign_object(
        {k: config.get(k) for k in ("class_name", "module", "registered_name")}, known=known
    )
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


def _walk(config: Any) -> Iterator[NamedObject]:
    """Every object with a `class_name`, in file order, however deep it is nested."""
    pending = [(config, "")]
    while pending:
        value, owner = pending.pop()
        if isinstance(value, dict):
            inner = value.get("config")
            if isinstance(inner, dict) and isinstance(inner.get("name"), str):
                owner = inner["name"]
            if "class_name" in value:
                yield NamedObject(
                    class_name=str(value["class_name"]),
                    module=value.get("module"),
                    registered_name=value.get("registered_name"),
                    owner=owner,
                )
            pending.extend((item, owner) for item in reversed(list(value.values())))
        elif isinstance(value, list):
            pending.extend((item, owner) for item in reversed(value))


def _is_foreign(item: NamedObject) -> bool:
    if item.module is not None:
        return str(item.module).split(".")[0] not in KERAS_MODULES
    package, separator, _ = str(item.registered_name or "").partition(">")
    return bool(separator) and package.lower() != "keras"
