"""Accuracy of the int8 artefact at fractions of the dense model's latency, flash and RAM, against baselines.

From the same weights, with the same teacher, data and number of steps:

    dense, fine-tuned   by the same recovery, nothing removed
    edgeprune           `edgeprune.build` itself: all of its choices, and the int8 ladder
    uniform             every layer narrowed by the same fraction at once, its smallest channels by l2 norm
    random              channels removed at random at once

Models: ResNet-8 on CIFAR-10, DS-CNN on spoken digits in noise, the FC-AutoEncoder and MobileNetV1-0.25, which
this script trains first where they do not come with ../shared (beside the checkout), and keeps in the output
folder. Decisions are made on `x_val`, figures are of `x_test`. A fraction of flash is one of the file, and of
RAM one of the arena.

    python scripts/bench_pruning.py --output bench [--models resnet8,dscnn] [--epochs 16] [--seeds 0,1,2]
    python scripts/bench_pruning.py --output bench --table

Each finished run is a line of bench/runs.jsonl, with its commit and date, and is not run again; its Keras
model is in bench/models. --table prints the Markdown tables, and draws accuracy against latency, from that
file alone. Parts of the build are set otherwise by --set (see `benchmarks/settings.py`):

    python scripts/bench_pruning.py --output bench --methods edgeprune --budgets latency:0.5 --epochs 4 \
        --set learning_rate=3e-3 --set edgeprune.methods.loop.PRUNING_SHARE=0.3

--compare runs all criteria and scopes, without removing whole layers; model "example" is the small network
that is packed with edgeprune. --scratch trains architectures from random weights, each of them solved to the
same budget: uniform, wedge (the first block narrow, the last one wide), block-fewer, or a .keras file as it
is.

    python scripts/bench_pruning.py --output bench --compare --epochs 4 [--criteria l2,fpgm] [--scopes global]
    python scripts/bench_pruning.py --output bench --scratch uniform,wedge,block-fewer --budgets latency:0.5 \
        --epochs 60
"""

import argparse
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.plots import write_plots
from benchmarks.rows import AS_GIVEN, TUNED, RowFile, Run, find_commit
from benchmarks.runs import ARCHITECTURES, SCRATCH, carry_out, list_scratch, parse_budget
from benchmarks.settings import parse_settings
from benchmarks.subjects import SHARED, SUBJECTS, prepare
from benchmarks.tables import format_entry, format_tables, gather

from edgeprune.prune.criteria import CRITERIA

METHODS = ("dense", "edgeprune", "uniform", "random")
BUDGETS = "latency:0.75,latency:0.5,latency:0.33,flash:0.5,ram:0.5"
ROWS = "runs.jsonl"


def main() -> int:
    """Runs what is not done yet, or prints the tables; 1 if a run failed."""
    arguments = parse_arguments()
    file = RowFile(arguments.output / ROWS)
    if arguments.one:
        run_one(Run(**json.loads(arguments.one)), output=arguments.output)
        return 0
    if arguments.table:
        return print_table(arguments, file)
    runs = list(list_runs(arguments, commit=arguments.commit or find_commit()))
    if arguments.list:
        print("\n".join(run.describe() for run in runs if file.find(run) is None))
        return 0
    if not SHARED.is_dir():
        sys.exit("bench_pruning: ../shared, with the models and data, is not beside this checkout")
    keep_architectures(arguments)
    failed = 0
    for number, run in enumerate(runs, 1):
        print(f"[{number}/{len(runs)}] {run.describe()}", file=sys.stderr, flush=True)
        if (row := file.find(run)) is None:
            failed += not start(run, output=arguments.output)
            row = file.find(run)
        if row is not None:
            print(format_entry(gather([row])[0], reference=None), flush=True)
    return 1 if failed else 0


