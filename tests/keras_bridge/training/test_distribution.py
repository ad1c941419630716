"""Strategies that cannot be opened say why."""

import json

import pytest
import tensorflow as tf

from edgeprune.errors import RecipeError
from edgeprune.keras_bridge.training.distribution import open_strategy, require_divisible


def test_workers_join_before_anything_is_computed(monkeypatch):
    told = {"cluster": {"worker": ["localhost:1", "localhost:2"]}, "task": {"type": "worker", "index": 1}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(told))
    tf.constant(0.0)
    with pytest.raises(RecipeError, match="at the start of a process"):
        open_strategy("multiworker")


def test_a_batch_has_equal_shares():
    class Two:
        num_replicas_in_sync = 2

    require_divisible(32, Two())
    require_divisible(33, None)
    with pytest.raises(RecipeError, match="a batch of 33 cannot be divided among 2 replicas"):
        require_divisible(33, Two())
