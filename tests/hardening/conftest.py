"""Command lines in this process and in others, and a model so small that a whole build takes seconds."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cli.conftest import COMMAND, ROOT, Ended, edgeprune, spawn
from small_models import dense_int8

__all__ = ["COMMAND", "ROOT", "Ended", "edgeprune", "spawn"]
"""Of `tests/cli`, and here, too."""


def take_interrupts() -> None:
    """A shell without job control starts background jobs with Ctrl-C ignored, and tests may be one."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory but for a small model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.tflite").write_bytes(dense_int8())
    return tmp_path


TINY = """
import sys
from pathlib import Path
import keras
import numpy as np
from keras import layers

place = Path(sys.argv[1])
keras.utils.set_random_seed(0)
image = keras.Input((6, 6, 1))
x = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, activation="relu")(image))
x = layers.Dense(12, activation="relu")(x)
model = keras.Model(image, layers.Dense(2, activation="softmax")(x), name="tiny")
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
x = np.random.default_rng(0).random((160, 6, 6, 1), dtype="float32")
y = (x.mean((1, 2, 3)) > 0.5).astype("int64")
model.save(place / "tiny.keras")
np.savez(place / "tiny.npz", x_train=x[:120], y_train=y[:120], x_test=x[120:], y_test=y[120:])
(place / "quick.toml").write_text('schedule = "constant_sparsity"\\nround_to = 1\\nwhole_layers = false\\n')
for number, name in enumerate(("a b", "a:b", "a$b", "-x", "\\u0441\\u043b\\u043e\\u0439", "a\\\\b", "a\\nb")):
    layer = keras.Input((4,))
    named = {"name": name}
    head = layers.Dense(2, **({} if name == "-x" else named))(layer)
    keras.Model(layer, head, **(named if name == "-x" else {})).save(place / f"named_{number}.keras")
"""


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a tiny model, its data and a recipe; and models whose layers have odd names."""
    folder = tmp_path_factory.mktemp("tiny")
    subprocess.run(
        [sys.executable, "-c", TINY, str(folder)], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    return folder


def tiny_build(tiny: Path, *more: object) -> list[str]:
    """The command line of a build of the tiny model that prunes in several stages."""
    arguments: list[object] = ["build", tiny / "tiny.keras", "--data", tiny / "tiny.npz"]
    arguments += ["--device", "cortex-m7", "--recipe", tiny / "quick.toml", "--criterion", "l2"]
    arguments += ["--epochs", 2, "--max-drop", 0.9, "--latency-ms", 0.05, *more]
    return [str(argument) for argument in arguments]


def read_tree(folder: Path) -> dict[str, bytes]:
    """Path below the folder → content, of all files."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}
