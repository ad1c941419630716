"""What the channels that go gave on average, put into the next bias: repair without data.

BatchNormalization says what its outputs are: each channel has its `beta` as mean and its `gamma` as standard
deviation, and what additions, rectifiers and averages make of a normal distribution follows (Nagel et al.
2019, "Data-free quantization through weight equalization and bias correction", section 4.2).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import erf

import numpy as np

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import Array, Layer, LayerGraph, Node
from edgeprune.graph.surgery import Kept

_READERS = ("Dense", "Conv1D", "Conv2D", "Conv3D")
_SAME = (
    "AveragePooling1D",
    "AveragePooling2D",
    "Dropout",
    "GlobalAveragePooling1D",
    "GlobalAveragePooling2D",
    "SpatialDropout1D",
    "SpatialDropout2D",
)
"""Kinds that leave the mean of a channel as it is."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Normal:
    """A normal distribution for each channel: (channels,) means and variances."""

    mean: Array
    variance: Array


def fold_means(
    graph: LayerGraph, smaller: LayerGraph, channels: ChannelMap, *, kept: Kept
) -> dict[str, Mapping[str, Array]]:
    """The weights of a smaller graph that change so that removed channels are replaced by their means.

    Where a layer that read them has no bias, the BatchNormalization behind it takes them from its mean.

    Args:
        graph: the original.
        smaller: what `remove_channels` made of it.
        channels: the original's channel map.
        kept: (groups,) True for each group that stays.

    Returns:
        Layer name → all of its weights, for the layers that change.
    """
    known = _describe_tensors(graph)
    consumers, calls = graph.consumers(), [node.layer for node in graph.nodes]
    changed: dict[str, Mapping[str, Array]] = {}
    for node in graph.nodes:
        layer, source, output = graph.layers[node.layer], node.inputs[0], node.outputs[0]
        if layer.kind not in _READERS or source not in known or calls.count(node.layer) > 1:
            continue
        stays = kept[channels.tensors[source]]
        kernel = layer.weights["kernel"].reshape(-1, *layer.weights["kernel"].shape[-2:]).sum(axis=0)
        if stays.all() or len(kernel) != len(stays):
            continue
        shift = known[source].mean[~stays] @ kernel[~stays]
        shift = shift[kept[channels.tensors[output]]]
        holder, name, sign = node.layer, "bias", 1.0
        if "bias" not in layer.weights:
            readers = consumers.get(output, [])
            if len(readers) != 1 or graph.layers[readers[0].layer].kind != "BatchNormalization":
                continue
            holder, name, sign = readers[0].layer, "moving_mean", -1.0
        weights = changed.get(holder, smaller.layers[holder].weights)
        if name in weights and weights[name].shape == shift.shape:
            moved = (weights[name] + sign * shift).astype(weights[name].dtype)
            changed[holder] = {**weights, name: moved}
    return changed


def _describe_tensors(graph: LayerGraph) -> dict[str, Normal]:
    """The tensors of which it is known how their channels are distributed."""
    known: dict[str, Normal] = {}
    for node in graph.nodes:
        layer = graph.layers[node.layer]
        found = _describe(layer, node, known)
        if found is not None:
            known[node.outputs[0]] = found
    return known


def _describe(layer: Layer, node: Node, known: Mapping[str, Normal]) -> Normal | None:
    if layer.kind == "BatchNormalization":
        size = len(layer.weights["moving_mean"])
        mean = layer.weights.get("beta", np.zeros(size))
        return Normal(mean=mean, variance=layer.weights.get("gamma", np.ones(size)) ** 2)
    given = [known.get(tensor) for tensor in node.inputs]
    if not given or any(each is None for each in given):
        return None
    parts = [each for each in given if each is not None]
    if layer.kind == "Add" and len({len(each.mean) for each in parts}) == 1:
        return Normal(
            mean=np.sum([each.mean for each in parts], axis=0),
            variance=np.sum([each.variance for each in parts], axis=0),
        )
    if layer.kind in _SAME:
        return parts[0]
    is_relu = layer.kind == "Activation" and layer.config.get("activation") == "relu"
    is_plain = (
        layer.kind == "ReLU" and not layer.config.get("negative_slope") and not layer.config.get("threshold")
    )
    if is_relu or is_plain:
        return rectify(parts[0], at_most=layer.config.get("max_value"))
    return None


_cumulative: Callable[[Array], Array] = np.vectorize(lambda z: 0.5 * (1 + erf(z / 2**0.5)), otypes=[float])


def rectify(given: Normal, *, at_most: float | None = None) -> Normal:
    """The mean and the variance of a rectified normal variable.

    Args:
        given: before the rectifier.
        at_most: where it ends; None for nowhere.
    """
    deviation = np.sqrt(np.maximum(given.variance, 1e-12))
    low = -given.mean / deviation
    high = np.full_like(low, np.inf) if at_most is None else (at_most - given.mean) / deviation
    density = [np.exp(-0.5 * np.square(z)) / np.sqrt(2 * np.pi) for z in (low, high)]
    inside = _cumulative(high) - _cumulative(low)
    above = 1 - _cumulative(high)
    edge = np.where(np.isfinite(high), high, 0.0)
    mean = given.mean * inside + deviation * (density[0] - density[1]) + (at_most or 0.0) * above
    square = (
        (given.mean**2 + deviation**2) * inside
        + 2 * given.mean * deviation * (density[0] - density[1])
        + deviation**2 * (low * density[0] - edge * density[1])
        + (at_most or 0.0) ** 2 * above
    )
    return Normal(mean=mean, variance=np.maximum(square - mean**2, 0.0))
