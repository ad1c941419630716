"""Torch-Pruning 1.6 to the same budgets, as rows of the same file as those of `scripts/bench_pruning.py`.

It needs an environment of its own, because edgeprune does not depend on PyTorch:

    uv venv --python 3.11 .venv-torch
    uv pip install --python .venv-torch . torch torch-pruning==1.6.0
    .venv-torch/bin/python scripts/bench_torch_pruning.py --output bench [--models resnet8,dscnn]

A model's weights go into PyTorch (same outputs within 1e-4), where Torch-Pruning removes channels by its
group-norm or Taylor importance, globally, at the ratio at which the Keras model of those widths keeps to the
budget by edgeprune's own estimate. As in edgeprune's loop that is done in steps, with recovery between them:
the same schedule, teacher, learning rates, data in the same order, and the same int8 ladder at the end; but
no repair. The dense model's row must be there: run `scripts/bench_pruning.py --methods dense` first.
"""

import argparse
import math
import sys
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch_pruning as tp
from benchmarks.recovering import Course, make_file
from benchmarks.rows import AS_GIVEN, Row, RowFile, Run, find_commit
from benchmarks.runs import MODELS, Stopwatch, finish, make_row, open_for, parse_budget
from benchmarks.settings import changed, parse_settings
from benchmarks.subjects import Subject, prepare
from benchmarks.tables import format_entry, gather
from benchmarks.torch_twin import Twin, make_twin, read_back, to_torch
from torch.nn import functional

from edgeprune.build.job import Job
from edgeprune.build.pricing import make_pricing
from edgeprune.device.check import budget_limits
from edgeprune.errors import InfeasibleError
from edgeprune.keras_bridge.model.rebuild import rebuild
from edgeprune.keras_bridge.model.trace import trace
from edgeprune.keras_bridge.model.weights import copy_model
from edgeprune.keras_bridge.training.inference import predict
from edgeprune.keras_bridge.training.schedules import fractions

IMPORTANCES: Mapping[str, Callable[[], Any]] = {
    "group-norm": lambda: tp.importance.GroupMagnitudeImportance(p=2),
    "taylor": tp.importance.GroupTaylorImportance,
}
METHOD = "torch-pruning "
CUTS = 8
"""Steps for the whole of a cost, of which a budget takes its part; as in edgeprune's loop."""
SHARE_BETWEEN = 0.16
"""Of all optimizer steps, how many come between the cuts."""
LARGEST_RATIO = 0.9
"""Of a layer's channels, so that none goes as a whole."""
RATIO_STEP, HALVINGS = 0.05, 4
"""Ratios are tried upwards in such steps, the last of which is halved so often. Costs do not fall all the
way: what would lose more than the largest ratio, Torch-Pruning leaves as it is."""
GRADIENT_BATCHES, GRADIENT_SAMPLES = 16, 64


def main() -> int:
    """Runs what is not done yet."""
    arguments = parse_arguments()
    file, commit = RowFile(arguments.output / "runs.jsonl"), find_commit()
    for seed in map(int, arguments.seeds.split(",")):
        for model in arguments.models.split(","):
            for budget in arguments.budgets.split(","):
                for importance in arguments.importances.split(","):
                    run = Run(
                        model=model,
                        method=METHOD + importance,
                        budget=budget,
                        epochs=arguments.epochs,
                        seed=seed,
                        device=arguments.device,
                        options=arguments.settings,
                        commit=commit,
                    )
                    print(run.describe(), file=sys.stderr, flush=True)
                    row = file.find(run) or carry_out(run, file=file, output=arguments.output)
                    print(format_entry(gather([row])[0], reference=None), flush=True)
    return 0


def parse_arguments() -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--output", type=Path, default=Path("bench_pruning"), help="folder of rows and models"
    )
    parser.add_argument("--models", default="resnet8,dscnn")
    parser.add_argument("--budgets", default="latency:0.75,latency:0.5,latency:0.33")
    parser.add_argument("--importances", default=",".join(IMPORTANCES))
    parser.add_argument("--device", default="cortex-m7")
    parser.add_argument("--epochs", type=int, default=16)
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="see settings.py")
    arguments = parser.parse_args()
    try:
        arguments.settings = parse_settings(arguments.set)
        for budget in arguments.budgets.split(","):
            parse_budget(budget)
        if unknown := set(arguments.importances.split(",")) - set(IMPORTANCES):
            raise ValueError(f"unknown importance {', '.join(unknown)}; known: {', '.join(IMPORTANCES)}")
    except ValueError as error:
        parser.error(str(error))
    return arguments


