"""What is said where TFLM cannot be loaded, by commands beside a package that really is broken."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from small_models import dense_int8

ROOT = Path(__file__).parents[2]
RUN = "import sys; from edgeprune.cli.main import run; sys.exit(run(sys.argv[1:]))"


@pytest.fixture
def without_tflm(tmp_path):
    """Runs a command line where importing tflite_micro fails; gives its exit code, stdout and stderr."""
    broken = tmp_path / "broken" / "tflite_micro"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text('raise ImportError("wrong ELF class")\n')
    path = os.pathsep.join([str(broken.parent), str(ROOT)])

    def start(*arguments):
        return subprocess.run(
            [sys.executable, "-c", RUN, *map(str, arguments)],
            env=os.environ | {"PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    return start


@pytest.fixture
def model(tmp_path):
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense_int8())
    return path


def test_the_arena_is_estimated_and_said_not_to_be_confirmed(without_tflm, model):
    ended = without_tflm("check", model, "--device", "cortex-m7", "--json")
    assert ended.returncode == 0, ended.stderr
    arena = json.loads(ended.stdout)["provenance"]["arena_bytes"]
    assert arena["source"] == "estimated"
    assert "not confirmed by its allocator: TFLM cannot be loaded here" in arena["evidence"]


def test_runtimes_are_compared_without_it(without_tflm, model):
    ended = without_tflm("agree", model, "--samples", "4", "--json")
    assert ended.returncode == 0, ended.stderr
    document = json.loads(ended.stdout)
    *others, tflm = document["runtimes"]
    assert (tflm["kind"], tflm["max_difference"]) == ("tflm", None)
    assert "wrong ELF class" in tflm["unavailable"]
    assert not any(row["unavailable"] for row in others)
    assert document["sentence"].startswith("TFLM was not compared: TFLM cannot be loaded here")


def test_firmware_needs_its_outputs_and_says_so(without_tflm, model, tmp_path):
    ended = without_tflm(
        "firmware", model, "--device", "cortex-m7", "--project", "cmake", "--output", tmp_path / "out"
    )
    assert ended.returncode == 4
    assert ended.stderr.startswith("error: TFLM cannot be loaded here (wrong ELF class); pip install")
    assert not (tmp_path / "out").exists()
