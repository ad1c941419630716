"""The smallest and largest value that each channel of each tensor takes on data."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.graph.intervals import Interval
from edgeprune.graph.layergraph import Array, Node
from edgeprune.keras_bridge.model.calling import call, replaced_call
from edgeprune.keras_bridge.model.trace import Traced

_BATCH = 50
_Seen = dict[str, list[tuple[Array, Array]]]


def observe(model: keras.Model, traced: Traced, *, inputs: Sequence[Array]) -> dict[str, Interval]:
    """Tensor name → what was seen of it, over all samples and positions; in inference mode.

    Args:
        model: what to run; not changed.
        traced: its trace.
        inputs: one array per model input, batch first.
    """
    seen: _Seen = {}
    with ExitStack() as stack:
        for name, operation in traced.layers.items():
            nodes = [node for node in traced.graph.nodes if node.layer == name]
            stack.enter_context(_watched(operation, nodes, seen))
        size = model.inputs[0].shape[0]  # some models have a fixed batch size; what does not fill one is left
        count = len(inputs[0]) if size is None else len(inputs[0]) // size * size
        for start in range(0, count, size or _BATCH):
            batch = [x[start : start + (size or _BATCH)] for x in inputs]
            call(
                model,
                [tf.constant(x, t.dtype) for x, t in zip(batch, model.inputs, strict=True)],
                training=False,
            )
    graph = traced.graph
    return {
        tensor: _lay(len(graph.shapes[tensor]), [low for low, _ in found], [high for _, high in found])
        for tensor, found in seen.items()
    }


def measure_inputs(traced: Traced, *, inputs: Sequence[Array]) -> dict[str, Interval]:
    """Model input → the range of its channels in the data."""
    found = {}
    for name, x in zip(traced.graph.inputs, inputs, strict=True):
        others = tuple(range(x.ndim - 1)) if x.ndim > 1 else (0,)
        rank = len(traced.graph.shapes[name])
        found[name] = _lay(rank, [x.min(axis=others)], [x.max(axis=others)])
    return found


def _lay(rank: int, lows: Sequence[Array], highs: Sequence[Array]) -> Interval:
    """Bounds along the last axis of a tensor; the other axes are 1."""
    shape = (*(1,) * (rank - 1), -1) if rank else ()
    return Interval(
        low=np.minimum.reduce([np.asarray(x, np.float64) for x in lows]).reshape(shape),
        high=np.maximum.reduce([np.asarray(x, np.float64) for x in highs]).reshape(shape),
    )


@contextmanager
def _watched(operation: Any, nodes: list[Node], seen: _Seen) -> Iterator[None]:
    original, count = operation.call, 0

    def watch(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        node = nodes[count % len(nodes)]
        count += 1
        result = original(*args, **kwargs)
        for tensor, value in zip(node.outputs, keras.tree.flatten(result), strict=False):
            array = np.asarray(value)
            if array.dtype.kind == "f" and array.size:
                others = tuple(range(array.ndim - 1)) if array.ndim > 1 else (0,)
                seen.setdefault(tensor, []).append((array.min(axis=others), array.max(axis=others)))
        return result

    with replaced_call(operation, watch):
        yield
