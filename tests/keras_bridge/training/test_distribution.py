"""Strategies that cannot be opened say why."""

import json

import pytest
import tensorflow as tf

from edgeprune.errors import RecipeError
from edgeprune.keras_bridge.training.distribution import is_chief, open_strategy, require_divisible


@pytest.mark.parametrize(
    "told",
    [
        "",
        "worker",
        "[]",
        json.dumps({"cluster": {"worker": ["localhost:1"]}}),
        json.dumps({"cluster": {"ps": ["localhost:1"]}, "task": {"type": "ps", "index": 0}}),
        json.dumps({"cluster": {"worker": ["localhost:1"]}, "task": {"type": "worker", "index": "x"}}),
    ],
)
def test_workers_have_to_be_named(monkeypatch, told):
    monkeypatch.setenv("TF_CONFIG", told)
    with pytest.raises(RecipeError, match="TF_CONFIG does not say which worker"):
        open_strategy("multiworker")


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


def test_one_machine_writes_its_output():
    assert open_strategy(None) is None
    assert is_chief(None)
    assert is_chief(open_strategy("mirrored"))
