"""The parent's side of a trial, with a child that only pretends to build."""

import sys

import pytest

from edgeprune.errors import ToolFailedError
from edgeprune.sweeps.plan import list_trials
from edgeprune.sweeps.process import run_trial
from edgeprune.sweeps.storage import TRIALS, Storage
from tests.sweeps.stubs import make_plan, make_rows

CHILD = """
import json, shutil, sys, time
from pathlib import Path
folder = Path(sys.argv[1])
work = folder / "out.edgeprune-work"
for number in range({stages}):
    stage = work / f"segment-{{number}}"
    stage.mkdir(parents=True)
    state = {{"steps": [{{"epochs": number + 1}}], "drop": 0.5 - number / 10}}
    (stage / ".new").write_text(json.dumps(state))
    (stage / ".new").rename(stage / "state.json")
time.sleep(1)
shutil.rmtree(work, ignore_errors=True)
time.sleep(1)
{end}
"""


def run(tmp_path, monkeypatch, *, stages, end):
    trial = list_trials(make_plan())[1].to_json()
    code = CHILD.format(stages=stages, end=end)
    monkeypatch.setattr(
        "edgeprune.sweeps.process.python_command", lambda module: [sys.executable, "-c", code]
    )
    storage = Storage(str(tmp_path))
    return list(run_trial(trial, storage, cpus=1, node="here")), storage, trial


def leave(rows):
    content = {"rows": [row.to_json() for row in rows]}
    return f'(folder / "trial.json").write_text(json.dumps({content!r}))'


def test_each_stage_is_told_once_also_after_the_build_has_removed_them(tmp_path, monkeypatch):
    rows = make_rows(list_trials(make_plan())[1].to_json())
    reports, storage, trial = run(tmp_path, monkeypatch, stages=2, end=leave(rows))
    assert reports == [{"epochs": 1, "drop": 0.5}, {"epochs": 2, "drop": 0.4}]
    assert storage.ended() == {trial["name"]}
    assert (tmp_path / TRIALS / trial["name"] / "starts.jsonl").read_text().count("\n") == 1


def test_a_build_that_trained_nothing_is_told_as_one_without_a_drop(tmp_path, monkeypatch):
    rows = make_rows(list_trials(make_plan())[1].to_json())
    assert run(tmp_path, monkeypatch, stages=0, end=leave(rows))[0] == [{"epochs": 0.0, "drop": 0.0}]


def test_a_child_without_a_result_is_a_tool_that_failed(tmp_path, monkeypatch):
    with pytest.raises(ToolFailedError, match="exit code 3"):
        run(tmp_path, monkeypatch, stages=0, end="sys.exit(3)")
