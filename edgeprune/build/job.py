"""Everything that a build request names, opened."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeprune.build.file_metadata import read_labels
from edgeprune.build.inputs import Inputs, open_inputs
from edgeprune.build.machine import describe_machine, installed_versions
from edgeprune.build.request import OF_ONE_RUN, BuildRequest
from edgeprune.build.workdir import WorkDirectory
from edgeprune.config.training_options import USUAL_EPOCHS, Duration
from edgeprune.device.check import Budgets, narrow_profile, resolve_budgets
from edgeprune.device.profile import Profile, load_profile
from edgeprune.errors import RecipeError
from edgeprune.graph.channels import name_channels
from edgeprune.graph.kept_layers import keep_layers
from edgeprune.measuring.backend import backend_of
from edgeprune.measuring.runtime import choose_delegate, choose_runtime
from edgeprune.measuring.schemes import refuse_scheme
from edgeprune.methods.method import require_worth
from edgeprune.progress import Checkpoints, Progress
from edgeprune.prune.criteria import CRITERIA, NORMALISERS
from edgeprune.prune.floors import set_floors
from edgeprune.prune.limits import Limits
from edgeprune.prune.schedules import SCHEDULES
from edgeprune.registry import Registry
from edgeprune.tflite.schemes import choose_io_type

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.trainer import Trainer


_COURSES = {False: "a half cosine", True: "constant while that gains, then a half cosine"}
"""How the learning rate goes on, by whether the number of steps is open."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Job:
    """A build request with everything it names opened.

    Attributes:
        request: what was asked.
        inputs: model, data and task.
        profile: the device.
        budgets: what must hold.
        limits: what the solver must respect besides: alignment, least widths, scope, layers that are kept.
    """

    request: BuildRequest
    inputs: Inputs
    profile: Profile
    budgets: Budgets
    limits: Limits

    @property
    def criterion(self) -> str:
        """The criterion that ranks channels."""
        return self.request.criterion

    @property
    def epochs(self) -> int:
        """Of recovery, all steps together; where it goes on while it gains, what trials are sized by."""
        return USUAL_EPOCHS if self.request.epochs == "auto" else self.request.epochs

    @property
    def duration(self) -> Duration:
        """How long recovery takes: a loop of the owner's, or of several machines, is told beforehand."""
        is_ours = self.inputs.loop is None and self.request.distribute != "multiworker"
        return Duration(
            goes_on=is_ours and self.request.epochs == "auto",
            minutes=self.request.max_minutes if is_ours else None,
        )


def open_job(request: BuildRequest, *, inputs: Inputs | None = None, progress: Progress) -> Job:
    """Everything the request names, opened and checked.

    Args:
        request: what was asked.
        inputs: those of a job with the same model, data, loss, metric and seed, to spare opening them again.
        progress: is told what is going on.

    Raises:
        InputError: something cannot be used.
        ToolMissingError: the device has an NPU, and its compiler is not installed.
    """
    profile = choose_runtime(load_profile(request.device), request.runtime)
    profile = choose_delegate(profile, request.delegate)
    refuse_scheme(request.scheme, profile, io_type=request.io_type)
    backend_of(profile).require_tools()  # before hours of training, not after
    budgets = resolve_budgets(
        profile, asked=request.budgets, origins=request.origins, is_strict=request.strict
    )
    profile = narrow_profile(profile, budgets, minimized=request.minimize)
    _refuse_bad_settings(request)
    if request.shaping is not None:
        require_worth(
            request.shaping, profile, scheme=request.scheme, accept_no_gain=request.accepts("no-gain")
        )
    from edgeprune.keras_bridge.training.determinism import fix_seeds

    fix_seeds(request.seed)
    inputs = inputs or open_inputs(
        request.model,
        request.data,
        options=request.training,
        seed=request.seed,
        load=request.load,
        representative_samples=request.representative_samples,
        check_range=not request.accepts("input-range"),
        progress=progress,
    )
    if request.labels is not None:
        names = read_labels(request.labels, outputs=inputs.model.outputs)
        inputs = replace(inputs, data=replace(inputs.data, class_names=names))
    limits = _resolve_limits(request, profile, inputs.model)
    return Job(request=request, inputs=inputs, profile=profile, budgets=budgets, limits=limits)


