"""What a model's config names, held against what it may name: `allowed.py`, and what the user gives.

A config is JSON. Wherever a dict with a `class_name` stands in it, Keras makes that object or takes that
function, and some of its classes open files or run code that the config brings along. So every such dict is
looked at before Keras sees the config, and so is every activation that is a name alone.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from edgeprune.errors import ModelError
from edgeprune.keras_bridge.loading.allowed import PLAIN, Kind, kinds_of
from edgeprune.keras_bridge.loading.keras2 import FUNCTION_LAYERS
from edgeprune.keras_bridge.loading.keras2_layers import ACTIVATIONS, RENAMED
from edgeprune.keras_bridge.loading.tfmot import WRAPPERS

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

ROLES: Mapping[str, frozenset[Kind]] = {
    "activation": frozenset(("activation", "layer", "operation")),
    "initializer": frozenset(("initializer",)),
    "regularizer": frozenset(("regularizer",)),
    "constraint": frozenset(("constraint",)),
    "optimizer": frozenset(("optimizer",)),
    "optimizer_config": frozenset(("optimizer",)),
    "loss": frozenset(("loss", "metric")),
    "metrics": frozenset(("loss", "metric")),
}
"""What objects may be under a key, by its end; under others they may be anything that is allowed."""

_NAMED = ("activation", "initializer", "regularizer", "constraint")
"""Roles in which a name alone is looked at; names of losses and the like are a matter of compiling."""

_UNREAD_OF_KERAS2 = ("initializer", "regularizer", "constraint", "dtype")
"""Roles of which the translation of Keras 2 makes nothing that it does not know."""

_PATHS = ("vocabulary",)
"""Arguments of Keras's layers that are opened where they are text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """What a config may name beside Keras.

    Attributes:
        known: names of classes and functions that the user gave.
        trust: whether classes that run code may be named.
        keras2: whether the config is one of Keras 2, which is translated and not shown to Keras.
    """

    known: Collection[str] = ()
    trust: bool = False
    keras2: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedObject:
    """One class or function that a config names.

    Attributes:
        name: of the class or function.
        module, registered_name: as the file has them.
        is_function: whether it is filed as a function.
        role: the end of the key it stands under, of `ROLES`; "" for others.
        owner: the named object that it stands in.
        has_graph: whether its config lists layers and calls, which make it a model whatever its class is.
        is_root: whether nothing is around it.
    """

    name: str
    module: str | None = None
    registered_name: str | None = None
    is_function: bool = False
    role: str = ""
    owner: str = ""
    has_graph: bool = False
    is_root: bool = False

    @property
    def plain_name(self) -> str:
        """The name without the package that it was registered in."""
        return self.name.rpartition(">")[2]


def refuse_code(config: Any, *, where: str) -> None:
    """Raises ModelError if a config holds code."""
    for item in _walk(config, Names()):
        if isinstance(item, NamedObject) and item.plain_name in CODE_CLASSES:
            named = f" named '{item.owner}'" if item.owner else ""
            raise ModelError(
                f"holds {CODE_CLASSES[item.plain_name]}{named}",
                where=where,
                why="code inside a model file is not run unless it is trusted",
                fix="replace it by built-in layers or keras.ops and save again; or, if you trust the file, "
                "pass --trust",
            )


def refuse_names(config: dict[str, Any], names: Names, *, where: str) -> None:
    """Refuse a config that names what is neither allowed nor the user's, or a file.

    A subclass of `keras.Model` whose graph is in the file is let through: its class is not needed.

    Raises:
        ModelError: it does; nothing was made or imported.
    """
    for item in _walk(config, names):
        if isinstance(item, _Path):
            raise ModelError(
                f"layer '{item.owner}' takes its {item.key} from a file",
                where=where,
                why=f"it names {item.path!r}, and no path in a model file is opened",
                fix=f"save the model with the {item.key} in it, as a list",
            )
        if not (_is_allowed(item, names) or (item.is_root and item.has_graph)):
            raise _refuse(item, where=where)


def find_foreign_object(config: Any, names: Names) -> NamedObject | None:
    """The first object of a config that is neither allowed nor the user's, or None."""
    objects = (item for item in _walk(config, names) if isinstance(item, NamedObject))
    return next((item for item in objects if not _is_allowed(item, names)), None)


def has_functional_config(config: Mapping[str, Any]) -> bool:
    """Whether a config lists the layers and calls of a model, whatever its class is."""
    inner = config.get("config")
    return isinstance(inner, dict) and isinstance(inner.get("layers"), list) and "output_layers" in inner


