"""Models saved by Keras 2, rebuilt in Keras 3 by making their layers and repeating their calls.

Keras 2 filed a model as a list of layers, each with its calls: `[[["conv", 0, 0, {}]]]` is one call on output
0 of call 0 of "conv". Functions of TensorFlow stand among the layers ("TFOpLambda"); they are called here as
functions of `keras.ops` (`keras2_functions.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import keras

from edgeprune.errors import ModelError
from edgeprune.keras_bridge.loading.keras2_functions import is_tensor, translate_call
from edgeprune.keras_bridge.loading.keras2_layers import Config, MadeLayer, make_layer, modernise
from edgeprune.keras_bridge.loading.keras2_nodes import insert_constants, translate_node
from edgeprune.keras_bridge.loading.tfmot import is_wrapper

FUNCTION_LAYERS = ("TFOpLambda", "SlicingOpLambda", "TensorFlowOpLayer")
CONSTANT = "_CONSTANT_VALUE"
FAILURES = (TypeError, ValueError, LookupError, AttributeError, AssertionError, NotImplementedError)
"""What Keras raises for a call that it cannot make."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class MadeModel:
    """A model of Keras 3 in the place of one of Keras 2.

    Attributes:
        model: the model.
        parts: what each of its layers became, by the layer's name in the file, in the file's order.
        trainable: whether the file says that it can be trained.
        class_name: its class in the file.
    """

    model: keras.Model
    class_name: str
    parts: Mapping[str, "MadeLayer | MadeModel"]
    trainable: bool


def build_model(config: Config, *, custom: Mapping[str, Any], where: str) -> MadeModel:
    """The model that a config of Keras 2 describes, with random weights.

    Args:
        config: `{"class_name": "Functional", "config": {...}}`, as any version of Keras 2 wrote it.
        custom: classes and functions that the user gave, by name.
        where: the file, for messages.

    Raises:
        ModelError: a layer or function has no counterpart in Keras 3, or a call cannot be repeated.
    """
    config = _plain(config)
    builder = _Builder(custom=custom, where=where)
    made = builder.make(str(config.get("class_name")), _inner(config, where), name="")
    if not isinstance(made, MadeModel):
        raise ModelError(
            "holds a single layer, not a model", where=where, fix="save a model: keras.Model(inputs, outputs)"
        )
    return made


def _plain(value: Any) -> Any:
    """A config with lists where Keras 2 filed tuples and shapes as objects."""
    if isinstance(value, dict):
        if value.get("class_name") in ("__tuple__", "TensorShape") and "items" in value:
            return _plain(value["items"])
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _inner(config: Config, where: str) -> Config:
    inner = config.get("config")
    if isinstance(inner, list):  # a Sequential of Keras 2.2
        return {"name": "sequential", "layers": inner}
    if not isinstance(inner, dict):
        raise ModelError("its config lists a layer without a config", where=where, fix="save it again")
    return inner


