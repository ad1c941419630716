"""`check` on many devices, and against an earlier check."""

import json
import re
import shlex
import time
from pathlib import Path

import pytest

import edgeprune as package
from edgeprune.commands.check import DeviceChecks
from edgeprune.device.profile import list_ids
from edgeprune.errors import RecipeError
from edgeprune.measuring import arena
from tests.small_models import dense_int8, real_model, unary

ROOT = Path(__file__).parents[2]


@pytest.fixture
def dense(tmp_path) -> Path:
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense_int8())
    return path


def test_every_device_is_in_the_table_those_with_most_to_spare_first(edgeprune, dense):
    ended = edgeprune("check", dense, "--device", "all")
    assert (ended.code, ended.err) == (0, "")
    assert max(map(len, ended.out.splitlines())) <= 80
    document = edgeprune("check", dense, "--device", "all", "--json").document
    assert sorted(row["device"] for row in document["devices"]) == sorted(list_ids())
    assert document["failures"] == {}
    fitting = [row["margin"] for row in document["devices"] if row["ok"] and row["margin"] is not None]
    assert fitting == sorted(fitting, reverse=True)
    verdicts = [row["ok"] for row in document["devices"]]
    assert verdicts == sorted(verdicts, reverse=True)


def test_each_row_says_what_a_check_of_that_device_alone_says(edgeprune, dense):
    for row in edgeprune("check", dense, "--device", "nucleo-h7*,pixel-6", "--json").document["devices"]:
        alone = edgeprune("check", dense, "--device", row["device"], "--json").document
        assert row["figures"] == alone["figures"]
        assert row["checks"] == alone["checks"]


def test_the_file_is_run_once_in_tflm_for_all_devices(edgeprune, dense, monkeypatch):
    runs = []
    arena._take_host_arena.cache_clear()
    monkeypatch.setattr(arena, "run_tflm", lambda *args, **kwargs: runs.append(1) or real(*args, **kwargs))
    from edgeprune.runtimes.tflm_host import run_tflm as real

    assert edgeprune("check", dense, "--device", "cortex-m*").code == 0
    assert len(runs) == 1


def test_no_device_that_fits_is_a_no(edgeprune, dense):
    ended = edgeprune("check", dense, "--device", "nucleo-*", "--latency-ms", "0.000001")
    assert ended.code == 1
    assert "fits none of 17 devices" in " ".join(ended.out.split())
    assert "NO: latency" in ended.out


def test_an_op_that_tflm_lacks_is_a_no_for_microcontrollers_and_a_yes_for_phones(edgeprune, tmp_path):
    path = tmp_path / "gelu.tflite"
    path.write_bytes(unary("GELU", dtype="FLOAT32"))
    rows = {
        row["device"]: row["ok"]
        for row in edgeprune("check", path, "--device", "cortex-m7,pixel-6", "--json").document["devices"]
    }
    assert not rows["cortex-m7"]


def test_a_pattern_that_means_no_device_ends_in_3(edgeprune, dense):
    ended = edgeprune("check", dense, "--device", "nukleo-*")
    assert ended.code == 3
    assert "unknown device 'nukleo-*'" in ended.err


def test_cores_are_those_of_one_device(edgeprune, dense):
    ended = edgeprune("check", dense, "--device", "all", "--cores", "big")
    assert ended.code == 3
    assert "cores are those of one device" in ended.err


def test_resnet8_is_held_against_all_devices_in_five_seconds(spawn, tmp_path):
    path = tmp_path / "resnet8.tflite"
    path.write_bytes(real_model("resnet8"))
    took = []
    for _ in range(2):  # other tests keep the machine busy
        began = time.monotonic()
        assert spawn("check", path, "--device", "all").returncode == 0
        took.append(time.monotonic() - began)
    assert min(took) < 5


def test_a_baseline_of_the_same_file_holds_and_one_that_was_better_does_not(edgeprune, dense, tmp_path):
    baseline = tmp_path / "old.json"
    asked = ("check", dense, "--device", "cortex-m7")
    baseline.write_text(edgeprune(*asked, "--json").out)
    same = edgeprune(*asked, "--baseline", baseline)
    assert same.code == 0
    assert "no regression" in same.out
    better = json.loads(baseline.read_text())
    better["figures"]["latency_ms"] *= 0.5
    baseline.write_text(json.dumps(better))
    ended = edgeprune(*asked, "--baseline", baseline)
    assert ended.code == 1
    assert "WORSE" in ended.out
    assert edgeprune(*asked, "--baseline", baseline, "--tolerance", "0.99").code == 1  # it doubled
    document = edgeprune(*asked, "--baseline", baseline, "--json").document
    assert document["ok"], "it fits"
    assert not document["baseline"]["ok"]
    markdown = edgeprune(*asked, "--baseline", baseline, "--format", "markdown")
    assert markdown.code == 1
    assert "**1 regression beyond 0.01" in markdown.out
    assert "| cortex-m7 | latency |" in markdown.out


@pytest.mark.parametrize("content", [None, "", "[]", "{}"])
def test_a_baseline_that_is_none_ends_in_3(edgeprune, dense, tmp_path, content):
    baseline = tmp_path / "old.json"
    if content is not None:
        baseline.write_text(content)
    ended = edgeprune("check", dense, "--device", "cortex-m7", "--baseline", baseline)
    assert ended.code == 3
    assert "old.json" in ended.err


def test_the_same_from_python(dense):
    found = package.check(dense, device=["cortex-m7", "cortex-m4"])
    assert isinstance(found, DeviceChecks)
    assert found.fits
    assert len(package.check(dense, device="all").results) == len(list_ids())
    with pytest.raises(RecipeError, match="tolerance"):
        package.check(dense, device="cortex-m7", tolerance=1.5)


def test_the_commands_in_the_documentation_of_ci_work(edgeprune, dense, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    dense.rename("model.tflite")
    text = (ROOT / "docs" / "ci.md").read_text()
    commands = re.findall(r"^(?: +(?:- )?|\$ )edgeprune (check .+?)(?: >>? (\S+))?$", text, re.MULTILINE)
    assert len(commands) == 4
    for command, written in commands:
        ended = edgeprune(*shlex.split(command))
        assert ended.code == 0, command
        if written.endswith(".json"):
            Path(written).write_text(ended.out)
