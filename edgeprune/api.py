"""What a notebook or a script calls; `import edgeprune` offers every function here under its own name.

A command of the command line is one call of these, and prints what comes back. Nothing is written unless an
`output` is given; results `save` themselves. A model is the path of a saved one or a `keras.Model`, data are
what `--data` takes or arrays and datasets in memory, a file is its path or its bytes. Errors are those of
`edgeprune.errors`.

None means that nothing is said: then a recipe, the device's profile or edgeprune decides. Functions import
what they need when they are called, so that `check` and its like answer without TensorFlow.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from edgeprune.config.budgets import BUDGETS
from edgeprune.config.build_options import (
    Acceptable,
    BuildOptions,
    DataSource,
    IoType,
    LayerLimit,
    ModelSource,
    describe_options,
)
from edgeprune.config.load_options import LoadOptions, parse_load_options
from edgeprune.config.training_options import Distribute, Mode, TrainingOptions
from edgeprune.errors import RecipeError
from edgeprune.files import FileSource
from edgeprune.progress import Progress, Silent

if TYPE_CHECKING:
    from edgeprune.build.result import BuildResult
    from edgeprune.commands.agree import AgreeResult
    from edgeprune.commands.bench import BenchResult
    from edgeprune.commands.check import CheckResult, DeviceChecks
    from edgeprune.commands.compress import CompressResult
    from edgeprune.commands.convert import ConvertResult
    from edgeprune.commands.firmware import FirmwareResult
    from edgeprune.commands.inspect import Inspection
    from edgeprune.commands.prune import DeadResult, PruneResult
    from edgeprune.commands.quantize import QuantizeResult
    from edgeprune.commands.run import EngineRun
    from edgeprune.commands.sparsify import SparsifyResult
    from edgeprune.commands.strip import StripResult
    from edgeprune.commands.verify import VerifyResult
    from edgeprune.commands.view import FileView
    from edgeprune.device.profile import Profile
    from edgeprune.sweeps.results import SweepResult

PathLike = str | Path
Shape = str | Sequence[int]
"""Of an input without the batch: (224, 224, 3), or "224,224,3"."""
Watched = Progress | bool | None
"""Who is told about progress: an object; True for text on stderr, False for nobody; None for text where
somebody looks at it, in a terminal or a notebook, and for warnings alone elsewhere."""
Custom = str | Callable[..., Any]
"""A class or function of one's own, or where it is: "module:object", "file.py:object"."""


def build(  # noqa: D417  (the options are documented where they are declared)
    model: ModelSource | None = None,
    data: DataSource | None = None,
    *,
    device: str | None = None,
    recipe: PathLike | None = None,
    labels: PathLike | None = None,
    metric: str | None = None,
    metric_mode: Mode | None = None,
    loss: str | None = None,
    optimizer: str | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    train: str | None = None,
    mixed_precision: bool | None = None,
    distribute: Distribute | None = None,
    custom: Custom | Sequence[Custom] | None = None,
    trust: bool | None = None,
    input_shape: Sequence[Shape] | None = None,
    weights: PathLike | None = None,
    runtime: Literal["tflm", "c"] | None = None,
    delegate: Literal["gpu"] | None = None,
    flash_kib: float | None = None,
    ram_kib: float | None = None,
    latency_ms: float | None = None,
    strict: bool | None = None,
    minimize: Literal["flash", "ram", "latency"] | None = None,
    max_drop: float | str | None = None,
    criterion: str | None = None,
    keep: Sequence[str] | None = None,
    layers: Mapping[str, LayerLimit | Mapping[str, float]] | None = None,
    whole_layers: bool | None = None,
    low_rank: float | None = None,
    epochs: int | Literal["auto"] | None = None,
    max_minutes: float | None = None,
    only_fine_tune: bool | None = None,
    normalise: str | None = None,
    scope: Literal["global", "local"] | None = None,
    schedule: str | None = None,
    min_channels: int | None = None,
    round_to: int | None = None,
    final_sparsity: float | None = None,
    mask: str | None = None,
    clusters: int | None = None,
    mask_scope: Literal["global", "local"] | None = None,
    sparsity_schedule: str | None = None,
    initial_sparsity: float | None = None,
    begin_step: int | None = None,
    end_step: int | None = None,
    frequency: int | None = None,
    power: float | None = None,
    scheme: str | None = None,
    io_type: IoType | None = None,
    representative_samples: int | None = None,
    output: PathLike | None = None,
    metadata: bool | None = None,
    normalization: str | None = None,
    keep_signatures: bool | None = None,
    seed: int | None = None,
    accept: Sequence[Acceptable] | None = None,
    resume: bool | None = None,
    force: bool | None = None,
    progress: Watched = None,
) -> BuildResult:
    """The model, pruned until it fits a device, with the file that was checked and how it was.

    Args:
        model: what is pruned; without one, the embedded example.
        data: what it is pruned with.
        recipe: a TOML file that says what arguments do not.
        progress: see `Watched`.

    Raises:
        InfeasibleError: the budgets cannot be met; `best` is the best build found, of the same class.
        InputError: an input cannot be used.
        ToolError: a runtime failed.
    """
    given = locals()
    asked = {item.name: given[item.name] for item in fields(BuildOptions)}
    from edgeprune.build.request import make_request
    from edgeprune.commands.build import build as take_road

    asked |= {
        "custom": _name_custom(custom),
        "input_shape": _write_shapes(input_shape),
        "layers": None if layers is None else dict(layers),
    }
    request = make_request(asked, recipe=None if recipe is None else Path(recipe))
    with _tell(progress) as told:
        return take_road(request, progress=told)


