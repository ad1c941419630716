"""How much the layers that read a channel see of it: what activation criteria look at."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.graph.channels import ChannelMap
from edgeprune.keras_bridge.model.calling import call, replaced_call
from edgeprune.keras_bridge.model.trace import Traced
from edgeprune.keras_bridge.training.inference import feed
from edgeprune.keras_bridge.training.train import Training
from edgeprune.prune.criteria import Activity

Seen = dict[tuple[str, int], tuple[Any, Any]]
"""(tensor, axis) → mean magnitude and share of values that are not zero, (slices,) each."""


def measure_activity(
    model: keras.Model,
    traced: Traced,
    *,
    channels: ChannelMap,
    training: Training,
    seed: int,
    batches: int = 16,
    batch_size: int = 32,
) -> Activity:
    """Mean magnitude and share of non-zeros of each group in front of the layers that read it.

    Args:
        model: what to run, in inference mode; not changed.
        traced: its trace.
        channels: its channel map.
        training: whose inputs it is run on; labels are not looked at.
        seed: of the batches.
        batches: how many are looked at.
        batch_size: samples in each.
    """
    totals = np.zeros((3, channels.groups))
    with _watch_readers(traced, channels) as seen:

        @tf.function(reduce_retracing=True)  # type: ignore[untyped-decorator]
        def observe(batch: Any) -> Any:
            seen.clear()
            call(model, batch, training=False)
            return list(seen.values())

        for step in range(batches):
            batch = training.draw(step, size=batch_size, seed=seed)
            found = observe(list(map(tf.constant, feed(model, batch.x))))
            for (tensor, axis), (magnitude, nonzero) in zip(seen, found, strict=True):
                groups = channels.along(tensor)[axis]
                assert groups is not None  # _describe looked
                np.add.at(totals[0], groups, np.asarray(magnitude, np.float64))
                np.add.at(totals[1], groups, np.asarray(nonzero, np.float64))
                np.add.at(totals[2], groups, 1.0)
    counted = np.where(totals[2] > 0, totals[2], np.nan)
    return Activity(magnitude=totals[0] / counted, nonzero=totals[1] / counted)


@contextmanager
def _watch_readers(traced: Traced, channels: ChannelMap) -> Iterator[Seen]:
    """While the block runs, layers that read channels with weights put down what they are called with."""
    seen: Seen = {}
    with ExitStack() as stack:
        for name, operation in traced.layers.items():
            if channels.consumes.get(name):
                calls = [node.inputs for node in traced.graph.nodes if node.layer == name]
                stack.enter_context(_watched(operation, calls, channels, seen))
        yield seen


@contextmanager
def _watched(
    operation: Any, calls: list[tuple[str, ...]], channels: ChannelMap, seen: Seen
) -> Iterator[None]:
    original, count = operation.call, 0

    def watch(*args: Any, **kwargs: Any) -> Any:
        nonlocal count
        values = [v for v in keras.tree.flatten((args, kwargs)) if tf.is_tensor(v)]
        for tensor, value in zip(calls[count % len(calls)], values, strict=False):
            seen.update(_describe(tensor, value, channels))
        count += 1
        return original(*args, **kwargs)

    with replaced_call(operation, watch):
        yield


def _describe(tensor: str, value: Any, channels: ChannelMap) -> Seen:
    """What there is to say of a batch of a tensor, for each of its axes that holds channels."""
    along = channels.along(tensor)
    if not value.dtype.is_floating or len(value.shape) < len(along):
        return {}
    found: Seen = {}
    for axis, groups in enumerate(along):
        if groups is not None:
            own = len(value.shape) - len(along) + axis
            others = [a for a in range(len(value.shape)) if a != own]
            magnitudes = tf.abs(tf.cast(value, tf.float32))
            nonzero = tf.cast(magnitudes > 0, tf.float32)
            found[tensor, axis] = (
                tf.reduce_mean(magnitudes, others),
                tf.reduce_mean(nonzero, others),
            )
    return found
