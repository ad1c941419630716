"""The road of a build, top to bottom.

    open the inputs → measure the dense model → shrink it → convert → strip → verify → check → write

`build` is that road. Everything it calls is a function with plain values on both ends; the only things that
change on the way are the Keras model being trained and the files on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeprune.assemble import Artefact, Outcome, compose_report, write_output
from edgeprune.dead_step import strip_dead
from edgeprune.device.check import Budgets, check_budgets, resolve_budgets
from edgeprune.device.op_costs import op_costs
from edgeprune.device.profile import Profile, load_profile
from edgeprune.errors import InfeasibleError, OpError, RecipeError
from edgeprune.figures import Check, Figure
from edgeprune.graph.branches import bypass
from edgeprune.graph.channels import name_channels
from edgeprune.graph.keeping import keep_layers
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.inputs import Inputs, open_inputs
from edgeprune.layer_step import LayerChoice, choose_layers, take_branches
from edgeprune.load_options import LoadOptions
from edgeprune.measure import Measured, budget_limits, check_ops, measure
from edgeprune.opening import Opening, go_on_without_dead, open_with_dense
from edgeprune.progress import Progress
from edgeprune.prune.criteria import CRITERIA, NORMALISERS
from edgeprune.prune.floors import set_floors
from edgeprune.prune.solve import Limits, family_widths, fit_costs
from edgeprune.prune_step import Pruner, require_feasible
from edgeprune.recipe import LayerLimit
from edgeprune.registry import Registry
from edgeprune.report import Report
from edgeprune.runtimes.compare import Agreement, compare_runs
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.shrink import Shrunk, shrink
from edgeprune.tflite.strip import strip
from edgeprune.workdir import WorkDirectory, refuse_existing

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.train import Recovery

BUDGET_FIGURES = {"flash": "flash_bytes", "ram": "ram_bytes", "latency": "latency_ms"}
"""Budget → the figure that must keep to it."""
DEFAULT_EPOCHS = 16
DEFAULT_CRITERION = "taylor"
MACS_VERIFIED_AT_MOST = 4e9
"""How much work the check against TFLM's reference kernels may be; they run at about 0.3 GMAC/s."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRequest:
    """What `edgeprune build` was asked for; None where the recipe, the profile or edgeprune decides.

    Attributes:
        model: a saved Keras model; None for the embedded example.
        device: a profile's id or file.
        data: what `load_data` takes; None only with the embedded example.
        output: the directory to be made.
        flash_kib, ram_kib, latency_ms: budgets that replace the profile's.
        max_drop: largest drop of the metric, as in `Task.drop`.
        metric, loss: names, where the model and its outputs do not settle them.
        scheme, criterion, scope, schedule: names in their registries; no criterion: the best the data allow.
        normalise: how scores are made comparable across families; None for the criterion's own way.
        keep: patterns of layer names whose channels stay.
        layers: pattern of layer names → what must stay of each of them.
        min_channels: least channels of a group, or all it has; by default `round_to`.
        round_to: numbers of channels become multiples of this; by default the profile's.
        whole_layers: whether whole layers may go.
        epochs: of recovery, all steps together.
        seed: of everything random.
        load: how the model is opened.
        resume: go on after the last finished stage of the same build.
        force: replace an existing output.
    """

    model: Path | None
    device: str
    data: str | None
    output: Path
    flash_kib: float | None = None
    ram_kib: float | None = None
    latency_ms: float | None = None
    max_drop: float = 0.02
    metric: str | None = None
    loss: str | None = None
    scheme: str = "int8"
    criterion: str | None = None
    scope: str = "global"
    normalise: str | None = None
    keep: tuple[str, ...] = ()
    layers: Mapping[str, LayerLimit] = field(default_factory=dict)
    min_channels: int | None = None
    round_to: int | None = None
    whole_layers: bool = True
    schedule: str = "polynomial_decay"
    epochs: int | None = None
    seed: int = 0
    load: LoadOptions = field(default_factory=LoadOptions)
    resume: bool = False
    force: bool = False


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
        return self.request.criterion or DEFAULT_CRITERION

    @property
    def epochs(self) -> int:
        """Epochs of recovery, all steps together."""
        return self.request.epochs or DEFAULT_EPOCHS