build.__doc__ = (build.__doc__ or "").replace(
    "        progress: see `Watched`.\n",
    "        progress: see `Watched`.\n"
    + "".join(f"        {line}\n" for line in describe_options(besides=("model", "data"))),
)


@overload
def check(  # type: ignore[overload-overlap]  # "all" is no device
    file: FileSource,
    *,
    device: Literal["all"] | list[str] | tuple[str, ...],
    flash_kib: float | None = None,
    ram_kib: float | None = None,
    latency_ms: float | None = None,
    strict: bool = False,
    baseline: PathLike | None = None,
    tolerance: float = 0.01,
) -> DeviceChecks: ...


@overload
def check(
    file: FileSource,
    *,
    device: str,
    flash_kib: float | None = None,
    ram_kib: float | None = None,
    latency_ms: float | None = None,
    strict: bool = False,
    cores: str | None = None,
    baseline: PathLike | None = None,
    tolerance: float = 0.01,
) -> CheckResult: ...


def check(
    file: FileSource,
    *,
    device: str | Sequence[str],
    flash_kib: float | None = None,
    ram_kib: float | None = None,
    latency_ms: float | None = None,
    strict: bool = False,
    cores: str | None = None,
    baseline: PathLike | None = None,
    tolerance: float = 0.01,
) -> CheckResult | DeviceChecks:
    """Whether a `.tflite` file fits a device, or which devices it fits.

    Args:
        file: its path, or its bytes.
        device: a profile's id or file; or "all", or a list of ids and patterns such as "nucleo-*", for many.
        flash_kib: a budget that replaces the profile's.
        ram_kib: likewise.
        latency_ms: likewise.
        strict: whether an uncertain verdict is a no.
        cores: which cores of a phone or board run: "big", "little", a number of threads, "gpu" or "npu".
        baseline: what an earlier 'edgeprune check --json' wrote, to be held against.
        tolerance: by which fraction figures may be larger than there.
    """
    from edgeprune.commands.check import check as check_file
    from edgeprune.commands.check import check_devices, hold_against_baseline
    from edgeprune.device.selection import ALL

    if not 0 <= tolerance < 1:
        raise RecipeError(f"tolerance is {tolerance:g}", fix="give a fraction from 0 to below 1")
    budgets = _name_budgets(flash_kib, ram_kib, latency_ms)
    result: CheckResult | DeviceChecks
    if isinstance(device, str) and device != ALL:
        result = check_file(file, device=device, budgets=budgets, is_strict=strict, cores=cores)
    elif cores is not None:
        raise RecipeError("cores are those of one device", fix="give one device, or leave cores out")
    else:
        names = [device] if isinstance(device, str) else device
        result = check_devices(file, devices=names, budgets=budgets, is_strict=strict)
    if baseline is None:
        return result
    return hold_against_baseline(result, Path(baseline), tolerance=tolerance)