@dataclass(kw_only=True, slots=True)
class _Builder:
    custom: Mapping[str, Any]
    where: str
    shared: dict[int, MadeLayer | MadeModel] = field(default_factory=dict)

    def make(self, class_name: str, config: Config, *, name: str) -> MadeLayer | MadeModel:
        """A layer, a wrapped layer or a whole model."""
        if class_name == "Sequential":
            return self._make_sequential(config, name=name)
        if isinstance(config.get("layers"), list) and "output_layers" in config:
            return self._make_functional(class_name, config, name=name)
        config = {**config, "name": _clean(str(name or config.get("name", "")))}
        if is_wrapper(class_name) and isinstance(config.get("layer"), dict):
            return self._take_out(class_name, config["layer"])
        if isinstance(config.get("layer"), dict):
            return self._make_wrapper(class_name, config)
        return make_layer(class_name, config, custom=self.custom, where=self.where)

    def _make_entry(self, entry: Config, *, name: str) -> MadeLayer | MadeModel:
        """The layer of one entry of a model's list; entries of one shared id are one layer."""
        number = entry.get("shared_object_id")
        if number in self.shared:
            return self.shared[number]
        made = self.make(str(entry.get("class_name")), _inner(entry, self.where), name=name)
        if isinstance(number, int):
            self.shared[number] = made
        return made

    def _take_out(self, class_name: str, layer: Config) -> MadeLayer | MadeModel:
        """The layer inside a wrapper of tfmot; the class tells where a file keeps its weights."""
        inner = _inner(layer, self.where)
        made = self.make(str(layer.get("class_name")), inner, name=str(inner.get("name", "")))
        return made if isinstance(made, MadeModel) else replace(made, class_name=class_name)

    def _make_wrapper(self, class_name: str, config: Config) -> MadeLayer:
        """TimeDistributed and Bidirectional: the layers inside are made first."""
        inner = {
            key: self.make(
                str(config[key]["class_name"]),
                _inner(config[key], self.where),
                name=str(config[key]["config"].get("name", "")),
            )
            for key in ("layer", "backward_layer")
            if isinstance(config.get(key), dict)
        }
        rest = {key: value for key, value in config.items() if key not in inner}
        cls, cleaned = modernise(class_name, rest, custom=self.custom, where=self.where)
        wrapped = {
            key: made.model if isinstance(made, MadeModel) else made.call for key, made in inner.items()
        }
        wrapper = cls(**wrapped, **cleaned)
        first = inner["layer"]
        if isinstance(first, MadeModel):
            return MadeLayer(call=wrapper, class_name=class_name, inner=first)
        second = inner.get("backward_layer", first)
        assert isinstance(second, MadeLayer)
        adapt = _in_halves(first, second) if class_name == "Bidirectional" else first.adapt
        return MadeLayer(call=wrapper, class_name=class_name, adapt=adapt)

    def _make_sequential(self, config: Config, *, name: str) -> MadeModel:
        entries = config["layers"]
        named = [_name_of(entry, i) for i, entry in enumerate(entries)]
        parts = {
            n: self._make_entry(entry, name=n)
            for n, entry in zip(named, entries, strict=True)
            if entry.get("class_name") != "InputLayer"
        }
        calls = [part.model if isinstance(part, MadeModel) else part.call for part in parts.values()]
        title = _clean(str(name or config.get("name") or "sequential"))
        start = self._find_input(config)
        if all(isinstance(layer, keras.layers.Layer) for layer in calls):
            model = keras.Sequential([*start, *calls], name=title)
        elif start:
            (tensor,) = start
            for entry_name, layer in zip(parts, calls, strict=True):
                tensor = self._call(entry_name, layer, (tensor,), {})
            model = keras.Model(start[0], tensor, name=title)
        else:
            raise ModelError(
                f"the Sequential model '{title}' has no input shape", where=self.where, fix="save it again"
            )
        trainable = bool(config.get("trainable", True))
        return MadeModel(model=model, class_name="Sequential", parts=parts, trainable=trainable)

    def _find_input(self, config: Config) -> list[Any]:
        """The input of a Sequential model, if the file tells its shape."""
        first = config["layers"][0] if config["layers"] else {}
        inner = _inner(first, self.where) if first else {}
        while isinstance(inner.get("layers"), list) and not isinstance(inner.get("layer"), dict):
            first = inner["layers"][0]  # a model in front of the others
            inner = _inner(first, self.where)
        if isinstance(inner.get("layer"), dict) and "batch_input_shape" not in inner:
            inner = {**inner["layer"]["config"], **inner}
        shape = inner.get("batch_input_shape") or inner.get("batch_shape") or config.get("build_input_shape")
        if not shape:
            return []
        embedding = first.get("class_name") == "Embedding"
        name = inner.get("name") if first.get("class_name") == "InputLayer" else None
        return [_input(shape, inner, name=name, dtype="int32" if embedding else None)]

    def _make_functional(self, class_name: str, config: Config, *, name: str) -> MadeModel:
        entries = {_name_of(entry, i): entry for i, entry in enumerate(config["layers"])}
        parts: dict[str, MadeLayer | MadeModel] = {}
        results: dict[str, list[list[Any]]] = {n: [] for n in entries}
        names = _unique_names(entries)
        for old, entry in entries.items():
            if entry.get("class_name") == "InputLayer":
                inner = _inner(entry, self.where)
                shape = inner.get("batch_input_shape") or inner.get("batch_shape")
                results[old].append([_input(shape, inner, name=names[old], dtype=None)])
            elif entry.get("class_name") not in FUNCTION_LAYERS:
                parts[old] = self._make_entry(entry, name=names[old])
        first_numbers = {
            old: _first_number(entries, config, old) if isinstance(parts.get(old), MadeModel) else 0
            for old in entries
        }
        scope = _Scope(results=results, first_numbers=first_numbers, where=self.where)
        pending = {old: list(entry.get("inbound_nodes") or []) for old, entry in entries.items()}
        while any(pending.values()):
            before = sum(map(len, pending.values()))
            for old, calls in pending.items():
                while calls and scope.is_ready(calls[0]):
                    outputs = self._repeat(old, entries[old], parts.get(old), calls.pop(0), scope)
                    results[old].append(outputs)
            if sum(map(len, pending.values())) == before:
                stuck = next(old for old, calls in pending.items() if calls)
                raise ModelError(
                    f"layer '{stuck}' reads what no layer makes", where=self.where, fix="save the model again"
                )
        outputs = scope.fill(config["output_layers"])
        _name_apart(keras.tree.flatten(outputs), taken=set(names.values()))
        model = keras.Model(
            _unwrap(scope.fill(config["input_layers"])),
            _unwrap(outputs),
            name=_clean(str(name or config.get("name") or "model")),
        )
        trainable = bool(config.get("trainable", True))
        return MadeModel(model=model, class_name=class_name, parts=parts, trainable=trainable)

    def _repeat(
        self, name: str, entry: Config, part: MadeLayer | MadeModel | None, call: Any, scope: "_Scope"
    ) -> list[Any]:
        """The outputs of one call of a layer or function."""
        inputs, arguments = scope.read_call(call)
        if entry.get("class_name") in FUNCTION_LAYERS:
            config = _inner(entry, self.where)
            node = config.get("node_def")
            function = str(node.get("op") if isinstance(node, dict) else config.get("function"))
            try:
                if isinstance(node, dict):
                    tensors = inputs if isinstance(inputs, list) else [inputs]
                    made = translate_node(node, insert_constants(tensors, config.get("constants") or {}))
                else:
                    made = translate_call(function, inputs, arguments)
            except FAILURES as error:
                why = f"it is the operation 'tf.{function}'"
                if not isinstance(error, LookupError):
                    why += f" with arguments that are not supported: {' '.join(str(error).split())[:160]}"
                raise ModelError(
                    f"layer '{name}' cannot be translated from Keras 2",
                    where=self.where,
                    why=why,
                    fix="use a Keras layer in its place and save again, or save from Keras 3",
                ) from error
            return made if isinstance(made, list) and any(map(is_tensor, made)) else [made]
        layer = part.model if isinstance(part, MadeModel) else part.call if part else None
        if isinstance(layer, keras.layers.RNN | keras.layers.Bidirectional) and isinstance(inputs, list):
            inputs, arguments["initial_state"] = inputs[0], inputs[1:]
        return list(keras.tree.flatten(self._call(name, layer, (inputs,), arguments)))

    def _call(self, name: str, layer: Any, inputs: tuple[Any, ...], arguments: Config) -> Any:
        try:
            return layer(*inputs, **{key: value for key, value in arguments.items() if value is not None})
        except FAILURES as error:
            raise ModelError(
                f"layer '{name}' cannot be called as it was in Keras 2",
                where=self.where,
                why=" ".join(str(error).split())[:200],
                fix="save the model from Keras 3",
            ) from error


