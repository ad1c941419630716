"""What somebody gives as data, in the order of a model's inputs and outputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.batches import Array, Arrays, Batch
from edgeprune.tflite.model import Model

PARTS = ("train", "val", "test")
BATCH_FIX = (
    "give (x, y) or (x, y, sample_weight); of several inputs or outputs a tuple in the model's order or a "
    "dict by their names"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Port:
    """An input or output of a model.

    Attributes:
        name: of an input, its own; of an output, that which losses are given for.
        shape: batch dimension first; None where it is open.
        ignored: class numbers among the labels that its loss does not count.
        is_free: whether its loss is of one's own, so that labels may look as they like.
    """

    name: str
    shape: tuple[int | None, ...]
    ignored: frozenset[int] = frozenset()
    is_free: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Interface:
    """What a model takes and gives, in its own order."""

    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def interface_of_file(model: Model) -> Interface:
    """What a `.tflite` file takes and gives; labels may look as they like, since nobody trains on them."""
    return Interface(
        inputs=tuple(Port(name=tensor.name, shape=tuple(tensor.shape)) for tensor in model.inputs),
        outputs=tuple(
            Port(name=tensor.name, shape=tuple(tensor.shape), is_free=True) for tensor in model.outputs
        ),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RawData:
    """What a source holds, unchecked.

    Attributes:
        parts: "train", and "val" and "test" where there are any; each `Rows`, or a stream that is unread.
        source: where it came from.
        notes: sentences for the report.
        class_names: in the order of the class numbers, or None.
        class_weights: what a sample of each class counts, by its number, or None.
    """

    parts: Mapping[str, Any]
    source: str
    notes: tuple[str, ...] = ()
    class_names: tuple[str, ...] | None = None
    class_weights: Mapping[int, float] | None = None


def arrange(given: Any, interface: Interface, *, where: str) -> Batch:
    """What Keras takes as one batch, as arrays in the model's order.

    Args:
        given: x, (x, y) or (x, y, sample_weight); each an array or, for several inputs or outputs, a tuple or
            list in the model's order or a dict by their names.
        interface: of the model.
        where: the source, for messages.

    Raises:
        DataError: it is something else.
    """
    x, y, weights = given, None, None
    if isinstance(given, tuple):
        if not 1 <= len(given) <= 3:
            raise DataError(f"got a tuple of {len(given)}", where=where, fix=BATCH_FIX)
        x, y, weights = (*given, None, None)[:3]
    inputs = _order(x, interface.inputs, kind="input", where=where)
    labels = None if y is None else _order(y, interface.outputs, kind="output", where=where)
    if weights is not None and labels is None:
        raise DataError("there are sample weights, but no labels", where=where, fix=BATCH_FIX)
    return Batch(
        x=inputs,
        y=labels,
        weights=None if weights is None else _spread(weights, interface.outputs, where=where),
    )


def _order(value: Any, tensors: Sequence[Port], *, kind: str, where: str) -> Arrays:
    """Arrays, one per input or output."""
    names = [tensor.name for tensor in tensors]
    if isinstance(value, Mapping):
        if missing := [name for name in names if name not in value]:
            raise DataError(
                f"there is nothing for the {kind} '{missing[0]}'",
                where=where,
                why=f"the keys are {', '.join(sorted(map(str, value)))}; the model's {kind}s are "
                + ", ".join(names),
                fix=f"name them as the model's {kind}s"
                + (", or give (x, y) instead of one dict" if kind == "input" else ""),
            )
        value = [value[name] for name in names]
    elif len(tensors) == 1 or not isinstance(value, tuple | list):
        single = isinstance(value, tuple | list) and len(value) == 1 and np.ndim(value[0]) > 0
        value = value if single and isinstance(value, tuple) else [value]
    if len(value) != len(tensors):
        raise DataError(
            f"got {len(value)} arrays for {len(tensors)} {kind}s",
            where=where,
            why=f"the model's {kind}s are {', '.join(names)}",
            fix=BATCH_FIX,
        )
    return tuple(to_array(item) for item in value)


def _spread(weights: Any, outputs: Sequence[Port], *, where: str) -> Arrays:
    """One array of weights per output; one array alone counts for all."""
    if isinstance(weights, Mapping):
        count = len(next(iter(weights.values())))
        weights = [weights.get(tensor.name, np.ones(count, np.float32)) for tensor in outputs]
    elif not (isinstance(weights, tuple | list) and len(outputs) > 1):
        weights = [weights] * len(outputs)
    if len(weights) != len(outputs):
        raise DataError(
            f"got sample weights for {len(weights)} of {len(outputs)} outputs", where=where, fix=BATCH_FIX
        )
    return tuple(to_array(item).astype(np.float32) for item in weights)


def to_array(value: Any) -> Array:
    """An array of numpy, whatever tensor it is."""
    if hasattr(value, "detach"):  # of torch, perhaps on a device or with gradients
        value = value.detach().cpu()
    return value if isinstance(value, np.ndarray) else np.asarray(value)


def pick_named(arrays: Mapping[str, Array], part: str, interface: Interface, *, where: str) -> Batch | None:
    """A part of what an `.npz` file holds; None where it holds no inputs of it.

    The keys are `x_<part>`, `y_<part>` and `w_<part>` (sample weights); of several inputs or outputs with
    `_<name>` or `_<number>` behind.

    Raises:
        DataError: some of several are missing.
    """
    x = _pick(arrays, f"x_{part}", interface.inputs, where=where)
    if x is None:
        return None
    y = _pick(arrays, f"y_{part}", interface.outputs, where=where)
    if y is not None and len(y) != len(interface.outputs):
        raise DataError(
            f"y_{part} is one array, but the model has {len(interface.outputs)} outputs",
            where=where,
            why=f"its outputs are {', '.join(port.name for port in interface.outputs)}",
            fix=f"give one array per output, y_{part}_{interface.outputs[0].name}, …",
        )
    weights = _pick(arrays, f"w_{part}", interface.outputs, where=where, spread=True)
    return Batch(x=x, y=y, weights=weights)


def _pick(
    arrays: Mapping[str, Array], key: str, tensors: Sequence[Port], *, where: str, spread: bool = False
) -> Arrays | None:
    if key in arrays:
        return (arrays[key],) * (len(tensors) if spread else 1)
    by_name = {t.name: arrays.get(f"{key}_{t.name}", arrays.get(f"{key}_{i}")) for i, t in enumerate(tensors)}
    found = [name for name, array in by_name.items() if array is not None]
    if not found:
        return None
    if missing := [name for name in by_name if name not in found]:
        raise DataError(
            f"there is {key}_{found[0]}, but nothing for '{missing[0]}'",
            where=where,
            fix=f"add {key}_{missing[0]}" + ("" if key[0] != "y" else ", or leave all labels out"),
        )
    return tuple(array for array in by_name.values() if array is not None)