def sweep(
    plan: PathLike | Mapping[str, Any] | None = None,
    *,
    data: str | None = None,
    device: str | Sequence[str] | None = None,
    flash_kib: Sequence[float] | None = None,
    ram_kib: Sequence[float] | None = None,
    latency_ms: Sequence[float] | None = None,
    seeds: int | None = None,
    epochs: int | Literal["auto"] | None = None,
    storage: PathLike,
    resume: bool = False,
    address: str | None = None,
    jobs: int | None = None,
    cpus: float = 1.0,
    gpus: float = 0.0,
    memory_gib: float | None = None,
    early_stopping: bool = True,
    search: Literal["optuna"] | None = None,
    trials: int = 10,
    progress: Watched = None,
) -> SweepResult:
    """Many builds, each in a process of its own, here or on a Ray cluster: what is lost at which budget.

    Args:
        plan: a TOML file, or a mapping with its keys (see `docs/sweep.md`); or the path of a model.
        data: what a model is pruned with.
        device: devices, or patterns such as "nucleo-*".
        flash_kib: budgets, as all of the following beside what the plan says.
        ram_kib: likewise.
        latency_ms: likewise.
        seeds: how many.
        epochs: of recovery.
        storage: a folder or URL for trials and results.
        resume: go on with what has not ended there.
        address: of a Ray cluster; this machine without one.
        jobs: trials at a time.
        cpus: of a trial.
        gpus: likewise.
        memory_gib: likewise.
        early_stopping: whether settings are given up that are behind others at the same epoch.
        search: what draws settings from the plan's `search`.
        trials: how many settings it draws for each model, device and budget.
        progress: see `Watched`.

    Raises:
        ToolMissingError: Ray is not installed.
        ToolFailedError: trials failed; the results of the others are written.
        OutputError: the storage holds another sweep.
    """
    from edgeprune.sweeps.plan import compose_plan
    from edgeprune.sweeps.sweep import SweepRequest
    from edgeprune.sweeps.sweep import sweep as carry_out
    from edgeprune.sweeps.tuning import Cluster

    said = {
        "devices": [device] if isinstance(device, str) else device,
        "flash_kib": flash_kib,
        "ram_kib": ram_kib,
        "latency_ms": latency_ms,
        "seeds": seeds,
    }
    request = SweepRequest(
        plan=compose_plan(plan, data=data, epochs=epochs, said=said),
        storage=str(storage),
        resume=resume,
        cluster=Cluster(address=address, jobs=jobs, cpus=cpus, gpus=gpus, memory_gib=memory_gib),
        stops_early=early_stopping,
        search=search,
        samples=trials,
    )
    with _tell(progress) as told:
        return carry_out(request, progress=told)


def front(
    folders: PathLike | Sequence[PathLike], *, output: PathLike | None = None, progress: Watched = None
) -> SweepResult:
    """What a sweep finds, of any builds: means over seeds, fronts, and what to take.

    Args:
        folders: outputs of builds, sweeps, or folders that they are in.
        output: where the results are written; the first folder without one.
        progress: see `Watched`.
    """
    from edgeprune.sweeps.results import front as compare

    given = [folders] if isinstance(folders, str | Path) else folders
    paths = [Path(folder) for folder in given]
    with _tell(progress) as told:
        return compare(paths, output=paths[0] if output is None else Path(output), progress=told)


def convert(
    model: ModelSource,
    data: DataSource | None = None,
    *,
    output: PathLike | None = None,
    scheme: str | None = None,
    io_type: str | None = None,
    device: str | None = None,
    labels: PathLike | None = None,
    metadata: bool | None = None,
    normalization: str | None = None,
    keep_signatures: bool | None = None,
    seed: int = 0,
    representative_samples: int | None = None,
    steps_per_epoch: int | None = None,
    accept: Sequence[Acceptable] = (),
    custom: Custom | Sequence[Custom] = (),
    trust: bool | None = None,
    input_shape: Sequence[Shape] | None = None,
    weights: PathLike | None = None,
    force: bool = False,
    progress: Watched = None,
) -> ConvertResult:
    """The model as a stripped `.tflite` file, without pruning.

    Args:
        model: what is converted.
        data: schemes with integer activations are calibrated on their training part.
        output: the file to write.
        scheme: a name of 'edgeprune list schemes'; int8 if not given.
        io_type: type of inputs and outputs; else that of the scheme's activations.
        device: whose runtime and budgets the file is held against.
        labels: file with the names of the classes; they imply metadata.
        metadata: whether the file carries TFLite metadata.
        normalization: "MEAN,STD" that raw inputs are normalized by, for the metadata.
        keep_signatures: whether it keeps a signature.
        seed: of the samples that are calibrated on.
        representative_samples: how many.
        steps_per_epoch: batches that are read of data that never end.
        accept: doubts that are known.
        custom: layers and functions, or "module:object" of them or of layer rules.
        trust: whether code inside a model file may run.
        input_shape: of inputs that the model leaves open.
        weights: the file of weights of a `.json` config.
        force: replace an output that exists.
        progress: see `Watched`.
    """
    from edgeprune.build.file_metadata import parse_annotating
    from edgeprune.commands.convert import ConvertRequest, convert_file

    said = parse_annotating(
        # Labels are only of use where the file can say them.
        metadata=True if metadata is None and labels is not None else metadata,
        normalization=normalization,
        keep_signatures=keep_signatures,
    )
    request = ConvertRequest(
        model=model,
        output=_path(output),
        data=data,
        scheme=scheme or "int8",
        io_type=io_type,
        device=device,
        labels=_path(labels),
        annotating=said,
        seed=seed,
        representative_samples=representative_samples,
        steps_per_epoch=steps_per_epoch,
        accept=tuple(accept),
        load=_load(custom, trust, input_shape, weights),
        force=force,
    )
    with _tell(progress) as told:
        return convert_file(request, progress=told)


