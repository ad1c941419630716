"""What a sweep is asked for, and the builds that follow from it.

devices = ["cortex-m7", "nrf52840-dk"]
latency_ms = [10, 15, 20]
seeds = 3

[[models]]                       # without any, the embedded example
model = "resnet8.keras"
data = "cifar10.npz"

[build]                          # options of every build, as in a recipe
epochs = 8

[settings]                       # options that are varied: all combinations are built
criterion = ["l2", "taylor"]

[search]                         # with --search: choices, or the least and the largest number
learning_rate = [1e-4, 1e-2]
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any, Literal

from edgeprune.config.budgets import BUDGETS
from edgeprune.config.build_options import BuildOptions, recipe_keys
from edgeprune.config.tables import TableError, parse_values, read_toml, ruled
from edgeprune.device.selection import match_profiles
from edgeprune.errors import RecipeError

OF_A_TRIAL = (
    "model",
    "data",
    "device",
    "output",
    "seed",
    "only_fine_tune",
    *(kind.key for kind in BUDGETS.values()),
)
"""Options that a sweep says of each build itself."""
_ANY_DROP = "1e6"
"""A sweep wants to know what is lost, whatever it is."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Subject:
    """A model, and the data that it is pruned with; None for the embedded example."""

    model: Path | None = None
    data: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class SweepPlan:
    """Models × devices × budgets × settings × seeds.

    Attributes:
        models: with their data.
        devices: names as `match_profiles` takes them.
        flash_kib, ram_kib, latency_ms: budgets; all combinations of those that are given.
        seeds: how many: 0, 1, ….
        build: options of every build.
        settings: option → its values, of which all combinations are built.
        search: option → its choices, or the least and the largest number, for a search.
    """

    models: tuple[Subject, ...] = ()
    devices: tuple[str, ...] = ruled(items=1)
    flash_kib: tuple[float, ...] = ()
    ram_kib: tuple[float, ...] = ()
    latency_ms: tuple[float, ...] = ()
    seeds: int = ruled(low=1, high=1000, default=1)
    build: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    search: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """As `plan.json` keeps it."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return document


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """One build of a sweep.

    Attributes:
        kind: a pruned model, or the dense one, fine-tuned, that it is held against.
        request: arguments of `edgeprune.build`, without an output.
        devices: those that a reference is priced on; of a build, the one that it is for.
        settings: what is varied.
    """

    kind: Literal["build", "reference"]
    request: Mapping[str, Any]
    devices: tuple[str, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Of its folder: what it is, and a hash of all that it asks for."""
        said = [self.kind, Path(self.request.get("model") or "example").stem]
        if self.kind == "build":
            said.append(Path(self.devices[0]).stem)
            said += [f"{key}-{self.request[key]:g}" for key in _list_budgets(self.request)]
        asked = json.dumps([self.kind, self.request, self.devices], sort_keys=True, default=str)
        return "-".join([*said, f"seed-{self.request['seed']}", sha256(asked.encode()).hexdigest()[:8]])

    @property
    def case(self) -> str:
        """What settings are compared within: all that is asked, but for them."""
        asked = {key: value for key, value in self.request.items() if key not in self.settings}
        return json.dumps([self.kind, asked], sort_keys=True, default=str)

    def to_json(self) -> dict[str, Any]:
        """For the process that builds it."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self), default=str))
        return {"name": self.name, **document}


def read_plan(path: Path) -> dict[str, Any]:
    """What a plan's file says, by the names of `SweepPlan`.

    Raises:
        RecipeError: it cannot be read, or has errors; all are reported together.
    """
    table, errors = read_toml(path)
    if errors:
        raise _refuse(errors, where=str(path))
    return check_plan(table, where=str(path))


def check_plan(asked: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """What a plan says, by the names of `SweepPlan`, checked option by option.

    Raises:
        RecipeError: keys that are not known, values of a wrong type or out of range.
    """
    tables = {name: asked[name] for name in ("build", "settings", "search") if name in asked}
    values, errors = parse_values({key: asked[key] for key in asked.keys() - tables.keys()}, SweepPlan)
    for name, table in tables.items():
        if not isinstance(table, Mapping):
            errors.append(TableError(key=name, problem="is no table"))
            continue
        varied = name != "build"
        values[name] = {key: tuple(v) if varied and isinstance(v, list) else v for key, v in table.items()}
        for key, value in table.items():
            errors += _check_option(f"{name}.{key}", key, value, varied=varied)
    for kind in BUDGETS.values():
        for value in values.get(kind.key) or ():
            errors += _check_value(kind.key, kind.key, value)
    if errors:
        raise _refuse(errors, where=where)
    return values


def compose_plan(
    given: Path | str | Mapping[str, Any] | None,
    *,
    data: str | None,
    epochs: int | str | None,
    said: Mapping[str, Any],
) -> SweepPlan:
    """The plan of a file, or of a model, with what flags or arguments say beside it.

    Args:
        given: a plan's file, its content, or a model's path; None for the embedded example.
        data: of a model.
        epochs: of every build.
        said: further keys of a plan, which beat those of the file; None is silence.

    Raises:
        RecipeError: it has errors, or no device is given.
    """
    asked = {key: list(v) if isinstance(v, tuple) else v for key, v in said.items() if v is not None}
    written: dict[str, Any] = {}
    if isinstance(given, Mapping):
        written = check_plan(given, where="the plan")
    elif given is not None and Path(given).suffix == ".toml":
        written = read_plan(Path(given))
    elif given is not None:
        asked["models"] = [{"model": str(given)} | ({} if data is None else {"data": data})]
    if data is not None and "models" not in asked:
        raise RecipeError(
            "data are those of a model, and none is given", fix="give one, or name both in the plan"
        )
    if epochs is not None:
        asked["build"] = {**written.get("build", {}), "epochs": epochs}
    values = {**written, **check_plan(asked, where="arguments")}
    if not values.get("devices"):
        raise RecipeError("no device is given", fix="name some; 'edgeprune devices list' shows what there is")
    return SweepPlan(**values)


def require_inputs(plan: SweepPlan) -> None:
    """Asks, before anything is started, whether every model and its data are there.

    Raises:
        RecipeError: one is not.
    """
    for subject in plan.models:
        if subject.model is not None and subject.data is None:
            raise RecipeError(
                "there are no data to prune it with",
                where=str(subject.model),
                fix="give data beside the model",
            )
        data = None if subject.data is None or ":" in subject.data else Path(subject.data)
        for path in (subject.model, data):
            if path is not None and not path.exists():
                raise RecipeError("no such file or folder", where=str(path), fix="check the path")


def list_trials(plan: SweepPlan) -> list[Trial]:
    """Every build, seed by seed so that all budgets are seen early, and the references first.

    Raises:
        UnknownNameError: there is no such device.
    """
    trials = []
    for seed in range(plan.seeds):
        for case in list_cases(plan):
            if case.kind == "reference":
                trials.append(make_trial(case, {}, seed=seed))
            else:
                trials += [make_trial(case, settings, seed=seed) for settings in _combine(plan.settings)]
    return trials


def list_cases(plan: SweepPlan) -> Iterator[Trial]:
    """What is asked but for settings and seeds: a reference for each model, then each device and budget."""
    devices = tuple(_list_devices(plan))
    for subject in plan.models or (Subject(),):
        base = {"max_drop": _ANY_DROP, **plan.build}
        base |= {key: str(value) for key, value in asdict(subject).items() if value is not None}
        reference = {**base, "only_fine_tune": True, "device": devices[0]}
        yield Trial(kind="reference", request=reference, devices=devices)
        for device in devices:
            for budgets in _combine({kind.key: getattr(plan, kind.key) for kind in BUDGETS.values()}):
                yield Trial(kind="build", request={**base, "device": device, **budgets}, devices=(device,))


def make_trial(case: Trial, settings: Mapping[str, Any], *, seed: int) -> Trial:
    """A case with settings and a seed."""
    request = {**case.request, **settings, "seed": seed}
    return Trial(kind=case.kind, request=request, devices=case.devices, settings=settings)


def _list_devices(plan: SweepPlan) -> list[str]:
    """Ids of profiles that ship, and files as they were given."""
    names = [part.strip() for name in plan.devices for part in name.split(",")]
    found = []
    for name in names:
        profiles = match_profiles([name])
        found += [name] if Path(name).suffix == ".toml" else [profile.id for profile in profiles]
    return list(dict.fromkeys(found))


def _list_budgets(request: Mapping[str, Any]) -> list[str]:
    return [kind.key for kind in BUDGETS.values() if request.get(kind.key) is not None]


def _combine(axes: Mapping[str, Sequence[Any]]) -> Iterator[dict[str, Any]]:
    """All combinations of values of the axes that have any."""
    named = {name: values for name, values in axes.items() if values}
    for values in product(*named.values()):
        yield dict(zip(named, values, strict=True))


def _check_option(where: str, key: str, value: Any, *, varied: bool) -> list[TableError]:
    if key in OF_A_TRIAL and key in BuildOptions.__dataclass_fields__:
        return [TableError(key=where, problem="is said of the whole sweep, or follows from it")]
    if key in BuildOptions.__dataclass_fields__ and key not in recipe_keys():
        return [TableError(key=where, problem="belongs to one run")]
    if varied and not isinstance(value, list | tuple):
        return [TableError(key=where, problem="takes a list of values")]
    return [error for each in (value if varied else [value]) for error in _check_value(where, key, each)]


def _check_value(where: str, key: str, value: Any) -> list[TableError]:
    spelt = f"{value:g}" if key == "max_drop" and isinstance(value, int | float) else value
    errors = parse_values({key: spelt}, BuildOptions)[1]
    return [TableError(key=where, problem=error.problem) for error in errors]


def _refuse(errors: Sequence[TableError], *, where: str) -> RecipeError:
    count = f"{len(errors)} errors: " if len(errors) > 1 else ""
    return RecipeError(count + "; ".join(map(str, errors)), where=where)
