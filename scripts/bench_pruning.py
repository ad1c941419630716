"""Accuracy of the int8 artefact at 0.75, 0.5 and 0.33 of the dense model's latency, against two baselines.

Three ways to the same budget, all from the same weights, with the same teacher, data and number of steps:

    edgeprune   small steps along the schedule, ranked by gradients (the product's defaults)
    uniform     every layer narrowed by the same fraction at once, its smallest channels by l2 norm
    random      channels removed at random at once

and the dense model, fine-tuned as long. Models: MLPerf Tiny's ResNet-8 on CIFAR-10 and a DS-CNN on log-mel
features of spoken digits, which this script trains first. Needs ../shared beside the checkout.

    python scripts/bench_pruning.py --output bench.json [--models resnet8,dscnn] [--ratios 0.75,0.5,0.33]

With --compare, all criteria and scopes instead, each in small steps and without removing whole layers; model
"example" is the small network that is packed with edgeprune:

    python scripts/bench_pruning.py --compare [--epochs 4] [--criteria l2,fpgm] [--scopes global]
"""

import argparse
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from edgeprune.build.artefact import Artefact, make_artefact
from edgeprune.build.job import Job, make_trainer, open_job
from edgeprune.build.pricing import ask_methods
from edgeprune.build.request import BuildRequest
from edgeprune.build.start import find_start
from edgeprune.errors import InfeasibleError
from edgeprune.graph.layergraph import Array
from edgeprune.methods.channels import ChannelsMethod, ToBudgets
from edgeprune.progress import Silent
from edgeprune.prune.criteria import CRITERIA

