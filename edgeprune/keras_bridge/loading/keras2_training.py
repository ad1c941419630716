"""How a model was compiled in Keras 2: loss, metrics and optimizer, where Keras 3 knows them."""

from collections.abc import Mapping
from typing import Any

import keras


def compile_as_in_keras2(
    model: keras.Model, compiled: Mapping[str, Any], *, custom: Mapping[str, Any]
) -> None:
    """Compiles a model with the loss and metrics of a `training_config`; its optimizer starts afresh.

    Args:
        model: the model.
        compiled: `training_config` as Keras 2 wrote it.
        custom: functions and classes that the user gave, by name.

    Raises:
        ValueError: Keras 3 does not know the loss.
    """
    loss = _read(compiled.get("loss"), custom)
    if loss is None:
        raise ValueError("no loss")
    flat = loss.values() if isinstance(loss, dict) else loss if isinstance(loss, list) else [loss]
    for one in flat:
        if isinstance(one, str):
            keras.losses.get(one)
    metrics = _known_metrics(compiled.get("metrics"), custom)
    model.compile(loss=loss, metrics=metrics, loss_weights=compiled.get("loss_weights"))


def _read(value: Any, custom: Mapping[str, Any]) -> Any:
    """Losses: names as they are, serialized objects as objects."""
    if isinstance(value, str):
        return custom.get(value, value)
    if isinstance(value, list):
        return [_read(item, custom) for item in value]
    if isinstance(value, dict) and "class_name" in value:
        inner = value.get("config")
        if isinstance(inner, str):  # a function
            return custom.get(inner, inner)
        known = {key: item for key, item in dict(inner or {}).items() if key != "fn"}
        if known.get("reduction") in ("auto", "AUTO"):
            del known["reduction"]
        return keras.losses.get({"class_name": str(value["class_name"]).rpartition(">")[2], "config": known})
    if isinstance(value, dict):
        return {key: _read(item, custom) for key, item in value.items()}
    return value


def _known_metrics(value: Any, custom: Mapping[str, Any]) -> list[Any]:
    """The metrics that Keras 3 knows, in one list: which output they were for does not matter here."""
    found: list[Any] = []
    pending = [value]
    while pending:
        item = pending.pop(0)
        if isinstance(item, dict) and "class_name" in item:
            config = item.get("config") or {}
            item = config if isinstance(config, str) else config.get("fn", config.get("name"))
        if isinstance(item, dict):
            pending = [*item.values(), *pending]
        elif isinstance(item, list | tuple):
            pending = [*item, *pending]
        elif isinstance(item, str):
            name = "accuracy" if item == "acc" else item
            if name not in found and _is_metric(name):
                found.append(name)
    return found


def _is_metric(name: str) -> bool:
    try:
        return name == "accuracy" or keras.metrics.get(name) is not None
    except ValueError:
        return False
