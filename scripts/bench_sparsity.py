"""Zeros, clusters, channels, and both, on three models and three targets: bytes, arena, time, accuracy.

From the same weights, with the same data, teacher and number of steps:

    dense        fine-tuned as long
    zeros        80 % of the weights in kernels zero, along a polynomial schedule
    clusters     16 values for the weights of each output
    channels     removed until the next step would cost more accuracy than the zeros did
    both         half of that way by channels, then 80 % zeros in what is left

Models: a converged ResNet-8 on CIFAR-10; a DS-CNN on log-mel features of spoken digits and the
FC-AutoEncoder's architecture on windows of them, which this script trains first (the autoencoder's own data
are not at hand, so its figure is the reconstruction error). Targets: TFLM on a Cortex-M7 and
an Ethos-U55-128, with int8 files, and XNNPACK on this machine, with float files, whose weights are stored
without zeros where XNNPACK's sparse kernels take them; time is measured. Needs ../shared beside the checkout.

    python scripts/bench_sparsity.py --output docs/figures/sparsity.json [--models resnet8,dscnn,autoencoder]

Rows of other models, targets and variants stay in the file; the documentation's table is made from it.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from benchmarks.recovering import Course
from benchmarks.rows import find_commit, now
from benchmarks.sounds import log_mel
from benchmarks.stored import StoredRow, add_row, format_cells, format_table, read_rows
from benchmarks.subjects import SHARED, build_autoencoder, build_dscnn

from edgeprune.build.artefact import Artefact, make_artefact
from edgeprune.build.job import Job, make_trainer, open_job
from edgeprune.build.pricing import ask_methods
from edgeprune.build.request import BuildRequest
from edgeprune.build.start import find_start
from edgeprune.device.check import Budget, Budgets
from edgeprune.device.profile import load_profile
from edgeprune.encoding.xnnpack_sparse import choose_sparse
from edgeprune.errors import EdgepruneError, InfeasibleError
from edgeprune.keras_bridge.conversion.convert import convert
from edgeprune.keras_bridge.model.weights import copy_model
from edgeprune.methods.channels import ChannelsMethod, ToBudgets
from edgeprune.methods.clustering import Clustering, ClustersMethod
from edgeprune.methods.method import Applied
from edgeprune.methods.sparsity import Zeroing, ZerosMethod
from edgeprune.progress import Silent
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.timing import time_litert
from edgeprune.tflite.strip import strip

HOST = "host, XNNPACK"
TARGETS = ("cortex-m7", "cortex-m55-ethos-u55-128", HOST)
SPARSITY = 0.8
VALUES = 16
VARIANTS = ("dense", "clusters", "zeros", "channels", "both")
FRACTIONS = (0.75, 0.5, 0.35, 0.25, 0.18)
"""Flash beside the code, as fractions of the dense model's, that are tried with channels alone."""
TOLERANCE = 0.002
"""By how much of the metric channels may be worse than zeros and still count as equal."""


