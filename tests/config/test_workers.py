"""Who is who among several machines, and who of them writes."""

import json

import pytest

from edgeprune.config.workers import is_first_worker
from edgeprune.errors import RecipeError

WORKERS = {"worker": ["localhost:1", "localhost:2"]}


@pytest.mark.parametrize(
    "told",
    [
        "",
        "worker",
        "[]",
        json.dumps({"cluster": WORKERS}),
        json.dumps({"cluster": {"ps": ["localhost:1"]}, "task": {"type": "ps", "index": 0}}),
        json.dumps({"cluster": WORKERS, "task": {"type": "worker", "index": "x"}}),
        json.dumps({"cluster": WORKERS, "task": {"type": "worker", "index": 2}}),
    ],
)
def test_workers_have_to_be_named(monkeypatch, told):
    monkeypatch.setenv("TF_CONFIG", told)
    with pytest.raises(RecipeError, match="TF_CONFIG does not say which worker"):
        is_first_worker()


@pytest.mark.parametrize(
    ("cluster", "kind", "index", "is_first"),
    [
        (WORKERS, "worker", 0, True),
        (WORKERS, "worker", 1, False),
        ({**WORKERS, "chief": ["localhost:3"]}, "worker", 0, False),
        ({**WORKERS, "chief": ["localhost:3"]}, "chief", 0, True),
    ],
)
def test_one_of_them_writes(monkeypatch, cluster, kind, index, is_first):
    monkeypatch.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}}))
    assert is_first_worker() is is_first
