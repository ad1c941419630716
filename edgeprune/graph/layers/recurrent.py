"""Recurrent layers: SimpleRNN, LSTM, GRU, ConvLSTM, and RNN around the cells of these.

A cell has a `kernel` that reads its input and a `recurrent_kernel` that reads its own units; both make all
gates side by side along their last axis. A unit that goes takes a slice out of every gate and of the state.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any

import numpy as np

from edgeprune.graph.channel_ids import Ids
from edgeprune.graph.layergraph import Read
from edgeprune.graph.layers.activations import guard_activation
from edgeprune.graph.layers.rules import Call, Config, Flow, LayerRule, Resized, keep, rule
from edgeprune.graph.opshape import OpShape, Shape

GATES = {"SimpleRNN": 1, "LSTM": 4, "GRU": 3, "ConvLSTM1D": 4, "ConvLSTM2D": 4, "ConvLSTM3D": 4}
"""Layer kind → gates of its cell."""
STATES = {kind: 2 if "LSTM" in kind else 1 for kind in GATES}
"""Layer kind → state tensors of its cell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Recurrence:
    """What the cells of one recurrent layer do to channels.

    Attributes:
        units: ids of each cell's units; the output has those of the last.
        states: ids of each state tensor, in Keras' order.
        axes: weight name → ids along each axis.
        consumes: the (weight name, axis) pairs that read channels.
    """

    units: tuple[Ids, ...]
    states: tuple[Ids, ...]
    axes: Mapping[str, tuple[Ids | None, ...]]
    consumes: tuple[tuple[str, int], ...]


def list_cells(kind: str, config: Config) -> list[tuple[str, Config]]:
    """The kind ("LSTM", not "LSTMCell") and config of each cell of a layer, in the order they are called."""
    if kind != "RNN":
        return [(kind, config)]
    found = []
    pending = [config["cell"]]
    while pending:
        cell = pending.pop(0)
        if cell["class_name"] == "StackedRNNCells" and is_keras(cell):
            pending = [*cell["config"]["cells"], *pending]
        else:
            found.append(
                (cell["class_name"].removesuffix("Cell"), cell["config"]) if is_keras(cell) else ("", {})
            )
    return found


def is_keras(serialised: Config) -> bool:
    """Whether a serialised layer is one of Keras' own, and no subclass of a user's with the same name."""
    return str(serialised.get("module")).startswith("keras.")


def why_not_recurrent(kind: str, config: Config) -> str:
    """Why a recurrent layer has to stay as it is; "" if its units may go."""
    if kind != "RNN" and kind not in GATES:
        return f"edgeprune does not know the recurrent layer {kind}"
    if config.get("data_format", "channels_last") == "channels_first":
        return "data_format channels_first is not supported"
    if any(cell not in GATES for cell, _ in list_cells(kind, config)):
        return "it has a cell that is not one of Keras'"
    return ""


def follow_cells(
    call: Call, cells: list[tuple[str, Config]], *, weights: Iterator[str], name: str
) -> Recurrence:
    """What a stack of cells does to the channels of the call's first input.

    Args:
        call: of the recurrent layer, or of the wrapper around it.
        cells: as `list_cells` gives them.
        weights: names of the layer's weights; as many are taken as the cells have.
        name: of the family of the last cell's units.
    """
    ids, axes, consumes = call.inputs[0], {}, []
    units: list[Ids] = []
    states: list[Ids] = []
    for i, (kind, config) in enumerate(cells):
        kernel, recurrent = next(weights), next(weights)
        count = call.layer.weights[recurrent].shape[-2]
        own = call.space.fresh(count, name=name if i == len(cells) - 1 else f"{name}:cell {i}")
        for key in ("activation", "recurrent_activation"):
            layer = replace(call.layer, config={"activation": config.get(key, "linear")})
            guard_activation(replace(call, layer=layer), own)
        gates = np.tile(own, GATES[kind])
        window = (None,) * (call.layer.weights[kernel].ndim - 2)
        axes[kernel], axes[recurrent] = (*window, ids, gates), (*window, own, gates)
        consumes += [(kernel, len(window)), (recurrent, len(window))]
        if config.get("use_bias", True):
            bias = next(weights)
            axes[bias] = (*(None,) * (call.layer.weights[bias].ndim - 1), gates)
        units.append(own)
        states += [own] * STATES[kind]
        ids = own
    return Recurrence(units=tuple(units), states=tuple(states), axes=axes, consumes=tuple(consumes))


