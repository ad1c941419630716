"""Trials that build nothing: what they find follows from what they are asked."""

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from edgeprune.sweeps.plan import SweepPlan, check_plan
from edgeprune.sweeps.rows import TRIAL_FILE, Row, describe_trial
from edgeprune.sweeps.storage import STARTS, TRIALS, Storage

SECONDS = "STUB_SECONDS"
"""How long each takes, in the environment."""


def make_plan(**said: Any) -> SweepPlan:
    usual = {"devices": ["cortex-m7"], "latency_ms": [10.0, 20.0]}
    return SweepPlan(**check_plan(usual | said, where="a test"))


def make_rows(trial: Mapping[str, Any], **more: Any) -> list[Row]:
    """The wider the budget the better, and each seed a little otherwise."""
    asked = describe_trial(trial)
    limit = asked["budgets"].get("latency_ms", 50.0)
    accuracy = 0.9 - 0.5 / limit + 0.001 * asked["seed"]
    accuracy -= 0.1 * abs(trial["settings"].get("learning_rate", 0.01) - 0.01)
    figures = {
        "latency_ms": {"value": 0.95 * limit, "source": "estimated", "low": 0.8 * limit, "high": 1.2 * limit},
        "flash_bytes": {"value": 1000.0 * limit, "source": "estimated", "low": None, "high": None},
    }
    found = {"metric": "accuracy", "accuracy": accuracy, "dense_accuracy": 0.9, "figures": figures}
    return [Row(**asked, **found, device=device, fits=True, exit=0, **more) for device in trial["devices"]]


def stub(trial: Mapping[str, Any], storage: Storage, node: str) -> Iterator[Mapping[str, Any]]:
    """Takes a moment, says once how it goes, and leaves rows."""
    folder = storage.folder(trial["name"])
    with (folder / STARTS).open("a") as file:
        file.write(node + "\n")
    rows = make_rows(trial, node=node)
    yield {"epochs": 4.0, "drop": 0.9 - (rows[0].accuracy or 0.0)}
    time.sleep(float(os.environ.get(SECONDS, "0")))
    (folder / TRIAL_FILE).write_text(json.dumps({"rows": [row.to_json() for row in rows]}))
    storage.push(f"{TRIALS}/{trial['name']}")


def count_starts(storage: Path) -> dict[str, int]:
    """Trial → how often it was begun."""
    files = storage.glob(f"{TRIALS}/*/{STARTS}")
    return {file.parent.name: len(file.read_text().splitlines()) for file in files}
