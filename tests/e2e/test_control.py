"""What a user may rule about single layers, and criteria that need data, on a real model."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import COMMAND, DIGITS, ENVIRONMENT, Ended


@pytest.fixture
def run(place: Path):
    """Runs a command line beside the small model, in a process of its own."""

    def call(*arguments: object) -> Ended:
        ended = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=place,
            env={**os.environ, **ENVIRONMENT},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr, place)

    return call


def changed(ended: Ended) -> dict[str, Any]:
    rows = json.loads(ended.out)["layers"]
    return {row["name"]: (row["channels_before"], row["channels_after"]) for row in rows}


def test_prune_ranks_by_what_it_sees_on_data_and_leaves_kept_layers_alone(run, tmp_path) -> None:
    output = tmp_path / "smaller.keras"
    arguments = ("prune", "small.keras", "--ratio", "0.5", "--scope", "local", "--output", output, "--json")
    without = run(*arguments, "--criterion", "activation")
    assert without.code == 3
    assert "ranks channels by activations on training data" in json.loads(without.out)["error"]["message"]
    ended = run(*arguments, "--criterion", "activation", "--data", DIGITS, "--keep", "conv2d_2")
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["equal"]
    assert output.exists()
    assert "conv2d_2" not in changed(ended)
    assert changed(ended)["conv2d"] == (12, 6)
    assert "kept by --keep conv2d_2" in str(json.loads(ended.out)["frozen"])


def test_keeping_everything_is_an_error_that_says_why(run, tmp_path) -> None:
    arguments = ("prune", "small.keras", "--ratio", "0.5", "--output", tmp_path / "smaller.keras")
    ended = run(*arguments, "--keep", "*")
    assert ended.code == 1
    assert "no channel of this model may be removed (kept by --keep *" in ended.err
    ended = run(*arguments, "--keep", "konv2d")
    assert ended.code == 3
    assert "'konv2d' matches no layer; the nearest are 'conv2d'" in ended.err


def test_inspect_measures_sensitivity_and_writes_its_page(run, tmp_path) -> None:
    page = tmp_path / "curves.html"
    ended = run(
        *("inspect", "small.keras", "--device", "cortex-m7", "--data", DIGITS, "--sensitivity"),
        *("--html", page, "--criterion", "l1", "--json"),
    )
    assert ended.code == 0, ended.err
    study = json.loads(ended.out)["sensitivity"]
    assert study["criterion"] == "l1"
    assert [family["channels"] for family in study["families"]] == [12, 16]
    assert page.read_text().count("<svg") == 2 * 2  # for wide windows and for phones
    again = run(
        *("inspect", "small.keras", "--device", "cortex-m7", "--data", DIGITS, "--sensitivity"),
        *("--html", page),
    )
    assert again.code == 3
    assert "--force" in again.err


def test_a_build_keeps_what_its_recipe_says(run, place: Path, tmp_path) -> None:
    totals = json.loads(run("inspect", "small.keras", "--device", "cortex-m7", "--json").out)["totals"]
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(
        f'model = "small.keras"\ndevice = "cortex-m7"\ndata = "{DIGITS}"\n'
        f"latency_ms = {0.7 * totals['latency_ms']}\nepochs = 1\n"
        'max_drop = 1\nkeep = ["conv2d_2"]\nround_to = 2\nwhole_layers = false\n'
        'criterion = "sensitivity"\nschedule = "constant_sparsity"\n'
        "[layers.conv2d]\nmin_channels = 6\n"
    )
    output = tmp_path / "built"
    ended = run("build", "--recipe", recipe, "--output", output, "--json")
    report = json.loads(ended.out)
    widths = {row["name"]: (row["channels_before"], row["channels_after"]) for row in report["layers"]}
    assert ended.code == 0, ended.err
    assert widths["conv2d_2"] == (16, 16)
    before, after = widths["conv2d"]
    assert before == 12
    assert 6 <= after < 12
    assert after % 2 == 0
    assert "kept by --keep conv2d_2" in str(report["frozen"])
    assert report["settings"]["keep"] == ["conv2d_2"]


def test_a_limit_of_a_layer_that_is_not_there_is_refused_before_any_work(run, tmp_path) -> None:
    recipe = tmp_path / "recipe.toml"
    recipe.write_text("[layers.konv2d]\nmin_channels = 6\n")
    ended = run(
        *("build", "small.keras", "--device", "cortex-m7", "--data", DIGITS, "--recipe", recipe),
        *("--output", tmp_path / "built"),
    )
    assert ended.code == 3
    assert 'layers."konv2d"' in ended.err
    assert "the nearest are 'conv2d'" in ended.err
