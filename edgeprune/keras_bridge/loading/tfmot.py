"""Files that the TensorFlow Model Optimization toolkit left its wrappers in, which Keras alone cannot open.

`prune_low_magnitude` and `cluster_weights` put every layer into a wrapper that trains it; `strip_pruning`
and `strip_clustering` would have taken it out before saving. Here the layer is taken out of the file: a
pruned one with the kernel that it computes with, a clustered one with the centroid next to each weight.
Models made by `quantize_model` compute with rounded values, and are refused.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from edgeprune.errors import ModelError
from edgeprune.graph.layergraph import Array

PRUNED, CLUSTERED = "PruneLowMagnitude", "ClusterWeights"
WRAPPERS = (PRUNED, CLUSTERED)
_QUANTIZED = re.compile(r"Quantize(Wrapper(V2)?|Layer|Annotate|AwareActivation)|OutputOnlyConfig")
_KEPT = ("name", "trainable", "dtype", "layer", "batch_input_shape", "batch_shape")
_OF_PRUNING = re.compile(r"(.*/)?(mask|threshold|pruning_step)(_\d+)?")


def bare_wrappers(config: Any, *, where: str) -> Any:
    """The config with wrappers that name no code of tfmot: a class, a name and the layer inside.

    Raises:
        ModelError: tfmot made the model ready for quantization-aware training, or clustered it in a way that
            cannot be read here.
    """
    if isinstance(config, list):
        return [bare_wrappers(item, where=where) for item in config]
    if not isinstance(config, dict):
        return config
    kind, inner = _plain_name(config.get("class_name")), config.get("config")
    if _QUANTIZED.fullmatch(kind):
        raise ModelError(
            "was made by tfmot's quantize_model",
            where=where,
            why=f"its layers compute with rounded values in a {kind}, whose code the file does not hold",
            fix="save the float model from before quantize_model, or build it again and copy the weights; "
            "edgeprune's own quantize trains a model that loses accuracy in int8",
        )
    if kind in WRAPPERS and isinstance(inner, dict) and isinstance(inner.get("layer"), dict):
        bare = {key: value for key, value in config.items() if key not in ("module", "registered_name")}
        for key in ("preserve_sparsity", "cluster_per_channel"):
            if inner.get(key):
                raise ModelError(
                    f"was clustered by tfmot with {key}",
                    where=where,
                    why="the values of its weights are known to the code of tfmot alone",
                    fix="save tfmot.clustering.keras.strip_clustering(model) instead",
                )
        inner = {key: value for key, value in inner.items() if key in _KEPT}
        config = {**bare, "class_name": kind, "config": inner}
    return {key: bare_wrappers(value, where=where) for key, value in config.items()}


def is_wrapper(class_name: str) -> bool:
    """Whether a layer of this class is one of tfmot's around another."""
    return _plain_name(class_name) in WRAPPERS


def _plain_name(class_name: Any) -> str:
    return str(class_name).rpartition(">")[2]


def drop_wrapper_weights(weights: Sequence[tuple[str, Array]]) -> list[Array]:
    """A layer's weights without what its wrapper added, in the layer's own order.

    Args:
        weights: names as TensorFlow has them, "conv2d/kernel:0", and values, in the file's order.
    """
    named = {name.partition(":")[0]: value for name, value in weights}
    if len(named) < len(weights):
        return [value for _, value in weights]  # not of tfmot, whose names differ
    if any(name.endswith("/pruning_step") for name in named):
        wrappers = {name.rpartition("/")[0] for name in named if name.endswith("/pruning_step")}
        return [
            value
            for name, value in named.items()
            if not (_OF_PRUNING.fullmatch(name) and name.rpartition("/")[0] in wrappers)
        ]
    return list(_with_centroids(named).values())


def _with_centroids(named: Mapping[str, Array]) -> dict[str, Array]:
    """Clustered weights first, as in the layer; tfmot moves them behind the others."""
    added = re.compile(r".*/(pulling_indices|cluster_centroids)_\w+")
    found: dict[str, Array] = {}
    for name, centroids in named.items():
        wrapper, _, last = name.rpartition("/")
        if last.startswith("cluster_centroids_"):
            weight = f"{wrapper.removeprefix('cluster_')}/{last.removeprefix('cluster_centroids_')}"
            if weight in named:
                found[weight] = _nearest(centroids, named[weight])
    others = {name: value for name, value in named.items() if name not in found}
    return {
        **found,
        **{name: value for name, value in others.items() if not (found and added.fullmatch(name))},
    }


def _nearest(centroids: Array, weights: Array) -> Array:
    """Each weight's centroid. The indices in the file are those of one training step before."""
    ordered = np.sort(centroids)
    middles = (ordered[1:] + ordered[:-1]) / 2
    return ordered[np.searchsorted(middles, weights)]


def read_clustered(variables: Sequence[Array], rest: Sequence[Array], *, where: str) -> Iterator[Array]:
    """A clustered layer's weights from a `.keras` file, which has no names for them.

    Args:
        variables: of the wrapper: the weight as it is trained, centroids, and the index of each weight's.
        rest: the layer's weights that were not clustered.
        where: the file, for messages.

    Raises:
        ModelError: several of the layer's weights were clustered.
    """
    if variables:
        if len(variables) != 3:
            raise ModelError(
                "holds a layer of which tfmot clustered several weights",
                where=where,
                why="a .keras file does not say which is which",
                fix="save tfmot.clustering.keras.strip_clustering(model) instead",
            )
        weights, centroids, _ = variables
        yield _nearest(centroids, weights)
    yield from rest
