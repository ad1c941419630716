"""What a Keras model says about itself: how it was compiled, and what its last activations are."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from edgeprune.keras_bridge.data.parts import Interface, Port
from edgeprune.keras_bridge.training.losses import LOSSES, name_loss


@dataclass(frozen=True, kw_only=True, slots=True)
class CompiledMetric:
    """A metric as the model was compiled with it.

    Attributes:
        output: number of the output.
        metric: a name, a function or a `keras.metrics.Metric`.
        is_weighted: whether sample weights count.
    """

    output: int
    metric: Any
    is_weighted: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Compiled:
    """How a model was compiled.

    Attributes:
        losses: one per output, a function or `keras.losses.Loss`; None where it has none.
        weights: of the losses, one per output.
        metrics: in the order of the outputs.
        widths: of the outputs' last axes, one per output.
        optimizer: of Keras, without what scales losses; None if it was not compiled.
    """

    losses: tuple[Any, ...]
    weights: tuple[float, ...]
    metrics: tuple[CompiledMetric, ...]
    widths: tuple[int, ...]
    optimizer: Any

    @property
    def is_useful(self) -> bool:
        """Whether it says a loss."""
        return any(loss is not None for loss in self.losses)


def read_compiled(model: keras.Model) -> Compiled:
    """How the model was compiled."""
    names = name_outputs(model)
    nothing, widths = (None,) * len(names), tuple(tensor.shape[-1] for tensor in model.outputs)
    if not getattr(model, "compiled", False):
        return Compiled(
            losses=nothing, weights=(1.0,) * len(names), metrics=(), widths=widths, optimizer=None
        )
    # What somebody gave to `compile`, before Keras has built something of it; it has no public name.
    losses, metrics = model._compile_loss, model._compile_metrics
    weights = None if losses is None else losses._user_loss_weights
    weights = [weights] if len(names) == 1 and isinstance(weights, int | float) else weights
    given = _spread(None if losses is None else losses._user_loss, names)
    found = []
    if metrics is not None:
        kinds = ((metrics._user_metrics, False), (metrics._user_weighted_metrics, True))
        for asked, is_weighted in kinds:
            for output, some in enumerate(_spread_metrics(asked, names)):
                found += [CompiledMetric(output=output, metric=m, is_weighted=is_weighted) for m in some]
    optimizer = model.optimizer
    while hasattr(optimizer, "inner_optimizer"):  # LossScaleOptimizer
        optimizer = optimizer.inner_optimizer
    return Compiled(
        losses=tuple(keras.losses.get(loss) if isinstance(loss, str) else loss for loss in given),
        weights=tuple(1.0 if weight is None else float(weight) for weight in _spread(weights, names)),
        metrics=tuple(sorted(found, key=lambda metric: metric.output)),
        widths=widths,
        optimizer=optimizer,
    )


def name_outputs(model: keras.Model) -> tuple[str, ...]:
    """The names that losses are given for: the keys of a dict of outputs, else those of the last layers."""
    functional = model._functional if isinstance(model, keras.Sequential) else model
    structure = getattr(functional, "_outputs_struct", None)
    if isinstance(structure, Mapping) and len(structure) == len(model.outputs):
        return tuple(sorted(structure))  # in the order in which Keras flattens dicts
    names: list[str] = []
    for tensor in model.outputs:
        name = tensor._keras_history.operation.name
        names.append(name if name not in names else f"{name}_{names.count(name)}")
    return tuple(names)


def interface_of(model: keras.Model) -> Interface:
    """What the model takes and gives, and what its losses let labels be."""
    compiled = read_compiled(model)
    outputs = []
    for name, tensor, loss in zip(name_outputs(model), model.outputs, compiled.losses, strict=True):
        ignored = getattr(loss, "ignore_class", None)
        outputs.append(
            Port(
                name=name,
                shape=tuple(tensor.shape),
                ignored=frozenset() if ignored is None else frozenset({int(ignored)}),
                is_free=loss is not None and name_loss(loss) not in LOSSES,
            )
        )
    inputs = [Port(name=tensor.name, shape=tuple(tensor.shape)) for tensor in model.inputs]
    return Interface(inputs=tuple(inputs), outputs=tuple(outputs))


def _spread(given: Any, names: Sequence[str]) -> list[Any]:
    """What is given to `compile`, one per output."""
    if isinstance(given, Mapping):
        if len(names) == 1 and len(given) == 1:
            return list(given.values())
        return [given.get(name) for name in names]
    if isinstance(given, list | tuple):
        flat = keras.tree.flatten(given)
        return flat if len(flat) == len(names) else [None] * len(names)
    return [given] * len(names)


def _spread_metrics(given: Any, names: Sequence[str]) -> list[list[Any]]:
    """Lists of metrics, one list per output."""
    if given is None:
        return [[] for _ in names]
    if isinstance(given, Mapping):
        given = list(given.values()) if len(names) == 1 else [given.get(name) for name in names]
    elif not isinstance(given, list | tuple):
        given = [given]
    if len(names) == 1:
        return [[metric for metric in _flatten(given) if metric is not None]]
    if len(given) != len(names):
        return [list(_flatten(given)) for _ in names]
    return [[metric for metric in _flatten([some]) if metric is not None] for some in given]


def _flatten(given: Any) -> Iterator[Any]:
    for item in given:
        if isinstance(item, list | tuple):
            yield from _flatten(item)
        else:
            yield item


def find_output_activation(model: keras.Model, output: int = 0) -> str:
    """Keras's name of the activation that an output comes out of; "linear" if there is none.

    Looks through layers that only change shapes, and into nested models.
    """
    tensor = model.outputs[output]
    while True:
        # `_keras_history` is how Keras itself walks a graph; it has no public name.
        layer, node_index, tensor_index = tensor._keras_history
        if isinstance(layer, keras.Model) and getattr(layer, "outputs", None):
            tensor = layer.outputs[tensor_index]
        elif isinstance(layer, _TRANSPARENT):
            tensor = layer._inbound_nodes[node_index].input_tensors[0]
        elif isinstance(layer, keras.layers.Softmax):
            return "softmax"
        elif isinstance(layer, keras.layers.ReLU):
            return "relu"
        else:
            activation = getattr(layer, "activation", None)
            name = getattr(activation, "__name__", None) or type(layer).__name__.lower()
            # Operations such as keras.ops.softmax are layers of a class of that name.
            return name if activation is not None or name in ("softmax", "sigmoid") else "linear"


_TRANSPARENT = (
    keras.layers.Reshape,
    keras.layers.Flatten,
    keras.layers.Dropout,
    keras.layers.Identity,
    keras.layers.Permute,
)