def prune(
    model: ModelSource,
    data: DataSource | None = None,
    *,
    ratio: float | None = None,
    dead_only: bool = False,
    seen_on_data: bool = False,
    output: PathLike | None = None,
    criterion: str = "l2",
    normalise: str | None = None,
    loss: str | None = None,
    metric: str | None = None,
    metric_mode: Mode | None = None,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    scope: Literal["global", "local"] = "global",
    keep: Sequence[str] = (),
    min_channels: int = 1,
    round_to: int = 1,
    seed: int = 0,
    custom: Custom | Sequence[Custom] = (),
    trust: bool | None = None,
    input_shape: Sequence[Shape] | None = None,
    weights: PathLike | None = None,
    force: bool = False,
    progress: Watched = None,
) -> PruneResult | DeadResult:
    """The model without a fraction of its channels, proven equal to the masked one; nothing is trained.

    Args:
        model: what is pruned.
        data: what is left is refitted on them to what it gave before, and some criteria rank by them; with
            `dead_only`, inputs count as within their range.
        ratio: fraction of the prunable channels that goes, in [0, 1); give it, or `dead_only`.
        dead_only: only channels that are constant or unread go; the outputs stay the same.
        seen_on_data: with `dead_only`, what was constant on all samples goes, too.
        output: the `.keras` file to write.
        criterion: ranks channels, a name of 'edgeprune list criteria'.
        normalise: makes scores comparable; None for the criterion's own way.
        loss: what gradients are taken of, where the model does not say.
        metric: what decides, and after commas what is watched, where the model does not say.
        metric_mode: whether less or more of a metric of one's own is better.
        batch_size: samples per batch.
        steps_per_epoch: batches in an epoch, for data that never end.
        scope: what is ranked together.
        keep: patterns of layer names whose channels stay.
        min_channels: no group of channels gets narrower.
        round_to: widths become multiples of this.
        seed: of random choices.
        custom: layers and functions, or "module:object" of them or of layer rules.
        trust: whether code inside a model file may run.
        input_shape: of inputs that the model leaves open.
        weights: the file of weights of a `.json` config.
        force: replace an output that exists.
        progress: see `Watched`.
    """
    training = TrainingOptions(
        loss=loss,
        metric=metric,
        metric_mode=metric_mode,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
    )
    from edgeprune.commands.prune import prune as remove_channels
    from edgeprune.commands.prune import remove_dead_channels
    from edgeprune.methods.ranking import Ranking
    from edgeprune.prune.limits import Limits

    if (ratio is None) != dead_only:
        raise RecipeError("it is not said what goes", fix="give either ratio or dead_only")
    if seen_on_data and (data is None or not dead_only):
        raise RecipeError("seen_on_data says what data are for", fix="give dead_only and data, too")
    if ratio is not None and not 0 <= ratio < 1:
        raise RecipeError(f"ratio is {ratio:g}", fix="give a fraction from 0 to below 1")
    load = _load(custom, trust, input_shape, weights)
    limits = Limits(round_to=round_to, min_channels=min_channels, keep=tuple(keep), scope=scope)
    with _tell(progress) as told:
        if ratio is None:
            return remove_dead_channels(
                model,
                output=_path(output),
                data=data,
                trust_seen=seen_on_data,
                limits=limits,
                seed=seed,
                load=load,
                force=force,
                progress=told,
            )
        return remove_channels(
            model,
            ratio=ratio,
            output=_path(output),
            ranking=Ranking(
                criterion=criterion, normalise=normalise, data=data, training=training, seed=seed
            ),
            limits=limits,
            load=load,
            force=force,
            progress=told,
        )


