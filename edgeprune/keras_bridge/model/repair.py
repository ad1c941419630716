"""What is left of a model after a cut, refitted: each layer gives again what it gave before, or nearly.

Layer by layer, in the order of execution, the weights that are left are fitted to the layer's outputs in the
original, by least squares on what the smaller model now feeds it: He, Zhang and Sun 2017, "Channel pruning
for accelerating very deep neural networks". So errors of the layers before are made good, too. The squares of
the change count a little (ridge regression), how much is chosen on positions that are held out of the fit; a
layer whose fit does no better on those stays as it was.

A fit varies less than what it was fitted to. Training, where BatchNorm divides by the spread of the batch,
would blow that up again and compute another function; so BatchNorm behind refitted layers takes the new
statistics and puts the difference into its scale and shift.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import Array, LayerGraph
from edgeprune.graph.surgery import Kept
from edgeprune.keras_bridge.model.calling import call, replaced_call
from edgeprune.keras_bridge.model.trace import Traced, trace
from edgeprune.keras_bridge.model.windows import Places, Windows, describe_windows
from edgeprune.keras_bridge.training.inference import feed
from edgeprune.prune.least_squares import refit

MOST_SAMPLES = 512
_MOST_BYTES = 768 * 2**20
"""Of all tensors of the original on all samples."""
_LEAST_ROWS, _MOST_ROWS, _ROWS_PER_COLUMN = 4_096, 16_384, 8
"""Positions that a layer is fitted on, if there are so many: some for each weight of an output."""
_MOST_COLUMNS = 4_096
"""Weights per output beyond which a fit would take minutes."""
_HELD_OUT = 0.25
"""Fraction of these positions that only judge the fit."""


def count_samples(graph: LayerGraph) -> int:
    """How many samples a repair takes: as many as there is memory for, `MOST_SAMPLES` at most."""
    values = sum(int(np.prod([n or 1 for n in shape])) for shape in graph.shapes.values())
    return max(8, min(MOST_SAMPLES, _MOST_BYTES // (4 * values)))


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Cut:
    """A model, and what a plan made of it.

    Attributes:
        smaller: what `compact` made of the original.
        original: the model before.
        traced: its trace.
        channels: its channel map.
        kept: (groups,) True for each group that stayed.
    """

    smaller: keras.Model
    original: keras.Model
    traced: Traced
    channels: ChannelMap
    kept: Kept


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Wanted:
    """What a layer gave: (positions, channels) linear outputs, and where."""

    where: Places
    outputs: Array


def repair(cut: Cut, *, inputs: Sequence[Array], seed: int) -> int:
    """Refits dense, convolutional and depthwise layers of the smaller model to what they gave before.

    Layers that are frozen or called more than once, and all others, stay as they are.

    Args:
        cut: its smaller model changes.
        inputs: one array per model input, (samples, ...); see `count_samples`.
        seed: of the choice of positions.

    Returns:
        How many layers were refitted.
    """
    left = trace(cut.smaller).layers
    windows = dict(_list_windows(cut, left))
    wanted: dict[str, _Wanted] = {}
    outputs = {node.layer: node.outputs[0] for node in cut.traced.graph.nodes}
    with ExitStack() as stack:
        for number, (name, found) in enumerate(windows.items()):
            most = max(_LEAST_ROWS, min(_MOST_ROWS, _ROWS_PER_COLUMN * found.columns))
            rng = np.random.default_rng([seed, number])
            stays = cut.kept[cut.channels.tensors[outputs[name]]]
            note = partial(wanted.__setitem__, name)
            stack.enter_context(_noted(cut.traced.layers[name], stays, note, most=most, rng=rng))
        _run(cut.original, inputs)
    refitted: set[str] = set()

    def fit(name: str, x: Array) -> None:
        if _refit(left[name], windows[name], wanted[name], x):
            refitted.add(name)

    def settle(name: str, sources: set[str], x: Array) -> None:
        if sources <= refitted:
            _settle(left[name], x.astype(np.float32))

    with ExitStack() as stack:
        for name in windows:
            stack.enter_context(_shown(left[name], partial(fit, name)))
        for name, sources in _list_norms(cut, left):
            stack.enter_context(_shown(left[name], partial(settle, name, sources)))
        _run(cut.smaller, inputs)
    return len(refitted)


def _list_windows(cut: Cut, left: Mapping[str, Any]) -> Iterator[tuple[str, Windows]]:
    """The layers that can be refitted, by name."""
    nodes = cut.traced.graph.nodes
    calls = Counter(node.layer for node in nodes)
    for node in nodes:
        layer = left[node.layer]
        if calls[node.layer] > 1 or not getattr(layer, "trainable", False):
            continue
        windows = describe_windows(layer)
        goes_inside = any(groups is not None for groups in cut.channels.inner.get(node.outputs[0], ()))
        if windows is not None and windows.columns <= _MOST_COLUMNS and not goes_inside:
            yield node.layer, windows


def _list_norms(cut: Cut, left: Mapping[str, Any]) -> Iterator[tuple[str, set[str]]]:
    """The BatchNorm layers that training gives other statistics, each with the layers it normalises."""
    nodes = cut.traced.graph.nodes
    calls = Counter(node.layer for node in nodes)
    makers: dict[str, set[str]] = {tensor: {tensor} for tensor in cut.traced.graph.inputs}
    for node in nodes:
        layer = left[node.layer]
        read = set().union(*(makers[tensor] for tensor in node.inputs))
        is_norm = isinstance(layer, keras.layers.BatchNormalization)
        if is_norm and layer.trainable and calls[node.layer] == 1:
            yield node.layer, read
        passes_on = is_norm or not getattr(layer, "weights", ())
        makers.update(dict.fromkeys(node.outputs, read if passes_on else {node.layer}))


def _run(model: keras.Model, inputs: Sequence[Array]) -> None:
    call(model, list(map(tf.constant, feed(model, inputs))), training=False)


@contextmanager
def _noted(
    layer: Any, stays: Kept, note: Callable[[_Wanted], None], *, most: int, rng: np.random.Generator
) -> Iterator[None]:
    """While the block runs, what the layer gives without its activation is put down, at some positions."""
    original = layer.call

    def watch(*args: Any, **kwargs: Any) -> Any:
        own, layer.activation = getattr(layer, "activation", None), keras.activations.linear
        try:
            outputs = np.asarray(original(*args, **kwargs))
        finally:
            layer.activation = own
        places = outputs.shape[:-1]
        chosen = rng.permutation(int(np.prod(places)))[:most]
        where = np.unravel_index(chosen, places)
        note(_Wanted(where=where, outputs=outputs[where][:, stays]))
        return original(*args, **kwargs)

    with replaced_call(layer, watch):
        yield


@contextmanager
def _shown(layer: Any, look: Callable[[Array], None]) -> Iterator[None]:
    """While the block runs, what the layer is called with is shown first, and may change it."""
    original = layer.call

    def watch(x: Any, *args: Any, **kwargs: Any) -> Any:
        look(np.asarray(x))
        return original(x, *args, **kwargs)

    with replaced_call(layer, watch):
        yield


def _refit(layer: Any, windows: Windows, wanted: _Wanted, x: Array) -> bool:
    """Fits kernel and bias of a layer; False where they stay."""
    seen, outputs = windows.look(x, wanted.where), windows.divide(wanted.outputs)
    found = refit(
        seen,
        outputs,
        weights=windows.to_blocks(np.asarray(layer.kernel)),
        bias=None if layer.bias is None else np.asarray(layer.bias).reshape(len(outputs), -1),
        held=max(1, int(_HELD_OUT * seen.shape[1])),
    )
    if found is None:
        return False
    weights, bias = found
    layer.kernel.assign(windows.to_kernel(weights).astype(np.float32))
    if layer.bias is not None:
        layer.bias.assign(bias.reshape(-1).astype(np.float32))
    return True


def _settle(layer: Any, x: Array) -> None:
    """Gives the layer the statistics of `x`, and puts what they differ by into its scale and shift."""
    axis = layer.axis % x.ndim
    others = tuple(i for i in range(x.ndim) if i != axis)
    mean, variance = x.mean(axis=others), x.var(axis=others)
    spread = np.sqrt(np.asarray(layer.moving_variance) + layer.epsilon)
    scale = np.asarray(layer.gamma) if layer.scale else np.ones_like(spread)
    if layer.center:
        layer.beta.assign_add(scale * (mean - np.asarray(layer.moving_mean)) / spread)
    if layer.scale:
        layer.gamma.assign(scale * np.sqrt(variance + layer.epsilon) / spread)
    layer.moving_mean.assign(mean)
    layer.moving_variance.assign(variance)