def main() -> None:
    """Runs the benchmark and prints its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--output", type=Path, default=Path("bench_sparsity.json"))
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--targets", default=";".join(TARGETS), help="separated by semicolons")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if not SHARED.is_dir():
        sys.exit("bench_sparsity: ../shared, with the models and data, is not beside this checkout")
    if unknown := sorted({*arguments.variants.split(",")} - {*VARIANTS}):
        sys.exit(f"bench_sparsity: unknown variant {unknown[0]}; known: {', '.join(VARIANTS)}")
    with TemporaryDirectory() as folder:
        for name in arguments.models.split(","):
            model, data = MODELS[name](Path(folder))
            request = BuildRequest(
                model=model,
                device="cortex-m7",
                data=str(data),
                output=Path(folder) / "out",
                max_drop="100%",
                epochs=arguments.epochs,
                seed=arguments.seed,
                whole_layers=False,
            )
            bench = Bench(
                name=name,
                job=_without_budgets(open_job(request, progress=Silent())),
                targets=tuple(arguments.targets.split(";")),
                variants=frozenset(arguments.variants.split(",")),
            )
            for row in bench.run():
                print(*format_cells(row), sep="  ", flush=True)
                add_row(arguments.output, row)
    print("\n" + format_table(read_rows(arguments.output)))


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """One model, and what is made of it for which targets."""

    name: str
    job: Job
    targets: tuple[str, ...]
    variants: frozenset[str]

    def run(self) -> Iterator[StoredRow]:
        """The rows as they are done."""
        job, started = self.job, time.monotonic()
        if "dense" in self.variants:
            dense = Course(job, progress=Silent()).finish(copy_model(job.inputs.teacher))
            yield from self.measure("dense", dense.model)
        trainer = make_trainer(job, progress=Silent())
        if "clusters" in self.variants:
            clustered = ClustersMethod().apply(job.inputs.teacher, Clustering(values=VALUES), trainer=trainer)
            yield from self.measure("clusters", clustered.model, applied=clustered)
        if self.variants & {"zeros", "channels", "both"}:
            sparse = make_sparse(job.inputs.teacher, job)
            yield from self.measure("zeros", sparse.model, applied=sparse)
            yield from self._narrow(goal=job.inputs.validation.score_model(sparse.model))
        print(f"{self.name}: {time.monotonic() - started:.0f} s", file=sys.stderr)

    def _narrow(self, *, goal: float) -> Iterator[StoredRow]:
        """With channels removed until it would be worse than the goal; and by half of that, then zeros."""
        if not self.variants & {"channels", "both"}:
            return
        job, given = self.job, make_artefact(self.job.inputs.model, self.job)
        fraction, model = narrow_to(goal, given, job=job)
        if model is not None:
            yield from self.measure("channels", model)
        halved = replace(job, request=replace(job.request, epochs=_half(job)))
        if "both" in self.variants:
            narrow = narrow_once((1 + fraction) / 2, given, job=halved)
            if narrow is not None:
                both = make_sparse(narrow, halved)
                yield from self.measure("half the channels, then zeros", both.model, applied=both)

    def measure(self, variant: str, model: Any, *, applied: Applied | None = None) -> Iterator[StoredRow]:
        """A row for each target."""
        for target in self.targets:
            if target == HOST:
                yield self._measure_here(variant, model)
                continue
            there = replace(self.job, profile=load_profile(target))
            try:
                artefact = make_artefact(model, there, applied=applied)
            except EdgepruneError as error:
                print(f"{self.name}, {variant} on {target}: {error.message}", file=sys.stderr)
                continue
            compiled = artefact.measured.compiled
            yield self._make_row(
                variant,
                target,
                stored_bytes=len(compiled.tflite) if compiled else len(artefact.flashed),
                arena_bytes=artefact.figures["arena_bytes"].value,
                latency_ms=artefact.figures["latency_ms"].value,
                value=artefact.figures["accuracy"].value or 0.0,
            )

    def _measure_here(self, variant: str, model: Any) -> StoredRow:
        """The float file on this machine, without its zeros where that is faster, and its time."""
        tflite = strip(convert(model, scheme="none"))
        choice = choose_sparse(tflite, profile=load_profile("pixel-6"))
        test = self.job.inputs.test
        outputs = run_litert(tflite, test.inputs).outputs
        return self._make_row(
            f"{variant}, float",
            HOST,
            stored_bytes=len(choice.tflite),
            arena_bytes=None,
            latency_ms=time_litert(choice.tflite).median_ms,
            value=test.score_outputs([output.values for output in outputs]),
        )

    def _make_row(self, variant: str, target: str, **measured: Any) -> StoredRow:
        metric = self.job.inputs.task.metric
        measured |= {"commit": find_commit(), "date": now()}
        return StoredRow(model=self.name, target=target, variant=variant, metric=metric, **measured)


def make_sparse(model: Any, job: Job) -> Applied:
    """The model with its zeros, fine-tuned."""
    trainer = make_trainer(job, progress=Silent())
    return ZerosMethod().apply(model, Zeroing(final_sparsity=SPARSITY), trainer=trainer)


def narrow_to(goal: float, given: Artefact, *, job: Job) -> tuple[float, Any]:
    """The narrowest model that is no worse than the goal on validation data, with its fraction."""
    found: tuple[float, Any] = (1.0, None)
    evaluator = job.inputs.validation
    for fraction in FRACTIONS:
        model = narrow_once(fraction, given, job=job)
        if model is None or evaluator.drop(before=goal, after=evaluator.score_model(model)) > TOLERANCE:
            break
        found = (fraction, model)
    return found


def narrow_once(fraction: float, given: Artefact, *, job: Job) -> Any:
    """The model with channels removed until flash beside the code is at a fraction; None if it cannot be."""
    flash, file = (given.figures[name].value or 0.0 for name in ("flash_bytes", "tflite_bytes"))
    budgets = {"flash": flash - (1 - fraction) * file}
    trainer = make_trainer(job, progress=Silent())
    start, _ = find_start(job, given, trainer=trainer)
    start = replace(start, cost={"flash": flash})
    setting = ToBudgets(asked=replace(ask_methods(job, start=start), budgets=budgets))
    try:
        return ChannelsMethod().apply(start.model, setting, trainer=trainer).model
    except InfeasibleError as error:
        print(f"channels to {fraction:g}: {error.message}", file=sys.stderr)
        return None


def prepare_resnet8(folder: Path) -> tuple[Path, Path]:
    """MLPerf Tiny's image classification model, converged on these 20,000 pictures of CIFAR-10."""
    return SHARED / "models/resnet8_cifar20k.keras", SHARED / "data/cifar10_20k.npz"


def prepare_dscnn(folder: Path) -> tuple[Path, Path]:
    """A DS-CNN trained here on log-mel features of spoken digits, without noise."""
    import keras

    with np.load(SHARED / "data/spoken_digits_8khz.npz") as sounds:
        arrays = {name: sounds[name] for name in ("y_train", "y_test")}
        arrays |= {name: log_mel(sounds[name]) for name in ("x_train", "x_test")}
    data = folder / "digits.npz"
    np.savez(data, **arrays)
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


def prepare_autoencoder(folder: Path) -> tuple[Path, Path]:
    """MLPerf Tiny's FC-AutoEncoder, trained here on windows of 32 frames by 20 mel bands of spoken digits."""
    import keras

    with np.load(SHARED / "data/spoken_digits_8khz.npz") as sounds:
        windows = {name: log_mel(sounds[name])[:, :32].reshape(-1, 640) for name in ("x_train", "x_test")}
    data = folder / "windows.npz"
    np.savez(data, **windows)
    model = build_autoencoder()
    model.compile(keras.optimizers.Adam(1e-3), loss="mse", metrics=["mse"])
    model.fit(windows["x_train"], windows["x_train"], batch_size=64, epochs=40, verbose=0)
    path = folder / "autoencoder.keras"
    model.save(path)
    return path, data


def _without_budgets(job: Job) -> Job:
    unbound = Budget(value=None, origin="none")
    return replace(job, budgets=Budgets(flash_bytes=unbound, ram_bytes=unbound, latency_ms=unbound))


def _half(job: Job) -> int:
    return max(1, job.epochs // 2)


MODELS = {"resnet8": prepare_resnet8, "dscnn": prepare_dscnn, "autoencoder": prepare_autoencoder}

if __name__ == "__main__":
    main()