def sparsify(
    model: ModelSource,
    data: DataSource | None = None,
    *,
    final_sparsity: float | None = None,
    mask: str | None = None,
    output: PathLike | None = None,
    device: str | None = None,
    epochs: int = 10,
    mask_scope: Literal["global", "local"] | None = None,
    sparsity_schedule: str | None = None,
    initial_sparsity: float | None = None,
    begin_step: int | None = None,
    end_step: int | None = None,
    frequency: int | None = None,
    power: float | None = None,
    keep: Sequence[str] = (),
    accept: Sequence[Acceptable] = (),
    loss: str | None = None,
    metric: str | None = None,
    metric_mode: Mode | None = None,
    optimizer: str | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    train: str | None = None,
    seed: int = 0,
    custom: Custom | Sequence[Custom] = (),
    trust: bool | None = None,
    input_shape: Sequence[Shape] | None = None,
    weights: PathLike | None = None,
    force: bool = False,
    progress: Watched = None,
) -> SparsifyResult:
    """The model with its smallest weights zero, and what that is worth on a device.

    Args:
        model: what is made sparse.
        data: zeros come in while it is fine-tuned on them; without any, all at once.
        final_sparsity: fraction of zeros at the end, in [0, 1).
        mask: "unstructured", a block ("4x1"), or n of m that stay ("2:4").
        output: the `.keras` file to write.
        device: to say what the zeros are worth.
        epochs: of fine-tuning.
        mask_scope: that sparsity over all kernels together ("global"), or in each.
        sparsity_schedule: how zeros come in.
        initial_sparsity: where the schedule starts.
        begin_step: its first optimizer step.
        end_step: its last.
        frequency: steps between two masks.
        power: of the polynomial.
        keep: patterns of layer names that stay dense.
        accept: doubts that are known.
        loss: what fine-tuning minimises, where the model does not say.
        metric: what decides, and after commas what is watched, where the model does not say.
        metric_mode: whether less or more of a metric of one's own is better.
        optimizer: of recovery, a name of Keras.
        learning_rate: its largest learning rate.
        batch_size: samples per batch.
        steps_per_epoch: batches in an epoch, for data that never end.
        train: a training loop of one's own, "module:function" of train(model, epochs, callbacks).
        seed: of everything random.
        custom: layers and functions, or "module:object" of them or of layer rules.
        trust: whether code inside a model file may run.
        input_shape: of inputs that the model leaves open.
        weights: the file of weights of a `.json` config.
        force: replace an output that exists.
        progress: see `Watched`.
    """
    training = TrainingOptions(
        loss=loss,
        metric=metric,
        metric_mode=metric_mode,
        optimizer=optimizer,
        learning_rate=learning_rate,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        train=train,
    )
    from edgeprune.commands.sparsify import SparsifyRequest, sparsify_file
    from edgeprune.methods.sparsity import parse_zeroing

    zeros = {
        "final_sparsity": final_sparsity,
        "mask": mask,
        "mask_scope": mask_scope,
        "sparsity_schedule": sparsity_schedule,
        "initial_sparsity": initial_sparsity,
        "begin_step": begin_step,
        "end_step": end_step,
        "frequency": frequency,
        "power": power,
    }
    request = SparsifyRequest(
        model=model,
        output=_path(output),
        zeroing=parse_zeroing(zeros, keep=tuple(keep)),
        device=device,
        data=data,
        epochs=epochs,
        accept=tuple(accept),
        training=training,
        seed=seed,
        load=_load(custom, trust, input_shape, weights),
        force=force,
    )
    with _tell(progress) as told:
        return sparsify_file(request, progress=told)


def quantize(
    model: ModelSource,
    data: DataSource,
    *,
    output: PathLike | None = None,
    device: str | None = None,
    io_type: str | None = None,
    max_drop: float | str | None = None,
    epochs: int = 2,
    representative_samples: int | None = None,
    accept: Sequence[Acceptable] = (),
    loss: str | None = None,
    metric: str | None = None,
    metric_mode: Mode | None = None,
    optimizer: str | None = None,
    learning_rate: float | None = None,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    train: str | None = None,
    seed: int = 0,
    custom: Custom | Sequence[Custom] = (),
    trust: bool | None = None,
    input_shape: Sequence[Shape] | None = None,
    weights: PathLike | None = None,
    force: bool = False,
    progress: Watched = None,
) -> QuantizeResult:
    """The model as an int8 file that keeps its accuracy, and where it would be lost.

    Args:
        model: what is quantized.
        data: training, validation and test data.
        output: the `.tflite` file to write.
        device: int16x8 is tried only where its runtime can execute it.
        io_type: of inputs and outputs; int8 if not given.
        max_drop: how much of the metric quantizing may cost.
        epochs: of quantization-aware recovery; 0 for none.
        representative_samples: training samples to calibrate on.
        accept: doubts that are known.
        loss: what recovery minimises, where the model does not say.
        metric: what decides, and after commas what is watched, where the model does not say.
        metric_mode: whether less or more of a metric of one's own is better.
        optimizer: of recovery, a name of Keras.
        learning_rate: its largest learning rate.
        batch_size: samples per batch.
        steps_per_epoch: batches in an epoch, for data that never end.
        train: a training loop of one's own, "module:function" of train(model, epochs, callbacks).
        seed: of everything random.
        custom: layers and functions, or "module:object" of them or of layer rules.
        trust: whether code inside a model file may run.
        input_shape: of inputs that the model leaves open.
        weights: the file of weights of a `.json` config.
        force: replace an output that exists.
        progress: see `Watched`.
    """
    training = TrainingOptions(
        loss=loss,
        metric=metric,
        metric_mode=metric_mode,
        optimizer=optimizer,
        learning_rate=learning_rate,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
        train=train,
    )
    from edgeprune.commands.quantize import QuantizeRequest, quantize_file

    request = QuantizeRequest(
        model=model,
        data=data,
        output=_path(output),
        device=device,
        io_type=io_type,
        max_drop=max_drop,
        epochs=epochs,
        representative_samples=representative_samples,
        accept=tuple(accept),
        training=training,
        seed=seed,
        load=_load(custom, trust, input_shape, weights),
        force=force,
    )
    with _tell(progress) as told:
        return quantize_file(request, progress=told)


