"""Sweeps on Ray. The long ones are run by `scripts/test -m nightly`."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from edgeprune.errors import OutputError, RecipeError, ToolFailedError, ToolMissingError
from edgeprune.progress import Silent
from edgeprune.sweeps.plan import list_cases, make_trial
from edgeprune.sweeps.storage import PLAN_FILE, TRIALS, Storage
from edgeprune.sweeps.sweep import SweepRequest, list_known, sweep
from edgeprune.sweeps.tuning import Cluster
from tests.sweeps.stubs import SECONDS, count_starts, make_plan, make_rows, stub

# Ray does not wait for the processes of a node that did not start in time.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
ROOT = Path(__file__).parents[2]
ONE = Cluster(jobs=2)


@pytest.fixture(autouse=True)
def importable(monkeypatch):
    """Ray's workers find this checkout, and its tests."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))


def request(place, **more):
    plan = more.pop("plan", None) or make_plan(seeds=2)
    return SweepRequest(plan=plan, storage=str(place), cluster=ONE, **more)


def carry_out(place, **more):
    pytest.importorskip("ray", reason="ray is not installed")
    return sweep(request(place, **more), progress=Silent(), objective=stub)


def test_every_trial_is_begun_once_and_resuming_begins_only_what_has_not_ended(tmp_path):
    first = carry_out(tmp_path / "sweep")
    assert set(count_starts(tmp_path / "sweep").values()) == {1}
    assert len(first.rows) == 2 + 4
    assert {file.name for file in (tmp_path / "sweep").glob("sweep.*")} >= {"sweep.html", "sweep.json"}
    lost = next((tmp_path / "sweep" / TRIALS).glob("build-*"))
    (lost / "trial.json").unlink()
    again = carry_out(tmp_path / "sweep", resume=True)
    starts = count_starts(tmp_path / "sweep")
    assert starts.pop(lost.name) == 2
    assert set(starts.values()) == {1}
    assert [row.to_json() | {"node": ""} for row in again.rows] == [
        row.to_json() | {"node": ""} for row in first.rows
    ]


def test_a_place_is_not_taken_for_another_sweep(tmp_path):
    storage = Storage(str(tmp_path))
    with pytest.raises(OutputError, match="no sweep to resume"):
        storage.start({"seeds": 1}, resume=True)
    storage.start({"seeds": 1}, resume=False)
    storage.start({"seeds": 1}, resume=True)
    with pytest.raises(OutputError, match="there is a sweep already"):
        storage.start({"seeds": 1}, resume=False)
    with pytest.raises(OutputError, match="its seeds differ"):
        storage.start({"seeds": 2}, resume=True)


def test_a_place_may_be_a_url(tmp_path):
    pytest.importorskip("fsspec", reason="fsspec is not installed")
    far = tmp_path / "far"
    storage = Storage(f"file://{far}")
    storage.start({"seeds": 1}, resume=False)
    folder = storage.folder("a")
    (folder / "trial.json").write_text(json.dumps({"rows": []}))
    storage.push(f"{TRIALS}/a")
    assert (far / PLAN_FILE).exists()
    assert (far / TRIALS / "a" / "trial.json").exists()
    storage.forget(f"{TRIALS}/a")
    assert not (far / TRIALS / "a").exists()
    assert storage.ended() == set()


def test_without_ray_it_is_said_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("edgeprune.sweeps.tuning.find_spec", lambda name: None)
    with pytest.raises(ToolMissingError, match=r"pip install 'edgeprune\[sweep\]'"):
        sweep(request(tmp_path), progress=Silent())
    assert not list(tmp_path.iterdir())


def test_a_search_needs_something_to_search(tmp_path, monkeypatch):
    monkeypatch.setattr("edgeprune.sweeps.tuning.find_spec", lambda name: True)
    with pytest.raises(RecipeError, match="what to search"):
        sweep(request(tmp_path, search="optuna"), progress=Silent())


