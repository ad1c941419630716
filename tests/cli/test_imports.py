"""What must not be imported: TensorFlow takes seconds, SciPy a part of one."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import keras
import pytest

from edgeprune.build.manifest import write_manifest
from edgeprune.version import __version__
from tests.small_models import REAL_MODELS, SHARED_MODELS, dense_int8

ROOT = Path(__file__).parents[2]
_CODE = """
import sys
from edgeprune.cli.main import run
code = run(sys.argv[1:])
heavy = {"tensorflow", "keras", "tf_keras", "tensorflow_model_optimization", "scipy", "ray"}
heavy &= set(sys.modules)
print("imported:", *sorted(heavy), file=sys.stderr)
sys.exit(code)
"""


def imported_by(*arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", _CODE, *arguments],
        capture_output=True,
        text=True,
        env=environment,
        timeout=120,
        check=False,
    )
    assert ended.returncode in (0, 1), ended.stderr
    return ended.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("build", "--help"),
        ("devices", "list"),
        ("devices", "show", "cortex-m7"),
        ("list", "criteria"),
        ("list", "layers"),
        ("list", "ops"),
        ("list", "schedules"),
        ("list", "schemes"),
        ("doctor",),
        ("flash", "--help"),
        ("firmware", "--help"),
        ("verify", "--help"),
        ("sweep", "--help"),
        ("front", "--help"),
    ],
)
def test_light_commands_import_no_tensorflow(arguments):
    assert imported_by(*arguments) == "imported:"


def test_verify_imports_no_tensorflow(tmp_path):
    (tmp_path / "model.tflite").write_bytes(dense_int8())
    write_manifest(tmp_path, {"edgeprune": __version__})
    assert imported_by("verify", str(tmp_path)) == "imported:"


def test_check_imports_no_tensorflow():
    path = SHARED_MODELS / REAL_MODELS["resnet8"]
    if not path.exists():
        pytest.skip(f"the shared model {path.name} is not here")
    assert imported_by("check", str(path), "--device", "cortex-m7") == "imported:"
    assert imported_by("check", str(path), "--device", "cortex-m*,pixel-*") == "imported:"


def test_comparing_builds_imports_neither_tensorflow_nor_ray(tmp_path):
    trial = {"trial": "a", "kind": "build", "model": "net", "device": "cortex-m7", "accuracy": 0.9}
    trial |= {"dense_accuracy": 0.9, "figures": {"latency_ms": {"value": 3.0}}}
    (tmp_path / "trial.json").write_text(json.dumps({"rows": [trial]}))
    assert imported_by("front", str(tmp_path)) == "imported:"
    assert (tmp_path / "sweep.html").is_file()


def test_the_test_sees_tensorflow_where_it_is_imported(tmp_path):
    path = tmp_path / "dense.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(path)
    assert "tensorflow" in imported_by("inspect", str(path), "--device", "cortex-m7")


def test_tensorflow_model_optimization_and_tf_keras_are_imported_for_their_schedules_alone():
    script = """
import sys
from edgeprune.keras_bridge.training.schedules import fractions
ours = {"tensorflow_model_optimization", "tf_keras"}
assert not ours & set(sys.modules), ours & set(sys.modules)
fractions("constant_sparsity", steps=1)
assert ours <= set(sys.modules)
"""
    ended = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("arguments", [("devices", "list"), ("list", "schedules")])
def test_lists_answer_in_a_blink(spawn, arguments):
    # Processor time, because the other tests keep the machine busy.
    took = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert spawn(*arguments).returncode == 0
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        took.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(took) < 0.3


def test_measuring_and_calibrating_import_no_tensorflow(tmp_path):
    model, record, profile = (tmp_path / name for name in ("m.tflite", "r.json", "p.toml"))
    model.write_bytes(dense_int8())
    asked = ("--device", "raspberry-pi-4", "--on", "host", "--runs", "2", "-o", str(record))
    assert imported_by("bench", str(model), *asked) == "imported:"
    calibrated = ("devices", "calibrate", "raspberry-pi-4", str(record), "-o", str(profile))
    assert imported_by(*calibrated) == "imported: scipy"  # which fits
    assert profile.is_file()


def test_a_command_does_not_pay_for_the_others():
    code = "from edgeprune.cli.main import run; import sys; run(['devices', 'list', '--json'])"
    code += "; print([name for name in sys.modules if name.startswith('edgeprune.cli.')], file=sys.stderr)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert "'edgeprune.cli.devices'" in ended.stderr
    assert "'edgeprune.cli.build'" not in ended.stderr


def test_importing_the_package_imports_nothing_heavy_and_takes_no_time():
    code = (
        "import sys, time; start = time.process_time(); import edgeprune; took = time.process_time() - start"
    )
    code += "; assert not {'numpy', 'tensorflow', 'keras', 'click', 'edgeprune.api'} & set(sys.modules)"
    code += "; print(took)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True
    )
    assert float(ended.stdout) < 0.1


def test_check_answers_where_tensorflow_cannot_be_imported(tmp_path):
    (tmp_path / "m.tflite").write_bytes(dense_int8())
    code = """
import sys
sys.modules["tensorflow"] = sys.modules["keras"] = None  # importing either raises
import edgeprune
found = edgeprune.check(sys.argv[1], device="cortex-m7")
print(found.fits, found.figures["ram_bytes"].unit, edgeprune.view(sys.argv[1]).outline.size_bytes)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "m.tflite")],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["True", "bytes", str(len(dense_int8()))]


def test_a_misspelt_command_gets_the_nearest_name(edgeprune):
    ended = edgeprune("chek")
    assert ended.code == 2
    assert "'check'" in ended.err