def inspect(
    model: ModelSource,
    data: DataSource | None = None,
    *,
    device: str,
    keep: Sequence[str] = (),
    sensitivity: bool = False,
    criterion: str = "taylor",
    max_drop: float = 0.02,
    loss: str | None = None,
    metric: str | None = None,
    metric_mode: Mode | None = None,
    batch_size: int | None = None,
    steps_per_epoch: int | None = None,
    seed: int = 0,
    custom: Custom | Sequence[Custom] = (),
    trust: bool | None = None,
    input_shape: Sequence[Shape] | None = None,
    weights: PathLike | None = None,
    progress: Watched = None,
) -> Inspection:
    """Cost per layer on a device, groups of channels, and what cannot be pruned and why.

    Args:
        model: what is looked at.
        data: for `sensitivity`.
        device: a profile's id or file.
        keep: patterns of layer names whose channels stay.
        sensitivity: measure the metric against pruning ratio, group by group.
        criterion: in which order that switches channels off.
        max_drop: largest drop of the metric up to which a ratio counts as possible.
        loss: what gradients are taken of, where the model does not say.
        metric: what decides, and after commas what is watched, where the model does not say.
        metric_mode: whether less or more of a metric of one's own is better.
        batch_size: samples per batch.
        steps_per_epoch: batches in an epoch, for data that never end.
        seed: of the samples chosen.
        custom: layers and functions, or "module:object" of them or of layer rules.
        trust: whether code inside a model file may run.
        input_shape: of inputs that the model leaves open.
        weights: the file of weights of a `.json` config.
        progress: see `Watched`.
    """
    training = TrainingOptions(
        loss=loss,
        metric=metric,
        metric_mode=metric_mode,
        batch_size=batch_size,
        steps_per_epoch=steps_per_epoch,
    )
    from edgeprune.commands.inspect import SensitivityRequest
    from edgeprune.commands.inspect import inspect as look_at
    from edgeprune.methods.ranking import Ranking

    if sensitivity and data is None:
        raise RecipeError("sensitivity is measured on data, and there are none", fix="give data, too")
    ranking = Ranking(criterion=criterion, data=data, training=training, seed=seed)
    with _tell(progress) as told:
        return look_at(
            model,
            device=device,
            keep=tuple(keep),
            sensitivity=SensitivityRequest(ranking=ranking, max_drop=max_drop) if sensitivity else None,
            load=_load(custom, trust, input_shape, weights),
            progress=told,
        )


def compress(
    file: FileSource,
    *,
    device: str,
    output: PathLike | None = None,
    flash_kib: float | None = None,
    ram_kib: float | None = None,
    latency_ms: float | None = None,
    force: bool = False,
) -> CompressResult:
    """A `.tflite` file whose weights are stored smaller, where the device's runtime gains by it.

    Args:
        file: its path, or its bytes.
        device: a profile's id or file.
        output: the file to write.
        flash_kib: a budget that replaces the profile's.
        ram_kib: likewise.
        latency_ms: likewise.
        force: replace an output that exists.
    """
    from edgeprune.commands.compress import compress_file

    budgets = _name_budgets(flash_kib, ram_kib, latency_ms)
    return compress_file(file, output=_path(output), device=device, flags=budgets, force=force)


