"""A build in a process of its own, alone or as one of several: `test_distribution.py` runs this.

    python one_of_several.py alone|mirrored|multiworker OUTPUT

It prints one JSON line: the loss of each piece of recovery, and how many replicas there were.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

import edgeprune
from edgeprune.keras_bridge.training.train import Trained, Tuner


def main(kind: str, output: Path) -> None:
    """Builds, and says what was learned."""
    if kind == "mirrored":
        cpu = tf.config.list_physical_devices("CPU")[0]
        tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    losses: list[float] = []
    tune = Tuner.tune

    def note_losses(self: Tuner, *arguments: object, **options: object) -> Trained:
        trained = tune(self, *arguments, **options)  # type: ignore[arg-type]
        losses.append(trained.losses[-1])
        return trained

    Tuner.tune = note_losses  # type: ignore[method-assign]
    result = edgeprune.build(
        output.with_name("model.keras"),
        data=str(output.with_name("data.npz")),
        device="cortex-m7",
        latency_ms=0.3,
        epochs=2,
        learning_rate=1e-3,
        max_drop=1,
        output=output,
        distribute=None if kind == "alone" else kind,
    )
    replicas = result.to_json()["settings"].get("replicas", 1)
    print("RESULT " + json.dumps({"losses": losses, "replicas": replicas}))


def prepare(folder: Path) -> None:
    """A small network without BatchNormalization, whose batches are the same however they are divided."""
    keras.utils.set_random_seed(0)
    layers = [keras.Input((16, 16, 1))]
    for width in (16, 32):
        layers.append(keras.layers.Conv2D(width, 3, strides=2, padding="same", activation="relu"))
    model = keras.Sequential([*layers, keras.layers.Flatten(), keras.layers.Dense(4, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 800)
    x = rng.normal(size=(800, 16, 16, 1)).astype("float32") + y[:, None, None, None]
    model.fit(x, y, epochs=2, verbose=0)
    model.save(folder / "model.keras")
    parts = {"train": slice(0, 480), "val": slice(480, 640), "test": slice(640, 800)}
    arrays = {f"x_{part}": x[rows] for part, rows in parts.items()}
    np.savez(folder / "data.npz", **arrays, **{f"y_{part}": y[rows] for part, rows in parts.items()})


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
