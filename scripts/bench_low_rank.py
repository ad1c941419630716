"""The FC-AutoEncoder's flash at equal mse: kernels of low rank against channels alone.

To the same flash budgets, from the same weights, with the same data, teacher and number of steps:

    dense       fine-tuned as long
    channels    channels alone, in small steps
    low rank    the mildest ranks that keep to the budget, factorised by what layers put out
    both        ranks that save half of that, then channels in small steps

Data are windows of log-mel features of spoken digits, as in bench_sparsity.py, which trains the model; the
autoencoder's own data are not at hand. Budgets are fractions of the dense file's bytes, beside the code. Rows
that are in the output already are not measured again. Needs ../shared beside the checkout.

    python scripts/bench_low_rank.py --output docs/figures/low_rank.json [--fractions 0.5] [--seeds 0,1,2]
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
from bench_sparsity import prepare_autoencoder
from benchmarks.low_rank import LowRankRow, format_table, group, read_rows
from benchmarks.recovering import Course
from benchmarks.rows import find_commit, now
from benchmarks.subjects import SHARED

from edgeprune.build.artefact import Artefact, make_artefact
from edgeprune.build.job import Job, make_trainer, open_job
from edgeprune.build.pricing import ask_methods
from edgeprune.build.request import BuildRequest
from edgeprune.build.start import find_start
from edgeprune.errors import InfeasibleError
from edgeprune.keras_bridge.model.weights import copy_model
from edgeprune.methods.low_rank import LowRank, LowRankMethod, reach_budgets
from edgeprune.methods.method import Asked, find_first
from edgeprune.methods.pricing import exceeded
from edgeprune.progress import Silent

VARIANTS = ("dense", "channels", "low rank", "both")


def main() -> None:
    """Runs the benchmark and prints its tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--output", type=Path, default=Path("bench_low_rank.json"))
    parser.add_argument("--variants", default=",".join(VARIANTS))
    parser.add_argument("--fractions", default="0.5,0.35,0.25")
    parser.add_argument("--seeds", default="0,1,2")
    parser.add_argument("--device", default="cortex-m7")
    parser.add_argument("--epochs", type=int, default=16)
    arguments = parser.parse_args()
    if not SHARED.is_dir():
        sys.exit("bench_low_rank: ../shared, with the models and data, is not beside this checkout")
    folder = arguments.output.with_suffix(".models")
    folder.mkdir(exist_ok=True)
    model, data = folder / "autoencoder.keras", folder / "windows.npz"
    if not model.exists():
        model, data = prepare_autoencoder(folder)
    rows = read_rows(arguments.output)
    for seed in map(int, arguments.seeds.split(",")):
        request = BuildRequest(
            model=model,
            device=arguments.device,
            data=str(data),
            max_drop="100%",
            flash_kib=1.0,
            epochs=arguments.epochs,
            seed=seed,
            whole_layers=False,
        )
        done = {(row.variant, row.fraction, row.seed) for row in rows}
        variants = arguments.variants.split(",")
        asked = [("dense", 1.0)] if "dense" in variants else []
        asked += [(v, float(f)) for f in arguments.fractions.split(",") for v in variants if v != "dense"]
        wanted = [(variant, fraction) for variant, fraction in asked if (variant, fraction, seed) not in done]
        for row in run_seed(request, wanted):
            rows.append(row)
            print(format_row(row), flush=True)
            document = json.dumps([asdict(row) for row in rows], indent=2) + "\n"
            arguments.output.write_text(document, encoding="utf-8")
    print("\n" + format_table(rows) + "\n\n" + "\n".join(compare(rows)))