def _resolve_limits(request: BuildRequest, profile: Profile, model: keras.Model) -> Limits:
    """What the solver must respect. Raises RecipeError where a pattern means no layer."""
    from edgeprune.keras_bridge.model.trace import trace

    channels = keep_layers(name_channels(trace(model).graph), request.keep)
    align = request.round_to or profile.runtime.round_to
    return Limits(
        round_to=align,
        min_channels=request.min_channels or align,
        floors=set_floors(channels, request.layers),
        keep=tuple(request.keep),
        scope=request.scope,
    )


def _refuse_bad_settings(request: BuildRequest) -> None:
    named: tuple[tuple[Registry[Any], str], ...] = (
        (SCHEDULES, request.schedule),
        (CRITERIA, request.criterion),
        (NORMALISERS, request.normalise or "none"),
    )
    for registry, name in named:
        registry[name]
    if request.scope not in ("global", "local"):
        raise RecipeError(f"unknown scope '{request.scope}'", fix="choose global or local")
    for name, count in (("min_channels", request.min_channels), ("round_to", request.round_to)):
        if count is not None and count < 1:
            raise RecipeError(f"{name} is {count}", fix="give at least 1")
    if request.resume and request.distribute == "multiworker":
        raise RecipeError("workers cannot resume: each would go on from elsewhere", fix="leave out --resume")


def describe_settings(job: Job) -> dict[str, Any]:
    """What was chosen, for the report."""
    calibration, strategy = job.inputs.calibration, job.inputs.strategy
    layer_prices = backend_of(job.profile).layer_prices
    return {
        "criterion": job.criterion,
        "normalise": job.request.normalise or CRITERIA[job.criterion].normalise,
        "scope": job.request.scope,
        "schedule": job.request.schedule,
        "scheme": job.request.scheme,
        "io_type": choose_io_type(job.request.scheme, job.request.io_type),
        **({"outputs": job.inputs.numbered_outputs} if job.inputs.numbered_outputs else {}),
        "representative": f"{calibration.samples} samples {calibration.selection}",
        "epochs": "as long as it gains" if job.duration.goes_on else job.epochs,
        **({"max_minutes": job.duration.minutes} if job.duration.minutes else {}),
        **({"minimize": job.request.minimize} if job.request.minimize else {}),
        "max_drop": "as usual" if job.request.drop is None else job.request.drop.describe(),
        "round_to": job.limits.round_to,
        "min_channels": job.limits.min_channels,
        "whole_layers": job.request.whole_layers,
        "low_rank": "as trials decide" if job.request.low_rank is None else job.request.low_rank,
        "weights": "as the device decides" if job.request.shaping is None else job.request.shaping.describe(),
        "keep": list(job.limits.keep),
        "layers": {
            pattern: f"at least {limit.min_channels} channels, at most {limit.max_ratio:g} of them go"
            for pattern, limit in job.request.layers.items()
        },
        "augmentation": job.inputs.augmentation.describe(),
        "optimizer": f"{job.inputs.optimizing.describe()}, {_COURSES[job.duration.is_open]}",
        "batch_size": job.inputs.batch_said,
        **({"precision": job.inputs.policy} if job.inputs.policy != "float32" else {}),
        **({"train": job.request.train} if job.request.train else {}),
        **({"delegate": job.request.delegate} if job.request.delegate else {}),
        **({"replicas": strategy.num_replicas_in_sync} if strategy else {}),
        **({"layer_prices": layer_prices} if layer_prices else {}),
    }


def make_trainer(job: Job, *, progress: Progress, work: Checkpoints | None = None) -> Trainer:
    """What fine-tunes the job's models, for all of its epochs; see `Inputs.make_trainer`."""
    trainer = job.inputs.make_trainer(epochs=job.epochs, seed=job.request.seed, progress=progress, work=work)
    return replace(trainer, duration=job.duration)


_NOT_HASHED = ("model", "data", "origins", *OF_ONE_RUN)
"""What does not decide on a build's result, or is hashed by its content."""


def open_work(job: Job, path: Path, *, progress: Progress) -> WorkDirectory:
    """The directory that keeps the finished stages of this build; `progress` is told what is done again."""
    from edgeprune.keras_bridge.training.distribution import list_accelerators

    request = job.request
    asked = [field.name for field in fields(request) if field.name not in _NOT_HASHED]
    settings = {name: getattr(request, name) for name in asked} | {"profile": asdict(job.profile)}
    return WorkDirectory(
        path,
        key=job.inputs.key(settings | {"versions": installed_versions()}),
        made_on={**describe_machine(), "accelerators": list_accelerators()},
        resume=request.resume,
        progress=progress,
    )
