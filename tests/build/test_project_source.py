"""What firmware is made of says what its build missed."""

import json
from pathlib import Path

import numpy as np
import pytest
from phone_models import mobilenet
from small_models import dense_int8

from edgeprune.build.project_source import find_budgets, find_shortfall
from edgeprune.cli.main import run
from edgeprune.errors import ModelError

SENTENCE = "does not fit pixel-8: latency misses its budget by 0.001 ms."


@pytest.fixture
def missed(tmp_path: Path) -> Path:
    """The best of a build that was asked for less than it could give."""
    folder = tmp_path / "best"
    folder.mkdir()
    (folder / "model.tflite").write_bytes(dense_int8())
    report = {
        "device": {"id": "pixel-8"},
        "verdict": False,
        "sentence": SENTENCE,
        "checks": [{"name": "latency", "budget": 1e-9}, {"name": "accuracy", "budget": 0.9}],
    }
    (folder / "report.json").write_text(json.dumps(report))
    return folder


def test_a_library_of_what_missed_its_budgets_says_so(missed: Path, tmp_path: Path, capsys) -> None:
    x = np.zeros((4, 2), np.float32)
    np.savez(tmp_path / "data.npz", x_train=x, x_test=x)
    asked = ["firmware", str(missed), "--data", str(tmp_path / "data.npz"), "--project", "android"]
    assert run([*asked, "--output", str(tmp_path / "library")]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert f"The build that it is of: {SENTENCE}" in said
    assert "It does not fit pixel-8" in said, "held against the build's budgets, not the profile's"
    assert (tmp_path / "library" / "README.md").is_file()


@pytest.mark.parametrize("delegate", ["gpu", None])
def test_a_library_runs_where_its_build_was_made_for(
    delegate: str | None, missed: Path, tmp_path: Path, capsys
) -> None:
    (missed / "model.tflite").write_bytes(mobilenet())
    report = {"device": {"id": "galaxy-s10"}, "settings": {"delegate": delegate} if delegate else {}}
    (missed / "report.json").write_text(json.dumps(report))
    x, output = np.zeros((4, 32, 32, 3), np.float32), tmp_path / "library"
    np.savez(tmp_path / "data.npz", x_train=x, x_test=x)
    asked = ["firmware", str(missed), "--data", str(tmp_path / "data.npz"), "--project", "android", "--json"]
    assert run([*asked, "--output", str(output)]) == 0
    document = json.loads(capsys.readouterr().out)
    assert ("Mali-G76" in document["latency"]["evidence"]) == bool(delegate)
    kotlin = (output / "src/main/kotlin/edgeprune/model/EdgepruneModel.kt").read_text()
    assert f"ACCELERATOR: Accelerator = Accelerator.{'GPU' if delegate else 'CPU'}\n" in kotlin


def test_a_damaged_report_is_told_before_anything_is_written(missed: Path, tmp_path: Path, capsys) -> None:
    (missed / "report.json").write_text('{"device": {"id": "cortex-m7"}, "verdict": false}')
    asked = ["firmware", str(missed), "--runtime", "c", "--output", str(tmp_path / "project")]
    assert run(asked) == 3
    assert "its report.json is damaged" in capsys.readouterr().err
    assert not (tmp_path / "project").exists()


def test_what_is_no_build_has_missed_nothing(tmp_path: Path, missed: Path) -> None:
    assert find_shortfall(tmp_path) == ""
    assert find_budgets(tmp_path) == {}
    (missed / "report.json").write_text('{"verdict": false}')
    with pytest.raises(ModelError, match=r"report\.json is damaged"):
        find_shortfall(missed)