@dataclass(kw_only=True, slots=True)
class _Scope:
    """What the calls of a model have given so far.

    Attributes:
        results: layer → the outputs of each of its calls.
        first_numbers: layer → the number that the file gives to its first call.
        where: the file, for messages.
    """

    results: dict[str, list[list[Any]]]
    first_numbers: dict[str, int]
    where: str

    def is_ready(self, value: Any) -> bool:
        """Whether everything that a call reads is there."""
        if _is_reference(value, self.results):
            if len(self.results[value[0]]) <= value[1] - self.first_numbers[value[0]]:
                return False
            return self.is_ready(value[3:])
        if isinstance(value, dict):
            return all(map(self.is_ready, value.values()))
        return all(map(self.is_ready, value)) if isinstance(value, list) else True

    def fill(self, value: Any) -> Any:
        """The value with every reference replaced by the tensor it stands for."""
        if _is_reference(value, self.results):
            name, call, output = value[:3]
            return self.results[name][call - self.first_numbers[name]][output]
        if isinstance(value, list) and value[:2] == [CONSTANT, -1]:
            return value[2]
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        return [self.fill(item) for item in value] if isinstance(value, list) else value

    def read_call(self, call: Any) -> tuple[Any, Config]:
        """The first argument of a call, and the others by name."""
        if isinstance(call, dict):
            return self.fill({k: v[:3] for k, v in call.items()}), {}
        flat = bool(call) and (_is_reference(call, self.results) or call[:2] == [CONSTANT, -1])
        entries = [call] if flat else call
        if not entries:
            return [], {}
        arguments = self.fill(entries[0][3]) if len(entries[0]) > 3 else {}
        inputs = [self.fill(entry[:3]) for entry in entries]
        return (inputs[0] if len(inputs) == 1 else inputs), arguments


