"""Fine-tuning on several devices, or machines, at once: `tf.distribute`, through Keras.

Each step's batch is divided among all replicas, so that a model without BatchNormalization learns what it
would on one device, but for rounding. BatchNormalization sees its replica's share of the batch, as Keras has
it, and its statistics are averaged.
"""

import json
import os
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from edgeprune.errors import RecipeError
from edgeprune.keras_bridge.model.weights import copy_model

Strategy = Any
"""A `tf.distribute.Strategy`; TensorFlow has no types."""
Kind = Literal["mirrored", "multiworker"]
_WORKING = ("chief", "worker")


def open_strategy(kind: Kind | None) -> Strategy | None:
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
    _require_workers(os.environ.get("TF_CONFIG", ""))
    try:
        return tf.distribute.MultiWorkerMirroredStrategy()
    except RuntimeError as error:
        raise RecipeError(
            "workers can only be joined at the start of a process",
            where="--distribute multiworker",
            why=str(error).partition("\n")[0],
            fix="call edgeprune.build before anything else of TensorFlow or Keras, or use the command line",
        ) from error


def _require_workers(text: str) -> None:
    """Raises RecipeError unless the text names this worker among others, as TensorFlow reads it."""
    try:
        told = json.loads(text)
        workers = [address for kind in _WORKING for address in told["cluster"].get(kind, [])]
        is_named = told["task"]["type"] in _WORKING and int(told["task"]["index"]) >= 0
    except (ValueError, TypeError, KeyError, AttributeError):
        workers, is_named = [], False
    if not workers or not is_named:
        raise RecipeError(
            "TF_CONFIG does not say which worker this is, and where the others are",
            where="--distribute multiworker",
            why="it is not set" if not text else f"it is {text[:80]}",
            fix="set it on each machine, with that machine's index: "
            '{"cluster": {"worker": ["a.example:2222", "b.example:2222"]}, '
            '"task": {"type": "worker", "index": 0}}',
        )


def require_divisible(batch_size: int, strategy: Strategy | None) -> None:
    """Raises RecipeError where the replicas cannot have equal shares of a batch."""
    replicas = 1 if strategy is None else strategy.num_replicas_in_sync
    if batch_size % replicas:
        raise RecipeError(
            f"a batch of {batch_size} cannot be divided among {replicas} replicas",
            where="--batch-size",
            fix=f"give a multiple of {replicas}",
        )


def is_chief(strategy: Strategy | None) -> bool:
    """Whether this process is the one that writes."""
    if strategy is None or strategy.cluster_resolver is None:
        return True
    resolver = strategy.cluster_resolver
    if "chief" in resolver.cluster_spec().jobs:
        return bool(resolver.task_type == "chief")
    return bool(resolver.task_id == 0)


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