def strip(
    file: FileSource, *, output: PathLike | None = None, keep_interface: bool = False, force: bool = False
) -> StripResult:
    """A `.tflite` file that computes the same, bit for bit, without what no runtime reads.

    Args:
        file: its path, or its bytes.
        output: the file to write.
        keep_interface: keep signatures, names of inputs and outputs, metadata and attached labels.
        force: replace an output that exists.
    """
    from edgeprune.commands.strip import strip_file

    return strip_file(file, output=_path(output), keep_interface=keep_interface, force=force)


def verify(
    folder: PathLike, *, rebuild: bool = False, trust: bool = False, progress: Watched = None
) -> VerifyResult:
    """Whether a build's output directory is what its manifest says.

    Args:
        folder: what `build` wrote.
        rebuild: whether the request in the manifest is built again and the bytes compared.
        trust: with `rebuild`, whether Python that the request names may run.
        progress: see `Watched`.
    """
    from edgeprune.commands.verify import verify_folder

    with _tell(progress) as told:
        return verify_folder(Path(folder), rebuild=rebuild, trust=trust, progress=told)


def view(file: FileSource) -> FileView:
    """Everything that is in a `.tflite` file.

    Args:
        file: its path, or its bytes.
    """
    from edgeprune.commands.view import view_file

    return view_file(file)


def agree(
    file: FileSource, data: DataSource | None = None, *, samples: int | None = None, seed: int = 0
) -> AgreeResult:
    """Whether a `.tflite` file computes the same in every runtime there is here.

    Args:
        file: its path, or its bytes.
        data: the test part is used; random inputs without any.
        samples: how many inputs; by default as many as reference kernels compute in seconds.
        seed: of random inputs, and of which samples are taken.
    """
    from edgeprune.commands.agree import compare_file

    return compare_file(file, data=data, samples=samples, seed=seed)


def bench(
    file: FileSource,
    *,
    device: str,
    on: Literal["board", "host", "adb"],
    output: PathLike | None = None,
    port: str = "",
    baud: int = 115200,
    wait: float = 60.0,
    runs: int = 50,
    threads: int = 1,
    clock_mhz: float | None = None,
    force: bool = False,
    progress: Watched = None,
) -> BenchResult:
    """How long one inference of a `.tflite` file takes.

    Args:
        file: its path, or its bytes.
        device: id or file of the profile that the record is for.
        on: a board's serial port, this machine, or a phone.
        output: the record to write.
        port: the serial port.
        baud: its speed.
        wait: seconds to wait for the board.
        runs: inferences, on this machine and the phone.
        threads: likewise.
        clock_mhz: of the core while it runs; else the profile's.
        force: replace a record that exists.
        progress: see `Watched`.
    """
    from edgeprune.commands.bench import BenchRequest
    from edgeprune.commands.bench import bench as measure

    if on == "board" and not port:
        raise RecipeError("it is not said where to listen", fix="give port, for example /dev/ttyACM0")
    request = BenchRequest(
        file=file,
        device=device,
        place=on,
        output=_path(output),
        port=port,
        baud=baud,
        wait_seconds=wait,
        runs=runs,
        threads=threads,
        clock_mhz=clock_mhz,
        force=force,
    )
    with _tell(progress) as told:
        return measure(request, progress=told)


def firmware(
    source: PathLike,
    *,
    output: PathLike | None = None,
    runtime: Literal["tflm", "c"] | None = None,
    project: str | None = None,
    build: bool = False,
    optimize: Literal["speed", "size", "ram"] = "speed",
    name: str = "model",
    device: str | None = None,
    data: DataSource | None = None,
    samples: int = 4,
    force: bool = False,
) -> FirmwareResult:
    """A project with a model for a microcontroller or phone, written to a folder.

    Args:
        source: a build's output directory, or a `.tflite` file.
        output: the folder; if not given, one named after source and project in the current directory.
        runtime: edgeprune's own C engine ("c"); if not given, what the device runs: TFLM or LiteRT.
        project: what it is written for: a build system, by default cmake with the C engine, or "android".
        build: with the C engine, for cmake: build images, and run the check in an emulator.
        optimize: what the C engine's choices between kernels, and the compiler, go by.
        name: what the C engine calls the model in C, for cmake: two models in one image need two names.
        device: a profile's id or file; if not given, the build's.
        data: where golden inputs come from; else the build's test data, or random inputs.
        samples: number of golden samples.
        force: replace an output that exists.
    """
    if runtime != "c" and project is None:
        raise RecipeError("it is not said for which build system", where="project", fix="give project")
    if runtime != "c" and build:
        raise RecipeError("it is built with the project's own SDK", where="build", fix="give runtime='c'")
    if name != "model" and (runtime != "c" or project not in (None, "cmake")):
        raise RecipeError(
            "only C for cmake has names of its own", where="name", fix="give runtime='c' and no project"
        )
    from edgeprune.commands.firmware import FirmwareRequest, write_firmware
    from edgeprune.measuring.records import ProjectOptions

    request = FirmwareRequest(
        source=Path(source),
        runtime="c" if runtime == "c" else None,
        output=_path(output),
        device=device,
        data=data,
        samples=samples,
        options=ProjectOptions(kind=project, build=build, optimize=optimize, name=name),
        force=force,
    )
    return write_firmware(request)