def test_a_cluster_that_does_not_answer_is_a_tool_that_failed(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed")
    asked = SweepRequest(
        plan=make_plan(), storage=str(tmp_path / "s"), cluster=Cluster(address="no-such-cluster")
    )
    with pytest.raises(ToolFailedError, match="Ray cannot be started"):
        sweep(asked, progress=Silent())


def failing(trial, storage, node):
    if "latency_ms-10" in trial["name"]:
        raise RuntimeError("the worker is lost")
    yield from stub(trial, storage, node)


@pytest.mark.nightly
def test_a_trial_that_fails_is_tried_three_times_and_the_others_have_results(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed")
    place = tmp_path / "sweep"
    with pytest.raises(ToolFailedError, match="1 of the trials failed"):
        sweep(request(place, plan=make_plan()), progress=Silent(), objective=failing)
    rows = json.loads((place / "sweep.json").read_text())["rows"]
    assert [row["kind"] for row in rows] == ["reference", "build"]


def dying(trial, storage, node):
    name = trial["name"]
    begun = count_starts(Path(storage.place)).get(name, 0)
    for report in stub(trial, storage, node):
        yield report
        if "latency_ms-10" in name and not begun:
            os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.nightly
def test_a_killed_worker_is_replaced_and_its_trial_begun_again(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed")
    place = tmp_path / "sweep"
    result = sweep(request(place, plan=make_plan()), progress=Silent(), objective=dying)
    assert all(row.accuracy is not None for row in result.rows)
    starts = count_starts(place)
    assert sorted(starts.values()) == [1, 1, 2]
    assert next(count for name, count in starts.items() if "latency_ms-10" in name) == 2


def felling(trial, storage, node):
    """Ends the node on which it runs: the process that begins all others."""
    yield from stub(trial, storage, node)
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


@pytest.mark.nightly
def test_a_lost_node_ends_the_sweep_which_can_be_gone_on_with(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="ray is not installed")
    monkeypatch.setattr("edgeprune.sweeps.tuning._WITHOUT_NODES", 5.0)
    place = tmp_path / "sweep"
    with pytest.raises(ToolFailedError, match=r"no node left.*--resume"):
        sweep(request(place), progress=Silent(), objective=felling)
    assert len(carry_out(place, resume=True).rows) == 6


@pytest.mark.nightly
def test_settings_that_are_behind_are_stopped_and_seeds_are_not(tmp_path):
    result = carry_out(
        tmp_path / "sweep",
        plan=make_plan(latency_ms=[10.0], seeds=2, settings={"learning_rate": [0.01, 0.3, 0.5, 0.7]}),
    )
    stopped = [row for row in result.rows if row.accuracy is None]
    assert stopped
    assert all(row.settings["learning_rate"] > 0.01 for row in stopped)
    assert all("behind" in row.said for row in stopped)
    plain = carry_out(tmp_path / "plain", plan=make_plan(latency_ms=[10.0], seeds=4))
    assert all(row.accuracy is not None for row in plain.rows)


@pytest.mark.nightly
def test_a_search_draws_settings_and_goes_on_where_it_was(tmp_path):
    pytest.importorskip("optuna", reason="optuna is not installed")
    asked = {"plan": make_plan(latency_ms=[10.0], search={"learning_rate": [1e-4, 1.0]}), "search": "optuna"}
    first = carry_out(tmp_path / "sweep", **asked, samples=4, stops_early=False)
    drawn = {row.settings["learning_rate"] for row in first.rows if row.kind == "build"}
    assert len(drawn) == 4
    again = carry_out(tmp_path / "sweep", **asked, samples=4, stops_early=False, resume=True)
    assert {row.settings.get("learning_rate") for row in again.rows if row.kind == "build"} == drawn


@pytest.mark.nightly
def test_a_killed_driver_is_gone_on_with_and_nothing_runs_twice(tmp_path):
    pytest.importorskip("ray", reason="ray is not installed")
    whole = carry_out(tmp_path / "whole", plan=make_plan(seeds=6))
    place = tmp_path / "killed"
    code = (
        "from pathlib import Path; from tests.sweeps.test_sweep import *; "
        f"carry_out(Path({str(place)!r}), plan=make_plan(seeds=6))"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, env=os.environ | {SECONDS: "1"}, start_new_session=True
    )
    deadline = time.monotonic() + 300
    while len(list(place.glob(f"{TRIALS}/*/trial.json"))) < 4:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(driver.pid, signal.SIGKILL)
    driver.wait()
    time.sleep(5)  # Ray's processes notice
    ended = {file.parent.name for file in place.glob(f"{TRIALS}/*/trial.json")}
    assert len(ended) < 18
    resumed = carry_out(place, plan=make_plan(seeds=6), resume=True)
    starts = count_starts(place)
    assert {starts[name] for name in ended} == {1}
    assert sum(starts.values()) <= 18 + 2, "but for the two that were cut off"
    assert [row.to_json() | {"node": ""} for row in resumed.rows] == [
        row.to_json() | {"node": ""} for row in whole.rows
    ]


@contextmanager
def started(*options):
    """A Ray node with one CPU, which is gone when the block is left; no other node is touched."""
    command = [str(Path(sys.executable).with_name("ray")), "start", "--num-cpus=1", "--block", *options]
    node = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert node.stdout is not None
    try:
        for line in node.stdout:
            if "Ray runtime started" in line:
                break
        assert node.poll() is None
        yield
    finally:
        os.killpg(node.pid, signal.SIGTERM)
        node.wait(timeout=60)
        node.stdout.close()


@pytest.mark.nightly
def test_two_nodes_share_the_work(tmp_path, monkeypatch):
    pytest.importorskip("ray", reason="ray is not installed")
    monkeypatch.setenv(SECONDS, "4")  # longer than a node takes to start a process
    with started("--head", "--port=6399", "--include-dashboard=false"), started("--address=127.0.0.1:6399"):
        cluster = Cluster(address="127.0.0.1:6399")
        asked = SweepRequest(plan=make_plan(seeds=6), storage=str(tmp_path / "s"), cluster=cluster)
        result = sweep(asked, progress=Silent(), objective=stub)
    nodes = [row.node for row in result.rows]
    assert len(nodes) == 18
    shares = [nodes.count(node) for node in set(nodes)]
    assert len(shares) == 2
    assert min(shares) >= 5


@pytest.mark.nightly
def test_a_thousand_trials_cost_the_driver_less_than_50_ms_each(tmp_path):
    plan = make_plan(seeds=334)
    began = time.process_time()
    result = carry_out(tmp_path / "sweep", plan=plan)
    took = time.process_time() - began
    assert len(result.rows) == 1002
    assert took / 1002 < 0.05


def test_a_search_is_told_what_was_built_before():
    plan = make_plan(latency_ms=[10.0], search={"learning_rate": [1e-4, 1.0]})
    reference, case = list_cases(plan)
    rows = make_rows(make_trial(reference, {}, seed=0).to_json())
    for seed, rate in ((0, 0.02), (1, 0.02), (0, 0.03)):
        rows += make_rows(make_trial(case, {"learning_rate": rate}, seed=seed).to_json())
    elsewhere = replace(case, request={**case.request, "latency_ms": 20.0})
    rows += make_rows(make_trial(elsewhere, {"learning_rate": 0.5}, seed=0).to_json())
    known = list_known(case, rows)
    assert [settings for settings, _ in known] == [{"learning_rate": 0.02}, {"learning_rate": 0.03}]
    assert [drop for _, drop in known] == pytest.approx([0.0405, 0.042])