def build(request: BuildRequest, *, progress: Progress) -> Report:
    """Makes the output directory and returns its report.

    Raises:
        InfeasibleError: the budgets cannot be met within `max_drop`; `report` says what was found.
        InputError: an input cannot be used; nothing was written.
        ToolError: a runtime failed.
    """
    refuse_existing(request.output, force=request.force)
    job = open_job(request, progress=progress)
    work = _open_work(job)
    with work.kept_if_useful():
        outcome = take_road(job, work=work, progress=progress)
    report = compose_report(outcome)
    if not report.verdict:
        raise _infeasible(report, outcome, work)
    progress.stage("write")
    write_output(request.output, outcome, report=report, force=request.force)
    work.remove()
    return report


def open_job(request: BuildRequest, *, inputs: Inputs | None = None, progress: Progress) -> Job:
    """Everything the request names, opened and checked.

    Args:
        request: what was asked.
        inputs: those of a job with the same model, data, loss, metric and seed, to spare opening them again.
        progress: is told what is going on.

    Raises:
        InputError: something cannot be used.
    """
    profile = load_profile(request.device)
    flags = {"flash_kib": request.flash_kib, "ram_kib": request.ram_kib, "latency_ms": request.latency_ms}
    budgets = resolve_budgets(profile, flags=flags)
    _refuse_bad_settings(request)
    from edgeprune.keras_bridge.determinism import fix_seeds

    fix_seeds(request.seed)
    inputs = inputs or open_inputs(
        request.model,
        request.data,
        loss=request.loss,
        metric=request.metric,
        seed=request.seed,
        load=request.load,
        progress=progress,
    )
    limits = _resolve_limits(request, profile, inputs.model)
    return Job(request=request, inputs=inputs, profile=profile, budgets=budgets, limits=limits)


def _resolve_limits(request: BuildRequest, profile: Profile, model: keras.Model) -> Limits:
    """What the solver must respect. Raises RecipeError where a pattern means no layer."""
    from edgeprune.keras_bridge.trace import trace

    channels = keep_layers(name_channels(trace(model).graph), request.keep)
    align = request.round_to or profile.runtime.round_to
    return Limits(
        round_to=align,
        min_channels=request.min_channels or align,
        floors=set_floors(channels, request.layers),
        keep=tuple(request.keep),
        scope=request.scope,
    )


def take_road(job: Job, *, work: WorkDirectory, progress: Progress) -> Outcome:
    """From the dense model to a checked artefact; nothing is written but finished stages."""
    progress.stage("dense model: convert, measure, evaluate")
    dense = make_artefact(job.inputs.model, job)
    _refuse_unsupported(dense.measured, job.profile)
    opening, lean = open_loop(job, dense, progress=progress)
    if _exceeded(lean.measured, job.budgets):
        shrunk = shrink_to_budgets(job, lean, opening=opening, work=work, progress=progress)
        progress.stage("pruned model: convert, measure, evaluate")
        pruned = make_artefact(shrunk.model, job)
    elif lean is not dense:
        progress.note("without its dead channels the model already fits: nothing else is pruned")
        shrunk = Shrunk(model=opening.model, steps=opening.steps, equivalence=opening.equivalence)
        pruned = lean
    else:
        progress.note("the dense model already fits: nothing is pruned")
        shrunk, pruned = Shrunk(model=job.inputs.model, steps=[], equivalence=[]), dense
    progress.stage("verify in the device's runtime")
    agreement = _verify(pruned, job)
    return Outcome(
        inputs=job.inputs,
        profile=job.profile,
        budgets=job.budgets,
        dense=dense,
        pruned=pruned,
        shrunk=shrunk,
        agreement=agreement,
        checks=_check(job, dense, pruned, agreement),
        settings={
            "criterion": job.criterion,
            "normalise": job.request.normalise or CRITERIA[job.criterion].normalise,
            "scope": job.request.scope,
            "schedule": job.request.schedule,
            "scheme": job.request.scheme,
            "epochs": job.epochs,
            "max_drop": job.request.max_drop,
            "round_to": job.limits.round_to,
            "min_channels": job.limits.min_channels,
            "whole_layers": job.request.whole_layers,
            "keep": list(job.limits.keep),
            "layers": {
                pattern: f"at least {limit.min_channels} channels, at most {limit.max_ratio:g} of them go"
                for pattern, limit in job.request.layers.items()
            },
            "augmentation": job.inputs.augmentation.describe(),
        },
        seed=job.request.seed,
    )