def carry_out(run: Run, *, file: RowFile, output: Path) -> Row:
    """The row of a run, which is now in the file."""
    given = replace(run, method=AS_GIVEN, budget="", epochs=0, seed=0, options={})
    dense = file.find(given)
    if dense is None:
        sys.exit(f"bench_torch_pruning: there is no row '{given.describe()}' yet; run bench_pruning.py first")
    torch.manual_seed(run.seed)
    watch = Stopwatch()
    with changed(run.options):
        try:
            row, model = prune(run, subject=prepare(run.model, output / "subjects"), dense=dense, watch=watch)
        except InfeasibleError as error:
            row, model = Row(run=run, outcome=f"no plan: {error}"), None
    row = finish(row, model, watch=watch, models=output / MODELS)
    file.append(row)
    return row


def prune(run: Run, *, subject: Subject, dense: Row, watch: Stopwatch) -> tuple[Row, Any]:
    """The row and the model: cuts, and recovery between and after them."""
    job = open_for(run, subject=subject, dense=dense, watch=watch)
    name, _ = parse_budget(run.budget)
    budget = budget_limits(job.budgets)[name]
    course = Course(job, progress=watch)
    student = copy_model(job.inputs.teacher)
    first = price(student, job, name=name)
    cuts = min(CUTS, max(1, math.ceil(CUTS * (1 - budget / first))))
    between = max(1, int(SHARE_BETWEEN * course.steps / cuts))
    for number, fraction in enumerate(dict.fromkeys(fractions(job.request.schedule, steps=cuts))):
        watch.stage("cut")
        target = first - fraction * (first - budget)
        importance = IMPORTANCES[run.method.removeprefix(METHOD)]()
        student = cut(student, job, name=name, target=target, importance=importance, seed=run.seed + number)
        watch.stage("recover")
        student = course.tune(student, between)
    artefact = make_file(course.finish(student), job, progress=watch)
    return make_row(run, artefact, job_metric=job.inputs.task, outcome="made"), artefact.model


def cut(student: Any, job: Job, *, name: str, target: float, importance: Any, seed: int) -> Any:
    """The Keras model that Torch-Pruning leaves at the smallest ratio that meets a target.

    Args:
        student: what is cut; not changed.
        job: its data and device.
        name: of the budget.
        target: its cost may be no more than this.
        importance: of Torch-Pruning.
        seed: of the batches that gradients are taken of.
    """
    traced = trace(student)
    probe = job.inputs.validation.inputs[0][:32]
    twin = make_twin(traced.graph, probe=probe, expected=predict(student, (probe,))[0])
    take_gradients(twin, job, seed=seed)

    def make(ratio: float) -> Any:
        narrower = remove(twin, ratio, example=to_torch(probe[:1]), importance=importance, job=job)
        return rebuild(student, traced, graph=read_back(narrower))

    def meets(model: Any) -> bool:
        return price(model, job, name=name) <= target

    for high in np.arange(RATIO_STEP, LARGEST_RATIO, RATIO_STEP):
        if meets(best := make(high)):
            break
    else:
        raise InfeasibleError(f"Torch-Pruning cannot bring {name} to {target:g}")
    low = high - RATIO_STEP
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if meets(model := make(middle)):
            best, high = model, middle
        else:
            low = middle
    return best


def remove(twin: Twin, ratio: float, *, example: Any, importance: Any, job: Job) -> Twin:
    """A copy of the twin without that fraction of its channels."""
    narrower = deepcopy(twin)
    for parameter, given in zip(narrower.parameters(), twin.parameters(), strict=True):
        parameter.grad = None if given.grad is None else given.grad.clone()
    pruner = tp.pruner.BasePruner(
        narrower,
        example,
        importance=importance,
        global_pruning=True,
        pruning_ratio=ratio,
        max_pruning_ratio=LARGEST_RATIO,
        ignored_layers=[narrower.classifier],
        round_to=job.limits.round_to,
    )
    pruner.step()
    return narrower


def take_gradients(twin: Twin, job: Job, *, seed: int) -> None:
    """Gives the twin's weights the gradients of the loss on some training batches."""
    twin.eval()
    twin.zero_grad()
    for step in range(GRADIENT_BATCHES):
        batch = job.inputs.training.draw(step, size=GRADIENT_SAMPLES, seed=seed)
        assert batch.y is not None
        labels = torch.from_numpy(np.ravel(batch.y[0]).astype(np.int64))
        (functional.cross_entropy(twin(to_torch(batch.x[0])), labels) / GRADIENT_BATCHES).backward()


def price(model: Any, job: Job, *, name: str) -> float:
    """What a model costs, in the budget's unit."""
    limits = {name: budget_limits(job.budgets)[name]}
    return make_pricing(job).price(model, budgets=limits)[name]


if __name__ == "__main__":
    sys.exit(main())
