"""Dead channels through the command line: they go, they are told apart, and a build starts with them."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from e2e.conftest import COMMAND, DIGITS, ENVIRONMENT, Ended

PLANT = """
import sys
import keras
import numpy as np

model = keras.models.load_model(sys.argv[1])
for layer in model.layers:
    if isinstance(layer, keras.layers.Conv2D) and layer.strides == (2, 2):
        kernel, bias = layer.get_weights()
        kernel[..., [0, 1, 2, 3, 4]], bias[:5] = 0, [0.5, 0.5, -1, 0, 0.25]  # a ReLU follows
        layer.set_weights([kernel, bias])
model.save(sys.argv[2])
"""


@pytest.fixture(scope="module")
def planted(place: Path) -> Path:
    """The small model, five of whose last sixteen channels are constant."""
    path = place / "planted.keras"
    subprocess.run(
        [sys.executable, "-c", PLANT, str(place / "small.keras"), str(path)], check=True, env=ENVIRONMENT
    )
    return path


def run(place: Path, *arguments: object) -> Ended:
    ended = subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=place,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    return Ended(ended.returncode, ended.stdout, ended.stderr, place)


def test_dead_channels_go_and_are_named(place: Path, planted: Path) -> None:
    ended = run(place, "prune", planted, "--dead-only", "--output", "lean.keras", "--json")
    assert ended.code == 0, ended.err
    document = json.loads(ended.out)
    assert [(row["channels"], row["basis"]) for row in document["removed"]] == [
        ([0, 1], "proven"),
        ([2, 3], "proven"),
        ([4], "proven"),
    ]
    assert document["equal"] is True
    assert document["error"] <= 1e-5
    assert document["macs_after"] < document["macs_before"]
    assert document["params_after"] < document["params_before"]
    again = run(place, "prune", "lean.keras", "--dead-only", "--output", "leaner.keras")
    assert again.code == 1
    assert "no channel is dead" in again.err
    assert not (place / "leaner.keras").exists()


def test_the_table_says_which_why_and_how_it_is_known(place: Path, planted: Path) -> None:
    ended = run(place, "prune", planted, "--dead-only", "--output", "told.keras", "--force")
    text = " ".join(ended.out.split())
    for part in (
        "2 of 16",
        "0, 1",
        "always 0.5",
        "2, 3",
        "always 0 ",
        "proven",
        "equals the original",
        "5 dead channels",
    ):
        assert part in text
    assert max(map(len, ended.out.splitlines())) <= 80


@pytest.mark.parametrize(
    "flags",
    [
        (),
        ("--dead-only", "--ratio", 0.5),
        ("--dead-only", "--seen-on-data"),
        ("--ratio", 0.5, "--seen-on-data"),
    ],
)
def test_flags_that_do_not_go_together_are_refused(
    place: Path, planted: Path, flags: tuple[object, ...]
) -> None:
    ended = run(place, "prune", planted, "--output", "never.keras", *flags)
    assert ended.code == 2
    assert not (place / "never.keras").exists()


def test_a_build_removes_them_first_and_says_so(place: Path, planted: Path) -> None:
    quick = ("--recipe", "single.toml", "--criterion", "l2", "--epochs", 2, "--max-drop", 0.9)
    common = ("build", planted, "--device", "cortex-m7", "--data", DIGITS, *quick)
    ended = run(place, *common, "--output", "roomy_planted")
    assert ended.code == 0, ended.err
    report = json.loads((place / "roomy_planted/report.json").read_text())
    assert [step["kind"] for step in report["steps"]] == ["dense", "dead"]
    assert "5 proven" in report["steps"][1]["note"]
    assert report["pruned"]["macs"] < report["dense"]["macs"]
    assert report["equivalence"][0]["error"] <= report["equivalence"][0]["tolerance"] == 1e-5
    assert "dead channels removed" in (place / "roomy_planted/report.html").read_text()
    assert np.isclose(report["steps"][0]["accuracy"], report["steps"][1]["accuracy"], atol=1e-6)

    limit = 0.7 * report["pruned"]["latency_ms"]
    ended = run(place, *common, "--latency-ms", limit, "--output", "tight_planted")
    assert ended.code == 0, ended.err
    report = json.loads((place / "tight_planted/report.json").read_text())
    kinds = [step["kind"] for step in report["steps"]]
    assert kinds[:2] == ["dense", "dead"]
    assert "prune" in kinds[2:]
    assert report["pruned"]["latency_ms"] <= limit