def _refuse_bad_settings(request: BuildRequest) -> None:
    from edgeprune.keras_bridge.convert import SCHEMES
    from edgeprune.keras_bridge.schedules import SCHEDULES

    named: tuple[tuple[Registry[Any], str], ...] = (
        (SCHEMES, request.scheme),
        (SCHEDULES, request.schedule),
        (CRITERIA, request.criterion or DEFAULT_CRITERION),
        (NORMALISERS, request.normalise or "none"),
    )
    for registry, name in named:
        registry[name]
    if request.scope not in ("global", "local"):
        raise RecipeError(f"unknown scope '{request.scope}'", fix="choose global or local")
    if not request.max_drop >= 0:
        raise RecipeError(f"max_drop is {request.max_drop}", fix="give a number from 0, for example 0.02")
    for name, count in (("min_channels", request.min_channels), ("round_to", request.round_to)):
        if count is not None and count < 1:
            raise RecipeError(f"{name} is {count}", fix="give at least 1")
    if request.epochs is not None and request.epochs < 1:
        raise RecipeError(f"epochs is {request.epochs}", fix="give at least 1")


def _open_work(job: Job) -> WorkDirectory:
    request = job.request
    ignored = ("output", "resume", "force", "model", "data")
    settings = {name: value for name, value in asdict(request).items() if name not in ignored}
    path = request.output.with_name(f"{request.output.name}.work")
    return WorkDirectory(
        path, key=job.inputs.key({**settings, "profile": asdict(job.profile)}), resume=request.resume
    )


def make_artefact(model: keras.Model, job: Job) -> Artefact:
    """Converts, strips, measures and evaluates: every figure of the model and of its file."""
    from edgeprune.keras_bridge.convert import convert
    from edgeprune.keras_bridge.trace import trace

    inputs, scheme = job.inputs, job.request.scheme
    tflite = strip(convert(model, scheme=scheme, representative=inputs.representative))
    measured = measure(tflite, profile=job.profile, where="model.tflite")
    run = run_litert(tflite, inputs.test.inputs)
    samples = len(inputs.test.inputs[0])
    graph = trace(model).graph
    channels = name_channels(graph)
    macs = count_macs(Lowering(graph, channels).lower(channels.everything))
    counted = "counted in the layer graph"
    figures = {
        "params": Figure(value=float(graph.params), unit="", source="measured", evidence=counted),
        "macs": Figure(value=float(macs), unit="", source="measured", evidence=counted),
        **measured.figures,
        "accuracy": Figure(
            value=inputs.test.score_outputs([output.values for output in run.outputs]),
            unit="",
            source="simulated",
            evidence=f"{inputs.task.metric} of the {scheme} file on {samples} test samples, {run.runtime}",
        ),
    }
    return Artefact(
        model=model,
        graph=graph,
        tflite=tflite,
        measured=measured,
        figures=figures,
        float_accuracy=inputs.test.score_model(model),
    )


def _refuse_unsupported(measured: Measured, profile: Profile) -> None:
    if measured.unsupported:
        raise OpError(
            f"{profile.runtime.name} on {profile.id} cannot execute the converted model",
            why=measured.unsupported[0],
            fix="replace the layer that becomes this op",
        )