def _refuse(item: NamedObject, *, where: str) -> ModelError:
    place = f"layer '{item.owner}'" if item.owner else "its config"
    if not _is_of_keras(item):
        if item.is_root:
            return ModelError(
                f"the model is of a class of its own, '{item.name}'",
                where=where,
                why="the layers of a subclassed model cannot be known without its Python code",
                fix="build it as keras.Model(inputs, outputs) from Keras layers and save that",
            )
        return ModelError(
            f"{place} needs '{item.name}', which is no part of Keras",
            where=where,
            why=f"its Python code is in the module '{item.module or item.registered_name}'",
            fix=f"pass it with --custom module:{item.plain_name}, or build that part from Keras layers",
        )
    role = f" as its {item.role}" if item.role else ""
    origin = "" if item.module is None else f" of the module '{item.module}'"
    return ModelError(
        f"{place} names '{item.name}'{role}",
        where=where,
        why=f"that{origin} is none of the layers, functions and other parts that a model file may name",
        fix="build that part from Keras layers and save again; a class or function of your own comes with "
        f"--custom module:{item.plain_name}",
    )


def _is_of_keras(item: NamedObject) -> bool:
    if item.module is not None:
        return item.module.split(".")[0] in KERAS_MODULES
    package, separator, _ = str(item.registered_name or item.name).partition(">")
    return not separator or package.lower() == "keras"


def _is_allowed(item: NamedObject, names: Names) -> bool:
    if item.name in PLAIN or _is_given(item, names):
        return True
    if names.trust and item.plain_name in CODE_CLASSES and _is_of_keras(item):
        return True
    kinds = _kinds_in_keras2(item) if names.keras2 else kinds_of(item.module, item.name)
    return bool(kinds & ROLES[item.role] if item.role in ROLES else kinds)


def _kinds_in_keras2(item: NamedObject) -> frozenset[Kind]:
    """The same of a name of Keras 2, whose modules are not looked into."""
    if not _is_of_keras(item):
        return frozenset()
    name = item.plain_name
    if item.has_graph or name in FUNCTION_LAYERS or name in WRAPPERS:
        return frozenset(("layer",))
    if item.role == "activation":
        name = ACTIVATIONS.get(name, name)
    return kinds_of(None, RENAMED.get(name, name))


def _is_given(item: NamedObject, names: Names) -> bool:
    """Whether that name means a class or function of the user's, and cannot mean one of Keras's."""
    if item.is_function or item.module is None or names.keras2:
        tails = {known.rpartition(">")[2] for known in names.known}
        return item.name in names.known or item.plain_name in tails
    registered = item.registered_name or item.name
    if registered in names.known:
        return True
    return not _is_of_keras(item) and bool({item.name, registered.rpartition(">")[2]} & set(names.known))


@dataclass(frozen=True, slots=True)
class _Path:
    """A path in a config: the argument, the path, and the layer."""

    key: str
    path: str
    owner: str


def _walk(config: Any, names: Names) -> Iterator[NamedObject | _Path]:
    """Everything that a config names, in file order, however deep it is nested."""
    pending: list[tuple[Any, str, str, bool]] = [(config, "", "", False)]
    is_root = True
    while pending:
        value, role, owner, is_given = pending.pop()
        if isinstance(value, list):
            pending.extend((item, role, owner, is_given) for item in reversed(value))
        elif isinstance(value, str) and role in _NAMED and not is_given:
            yield NamedObject(name=value, role=role, owner=owner)
        elif isinstance(value, dict):
            inner = value.get("config")
            if isinstance(inner, dict) and isinstance(inner.get("name"), str):
                owner = inner["name"]
            if "class_name" in value:
                item = _read(value, role=role, owner=owner, is_root=is_root)
                yield item
                role, is_given = "", _is_given(item, names)
            if not is_given:
                yield from (
                    _Path(key, value[key], owner) for key in _PATHS if isinstance(value.get(key), str)
                )
            for key, part in reversed(value.items()):
                found = _role_of(key) or role
                if not (names.keras2 and found in _UNREAD_OF_KERAS2):
                    pending.append((part, found, owner, is_given))
        is_root = False


def _role_of(key: str) -> str:
    if key == "dtype":
        return key
    return next((role for role in ROLES if key == role or key.endswith(f"_{role}")), "")


def _read(value: Mapping[str, Any], *, role: str, owner: str, is_root: bool) -> NamedObject:
    is_function = value["class_name"] == "function"
    module, registered = value.get("module"), value.get("registered_name")
    return NamedObject(
        name=str(value.get("config") if is_function else value["class_name"]),
        module=None if module is None else str(module),
        registered_name=None if registered is None else str(registered),
        is_function=is_function,
        role=role,
        owner=owner,
        has_graph=has_functional_config(value),
        is_root=is_root,
    )