def parse_arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--output", type=Path, default=Path("bench_pruning"), help="folder of rows and models"
    )
    parser.add_argument("--models", help=f"of {', '.join(SUBJECTS)}; default: resnet8,dscnn")
    parser.add_argument("--budgets", help=f"default: {BUDGETS}; with --compare and --scratch latency:0.5")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--device", default="cortex-m7")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="see settings.py")
    parser.add_argument("--compare", action="store_true", help="all criteria and scopes instead of methods")
    parser.add_argument("--criteria", default=",".join(CRITERIA))
    parser.add_argument("--scopes", default="local,global")
    parser.add_argument("--scratch", help=f"of {', '.join(list_scratch())}, or .keras files, with commas")
    parser.add_argument("--commit", help="count as runs of this one; default: the last one of edgeprune")
    parser.add_argument("--table", action="store_true", help="print what is finished, and draw it")
    parser.add_argument("--list", action="store_true", help="print what is not finished yet, and run nothing")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    try:
        arguments.settings = parse_settings(arguments.set)
        usual = "latency:0.5" if arguments.compare or arguments.scratch else BUDGETS
        arguments.budgets = (arguments.budgets or usual).split(",")
        for budget in arguments.budgets:
            parse_budget(budget)
    except ValueError as error:
        parser.error(str(error))
    _refuse_unknown(parser, "model", arguments.models or "", SUBJECTS)
    _refuse_unknown(parser, "method", arguments.methods, METHODS)
    return arguments


def _refuse_unknown(parser: argparse.ArgumentParser, what: str, asked: str, known: Iterable[str]) -> None:
    unknown = sorted(set(filter(None, asked.split(","))) - set(known))
    if unknown:
        parser.error(f"unknown {what} {', '.join(unknown)}; known: {', '.join(known)}")


def list_runs(arguments: argparse.Namespace, *, commit: str) -> Iterator[Run]:
    """What was asked for, seed by seed, so that a table is complete early; each model's dense row first."""
    seeds = [int(seed) for seed in arguments.seeds.split(",")]
    models = (arguments.models or "resnet8,dscnn").split(",")
    for seed in seeds:
        for model in models:
            usual = Run(
                model=model,
                method="edgeprune",
                epochs=arguments.epochs,
                seed=seed,
                device=arguments.device,
                options=arguments.settings,
                commit=commit,
            )
            if seed == seeds[0]:
                yield as_given(usual)
            variants = list(list_variants(arguments, usual))
            yield from (run for run in variants if run.method == TUNED)
            for budget in arguments.budgets:
                yield from (replace(run, budget=budget) for run in variants if run.method != TUNED)


def list_variants(arguments: argparse.Namespace, usual: Run) -> Iterator[Run]:
    """The methods that are held against each other, without a budget yet."""
    if arguments.scratch:
        for name in arguments.scratch.split(","):
            yield replace(usual, method=SCRATCH + Path(name).name)
    elif arguments.compare:
        for criterion in arguments.criteria.split(","):
            for scope in arguments.scopes.split(","):
                ranking = {"criterion": criterion, "scope": scope, "whole_layers": False}
                yield replace(usual, options={**ranking, **usual.options})
    else:
        for name in arguments.methods.split(","):
            yield replace(usual, method=TUNED if name == "dense" else name)


def keep_architectures(arguments: argparse.Namespace) -> None:
    """Copies the files that are to be trained from scratch into the benchmark's folder, for later runs."""
    for name in (arguments.scratch or "").split(","):
        path, folder = Path(name), arguments.output / ARCHITECTURES
        if name.endswith(".keras") and not (folder / path.name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / path.name)


def as_given(run: Run) -> Run:
    """The run that gives the dense model's row, of which budgets are fractions."""
    return replace(run, method=AS_GIVEN, budget="", epochs=0, seed=0, options={})


def start(run: Run, *, output: Path) -> bool:
    """Whether a run, in a process of its own, came to its end."""
    command = [sys.executable, __file__, "--output", str(output), "--one", json.dumps(asdict(run))]
    code = subprocess.run(command, check=False).returncode
    if code in (-signal.SIGINT, 130):
        raise KeyboardInterrupt
    return code == 0


def run_one(run: Run, *, output: Path) -> None:
    """Adds the row of a run."""
    file = RowFile(output / ROWS)
    dense = None if run.method == AS_GIVEN else file.find(as_given(run))
    subject = prepare(run.model, output / "subjects")
    file.append(carry_out(run, subject=subject, dense=dense, output=output))


def print_table(arguments: argparse.Namespace, file: RowFile) -> int:
    """Prints the tables of the models that were asked for, and draws them."""
    rows = [
        row for row in file.read() if arguments.models is None or row.run.model in arguments.models.split(",")
    ]
    if not rows:
        print(f"bench_pruning: no finished run in {file.path}", file=sys.stderr)
        return 1
    print(format_tables(rows))
    for path in write_plots(rows, arguments.output):
        print(f"drawn: {path}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