def _costs(measured: Measured, budgets: Budgets) -> dict[str, float]:
    """Budget name → what the file costs, for the budgets that are asked.

    Raises:
        InfeasibleError: a budget is asked for a figure that cannot be had.
    """
    costs = {}
    for name in budget_limits(budgets):
        figure = measured.figures[BUDGET_FIGURES[name]]
        if figure.value is None:
            raise InfeasibleError(
                f"whether the {name} budget holds cannot be known",
                why=figure.evidence,
                fix=f"choose another device, or give no {name} budget",
            )
        costs[name] = figure.value
    return costs


def _exceeded(measured: Measured, budgets: Budgets) -> list[str]:
    costs = _costs(measured, budgets)
    return [name for name, limit in budget_limits(budgets).items() if costs[name] > limit]


def open_loop(job: Job, dense: Artefact, *, progress: Progress) -> tuple[Opening, Artefact]:
    """Where pruning starts, and that model as an artefact: the teacher without its dead channels, if any.

    Channels that are dead for every input of the data's range always go. Those that were merely constant on
    all samples go where something has to go anyway: the proof of no loss does not cover inputs unlike these.
    """
    judge, measured = job.inputs.validation, _costs(dense.measured, job.budgets)
    macs = int(dense.figures["macs"].value or 0)
    opening = open_with_dense(job.inputs.teacher, cost=measured, macs=macs, judge=judge)
    progress.stage("remove dead channels")
    try:
        stripped = strip_dead(
            job.inputs.teacher,
            data=job.inputs.data.x_train,
            trust_seen=bool(_exceeded(dense.measured, job.budgets)),
            limits=job.limits,
            seed=job.request.seed,
        )
    except InfeasibleError as error:  # lossless or not at all; what costs accuracy can still be pruned
        progress.warn(f"dead channels stay: {error.message}")
        return opening, dense
    if not stripped.removed:
        return opening, dense
    progress.note(stripped.describe())
    lean = make_artefact(stripped.model, job)
    cost = _costs(lean.measured, job.budgets)
    return go_on_without_dead(opening, stripped, cost=cost, judge=judge), lean


def shrink_to_budgets(
    job: Job, start: Artefact, *, opening: Opening, work: WorkDirectory, progress: Progress
) -> Shrunk:
    """The loop of `shrink`, for this job.

    Args:
        job: what was asked.
        start: what is pruned first, measured.
        opening: the same model as `open_loop` gives it.
        work: keeps finished segments.
        progress: is told what is going on.

    Raises:
        InfeasibleError: no plan meets the budgets.
    """
    from edgeprune.keras_bridge.convert import convert

    few = tuple(x[:_CALIBRATION_FOR_SIZES] for x in job.inputs.representative)

    def measure_costs(model: keras.Model) -> Mapping[str, float]:
        # Costs hardly depend on the values of weights and ranges, so a few samples calibrate them; but equal
        # vectors are stored once, and fine-tuning changes which are equal.
        tflite = strip(convert(model, scheme=job.request.scheme, representative=few))
        found = _costs(measure(tflite, profile=job.profile, where="model.tflite"), job.budgets)
        return {name: cost + _SHARING_SLACK_BYTES * (name == "flash") for name, cost in found.items()}

    graph = start.graph
    channels = keep_layers(name_channels(graph), job.limits.keep)
    measured = _costs(start.measured, job.budgets)
    costs = fit_costs(graph, channels, per_op=op_costs(job.profile), peak="ram", measured=measured)
    limits = budget_limits(job.budgets)
    pruner = Pruner(
        criterion=job.criterion,
        limits=job.limits,
        dense=measured,
        budgets=limits,
        widths=family_widths(channels),
        costs=costs,
        measure=measure_costs,
        normalise=job.request.normalise,
        judge=job.inputs.validation,
    )
    recovery = plan_recovery(job)
    if job.request.whole_layers:
        choice = _try_layers(
            job, opening.model, pruner=pruner, recovery=recovery, work=work, progress=progress
        )
        pruner = take_branches(opening.model, pruner, choice.branches)
        recovery = replace(recovery, total_steps=recovery.total_steps - choice.steps)
    require_feasible(bypass(graph, pruner.branches), costs=costs, budgets=limits, limits=job.limits)
    return shrink(
        job.inputs.teacher,
        training=job.inputs.training,
        judge=job.inputs.validation,
        recovery=recovery,
        pruner=pruner,
        schedule=job.request.schedule,
        opening=opening,
        work=work,
        progress=progress,
    )