def tie_initial_state(call: Call, states: tuple[Ids, ...]) -> None:
    """Ties the states to the tensors they start from; freezes what the call reads as a mask."""
    given = call.arguments.get("initial_state")
    initial = _flatten(given) if given is not None else []
    for ids, start in zip(states, initial, strict=False):
        if isinstance(start, Read):
            call.space.tie(ids, call.inputs[start.index])
        else:
            call.space.freeze(ids, f"it starts from a constant state (layer '{call.layer.name}')")
    started = {start.index for start in initial if isinstance(start, Read)}
    for i, ids in enumerate(call.inputs[1:], start=1):
        if i not in started:
            call.space.freeze(ids, f"read as a mask (layer '{call.layer.name}')")


def _flatten(value: Any) -> list[Any]:
    if isinstance(value, list | tuple):
        return [leaf for part in value for leaf in _flatten(part)]
    return [value]


def _flow_recurrent(call: Call) -> Flow:
    kind, config = call.layer.kind, call.layer.config
    if reason := why_not_recurrent(kind, config):
        return keep(call, reason)
    found = follow_cells(
        call, list_cells(kind, config), weights=iter(call.layer.weights), name=call.layer.name
    )
    tie_initial_state(call, found.states)
    outputs = (found.units[-1], *found.states)[: len(call.output_shapes)]
    return Flow(outputs=outputs, axes=found.axes, consumes=found.consumes)


def recurrent_widths(weight_shapes: Mapping[str, Shape]) -> Iterator[int]:
    """The number of units of each cell, in order."""
    return (
        shape[-2]
        for name, shape in weight_shapes.items()
        if name.rpartition("/")[2].startswith("recurrent_kernel")
    )


def narrow(serialised: Config, widths: Iterator[int]) -> dict[str, Any]:
    """A serialised recurrent layer or cell, with as many units as its weights now have.

    Its `build_config` is dropped, because it holds the old width of the input.
    """
    config = dict(serialised["config"])
    if "cell" in config:
        config["cell"] = narrow(config["cell"], widths)
    elif "cells" in config:
        config["cells"] = [narrow(cell, widths) for cell in config["cells"]]
    else:
        config["filters" if "filters" in config else "units"] = next(widths)
    return {**{key: value for key, value in serialised.items() if key != "build_config"}, "config": config}


def _resize_recurrent(resized: Resized) -> Config:
    if resized.weight_shapes == resized.old_weight_shapes:  # also those that are kept
        return {}
    config: Config = narrow({"config": resized.config}, recurrent_widths(resized.weight_shapes))["config"]
    return config


def lower_cells(resized: Resized, cells: list[tuple[str, Config]], weights: Iterator[str]) -> list[OpShape]:
    """The ops of a stack of cells. Only LSTM has one of its own; the others unroll into a loop of steps."""
    steps = resized.input_shapes[0][0] or 1
    ops = []
    for kind, config in cells:
        kernel, recurrent = (resized.weight_shapes[next(weights)] for _ in range(2))
        if config.get("use_bias", True):
            next(weights)
        cin, units, gates = kernel[-2], recurrent[-2], recurrent[-1]
        if kind.startswith("Conv"):
            places = prod(resized.output_shapes[0][-len(kernel) + 1 : -1])
            ops += [
                _multiply(resized, places * steps, depth=prod(k[:-1]), out=gates) for k in (kernel, recurrent)
            ]
        elif kind == "LSTM":
            ops.append(
                OpShape(
                    op="UNIDIRECTIONAL_SEQUENCE_LSTM",
                    name=resized.name,
                    inputs=((1, steps, cin),),
                    output=(1, steps, units),
                    filter=(gates, cin + units),
                    has_bias=True,
                )
            )
        else:
            ops.append(_multiply(resized, steps, depth=cin + units, out=gates))
    return ops


def _multiply(resized: Resized, rows: int, *, depth: int, out: int) -> OpShape:
    return OpShape(
        op="FULLY_CONNECTED",
        name=resized.name,
        inputs=((rows, depth),),
        output=(rows, out),
        filter=(out, depth),
        has_bias=True,
    )


def _lower_recurrent(resized: Resized) -> tuple[OpShape, ...]:
    if why_not_recurrent(resized.kind, resized.config):
        return ()
    cells = list_cells(resized.kind, resized.config)
    return tuple(lower_cells(resized, cells, iter(resized.weight_shapes)))


for _kind in (*GATES, "RNN"):
    rule(
        LayerRule(
            kind=_kind,
            status="prunable",
            flow=_flow_recurrent,
            resize=_resize_recurrent,
            lower=_lower_recurrent,
        )
    )
for _kind in ("SimpleRNNCell", "LSTMCell", "GRUCell", "StackedRNNCells"):
    rule(
        LayerRule(
            kind=_kind,
            status="kept",
            flow=lambda call: keep(call, f"{call.layer.kind} is called on its own, outside of an RNN layer"),
            note="a cell that is called on its own; inside RNN and Bidirectional it loses units",
        )
    )
