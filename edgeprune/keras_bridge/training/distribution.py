"""Fine-tuning on several devices, or machines, at once: `tf.distribute`, through Keras.

Each step's batch is divided among all replicas, so that a model without BatchNormalization learns what it
would on one device, but for rounding. BatchNormalization sees its replica's share of the batch, as Keras has
it, and its statistics are averaged.
"""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from edgeprune.config.training_options import Distribute
from edgeprune.config.workers import is_first_worker
from edgeprune.errors import RecipeError
from edgeprune.keras_bridge.model.weights import copy_model

Strategy = Any
"""A `tf.distribute.Strategy`; TensorFlow has no types."""


def open_strategy(kind: Distribute | None) -> Strategy | None:
    """How training is spread; None for one device.

    "multiworker" has to be asked for before TensorFlow has computed anything in the process, and returns when
    all workers that `TF_CONFIG` names have come.

    Args:
        kind: "mirrored" for all devices of this machine, "multiworker" for all machines of `TF_CONFIG`.

    Raises:
        RecipeError: `TF_CONFIG` names no workers, or TensorFlow has already begun.
    """
    if kind is None:
        return None
    return _mirror() if kind == "mirrored" else _join_workers()


def _mirror() -> Strategy:
    kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
    return tf.distribute.MirroredStrategy([device.name for device in tf.config.list_logical_devices(kind)])


def _join_workers() -> Strategy:
    is_first_worker()  # or a cluster of one would be joined
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise RecipeError(
            "workers can only be joined at the start of a process",
            where="--distribute multiworker",
            why=str(error).partition("\n")[0],
            fix="call edgeprune.build before anything else of TensorFlow or Keras, or use the command line",
        ) from error


def list_accelerators() -> list[str]:
    """The names of the accelerators that TensorFlow computes on here."""
    details = tf.config.experimental.get_device_details
    return [
        str(details(device).get("device_name", device.name))
        for device in tf.config.list_physical_devices("GPU")
    ]


def require_divisible(batch_size: int, strategy: Strategy | None) -> None:
    """Raises RecipeError where the replicas cannot have equal shares of a batch."""
    replicas = 1 if strategy is None else strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise RecipeError(
            f"a batch of {batch_size} cannot be divided among {replicas} replicas",
            where="--batch-size",
            fix=f"give a multiple of {replicas}",
        )


def scope_of(strategy: Strategy | None) -> AbstractContextManager[Any]:
    """Where variables are made that all replicas share."""
    return nullcontext() if strategy is None else strategy.scope()


def place(model: keras.Model, strategy: Strategy | None) -> keras.Model:
    """The model as all replicas share it: a copy, or itself where it already is."""
    if strategy is None or model.distribute_strategy is strategy:
        return model
    with strategy.scope():
        return copy_model(model)


def is_across_machines(strategy: Strategy | None) -> bool:
    """Whether other processes take part."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def average(variables: Sequence[Any], strategy: Strategy | None) -> None:
    """Makes equal on all machines what each has kept for itself: the statistics of BatchNormalization."""
    if strategy is None or not is_across_machines(strategy):
        return
    for variable in variables:
        if "float" in str(variable.dtype):
            own = tf.constant(np.asarray(variable))
            each = strategy.run(lambda value: value, args=(own,))
            variable.assign(strategy.reduce(tf.distribute.ReduceOp.MEAN, each, axis=None))
