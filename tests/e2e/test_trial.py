"""A trial of a sweep: a real build in a process of its own, without Ray."""

import json
import os
import signal
from contextlib import suppress
from pathlib import Path

import pytest

from edgeprune.build.workdir import place_of_work
from edgeprune.errors import ToolStoppedError
from edgeprune.progress import Silent
from edgeprune.sweeps.plan import SweepPlan, check_plan, list_trials
from edgeprune.sweeps.process import run_trial
from edgeprune.sweeps.results import front
from edgeprune.sweeps.storage import OUTPUT, TRIALS, Storage
from tests.e2e.conftest import DIGITS


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are found in /proc")
def test_a_trial_that_is_killed_goes_on_and_leaves_a_build_and_a_row(place: Path, tmp_path: Path) -> None:
    asked = {
        "models": [{"model": str(place / "small.keras"), "data": str(DIGITS)}],
        "devices": ["cortex-m7", "cortex-m4"],
        "latency_ms": [0.6],
        "build": {"epochs": 3, "whole_layers": False},
    }
    plan = SweepPlan(**check_plan(asked, where="a test"))
    reference, build, _ = (trial.to_json() for trial in list_trials(plan))
    storage = Storage(str(tmp_path))
    cut_off = (kill_child(build["name"]) for _ in run_trial(build, storage, cpus=1, node="here"))
    with pytest.raises(ToolStoppedError, match="was killed"):
        list(cut_off)
    work = place_of_work(tmp_path / TRIALS / build["name"] / OUTPUT)
    assert list(work.glob("segment-*"))
    assert storage.ended() == set()
    reports = list(run_trial(build, storage, cpus=1, node="there"))
    assert [report["epochs"] for report in reports] == sorted(report["epochs"] for report in reports)
    assert not work.exists()
    list(run_trial(reference, storage, cpus=1, node="here"))

    result = front([tmp_path], output=tmp_path, progress=Silent())
    rows = {(row.kind, row.device): row for row in result.rows}
    assert set(rows) == {("build", "cortex-m7"), ("reference", "cortex-m7"), ("reference", "cortex-m4")}
    row = rows["build", "cortex-m7"]
    assert (row.attempts, row.node, row.exit, row.fits) == (2, "there", 0, True)
    assert row.value("latency_ms") <= 0.6
    assert (tmp_path / row.report).is_file()
    report = json.loads((tmp_path / row.report).with_name("report.json").read_text())
    assert row.accuracy == report["pruned"]["accuracy"]
    dense = rows["reference", "cortex-m7"]
    assert dense.value("params") == report["dense"]["params"]
    assert dense.value("latency_ms") < rows["reference", "cortex-m4"].value("latency_ms")
    assert len(result.fronts) == 2


def kill_child(name: str) -> None:
    """Ends the process that builds the trial of that name."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has just ended
            command = (process / "cmdline").read_text().split("\0")
            if "edgeprune.sweeps.trial" in command and command[-2].endswith(name):
                os.kill(int(process.name), signal.SIGKILL)
