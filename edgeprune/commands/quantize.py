"""`edgeprune quantize`: a Keras model as an int8 file that keeps its accuracy, and where it would be lost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeprune.build.artefact import name_unsupported
from edgeprune.build.inputs import open_inputs
from edgeprune.config.build_options import Acceptable, DataSource, ModelSource
from edgeprune.config.drop import parse_drop
from edgeprune.config.load_options import AS_SAVED, LoadOptions
from edgeprune.config.training_options import AS_COMPILED, TrainingOptions
from edgeprune.device.figures import Figure
from edgeprune.device.profile import Profile, load_profile
from edgeprune.files import refuse_existing, whole_file, write_file
from edgeprune.measuring.backend import backend_of, measure
from edgeprune.measuring.schemes import can_execute, refuse_scheme
from edgeprune.progress import Progress
from edgeprune.quantization.judge import judge_file, say_one_answer
from edgeprune.quantization.ladder import (
    MAX_DROP,
    MORE_SAMPLES,
    RECOVERY,
    RECOVERY_EPOCHS,
    WIDE,
    Ladder,
    climb_ladder,
    plan_ladder,
)
from edgeprune.report.html import render_quantization
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.tflite.notes import list_notes
from edgeprune.tflite.read import read_model
from edgeprune.tflite.rewriting.rewrite import in_ops_of
from edgeprune.tflite.schemes import SCHEMES, choose_io_type
from edgeprune.tflite.strip import strip
from edgeprune.units import format_drop, format_metric, say_drop

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True, slots=True)
class QuantizeRequest:
    """What `edgeprune quantize` was asked for.

    Attributes:
        model: a saved Keras model, or one in memory.
        data: what `load_data` takes.
        output: the `.tflite` file to write; None to be told only.
        device: a profile's id or file; its runtime decides whether int16x8 may be tried. None for any.
        io_type: of inputs and outputs; None for int8.
        max_drop: of the metric, by quantizing, that is good enough.
        epochs: of quantization-aware recovery; 0 for none.
        representative_samples: of calibration; None for the usual number.
        accept: doubts that are known; "input-range" where the data seem to have another than the model
            expects.
        training: how the model is trained and judged.
        seed: of everything random.
        load: how the model is opened.
        force: replace an output that exists.
    """

    model: ModelSource
    data: DataSource
    output: Path | None = None
    device: str | None = None
    io_type: str | None = None
    max_drop: float | str | None = None
    epochs: int = RECOVERY_EPOCHS
    representative_samples: int | None = None
    accept: tuple[Acceptable, ...] = ()
    training: TrainingOptions = AS_COMPILED
    seed: int = 0
    load: LoadOptions = AS_SAVED
    force: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class QuantizeResult(Summarized):
    """What `edgeprune quantize` did.

    Attributes:
        source: name of the file that was read.
        output: the file that was written, None where none was asked for.
        ladder: the ladder.
        tflite: the stripped file.
        metric: name of the metric.
        samples: of the test set.
        before, after: the metric on the test set, of the Keras model and of the file.
        drop: between the two, as `Task.drop` has it.
        relative: whether it is one relative to the metric, as for losses.
        max_drop: what was good enough.
    """

    source: str
    output: Path | None
    ladder: Ladder
    tflite: bytes
    metric: str
    samples: int
    before: float
    after: float
    drop: float
    relative: bool
    max_drop: float

    @property
    def ok(self) -> bool:
        """Whether the file is good enough on the test set."""
        return self.drop <= self.max_drop

    @property
    def model(self) -> keras.Model:
        """The float model that became the file."""
        return self.ladder.model

    @property
    def figures(self) -> Mapping[str, Figure]:
        """`tflite_bytes` and `accuracy` of the file."""
        size = Figure(
            value=float(len(self.tflite)), unit="bytes", source="measured", evidence="size of the file"
        )
        evidence = f"{self.metric} of the {self.ladder.scheme} file on {self.samples} test samples"
        score = Figure(value=self.after, unit="", source="simulated", evidence=evidence)
        return {"tflite_bytes": size, "accuracy": score}

    def to_json(self) -> dict[str, Any]:
        """The document of `quantize --json`."""
        return {
            "schema": 1,
            "model": self.source,
            "output": None if self.output is None else str(self.output),
            "tflite_bytes": len(self.tflite),
            "metric": self.metric,
            "test_samples": self.samples,
            "float": self.before,
            "quantized": self.after,
            "drop": self.drop,
            "max_drop": self.max_drop,
            **self.ladder.to_json(),
            "ok": self.ok,
            "sentence": self._say(),
        }

    def save(self, output: str | Path, *, force: bool = False) -> Path:
        """Writes the `.tflite` file and returns its path.

        Raises:
            OutputError: it exists and `force` is not set, or it cannot be written.
        """
        write_file(Path(output), self.tflite, force=force)
        return Path(output)

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        return Summary(
            self._say(),
            figures={name: figure.value for name, figure in self.figures.items()},
            provenance={name: figure.to_json() for name, figure in self.figures.items()},
        )

    def _say(self) -> str:
        wide = self.ladder.scheme == WIDE
        kept = [
            step.name for step in self.ladder.steps[1:] if step.kept and (not wide or step.name == RECOVERY)
        ]
        by = f" after {', '.join(kept)}" if kept else ""
        found = (
            f"{self.ladder.scheme}{by}: {self.metric} {format_metric(self.after)} on {self.samples} test "
            f"samples, where the float model has {format_metric(self.before)}."
        )
        if self.drop < 0:
            return f"{found} It {say_drop(self.drop)}; a drop of {self.max_drop:g} was allowed."
        return (
            f"{found} The {'relative ' if self.relative else ''}drop of {format_drop(self.drop)} is "
            f"{'within' if self.ok else 'more than'} the {self.max_drop:g} allowed."
        )


def quantize_file(request: QuantizeRequest, *, progress: Progress) -> QuantizeResult:
    """Climbs the ladder on validation data, and measures what came out on test data.

    Raises:
        InputError: model, data or output cannot be used.
        OpError: LiteRT or the device's runtime cannot run an op of the file.
        ToolError: LiteRT failed.
    """
    refuse_existing(request.output, force=request.force)
    profile = None if request.device is None else load_profile(request.device)
    io_type, allowed = choose_io_type("int8", request.io_type), parse_drop(request.max_drop)
    if profile is not None:
        refuse_scheme("int8", profile, io_type=io_type)
    from edgeprune.keras_bridge.data.representative import draw_representative
    from edgeprune.keras_bridge.training.determinism import fix_seeds

    fix_seeds(request.seed)
    inputs = open_inputs(
        request.model,
        request.data,
        options=request.training,
        seed=request.seed,
        load=request.load,
        representative_samples=request.representative_samples,
        check_range="input-range" not in request.accept,
        needs_training=request.epochs > 0,
        progress=progress,
    )
    progress.stage("quantize, measure, improve")
    before = inputs.test.score_model(inputs.model)
    required = plan_ladder(
        inputs.make_trainer(epochs=request.epochs, seed=request.seed, progress=progress),
        representative=inputs.representative,
        more=draw_representative(inputs.data, samples=MORE_SAMPLES, seed=request.seed).inputs,
        io_type=io_type,
        max_drop=inputs.task.limit_drop(allowed, before=before, usual=MAX_DROP),
    )
    wide = _choose_wide_io_type(request, profile)
    ladder = climb_ladder(inputs.model, replace(required, wide_io_type=wide), progress=progress)
    tflite = strip(
        in_ops_of(ladder.tflite, runtime="tflm")
        if profile is None
        else backend_of(profile).rewrite(ladder.tflite)
    )
    for note in list_notes(read_model(tflite, where="the quantized file")):
        progress.note(note)
    if profile is not None:
        measured = measure(tflite, profile=profile, where=str(request.output or "the quantized file"))
        if measured.unsupported:
            raise name_unsupported(measured, profile, model=ladder.model, named=ladder.tflite)
    progress.stage("evaluate on test data")
    after = judge_file(tflite, inputs.test).metrics[inputs.task.metric]
    if said := say_one_answer(tflite, ladder.model, inputs.test):
        progress.warn(said)
    result = QuantizeResult(
        source=inputs.source,
        output=request.output,
        ladder=ladder,
        tflite=tflite,
        metric=inputs.task.metric,
        samples=inputs.test.samples,
        before=before,
        after=after,
        drop=inputs.test.drop(before=before, after=after),
        relative=not inputs.task.higher_is_better,
        max_drop=inputs.task.limit_drop(allowed, before=before, usual=MAX_DROP),
    )
    if request.output is not None:
        result.save(request.output, force=request.force)
    return result


def _choose_wide_io_type(request: QuantizeRequest, profile: Profile | None) -> str | None:
    """The type of inputs and outputs of an int16x8 file, None where there may be none."""
    if profile is not None and not can_execute(WIDE, profile):
        return None
    types = SCHEMES[WIDE].io_types
    if request.io_type is None:
        return types[0]
    return request.io_type if request.io_type in types else None


def write_quantization(path: Path, document: Mapping[str, Any], *, force: bool) -> None:
    """Writes the page with the ladder and the errors of all tensors.

    Raises:
        OutputError: the file exists and `force` is not set, or it cannot be written.
    """
    with whole_file(path, force=force) as temporary:
        temporary.write_text(render_quantization(document), encoding="utf-8")
