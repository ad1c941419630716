"""A disk that is full at any write: an error says so, no half output is left, and enough room mends it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hardening.conftest import ROOT, tiny_build
from small_models import dense_int8

NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount"]


def has_namespaces() -> bool:
    """Whether this user may mount a file system that nobody else sees."""
    if not shutil.which("unshare"):
        return False
    return subprocess.run([*NAMESPACE, "true"], capture_output=True, check=False).returncode == 0


pytestmark = [
    pytest.mark.nightly,
    pytest.mark.skipif(not has_namespaces(), reason="file systems cannot be mounted here"),
]

COMMANDS: dict[str, tuple[str, int]] = {
    "strip": ("out.tflite", 40),
    "firmware": ("out", 40),
    "convert": ("out.tflite", 12),
    "prune": ("out.keras", 12),
    "sparsify": ("out.keras", 8),
    "quantize": ("out.tflite", 8),
    "build": ("out", 8),
    "firmware --build": ("out", 8),
}
"""Command → its output, and about how many sizes of the disk are tried."""


def arguments(kind: str, tiny: Path) -> list[str]:
    model, data = tiny / "tiny.keras", ["--data", tiny / "tiny.npz"]
    lines: dict[str, list[object]] = {
        "strip": ["strip", tiny / "dense.tflite"],
        "firmware": ["firmware", tiny / "dense.tflite", "--device", "cortex-m7", "--project", "cmake"],
        "convert": ["convert", model, "--scheme", "none"],
        "prune": ["prune", model, "--ratio", 0.5],
        "sparsify": ["sparsify", model, *data, "--sparsity", 0.5, "--epochs", 1],
        "quantize": ["quantize", model, *data],
        "build": [*tiny_build(tiny)],
        "firmware --build": [
            *("firmware", tiny / "dense.tflite", "--device", "cortex-m7", "--runtime", "c", "--build")
        ],
    }
    return [str(argument) for argument in lines[kind]]


def attempts(tiny: Path, disk: Path, kind: str) -> list[dict[str, Any]]:
    (tiny / "dense.tflite").write_bytes(dense_int8())
    output, steps = COMMANDS[kind]
    program = Path(__file__).with_name("full_disk.py")
    ended = subprocess.run(
        [*NAMESPACE, sys.executable, program, disk, output, str(steps), *arguments(kind, tiny)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return [json.loads(line) for line in ended.stdout.splitlines() if line.startswith('{"free_bytes"')]


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_full_disk_is_said_and_leaves_nothing(tiny, tmp_path, kind) -> None:
    whole, *tried = attempts(tiny, tmp_path, kind)
    assert whole["code"] == 0, whole["said"]
    assert tried[-1]["code"] == 0
    assert tried[-1]["files"] == whole["files"]
    assert len(tried) > 1, "the disk was never full"
    for attempt in tried[:-1]:
        said = f"{attempt['free_bytes']} bytes free: {attempt['said']}"
        assert attempt["code"] in (3, 4), said
        assert sum(line.startswith("error: ") for line in attempt["said"].splitlines()) == 1, said
        assert "Traceback" not in attempt["said"], said
        assert any(words in attempt["said"] for words in ("No space left", "no room", " requested and ")), (
            said
        )
        assert attempt["files"] == {}, said
        # TensorFlow's own go with the process, and of Keras an empty folder stays.
        assert [name for name in attempt["temporary"] if name.startswith("edgeprune-")] == [], said
        work = [f"{COMMANDS[kind][0]}.edgeprune-work"]
        assert attempt["left"] in ([], work), said
        if "resumed" in attempt:
            assert attempt["resumed"]["code"] == 0, attempt["resumed"]["said"]
            assert attempt["resumed"]["files"] == whole["files"], said
