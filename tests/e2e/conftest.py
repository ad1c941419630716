"""Small models and data for real builds, made once per session, and the command line in its own process."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DIGITS = ROOT / "edgeprune/keras_bridge/data/digits.npz"
COMMAND = [sys.executable, "-c", "from edgeprune.cli.main import main; main()"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

MODELS = """
import sys
from pathlib import Path
import keras
import numpy as np
from keras import layers

keras.utils.set_random_seed(0)
place, digits = Path(sys.argv[1]), np.load(sys.argv[2])
image = keras.Input((8, 8, 1))
x = layers.ReLU()(layers.BatchNormalization()(layers.Conv2D(12, 3, padding="same")(image)))
x = layers.Add()([x, layers.Conv2D(12, 3, padding="same", activation="relu")(x)])
x = layers.GlobalAveragePooling2D()(layers.Conv2D(16, 3, strides=2, activation="relu")(x))
model = keras.Model(image, layers.Dense(10, activation="softmax")(x), name="small")
model.compile(
    optimizer=keras.optimizers.Adam(5e-3), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
)
model.fit(digits["x_train"].astype("float32"), digits["y_train"], epochs=4, verbose=0)
model.save(place / "small.keras")

first, second = keras.Input((4,), name="first"), keras.Input((4,), name="second")
both = layers.Concatenate()([layers.Dense(4)(first), layers.Dense(4)(second)])
keras.Model([first, second], layers.Dense(2, activation="softmax")(both)).save(place / "two_inputs.keras")

marker = str(place / "code_was_run")
code = layers.Lambda(lambda x: (__import__("pathlib").Path(marker).touch(), x)[1])
keras.Sequential([keras.Input((4,)), code, layers.Dense(2)]).save(place / "lambda.keras")
(place / "code_was_run").unlink(missing_ok=True)
(place / "text.keras").write_text("this is not a model")
(place / "signatures.toml").write_text("keep_signatures = true\\n")
# The small model is narrower than the steps of the NPU.
(place / "narrow.toml").write_text('schedule = "constant_sparsity"\\nround_to = 4\\n')
(place / "single.toml").write_text('schedule = "constant_sparsity"\\nround_to = 1\\n')
(place / "quick.toml").write_text('schedule = "constant_sparsity"\\n')
(place / "cut.keras").write_bytes((place / "small.keras").read_bytes()[:5000])

arrays = {name: digits[name] for name in digits.files}
with_nan = arrays["x_train"].astype("float32")
with_nan[3] = np.nan
np.savez(place / "nan.npz", **{**arrays, "x_train": with_nan})
np.savez(place / "labels.npz", **{**arrays, "y_train": arrays["y_train"].astype("int64") + 5})
vectors = np.random.default_rng(0).random((40, 4), dtype="float32")
classes = np.arange(40) % 2
np.savez(place / "vectors.npz", x_train=vectors, y_train=classes, x_test=vectors, y_test=classes)
"""


@dataclass(frozen=True)
class Ended:
    """How a command ended, and the directory it was to make."""

    code: int
    out: str
    err: str
    output: Path


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models and data, good and bad."""
    folder = tmp_path_factory.mktemp("models")
    subprocess.run([sys.executable, "-c", MODELS, str(folder), str(DIGITS)], check=True, env=ENVIRONMENT)
    return folder


@pytest.fixture(scope="session")
def build(place: Path) -> Callable[..., Ended]:
    """Builds the small model on the digits; further arguments follow the output's name."""

    def call(name: str, *arguments: object) -> Ended:
        command = [*COMMAND, "build", "small.keras", "--device", "cortex-m7", "--data", str(DIGITS)]
        command += ["--output", name, "--json", *map(str, arguments)]
        run = subprocess.run(
            command, cwd=place, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300
        )
        return Ended(run.returncode, run.stdout, run.stderr, place / name)

    return call


@pytest.fixture(scope="session")
def interrupt(place: Path) -> Callable[..., int]:
    """Starts the same build, sends Ctrl-C once a stage is finished, and gives the exit code."""

    def call(name: str, stage: str, *arguments: object) -> int:
        command = [*COMMAND, "build", "small.keras", "--device", "cortex-m7", "--data", str(DIGITS)]
        command += ["--output", name, "--json", *map(str, arguments)]
        process = subprocess.Popen(
            command,
            cwd=place,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # A shell without job control starts background jobs with Ctrl-C ignored, and tests may be one.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        try:
            until = time.monotonic() + 240
            while not (place / f"{name}.edgeprune-work" / stage).exists():
                assert process.poll() is None, "the build ended before it could be interrupted"
                assert time.monotonic() < until
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            return process.wait(timeout=60)
        finally:
            process.kill()
            process.wait()

    return call