SHARED = Path(__file__).resolve().parents[2] / "shared"
Methods = dict[str, dict[str, Any]]
METHODS: Methods = {
    "edgeprune": {},
    "uniform": {"criterion": "l2", "scope": "local", "schedule": "constant_sparsity"},
    "random": {"criterion": "random", "scope": "global", "schedule": "constant_sparsity"},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One line of the table: latency and sizes as fractions of the dense model's."""

    model: str
    method: str
    ratio: float
    accuracy: float
    float_accuracy: float
    latency_ms: float
    macs: float
    tflite_bytes: float
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """The row as JSON."""
        return {name: getattr(self, name) for name in self.__slots__}


def main() -> None:
    """Runs the benchmark and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--output", type=Path, default=Path("bench_pruning.json"))
    parser.add_argument("--models", default="resnet8,dscnn")
    parser.add_argument("--ratios", help="default: 0.75,0.5,0.33; with --compare 0.5")
    parser.add_argument("--methods", default="dense,edgeprune,uniform,random")
    parser.add_argument("--device", default="cortex-m7")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--compare", action="store_true", help="all criteria and scopes instead of methods")
    parser.add_argument("--criteria", default=",".join(CRITERIA))
    parser.add_argument("--scopes", default="local,global")
    arguments = parser.parse_args()
    compare = arguments.compare
    ratios = (arguments.ratios or ("0.5" if compare else "0.75,0.5,0.33")).split(",")
    methods = {name: METHODS.get(name, {}) for name in arguments.methods.split(",")}
    if compare:
        methods = list_rankings(arguments.criteria.split(","), arguments.scopes.split(","))
    render = format_ranking if compare else format_row
    if not SHARED.is_dir():
        sys.exit("bench_pruning: ../shared, with the models and data, is not beside this checkout")
    rows: list[Row] = []
    with TemporaryDirectory() as folder:
        for name in arguments.models.split(","):
            model, data = MODELS[name](Path(folder))
            request = BuildRequest(
                model=model,
                device=arguments.device,
                data=None if data is None else str(data),
                output=Path(folder) / "out",
                max_drop="100%",
                epochs=arguments.epochs,
                seed=arguments.seed,
            )
            for row in run_model(name, request, ratios, methods):
                rows.append(row)
                print(render(row), flush=True)
                document = json.dumps([r.to_json() for r in rows], indent=2) + "\n"
                arguments.output.write_text(document, encoding="utf-8")
    print("\n" + (format_comparison(rows) if compare else format_table(rows)))


def list_rankings(criteria: list[str], scopes: list[str]) -> Methods:
    """Every criterion with every scope, as a method of its own."""
    return {
        f"{criterion} {scope}": {"criterion": criterion, "scope": scope, "whole_layers": False}
        for criterion in criteria
        for scope in scopes
    }


def run_model(name: str, request: BuildRequest, ratios: list[str], methods: Methods) -> Any:
    """Yields the rows of one model as they are done; a method that cannot meet a budget has none."""
    assert request.output is not None
    job = open_job(request, progress=Silent())
    dense = make_artefact(job.inputs.model, job)
    yield make_row(name, "dense, as given", 1.0, dense, seconds=0.0)
    if "dense" in methods:
        started = time.monotonic()
        tuned = fine_tune_dense(job)
        yield make_row(name, "dense, fine-tuned", 1.0, tuned, seconds=time.monotonic() - started)
    latency_ms = dense.figures["latency_ms"].value or 0.0
    for ratio in map(float, ratios):
        for method in (m for m in methods if m != "dense"):
            started = time.monotonic()
            wanted = replace(request, latency_ms=ratio * latency_ms, **methods[method])
            again = open_job(wanted, inputs=job.inputs, progress=Silent())
            trainer = make_trainer(again, progress=Silent())
            try:
                start, _ = find_start(again, dense, trainer=trainer)
                setting = ToBudgets(asked=ask_methods(again, start=start))
                applied = ChannelsMethod().apply(start.model, setting, trainer=trainer)
            except InfeasibleError as error:
                print(f"{name}, {method} at {ratio:g}: {error.message}", file=sys.stderr)
                continue
            artefact = make_artefact(applied.model, again)
            yield make_row(name, method, ratio, artefact, seconds=time.monotonic() - started)


def fine_tune_dense(job: Job) -> Artefact:
    """The dense model after as many steps of the same recovery."""
    from edgeprune.keras_bridge.model.weights import copy_model
    from edgeprune.keras_bridge.training.train import Trained, Tuner

    model = copy_model(job.inputs.teacher)
    recovery = make_trainer(job, progress=Silent()).plan_recovery()
    tuner = Tuner(model, job.inputs.teacher, training=job.inputs.training, recovery=recovery)
    tuner.tune(recovery.total_steps, start=Trained(step=0, optimizer=[], losses=[]))
    return make_artefact(model, job)


def make_row(name: str, method: str, ratio: float, artefact: Artefact, *, seconds: float) -> Row:
    """The row of an artefact."""
    value = {figure: found.value or 0.0 for figure, found in artefact.figures.items()}
    return Row(
        model=name,
        method=method,
        ratio=ratio,
        accuracy=value["accuracy"],
        float_accuracy=artefact.float_accuracy,
        latency_ms=value["latency_ms"],
        macs=value["macs"],
        tflite_bytes=value["tflite_bytes"],
        seconds=round(seconds, 1),
    )


def format_row(row: Row) -> str:
    """One line of Markdown."""
    return (
        f"| {row.model} | {row.ratio:g} | {row.method} | {100 * row.accuracy:.2f} | "
        f"{100 * row.float_accuracy:.2f} | {row.latency_ms:.2f} | {row.macs / 1e6:.2f} | "
        f"{row.tflite_bytes / 1024:.1f} | {row.seconds:.0f} |"
    )


def format_table(rows: list[Row]) -> str:
    """The whole table, in Markdown."""
    head = (
        "| model | latency budget | method | int8 % | float % | latency ms | MMACs | .tflite KiB | seconds |"
    )
    return "\n".join([head, "|---|---|---|---|---|---|---|---|---|", *map(format_row, rows)])


def format_ranking(row: Row) -> str:
    """One line of Markdown of the comparison; the dense model has no criterion."""
    criterion, scope = row.method.rsplit(" ", 1) if row.ratio < 1 else (row.method, "")
    return (
        f"| {row.model} | {criterion} | {scope} | {100 * row.accuracy:.2f} | "
        f"{100 * row.float_accuracy:.2f} | {row.latency_ms:.2f} | {row.seconds:.0f} |"
    )


def format_comparison(rows: list[Row]) -> str:
    """All criteria and scopes in Markdown, the best of each model first."""
    order = list(dict.fromkeys(row.model for row in rows))
    ranked = sorted(rows, key=lambda row: (order.index(row.model), row.ratio, -row.accuracy))
    head = "| model | criterion | scope | int8 % | float % | latency ms | seconds |"
    return "\n".join([head, "|---|---|---|---|---|---|---|", *map(format_ranking, ranked)])


def prepare_example(folder: Path) -> tuple[None, None]:
    """The network and the data that are packed with edgeprune."""
    return None, None


def prepare_resnet8(folder: Path) -> tuple[Path, Path]:
    """MLPerf Tiny's image classification model, as published, and CIFAR-10."""
    models = SHARED / "models/mlperf_tiny/image_classification"
    return models / "pretrainedResnet.h5", SHARED / "data/cifar10_20k.npz"


def prepare_dscnn(folder: Path) -> tuple[Path, Path]:
    """A DS-CNN trained here on log-mel features of spoken digits."""
    import keras

    with np.load(SHARED / "data/spoken_digits_8khz.npz") as sounds:
        arrays = {
            name: log_mel(sounds[name]) if name.startswith("x_") else sounds[name]
            for name in ("x_train", "y_train", "x_test", "y_test")
        }
    data = folder / "digits.npz"
    np.savez(data, **arrays)
    keras.utils.set_random_seed(0)
    model = build_dscnn(arrays["x_train"].shape[1:])
    epochs, batch = 30, 64
    steps = epochs * (len(arrays["x_train"]) // batch + 1)
    model.compile(
        optimizer=keras.optimizers.Adam(keras.optimizers.schedules.CosineDecay(2e-3, steps)),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    model.fit(arrays["x_train"], arrays["y_train"], batch_size=batch, epochs=epochs, verbose=0)
    path = folder / "dscnn.keras"
    model.save(path)
    return path, data


def log_mel(
    sounds: Array, *, rate_hz: int = 8000, frame: int = 320, hop: int = 160, bands: int = 20
) -> Array:
    """Log energies in mel bands, (samples, frames, bands, 1) float32, from (samples, n) int16."""
    x = sounds.astype(np.float32) / 32768
    starts = range(0, x.shape[1] - frame + 1, hop)
    frames = np.stack([x[:, s : s + frame] for s in starts], axis=1) * np.hanning(frame)
    power = np.abs(np.fft.rfft(frames, 512, axis=-1)) ** 2
    mels = np.linspace(0, 2595 * np.log10(1 + rate_hz / 2 / 700), bands + 2)
    edges = 700 * (10 ** (mels / 2595) - 1) / rate_hz * 512
    bins = np.arange(power.shape[-1])
    rising = (bins[:, None] - edges[None, :-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[None, 2:] - bins[:, None]) / (edges[2:] - edges[1:-1])
    energies = power @ np.maximum(0, np.minimum(rising, falling))
    features: Array = np.log(energies + 1e-6).astype(np.float32)[..., None]
    return features


def build_dscnn(shape: tuple[int, ...]) -> Any:
    """MLPerf Tiny's keyword spotting architecture, for ten classes."""
    import keras
    from keras import layers

    def normalise(x: Any) -> Any:
        return layers.ReLU()(layers.BatchNormalization()(x))

    inputs = keras.Input(shape)
    x = layers.Normalization(mean=-6.0, variance=16.0)(inputs)
    x = normalise(layers.Conv2D(64, (10, 4), strides=2, padding="same", use_bias=False)(x))
    x = layers.Dropout(0.2)(x)
    for _ in range(4):
        x = normalise(layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x))
        x = normalise(layers.Conv2D(64, 1, use_bias=False)(x))
    x = layers.Dropout(0.4)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(inputs, layers.Dense(10, activation="softmax")(x), name="dscnn")


MODELS: dict[str, Callable[[Path], tuple[Path | None, Path | None]]] = {
    "example": prepare_example,
    "resnet8": prepare_resnet8,
    "dscnn": prepare_dscnn,
}

if __name__ == "__main__":
    main()
