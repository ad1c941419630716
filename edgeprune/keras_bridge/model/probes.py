"""Random inputs that a model accepts: what proofs are made on where there are no data."""

from typing import Any

import keras
import numpy as np

from edgeprune.graph.layergraph import Array, Layer, LayerGraph

SAMPLES = 11
"""Inputs that are drawn unless the model's batch size is fixed.

Not a common height or width: where the batch is as large as a tensor is high, Keras 3.15 takes an addend of
shape (batch, 1, 1, 1) for a bias and adds it along the wrong axis.
"""
SMALLEST_VOCABULARY = 2
"""Integers are drawn below this where no layer says how many there are: every table has so many rows."""


def draw_inputs(model: keras.Model, graph: LayerGraph, *, seed: int, samples: int = SAMPLES) -> list[Array]:
    """One array per model input, (samples, ...), of the input's dtype.

    Inputs that are looked up in a table are integers below its number of rows, images of bytes are whole
    numbers in [0, 255], all others standard normal. Where the model has a fixed batch size, it is kept.

    Args:
        model: Functional or Sequential.
        graph: its trace.
        seed: of the draws.
        samples: batch size.
    """
    rng = np.random.default_rng(seed)
    counts = _count_entries(graph)
    return [
        _draw(rng, tensor, entries=counts.get(name), samples=tensor.shape[0] or samples)
        for name, tensor in zip(graph.inputs, model.inputs, strict=True)
    ]


def _draw(rng: np.random.Generator, tensor: Any, *, entries: int | None, samples: int) -> Array:
    shape, dtype = (samples, *tensor.shape[1:]), keras.backend.standardize_dtype(tensor.dtype)
    if entries is None and dtype == "uint8":
        entries = 256
    if entries is None and ("int" in dtype or dtype == "bool"):
        entries = SMALLEST_VOCABULARY
    if entries is not None:
        return rng.integers(0, entries, shape).astype(dtype)
    # numpy has no bfloat16; the model casts what it is given.
    return rng.standard_normal(shape).astype("float32" if dtype == "bfloat16" else dtype)


def _count_entries(graph: LayerGraph) -> dict[str, int]:
    """Model input → rows of the smallest table it is looked up in.

    What stands between the input and the table (Reshape, slices, casts) moves integers without changing them.
    """
    sources: dict[str, set[str]] = {name: {name} for name in graph.inputs}
    found: dict[str, int] = {}
    for node in graph.nodes:
        layer = graph.layers[node.layer]
        origins = set[str]().union(*(sources.get(tensor, ()) for tensor in node.inputs))
        rows = _rows(layer)
        if rows is not None:
            for name in origins:
                found[name] = min(rows, found.get(name, rows))
        elif not layer.weights:
            sources.update((tensor, origins) for tensor in node.outputs)
    return found


def _rows(layer: Layer) -> int | None:
    """How many integers a layer knows, from 0 on; None if it is no table."""
    config = layer.config
    while isinstance(config.get("layer"), dict):  # of a wrapper
        config = config["layer"]["config"]
    is_table = "output_dim" in config or layer.kind == "CategoryEncoding"
    rows = config.get("input_dim", config.get("num_tokens")) if is_table else None
    return int(rows) if rows else None
