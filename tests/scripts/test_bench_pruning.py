import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture(scope="module", autouse=True)
def scripts_on_the_path():
    sys.path.insert(0, str(SCRIPTS))
    yield
    sys.path.remove(str(SCRIPTS))


@pytest.fixture
def rows():
    from benchmarks import rows

    return rows


def make_row(rows, *, method="edgeprune", budget="latency:0.5", value=0.8, latency_ms=30.0, **run):
    given = {"model": "resnet8", "epochs": 16, "commit": "abc", **run}
    return rows.Row(
        run=rows.Run(method=method, budget=budget, **given),
        metric="accuracy",
        value=value,
        float_value=value,
        figures={"latency_ms": latency_ms, "flash_bytes": 102400.0, "ram_bytes": None},
        seconds=90.0,
        date="2026-11-29 12:00",
    )


def make_front(rows):
    return [
        make_row(rows, method=rows.AS_GIVEN, budget="", value=0.84, latency_ms=60.0, epochs=0),
        make_row(rows, method=rows.TUNED, budget="", value=0.85, latency_ms=60.0),
        make_row(rows, value=0.80, seed=0),
        make_row(rows, value=0.82, seed=1),
        make_row(rows, method="uniform", value=0.78),
        make_row(rows, method="uniform", value=None, budget="latency:0.33"),
    ]


def write_rows(rows, folder, found):
    file = rows.RowFile(folder / "runs.jsonl")
    for row in found:
        file.append(row)
    return file


def test_a_finished_run_is_found_again_and_what_differs_in_anything_is_not(rows, tmp_path):
    row = make_row(rows, options={"learning_rate": 0.003})
    file = write_rows(rows, tmp_path, [row])
    assert file.find(row.run) == row
    for changed in ({"seed": 1}, {"epochs": 4}, {"commit": "abc+"}, {"options": {}}, {"budget": "ram:0.5"}):
        assert file.find(replace(row.run, **changed)) is None


def test_a_line_that_was_cut_off_counts_as_none_and_the_next_one_stands_by_itself(rows, tmp_path):
    first, second = make_row(rows, seed=0), make_row(rows, seed=1)
    file = write_rows(rows, tmp_path, [first])
    whole = file.path.read_bytes()
    file.path.write_bytes(whole + whole[:40])
    assert file.read() == [first]
    file.append(second)
    assert file.read() == [first, second]


def test_seeds_become_a_mean_with_a_spread_and_a_loss_against_the_dense_model_fine_tuned_as_long(rows):
    from benchmarks.tables import format_tables

    table = format_tables(make_front(rows)).splitlines()
    # The mean of 80 and 82, each 1 from it: √2; 85 - 81 points lost.
    line = "| resnet8 | 16 | latency 0.5 | edgeprune | 81.00 ± 1.41 % | 4.00 | 81.00 % | 30 | 100.0 | – | 2 |"
    assert f"{line} 1.5 |" in table
    methods = [line.split(" | ")[3] for line in table if line.startswith("| resnet8")]
    assert methods == ["dense, as given", "dense, fine-tuned", "edgeprune", "uniform", "uniform"]
    assert table[-1].startswith("Commit abc; 2026-11-29; cortex-m7.")


def test_of_a_run_at_two_commits_the_last_one_counts(rows):
    from benchmarks.tables import gather

    entries = gather([make_row(rows, value=0.7), make_row(rows, value=0.8, commit="def")])
    assert [entry.value for entry in entries] == [0.8]


def test_the_script_prints_and_draws_its_tables_from_the_file_alone(rows, tmp_path):
    write_rows(rows, tmp_path, make_front(rows))
    command = [sys.executable, str(SCRIPTS / "bench_pruning.py"), "--output", str(tmp_path), "--table"]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "| resnet8 | 16 | latency 0.5 | uniform | 78.00 % | 7.00 |" in run.stdout
    drawing = (tmp_path / "resnet8-16-epochs.svg").read_text(encoding="utf-8")
    assert drawing.startswith("<svg")
    assert "edgeprune: 81.00 at 30.00 ms" in drawing
    assert "uniform: 78.00 at 30.00 ms" in drawing


def test_the_script_runs_what_is_not_in_the_file_yet(rows, tmp_path):
    commit = rows.find_commit()
    write_rows(rows, tmp_path, [make_row(rows, commit=commit), make_row(rows, seed=1, commit="abc")])
    asked = ["--models", "resnet8", "--seeds", "0,1", "--methods", "edgeprune", "--budgets", "latency:0.5"]
    command = [sys.executable, str(SCRIPTS / "bench_pruning.py"), "--output", str(tmp_path), "--list"]
    run = subprocess.run([*command, *asked], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines() == [
        "resnet8, dense, as given, no budget, 0 epochs, seed 0",
        "resnet8, edgeprune, latency:0.5, 16 epochs, seed 1",
    ]


def test_a_budget_is_a_fraction_of_what_the_model_takes_and_the_others_do_not_bind(rows):
    from benchmarks.runs import ask_budgets

    figures = {"flash_bytes": 102400.0, "tflite_bytes": 61440.0, "ram_bytes": 20480.0, "arena_bytes": 10240.0}
    dense = replace(make_row(rows), figures={**figures, "latency_ms": 60.0})
    # 100 KiB of flash, of which 60 are the file: half of it is 30 KiB less.
    assert ask_budgets("flash:0.5", dense) == {"flash_kib": 70.0, "ram_kib": 80.0, "latency_ms": 240.0}
    assert ask_budgets("latency:0.5", dense)["latency_ms"] == 30.0
    assert ask_budgets("", dense) == {}


def test_a_constant_and_a_default_are_set_while_a_run_lasts_and_an_option_is_handed_on():
    from benchmarks.settings import changed, options_among, parse_settings

    from edgeprune.keras_bridge.training.train import Recovery
    from edgeprune.methods import channel_step

    name = "edgeprune.methods.channel_step.ATTEMPTS"
    field = "edgeprune.keras_bridge.training.train.Recovery.temperature"
    settings = parse_settings([f"{name}=3", f"{field}=9.0", "learning_rate=3e-3", "criterion=fpgm"])
    assert options_among(settings) == {"learning_rate": 0.003, "criterion": "fpgm"}
    before = channel_step.ATTEMPTS, Recovery(total_steps=1).temperature
    with changed(settings):
        assert (channel_step.ATTEMPTS, Recovery(total_steps=1).temperature) == (3, 9.0)
    assert (channel_step.ATTEMPTS, Recovery(total_steps=1).temperature) == before
    for wrong in ("edgeprune.methods.channel_step.NONE", "edgeprune.none.X", f"{field}s"):
        with pytest.raises(ValueError, match=wrong), changed({wrong: 1}):
            pass


def test_rows_are_plain_json(rows, tmp_path):
    file = write_rows(rows, tmp_path, [make_row(rows)])
    found = json.loads(file.path.read_text(encoding="utf-8"))
    assert found["run"]["model"] == "resnet8"
    assert found["date"] == "2026-11-29 12:00"
