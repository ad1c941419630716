"""Trials on Ray, which only this knows: started, begun again when a worker is lost, stopped when behind."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from edgeprune.errors import ToolFailedError, ToolMissingError
from edgeprune.progress import Progress
from edgeprune.sweeps.plan import Trial, make_trial
from edgeprune.sweeps.storage import TRIALS, Storage

Objective = Callable[[Mapping[str, Any], Storage, str], Iterator[Mapping[str, Any]]]
"""What carries out a trial: (`Trial.to_json`, its storage, the node) → epochs and drop, now and then."""

ATTEMPTS = 3
"""How often a trial is begun before it counts as failed."""
_WITHOUT_NODES = 30.0
"""Seconds after which a cluster without a living node is given up."""
_DROP = "drop"
_RUNGS = {
    "time_attr": "epochs",
    "metric": _DROP,
    "mode": "min",
    "grace_period": 4,
    "reduction_factor": 2,
    "max_t": 10**6,
}
"""Early stopping looks after 4, 8, 16, … epochs, and lets the better half go on."""
_QUIET = {
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C ends the sweep, which --resume goes on with
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # three files for each trial, which nobody reads
    "TUNE_GLOBAL_CHECKPOINT_S": "60",  # the storage knows what has ended
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_AIR_NEW_OUTPUT": "0",  # stdout is for the answer
    "RAY_USAGE_STATS_ENABLED": "0",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Ending:
    """How a trial, as `Trial.to_json` gives it, ended without a result: stopped early, or by a failure."""

    trial: Mapping[str, Any]
    is_failure: bool
    why: str
    epochs: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cluster:
    """Where trials run, and what each takes.

    Attributes:
        address: of a Ray cluster; None for this machine alone.
        jobs: trials at a time; None for as many as there is room for.
        cpus, gpus, memory_gib: of a trial; no bound on memory where it is None.
    """

    address: str | None = None
    jobs: int | None = None
    cpus: float = 1.0
    gpus: float = 0.0
    memory_gib: float | None = None

    @property
    def resources(self) -> dict[str, float]:
        """As Ray takes them."""
        memory = {} if self.memory_gib is None else {"memory": self.memory_gib * 2**30}
        return {"cpu": self.cpus, "gpu": self.gpus, **memory}

    def describe(self) -> str:
        """What a trial takes, in words."""
        memory = "memory without a bound" if self.memory_gib is None else f"{self.memory_gib:g} GiB of memory"
        at_once = "" if self.jobs is None else f"{self.jobs} at a time, "
        return f"{at_once}each with {self.cpus:g} CPU, {self.gpus:g} GPU and {memory}"


def require_ray(search: str | None) -> None:
    """Raises ToolMissingError where Ray, or what searches, is not installed."""
    if find_spec("ray") is None:
        raise ToolMissingError(
            "sweeps run on Ray, which is not installed", fix="pip install 'edgeprune[sweep]'"
        )
    if search is not None and find_spec(search) is None:
        raise ToolMissingError(f"{search} is not installed", fix=f"pip install {search}")


@contextmanager
def connected(cluster: Cluster) -> Iterator[None]:
    """Ray, started here or joined, for the block.

    Raises:
        ToolFailedError: it cannot be started, or nothing answers at the address.
    """
    os.environ.update({key: os.environ.get(key, value) for key, value in _QUIET.items()})
    import ray

    asked: dict[str, Any] = {"address": cluster.address}
    if cluster.address is None:
        jobs = cluster.jobs or 1
        asked = {"address": "local", "include_dashboard": False, "num_cpus": max(1, int(jobs * cluster.cpus))}
    for attempt in range(ATTEMPTS):  # a machine that trains may be too busy to start it in Ray's 30 s
        try:
            ray.init(**asked, log_to_driver=False, logging_level="ERROR")
            break
        except Exception as error:
            ray.shutdown()
            if "timed out" not in str(error) or attempt == ATTEMPTS - 1:
                where = cluster.address or "this machine"
                why = str(error).partition("\n")[0]
                raise ToolFailedError("Ray cannot be started", where=where, why=why) from error
    try:
        yield
    finally:
        ray.shutdown()


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Runs:
    """How trials are run.

    Attributes:
        storage: where they live.
        objective: carries one out.
        cluster: where, and what each takes.
        stops_early: whether trials end that are behind others of their case at the same epoch.
        progress: is told of each that has ended.
    """

    storage: Storage
    objective: Objective
    cluster: Cluster
    stops_early: bool
    progress: Progress


def run_trials(trials: Sequence[Trial], runs: Runs) -> list[Ending]:
    """Carries all of them out; gives how those ended that left no result."""
    from ray import tune

    return _fit(
        runs,
        read=lambda config: config["trial"],
        space={"trial": tune.grid_search([trial.to_json() for trial in trials])},
        scheduler=_make_scheduler(trials) if runs.stops_early else None,
    )


def search_settings(
    case: Trial,
    runs: Runs,
    *,
    space: Mapping[str, Sequence[Any]],
    seeds: int,
    samples: int,
    known: Sequence[tuple[Mapping[str, Any], float]],
) -> list[Ending]:
    """Carries out trials of a case with settings that Optuna draws, and learns from.

    Args:
        case: a model on a device within a budget.
        runs: how trials are run.
        space: option → choices, or the least and the largest number.
        seeds: that each setting is built with.
        samples: how many settings.
        known: settings that were built before, and their drops.
    """
    from ray.tune.schedulers import ASHAScheduler
    from ray.tune.search import Repeater
    from ray.tune.search.optuna import OptunaSearch

    optuna = OptunaSearch(
        {key: _make_domain(values) for key, values in space.items()},
        metric=_DROP,
        mode="min",
        seed=len(known),  # else it would draw those again
        points_to_evaluate=[dict(settings) for settings, _ in known] or None,
        evaluated_rewards=[drop for _, drop in known] or None,
    )

    def read(config: Mapping[str, Any]) -> dict[str, Any]:
        settings = {key: config[key] for key in space}
        return make_trial(case, settings, seed=config.get("__trial_index__", 0)).to_json()

    return _fit(
        runs,
        read=read,
        # The same settings with another seed are no rivals.
        scheduler=ASHAScheduler(**_RUNGS) if runs.stops_early and seeds == 1 else None,
        search=optuna if seeds == 1 else Repeater(optuna, repeat=seeds, set_index=True),
        samples=samples * seeds,
    )


def _fit(
    runs: Runs,
    *,
    read: Callable[[Mapping[str, Any]], Mapping[str, Any]],
    space: Mapping[str, Any] | None = None,
    scheduler: Any,
    search: Any = None,
    samples: int = 1,
) -> list[Ending]:
    """Runs Ray Tune; `read` makes a trial, as `Trial.to_json` gives it, of what it draws from the space."""
    from ray import tune

    storage, objective, cluster = runs.storage, runs.objective, runs.cluster
    place = storage.place

    def carry_out(config: dict[str, Any]) -> None:
        import ray

        node = ray.get_runtime_context().get_node_id()
        for report in objective(read(config), Storage(place), node):
            tune.report(dict(report))

    tuner = tune.Tuner(
        tune.with_resources(carry_out, cluster.resources),
        param_space=dict(space or {}),
        tune_config=tune.TuneConfig(
            scheduler=scheduler,
            search_alg=search,
            num_samples=samples,
            max_concurrent_trials=cluster.jobs,
            reuse_actors=True,  # what must not meet runs in processes of its own
        ),
        run_config=tune.RunConfig(
            name="tune",
            storage_path=f"{place}/ray",
            failure_config=tune.FailureConfig(max_failures=ATTEMPTS - 1),
            callbacks=[_make_callback(runs.progress)],
            verbose=0,
        ),
    )
    endings: list[Ending] = []
    results = tuner.fit()
    storage.pull(TRIALS)
    ended = storage.ended()
    for found in results:
        trial = read(found.config or {})
        if trial["name"] not in ended:
            epochs = (found.metrics or {}).get("epochs")
            why = str(found.error).strip().splitlines()[-1] if found.error else "stopped early: behind others"
            endings.append(Ending(trial=trial, is_failure=found.error is not None, why=why, epochs=epochs))
    storage.forget("ray")
    return endings


def _make_scheduler(trials: Sequence[Trial]) -> Any:
    """Early stopping within each case: other budgets, devices and seeds are no rivals."""
    from ray.tune.schedulers import ASHAScheduler, FIFOScheduler

    cases = {trial.name: trial.case for trial in trials if trial.kind == "build"}

    class WithinCases(FIFOScheduler):  # type: ignore[misc]  # Ray's is untyped where it is absent
        def __init__(self) -> None:
            super().__init__()
            self.rivals = {case: ASHAScheduler(**_RUNGS) for case in set(cases.values())}

        def rivals_of(self, trial: Any) -> Any:
            return self.rivals.get(cases.get(trial.config["trial"]["name"], ""))

        def on_trial_add(self, controller: Any, trial: Any) -> None:
            if (rivals := self.rivals_of(trial)) is not None:
                rivals.on_trial_add(controller, trial)

        def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
            rivals = self.rivals_of(trial)
            decision: str = (
                self.CONTINUE if rivals is None else rivals.on_trial_result(controller, trial, result)
            )
            return decision

        def on_trial_complete(self, controller: Any, trial: Any, result: dict[str, Any]) -> None:
            if (rivals := self.rivals_of(trial)) is not None and "epochs" in result:
                rivals.on_trial_complete(controller, trial, result)

    return WithinCases()


def _make_domain(values: Sequence[Any]) -> Any:
    """A range between two numbers, by orders of magnitude where it spans more than one; else a choice."""
    from ray import tune

    numbers = all(isinstance(value, float) for value in values)
    if numbers and len(values) == 2:
        low, high = values
        return tune.loguniform(low, high) if low > 0 and high > 10 * low else tune.uniform(low, high)
    return tune.choice(list(values))


def _make_callback(progress: Progress) -> Any:
    import ray
    from ray.tune import Callback

    class Told(Callback):  # type: ignore[misc]
        def __init__(self) -> None:
            self.alive = self.looked = time.monotonic()

        def __reduce__(self) -> Any:
            return Callback, ()  # the copy that Ray keeps tells nobody

        def on_step_end(self, iteration: int, trials: Any, **info: Any) -> None:
            """Ray Tune itself waits for ever where no node is left."""
            now = time.monotonic()
            if now < self.looked + _WITHOUT_NODES / 10:  # there are many steps, and asking takes a message
                return
            self.looked = now
            if any(node["Alive"] for node in ray.nodes()):
                self.alive = now
            elif now > self.alive + _WITHOUT_NODES:
                fix = "the same command with --resume goes on"
                raise ToolFailedError("Ray has no node left that runs trials", fix=fix)

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            progress.advance(1)

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **info: Any) -> None:
            progress.advance(1)

    return Told()
