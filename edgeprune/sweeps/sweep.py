"""The road of a sweep: list the trials, carry out what has not ended, gather the rows, write the results."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Literal

from edgeprune.build.workdir import place_of_work
from edgeprune.errors import RecipeError, ToolFailedError
from edgeprune.files import write_file
from edgeprune.progress import Progress
from edgeprune.runtimes.processes import count_cores
from edgeprune.sweeps.front import References
from edgeprune.sweeps.plan import SweepPlan, Trial, list_cases, list_trials, make_trial, require_inputs
from edgeprune.sweeps.process import run_trial
from edgeprune.sweeps.results import RESULTS, SweepResult, gather, write_results
from edgeprune.sweeps.rows import TRIAL_FILE, Row, describe_trial
from edgeprune.sweeps.storage import OUTPUT, TRIALS, Storage
from edgeprune.sweeps.tuning import (
    Cluster,
    Ending,
    Objective,
    Runs,
    connected,
    require_ray,
    run_trials,
    search_settings,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepRequest:
    """What `edgeprune sweep` was asked for.

    Attributes:
        plan: what is built.
        storage: a path or URL.
        resume: whether to go on with what is there.
        cluster: where, and what each trial takes.
        stops_early: whether settings that are behind are given up.
        search: what draws settings; None for all combinations.
        samples: how many settings are drawn for each model, device and budget.
    """

    plan: SweepPlan
    storage: str
    resume: bool = False
    cluster: Cluster = field(default_factory=Cluster)
    stops_early: bool = True
    search: Literal["optuna"] | None = None
    samples: int = 10

    def to_json(self) -> dict[str, Any]:
        """What decides on the trials."""
        return {**self.plan.to_json(), "search_with": self.search, "samples": self.samples}


def sweep(request: SweepRequest, *, progress: Progress, objective: Objective | None = None) -> SweepResult:
    """Carries out every trial that has not ended, and writes the results.

    Args:
        request: what was asked.
        progress: is told of each trial that has ended.
        objective: what carries a trial out; None for a build.

    Raises:
        ToolMissingError: Ray is not installed.
        ToolFailedError: it cannot be started, or trials failed; the results of the others are written.
        OutputError: the storage holds another sweep, or none to resume.
        RecipeError: a model or its data are not there, or none are given.
    """
    require_inputs(request.plan)
    require_ray(request.search)
    if bool(request.plan.search) != (request.search is not None):
        raise RecipeError(
            "a search needs what to search, and who does", fix="give both [search] and --search"
        )
    cluster = request.cluster
    if cluster.address is None and cluster.jobs is None:
        cluster = replace(cluster, jobs=max(1, int(count_cores() // cluster.cpus)))
    trials = list_trials(request.plan)
    if request.search is not None:
        trials = [trial for trial in trials if trial.kind == "reference"]
    storage = Storage(request.storage)
    storage.start(request.to_json(), resume=request.resume)
    storage.pull(TRIALS)
    runs = Runs(
        storage=storage,
        objective=objective or _build_with(cluster),
        cluster=cluster,
        stops_early=request.stops_early,
        progress=progress,
    )
    try:
        with connected(cluster):
            endings = [*_carry_out(trials, runs), *_search(request, runs)]
    except KeyboardInterrupt as error:
        error.add_note(f"{len(storage.ended())} trials have ended: the same command with --resume goes on")
        raise
    for ending in endings:
        if not ending.is_failure:
            _keep_stopped(ending, storage)
    places = {trial.name: place for place, trial in enumerate(trials)}
    rows = sorted(storage.rows(), key=lambda row: places.get(row.trial, len(places)))
    result = gather(rows, folder=request.storage)
    progress.stage("write the results")
    write_results(result, storage.local, progress=progress)
    for name in RESULTS:
        storage.push(name)
    _refuse_failures([ending for ending in endings if ending.is_failure], request)
    return result


def _carry_out(trials: Sequence[Trial], runs: Runs) -> list[Ending]:
    """What has not ended of these trials."""
    ended = runs.storage.ended()
    left = [trial for trial in trials if trial.name not in ended]
    if not left:
        return []
    runs.progress.stage(f"trials, {runs.cluster.describe()}", total=len(left))
    return run_trials(left, runs)


def _search(request: SweepRequest, runs: Runs) -> list[Ending]:
    """What is left of the searches, one for each device and budget."""
    endings: list[Ending] = []
    for case in list_cases(request.plan) if request.search is not None else ():
        known = list_known(case, list(runs.storage.rows()))
        left = request.samples - len(known)
        if case.kind == "build" and left > 0:
            seeds = request.plan.seeds
            runs.progress.stage(f"search, {runs.cluster.describe()}", total=left * seeds)
            endings += search_settings(
                case, runs, space=request.plan.search, seeds=seeds, samples=left, known=known
            )
    return endings


def _build_with(cluster: Cluster) -> Objective:
    """Carries out a trial as a build, with as many threads as it has CPUs; paths are relative to here."""
    cpus, within = cluster.cpus, Path.cwd()

    def carry_out(trial: Mapping[str, Any], storage: Storage, node: str) -> Iterator[Mapping[str, Any]]:
        return run_trial(trial, storage, cpus=cpus, node=node, within=within)

    return carry_out


def list_known(case: Trial, rows: Sequence[Row]) -> list[tuple[Mapping[str, Any], float]]:
    """Settings that were built for a case before, and their mean drops."""
    asked = describe_trial(make_trial(case, {}, seed=0).to_json())
    references, drops = References.of(rows), dict[str, list[float]]()
    for row in rows:
        same = all(getattr(row, key) == asked[key] for key in ("kind", "model", "budgets"))
        drop = references.drop(row)
        if same and row.device == case.devices[0] and drop is not None:
            drops.setdefault(json.dumps(dict(row.settings), sort_keys=True), []).append(drop)
    return [(json.loads(settings), fmean(found)) for settings, found in drops.items()]


def _keep_stopped(ending: Ending, storage: Storage) -> None:
    """The row of a trial that was stopped, so that --resume does not begin it again."""
    trial = ending.trial
    row = Row(**describe_trial(trial), device=trial["devices"][0], said=ending.why, epochs=ending.epochs)
    path = f"{TRIALS}/{trial['name']}"
    folder = storage.folder(trial["name"])
    write_file(folder / TRIAL_FILE, json.dumps({"rows": [row.to_json()]}).encode(), force=True)
    storage.push(f"{path}/{TRIAL_FILE}")
    storage.forget(f"{path}/{place_of_work(folder / OUTPUT).name}")


def _refuse_failures(failed: Sequence[Ending], request: SweepRequest) -> None:
    """Raises ToolFailedError where trials came to no end."""
    if failed:
        name = failed[0].trial["name"]
        raise ToolFailedError(
            f"{len(failed)} of the trials failed",
            where=name,
            why=failed[0].why,
            fix=f"its log is in {request.storage}/{TRIALS}/{name}; --resume tries them again",
        )