def _try_layers(
    job: Job,
    model: keras.Model,
    *,
    pruner: Pruner,
    recovery: Recovery,
    work: WorkDirectory,
    progress: Progress,
) -> LayerChoice:
    """What the trials of `choose_layers` found, now or before the build was interrupted."""
    if (finished := work.load("layers")) is not None:
        _, state = finished
        return LayerChoice(**{**state, "branches": tuple(state["branches"])})
    choice = choose_layers(
        model,
        pruner=pruner,
        training=job.inputs.training,
        judge=job.inputs.validation,
        recovery=recovery,
        progress=progress,
    )
    with work.finish("layers", asdict(choice)):
        pass
    if choice.note:
        progress.note(f"whole layers go: {choice.note}")
    return choice


def plan_recovery(job: Job) -> Recovery:
    """How the job's model is fine-tuned."""
    from edgeprune.keras_bridge.train import Recovery, steps_per_epoch

    recovery = Recovery(total_steps=0, augmentation=job.inputs.augmentation, seed=job.request.seed)
    return replace(recovery, total_steps=job.epochs * steps_per_epoch(job.inputs.training, recovery))


def _verify(artefact: Artefact, job: Job) -> Agreement | None:
    """The artefact in the device's real runtime, compared with LiteRT's reference kernels.

    None where LiteRT is the device's runtime: then evaluation already ran in it.
    """
    if job.profile.runtime.name != "tflm":
        return None
    macs = max(artefact.figures["macs"].value or 0.0, 1.0)
    samples = int(max(4, min(MACS_VERIFIED_AT_MOST / macs, 100)))
    few = tuple(x[:samples] for x in job.inputs.test.inputs)
    reference = run_litert(artefact.tflite, few, kernels="reference")
    device = run_tflm(artefact.tflite, few)
    return compare_runs(reference, device)


def _check(job: Job, dense: Artefact, pruned: Artefact, agreement: Agreement | None) -> tuple[Check, ...]:
    checks = [*check_budgets(pruned.measured.figures, job.budgets, job.profile)]
    task = job.inputs.task
    worst = task.worst_allowed(dense.float_accuracy, max_drop=job.request.max_drop)
    checks.append(
        Check(
            name="accuracy",
            figure=pruned.figures["accuracy"],
            budget=worst,
            at_least=task.higher_is_better,
            note=f"the original's {task.metric} of {dense.float_accuracy:.4f}, less --max-drop",
        )
    )
    checks.append(check_ops(pruned.measured, job.profile))
    if agreement is not None:
        figure = Figure(
            value=float(agreement.max_steps),
            unit="steps",
            source="simulated",
            evidence=f"{agreement.elements} output elements of {agreement.samples} test samples, "
            f"{agreement.differing} differ between LiteRT's reference kernels and TFLM",
        )
        checks.append(Check(name="agreement", figure=figure, budget=1.0, note="quantization steps"))
    return tuple(checks)


def _infeasible(report: Report, outcome: Outcome, work: WorkDirectory) -> InfeasibleError:
    """The error of a build whose best model breaks a check; that model is kept in the work directory."""
    best = work.path / "best"
    write_output(best, outcome, report=report, force=True)
    error = InfeasibleError(
        f"the best model found {report.sentence.removesuffix('.')}",
        fix=f"it is kept in {best}; allow a larger --max-drop, more --epochs, or a wider budget",
    )
    error.report = report
    return error


_CALIBRATION_FOR_SIZES = 8
_SHARING_SLACK_BYTES = 256