def run(
    source: PathLike,
    *,
    device: str | None = None,
    on: Literal["qemu", "host"] = "qemu",
    samples: int = 10,
    optimize: Literal["speed", "size", "ram"] = "speed",
) -> EngineRun:
    """A model compiled to C and run, every output compared with TFLM's reference kernels.

    Args:
        source: a `.tflite` file, the output directory of a build, or a project of the C engine.
        device: a profile's id or file; None for what the directory was made for.
        on: an emulator of the device's core, or this machine with gcc's sanitizers.
        samples: how many random ones.
        optimize: what choices between kernels go by.
    """
    from edgeprune.commands.run import run_engine

    return run_engine(Path(source), device=device, target=on, samples=samples, optimize=optimize)


def devices(
    *,
    core: str | None = None,
    kind: Literal["mcu", "phone", "sbc"] | None = None,
    runtime: str | None = None,
    min_ram_kib: float = 0.0,
    min_flash_kib: float = 0.0,
) -> tuple[Profile, ...]:
    """The devices edgeprune knows that have all of what is asked for.

    Args:
        core: a part of the core's name, for example "m7".
        kind: of device.
        runtime: the name of a runtime that it may have, or of its kernels.
        min_ram_kib: what the largest block must have that may hold the arena.
        min_flash_kib: what all flash together must have.
    """
    from edgeprune.device.profile import list_profiles
    from edgeprune.device.selection import select_profiles

    def has_runtime(profile: Profile) -> bool:
        if runtime is None:
            return True
        from edgeprune.measuring.runtime import list_runtimes  # most lists are asked for without one

        return runtime.lower() in list_runtimes(profile)

    return select_profiles(
        list_profiles(),
        core=core,
        kind=kind,
        has_runtime=has_runtime,
        min_ram_kib=min_ram_kib,
        min_flash_kib=min_flash_kib,
    )


def _path(given: PathLike | None) -> Path | None:
    return None if given is None else Path(given)


def _name_budgets(*values: float | None) -> dict[str, float | None]:
    """Values by the keys of `BUDGETS`, in whose order they are given."""
    return {kind.key: value for kind, value in zip(BUDGETS.values(), values, strict=True)}


def _write_shapes(shapes: Sequence[Shape] | None) -> tuple[str, ...]:
    return tuple(shape if isinstance(shape, str) else ",".join(map(str, shape)) for shape in shapes or ())


def _name_custom(custom: Custom | Sequence[Custom] | None) -> tuple[str, ...] | None:
    """Where each object is, as `--custom` has it; None where nothing is said."""
    if custom is None:
        return None
    given = custom if isinstance(custom, list | tuple) else [custom]
    return tuple(item if isinstance(item, str) else _name_object(item) for item in given)


def _name_object(item: Any) -> str:
    module, name = getattr(item, "__module__", None), getattr(item, "__qualname__", "<nameless>")
    if not module or "<" in name:
        raise RecipeError(
            f"{item!r} has no place that it can be imported from",
            where="custom",
            fix="give a class or function from the top of a module or of this program, or its place as text, "
            "'module:object' or 'file.py:object'",
        )
    return f"{module}:{name}"


def _load(
    custom: Custom | Sequence[Custom],
    trust: bool | None,
    shapes: Sequence[Shape] | None,
    weights: PathLike | None,
) -> LoadOptions:
    return parse_load_options(
        custom=_name_custom(custom), trust=trust, input_shape=_write_shapes(shapes), weights=_path(weights)
    )


@contextmanager
def _tell(watched: Watched) -> Iterator[Progress]:
    """Who is told about progress; see `Watched`."""
    if watched is False:
        yield Silent()
    elif watched is None or watched is True:
        from edgeprune.terminal.progress import watch

        is_seen = watched or sys.stderr.isatty() or "ipykernel" in sys.modules
        with watch(manner="usual" if is_seen else "quiet") as shown:
            yield shown
    else:
        yield watched