def _is_reference(value: Any, known: Mapping[str, Any]) -> bool:
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and value[0] in known
        and all(isinstance(n, int) for n in value[1:3])
    )


def _first_number(entries: Mapping[str, Config], config: Config, name: str) -> int:
    """Keras 2 counts the making of a nested model as its call 0, which is in no file."""
    numbers = []
    pending: list[Any] = [[entry.get("inbound_nodes") for entry in entries.values()], config["output_layers"]]
    while pending:
        value = pending.pop()
        if _is_reference(value, entries) and value[0] == name:
            numbers.append(value[1])
        pending.extend(
            value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        )
    return 0 if 0 in numbers else 1


def _input(shape: Any, config: Config, *, name: str | None, dtype: str | None) -> Any:
    given = config.get("dtype") if isinstance(config.get("dtype"), str) else None
    return keras.Input(
        shape=tuple(shape[1:]), dtype=dtype or given, name=None if name is None else _clean(str(name))
    )


def _in_halves(first: MadeLayer, second: MadeLayer) -> Any:
    def adapt(arrays: list[Any]) -> list[Any]:
        middle = len(arrays) // 2
        return [*first.adapt(arrays[:middle]), *second.adapt(arrays[middle:])]

    return adapt


def _name_of(entry: Config, number: int) -> str:
    inner = entry.get("config")
    inner_name = inner.get("name") if isinstance(inner, dict) else None
    return str(entry.get("name") or inner_name or f"{entry.get('class_name')}_{number}")


def _clean(name: str) -> str:
    return name.replace("/", "_")


def _unique_names(entries: Mapping[str, Config]) -> dict[str, str]:
    """Names without `/`, which Keras 3 keeps for the paths of weights."""
    taken = {name for name in entries if "/" not in name}
    names = {}
    for old in entries:
        new = _clean(old)
        if new != old:
            while new in taken:
                new += "_"
            taken.add(new)
        names[old] = new
    return names


def _name_apart(outputs: list[Any], *, taken: set[str]) -> None:
    """Renames functions of `keras.ops` that have the name of a layer of the file, or of each other."""
    pending, seen = list(outputs), set()
    while pending:
        operation, number, _ = pending.pop()._keras_history
        if (id(operation), number) in seen:
            continue
        seen.add((id(operation), number))
        pending.extend(operation._inbound_nodes[number].input_tensors)
        if not isinstance(operation, keras.layers.Layer) and number == 0:
            stem, count = operation.name, 0
            while operation.name in taken:
                count += 1
                operation.name = f"{stem}_op{count}"
            taken.add(operation.name)


def _unwrap(tensors: Any) -> Any:
    return tensors[0] if isinstance(tensors, list) and len(tensors) == 1 else tensors
