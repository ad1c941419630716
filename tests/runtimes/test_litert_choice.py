"""Which LiteRT runs files, in real processes, with packages that really are broken."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgeprune.runtimes.litert_choice import LITERT_PACKAGES, choose_litert, explain_unusable
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.litert_probe import make_empty_model
from edgeprune.tflite.read import read_model

ROOT = Path(__file__).parents[2]
# What tflite-runtime 2.14 does beside numpy 2: the import is fine, and the first interpreter is not.
LATE = """
class Interpreter:
    def __init__(self, *arguments, **options):
        raise SystemError("a result with an exception set") from ImportError("numpy was built otherwise")
"""
EARLY = 'raise ImportError("GLIBC_2.99 not found")\n'
CRASH = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
RUN = """
import sys
import numpy as np
sys.path.insert(0, "tests")
from small_models import dense_int8
from edgeprune.runtimes.litert_choice import explain_unusable
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.timing import time_litert
print(explain_unusable("tflite-runtime"))
run = run_litert(dense_int8(), (np.array([[1.0, 2.0]]),))
print(run.runtime.split()[0], run.outputs[0].raw.tolist())
print(time_litert(dense_int8(), runs=1).runtime.split()[0])
"""


def beside(folder: Path, packages: dict[str, str], *, script: str) -> list[str]:
    """The lines that a script prints where packages of these names hold such an `interpreter` module."""
    for name, text in packages.items():
        (folder / name).mkdir()
        (folder / name / "__init__.py").touch()
        (folder / name / "interpreter.py").write_text(text)
    path = os.pathsep.join([str(folder), str(ROOT)])
    ended = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (LATE, "numpy was built otherwise, beside numpy "),
        (EARLY, "GLIBC_2.99 not found"),
        (CRASH, "loading it crashed with SIGILL"),
    ],
)
def test_where_the_first_cannot_be_loaded_the_next_one_runs_and_is_named(tmp_path, broken, reason):
    why, ran, timed = beside(tmp_path, {"tflite_runtime": broken}, script=RUN)
    assert why.startswith(reason)
    name, outputs = ran.split(" ", 1)
    assert name in ("ai-edge-litert", "tensorflow")
    assert outputs == "[[15, 11, -3]]"  # [1*1+2*2+10, 3*1+4*2+0, -5*1+6*2-10]
    assert timed == name


def test_tensorflows_own_litert_is_the_last_resort(tmp_path):
    broken = dict.fromkeys(("tflite_runtime", "ai_edge_litert"), EARLY)
    _, ran, timed = beside(tmp_path, broken, script=RUN)
    assert (ran, timed) == ("tensorflow [[15, 11, -3]]", "tensorflow")


def test_doctor_names_what_cannot_be_loaded_and_why_and_what_runs_instead(tmp_path):
    installed = tmp_path / "tflite_runtime-2.14.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: tflite-runtime\nVersion: 2.14.0\n")
    script = "from edgeprune.cli.main import run; run(['doctor'])"
    text = " ".join(beside(tmp_path, {"tflite_runtime": EARLY}, script=script))
    said = " ".join(text.split())
    assert "tflite-runtime 2.14.0 is installed but cannot be loaded: GLIBC_2.99 not found." in said
    assert "LiteRT files run in tflite-runtime" not in said
    assert "LiteRT files run in " in said
    assert "To get tflite-runtime: pip install 'edgeprune[tflite-runtime]'" in said


def test_what_is_not_installed_is_said_to_be_missing(tmp_path):
    script = """
from edgeprune.runtimes import litert_choice
litert_choice.LITERT_PACKAGES["of-nobody"] = "of_nobody"
print(litert_choice.explain_unusable("of-nobody"))
"""
    assert beside(tmp_path, {}, script=script) == ["it is not installed"]


def test_the_choice_is_the_first_that_nothing_is_wrong_with():
    chosen = choose_litert()
    order = list(LITERT_PACKAGES)
    assert all(explain_unusable(name) for name in order[: order.index(chosen)])
    assert not explain_unusable(chosen)


def test_the_probes_file_is_a_model_without_ops():
    model = read_model(make_empty_model(), where="the probe")
    assert (model.tensors, model.ops, len(model.subgraphs)) == ((), (), 1)


def test_a_package_that_is_asked_for_runs_whatever_the_choice_is():
    from small_models import dense_int8

    run = run_litert(dense_int8(), (np.array([[1.0, 2.0]]),), package="tensorflow")
    assert run.runtime.startswith("tensorflow ")
