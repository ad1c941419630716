"""Constants that a layer reads, moved into its bias: afterwards the channels that held them can go."""

from dataclasses import replace

import numpy as np

from edgeprune.graph.interval_sums import READING_WEIGHTS
from edgeprune.graph.intervals import Bounds
from edgeprune.graph.layergraph import Layer, LayerGraph, Node, Weights


def fold_constants(graph: LayerGraph, *, constants: dict[str, Bounds]) -> LayerGraph:
    """The graph with what layers make of constant channels added to their biases.

    The channels themselves stay; without them the new graph computes what the old one did. Where a layer has
    no bias, the moving mean of a BatchNormalization right behind it takes the sum, else the layer gets one.

    Args:
        graph: the model.
        constants: name of a layer in `READING_WEIGHTS` → (channels,) the value its weights see of each
            channel that goes, 0 for all others.
    """
    layers = dict(graph.layers)
    for name, values in constants.items():
        layer = layers[name]
        kernel = layer.weights[READING_WEIGHTS[layer.kind]].astype(np.float64)
        added = values @ kernel.reshape(-1, *kernel.shape[-2:]).sum(axis=0)
        norm = _batch_norm_behind(graph, layer) if "bias" not in layer.weights else None
        if not added.any():
            continue
        if norm is None:
            layers[name] = _add_bias(layer, added)
        else:
            layers[norm.name] = _shift_mean(layers[norm.name], added)
    return replace(graph, layers=layers)


def _add_bias(layer: Layer, added: Bounds) -> Layer:
    kernel = next(iter(layer.weights.values()))
    old = layer.weights.get("bias", np.zeros(len(added), kernel.dtype))
    weights: Weights = {**layer.weights, "bias": (old + added).astype(old.dtype)}
    return replace(layer, weights=weights, config={**layer.config, "use_bias": True})


def _shift_mean(norm: Layer, added: Bounds) -> Layer:
    mean = norm.weights["moving_mean"]
    return replace(norm, weights={**norm.weights, "moving_mean": (mean - added).astype(mean.dtype)})


def _batch_norm_behind(graph: LayerGraph, layer: Layer) -> Layer | None:
    """The BatchNormalization that alone reads what the layer makes, if both are called once."""
    calls = [node for node in graph.nodes if node.layer == layer.name]
    if len(calls) != 1 or calls[0].outputs[0] in graph.outputs or _is_bent(layer):
        return None
    (tensor,) = calls[0].outputs
    readers: list[Node] = graph.consumers().get(tensor, [])
    if len(readers) != 1 or graph.layers[readers[0].layer].kind != "BatchNormalization":
        return None
    norm = graph.layers[readers[0].layer]
    axis = norm.config.get("axis", -1)
    last = axis in (-1, [-1], len(graph.shapes[tensor]), [len(graph.shapes[tensor])])
    return norm if last and sum(node.layer == norm.name for node in graph.nodes) == 1 else None


def _is_bent(layer: Layer) -> bool:
    return layer.config.get("activation") not in (None, "linear")