def run_seed(request: BuildRequest, wanted: list[tuple[str, float]]) -> Iterator[LowRankRow]:
    """Yields the rows of one seed as they are done."""
    if not wanted:
        return
    job = open_job(request, progress=Silent())
    dense = make_artefact(job.inputs.model, job)
    start, _ = find_start(job, dense, trainer=make_trainer(job, progress=Silent()))
    flash, file = (dense.figures[name].value or 0.0 for name in ("flash_bytes", "tflite_bytes"))
    for variant, fraction in wanted:
        started = time.process_time()
        try:
            budgets = {"flash": flash - (1 - fraction) * file}
            asked = replace(ask_methods(job, start=start), budgets=budgets)
            model, note = run_variant(variant, asked, job)
        except InfeasibleError as error:
            print(f"{variant} at {fraction:g}: {error.message}", file=sys.stderr)
            continue
        print(f"{variant} at {fraction:g}: {time.process_time() - started:.0f} s of CPU", file=sys.stderr)
        yield make_row(variant, fraction, make_artefact(model, job), job, note=note)


def run_variant(variant: str, asked: Asked, job: Job) -> tuple[Any, str]:
    """The model of a variant, and its ranks."""
    if variant == "dense":
        return Course(job, progress=Silent()).finish(copy_model(job.inputs.teacher)).model, ""
    ranks = None if variant == "channels" else choose_ranks(variant, asked)
    applied = reach_budgets(asked, ranks, trainer=make_trainer(job, progress=Silent()))
    return applied.model, "" if ranks is None else f"{ranks.list_ranks()}; lost {ranks.lost:.4f}"


def choose_ranks(variant: str, asked: Asked) -> LowRank:
    """The mildest ranks that keep to the budget; for both, those that save half as much."""
    method = LowRankMethod()
    settings = method.settings(asked)

    def fits(setting: LowRank) -> bool:
        price = asked.pricing.price(method.preview(asked.start.model, setting), budgets=asked.budgets)
        return not exceeded(price, asked.budgets)

    found = find_first(settings, fits)
    if variant == "both":
        return settings[(len(settings) if found is None else settings.index(found)) // 2]
    if found is None:
        raise InfeasibleError("no ranks keep to the budget")
    return found


def make_row(variant: str, fraction: float, artefact: Artefact, job: Job, *, note: str = "") -> LowRankRow:
    """The row of an artefact."""
    value = {figure: found.value or 0.0 for figure, found in artefact.figures.items()}
    return LowRankRow(
        variant=variant,
        fraction=fraction,
        seed=job.request.seed,
        mse=value["accuracy"],
        float_mse=artefact.float_accuracy,
        note=note,
        commit=find_commit(),
        date=now(),
        **{name: value[name] for name in ("tflite_bytes", "flash_bytes", "latency_ms", "arena_bytes")},
    )


def format_row(row: LowRankRow) -> str:
    """One line of Markdown."""
    return (
        f"| {row.variant} | {row.fraction:g} | {row.seed} | {row.tflite_bytes / 1024:.1f} | "
        f"{row.flash_bytes / 1024:.1f} | {row.latency_ms:.3g} | {row.arena_bytes / 1024:.1f} | "
        f"{row.mse:.3f} | {row.float_mse:.3f} | {row.note} |"
    )


def compare(rows: list[LowRankRow]) -> Iterator[str]:
    """For each of the other variants what channels alone need for its mse, interpolated between theirs."""
    points = sorted(
        (mean(r.mse for r in of), mean(r.tflite_bytes for r in of), mean(r.flash_bytes for r in of))
        for of in group(rows)
        if of[0].variant in ("channels", "dense")
    )
    mses, files, flashes = (list(column) for column in zip(*points, strict=True))
    for of_variant in group(rows):
        first, mse = of_variant[0], mean(r.mse for r in of_variant)
        if first.variant in ("channels", "dense") or not mses[0] <= mse <= mses[-1]:
            continue
        file, flash = (float(np.interp(mse, mses, sizes)) for sizes in (files, flashes))
        saved = [
            1 - mean(getattr(r, name) for r in of_variant) / alone
            for name, alone in (("tflite_bytes", file), ("flash_bytes", flash))
        ]
        yield (
            f"{first.variant} at {first.fraction:g}: mse {mse:.3f}, for which channels alone take "
            f"{file / 1024:.1f} KiB of file and {flash / 1024:.1f} KiB of flash: "
            f"{saved[0]:.1%} and {saved[1]:.1%} less"
        )


if __name__ == "__main__":
    main()
