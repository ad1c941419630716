"""Quantizing with care: from the plain int8 file, step by step, until it is as good as it has to be.

Each step is tried on what the steps before it have left, measured on validation data in LiteRT, and kept if
it pays on either half of them. The cheap ones come first; what is good enough is not climbed any further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

from edgeprune.errors import EdgepruneError, InfeasibleError, ToolStoppedError
from edgeprune.progress import Progress, Within
from edgeprune.quantization.int8_file import (
    KEPT,
    LOOKED_AT,
    Inputs,
    State,
    find_peaks,
    make_file,
    measure_errors,
)
from edgeprune.quantization.judge import judge_file
from edgeprune.report.sections.quantization import LadderPart, RungPart, TensorPart
from edgeprune.tflite.equalize import equalize, find_pairs
from edgeprune.tflite.read import read_model
from edgeprune.tflite.rounding import TensorError
from edgeprune.units import format_drop

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.evaluation import Evaluator
    from edgeprune.keras_bridge.training.trainer import Trainer

RECOVERY, WIDE = "quantization-aware recovery", "int16x8"
"""The step that the last one starts from, and the last one, by name."""
MAX_DROP = 0.005
"""Of the metric, by quantizing alone: half a point."""
MORE_SAMPLES = 1000
"""What calibration may take where the usual number does not do."""
JUDGED_AT_MOST = 2000
"""Validation samples that a step is measured on."""
RECOVERY_EPOCHS = 2
RECOVERY_RATE = 0.1
"""Learning rate of quantization-aware recovery: weights only have to move by a step or two."""
ROUNDED_ON = 100
"""Samples that quantization-aware recovery takes its ranges from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """One thing that was tried.

    Attributes:
        name: what it is called.
        detail: what exactly was done, as a clause.
        metric: of the quantized file on validation data; None where it could not be tried.
        drop: against the float model, as `Task.drop` has it; None likewise.
        kept: whether it paid, so that the next steps start from it.
    """

    name: str
    detail: str
    metric: float | None = None
    drop: float | None = None
    kept: bool = False

    def to_json(self) -> RungPart:
        """As the report has it."""
        return {
            "name": self.name,
            "detail": self.detail,
            "metric": self.metric,
            "drop": self.drop,
            "kept": self.kept,
        }


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ladder:
    """A quantized file, and how it came about.

    Attributes:
        model: the Keras model that the file is of.
        tflite: the file, not stripped.
        scheme: how it is quantized.
        steps: what was tried, in order; the first is the plain file.
        errors: per activation, in order of execution; empty where the scheme's tensors cannot be compared.
        float_metric: of the original Keras model on the same data.
    """

    model: keras.Model
    tflite: bytes
    scheme: str
    steps: tuple[Step, ...]
    errors: tuple[TensorError, ...]
    float_metric: float

    def to_json(self) -> LadderPart:
        """The `ladder` of a report: steps as `rungs`, errors worst first, and the float metric."""
        worst_first = sorted(self.errors, key=lambda error: error.sqnr_db)
        return {
            "scheme": self.scheme,
            "float_metric": self.float_metric,
            "rungs": [step.to_json() for step in self.steps],
            "tensors": [cast(TensorPart, error.to_json()) for error in worst_first],
        }


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Requirements:
    """What the ladder needs.

    Attributes:
        evaluator: scores files on validation data.
        representative: calibration inputs, one array per model input.
        more: a larger choice of them.
        io_type: type of the file's inputs and outputs.
        max_drop: a file whose metric drops by no more than this is good enough.
        may_scale: whether channels may be scaled; that would spoil clusters.
        recover: fine-tunes a model with rounding; None where nothing can or may be trained.
        wide_io_type: of inputs and outputs of an int16x8 file; None where such a file may not be chosen.
    """

    evaluator: Evaluator
    representative: Inputs
    more: Inputs
    io_type: str
    max_drop: float
    may_scale: bool = True
    recover: Callable[[keras.Model], keras.Model] | None = None
    wide_io_type: str | None = None


def plan_ladder(
    trainer: Trainer, *, representative: Inputs, more: Inputs, io_type: str, max_drop: float
) -> Requirements:
    """What the ladder needs; int16x8 and equalization are for the caller to allow or not.

    Args:
        trainer: data and teacher; its epochs are those of quantization-aware recovery, 0 for none.
        representative: calibration inputs, one array per model input.
        more: a larger choice of them.
        io_type: of the file's inputs and outputs.
        max_drop: of the metric, by quantizing, that is good enough.
    """
    from edgeprune.keras_bridge.training.evaluation import sample_evaluator
    from edgeprune.keras_bridge.training.quantization_aware import recover_quantized

    evaluator = sample_evaluator(trainer.evaluator, samples=JUDGED_AT_MOST, seed=trainer.seed)

    def recover(model: keras.Model) -> keras.Model:
        return recover_quantized(
            model,
            training=trainer.training,
            evaluator=evaluator,
            recovery=replace(trainer.plan_recovery(), faster=RECOVERY_RATE, policy="float32"),
            representative=tuple(x[:ROUNDED_ON] for x in representative),
            progress=Within(trainer.progress),
        )

    return Requirements(
        evaluator=evaluator,
        representative=representative,
        more=more,
        io_type=io_type,
        max_drop=max_drop,
        recover=recover if trainer.epochs > 0 else None,
    )


def climb_ladder(model: keras.Model, asked: Requirements, *, progress: Progress) -> Ladder:
    """The int8 file of a model, as good as the steps make it.

    Args:
        model: the trained model.
        asked: data and limits.
        progress: is told about every step.

    Raises:
        ModelError: the converter does not accept the model.
    """
    from edgeprune.keras_bridge.conversion.calibrate import calibrate
    from edgeprune.keras_bridge.training.evaluation import halve_evaluator

    evaluator = asked.evaluator
    dense = evaluator.score_model(model)

    def measure(tflite: bytes) -> tuple[float, float]:
        metric = judge_file(tflite, evaluator).metrics[evaluator.task.metric]
        return metric, evaluator.drop(before=dense, after=metric)

    def pays(candidate: bytes, current: bytes) -> bool:
        """Whether it is better on each half of the samples: one answer of a few is chance."""
        name = evaluator.task.metric
        halves = halve_evaluator(evaluator)
        pairs = [[judge_file(f, half).metrics[name] for f in (current, candidate)] for half in halves]
        return all(evaluator.drop(before=before, after=after) < 0 for before, after in pairs)

    state = State(
        model=model,
        calibrated=calibrate(model, representative=asked.representative),
        representative=asked.representative,
    )
    tflite, scheme = make_file(state, io_type=asked.io_type), "int8"
    metric, drop = measure(tflite)
    count = len(asked.representative[0])
    steps = [
        Step(name="int8", detail=f"{count} samples, observed ranges", metric=metric, drop=drop, kept=True)
    ]
    for name, detail, step in _list_attempts(asked):
        if drop <= asked.max_drop:
            break
        progress.note(f"{scheme} loses {format_drop(drop)} of {evaluator.task.metric}; {name} is tried next")
        try:
            moved, candidate = step(state)
            metric_now, drop_now = measure(candidate)
        except ToolStoppedError:
            raise  # whether it helps is not known, and another run would find another file
        except EdgepruneError as error:
            steps.append(Step(name=name, detail=f"not tried: {error.message}"))
            continue
        better = drop_now < drop and pays(candidate, tflite)
        steps.append(Step(name=name, detail=detail, metric=metric_now, drop=drop_now, kept=better))
        if better:
            state, tflite, drop = moved, candidate, drop_now
            scheme = WIDE if name == WIDE else scheme
    return Ladder(
        model=state.model,
        tflite=tflite,
        scheme=scheme,
        steps=tuple(steps),
        errors=_name_errors(state, tflite),
        float_metric=dense,
    )


def _name_errors(state: State, tflite: bytes) -> tuple[TensorError, ...]:
    from edgeprune.keras_bridge.conversion.layer_names import name_layers

    layers = name_layers(state.model, tflite)
    errors = measure_errors(state.calibrated, tflite, inputs=state.representative)
    return tuple(replace(error, layer=layers.get(error.tensor, "")) for error in errors)


_Attempt = Callable[[State], tuple[State, bytes]]


def _list_attempts(asked: Requirements) -> Iterator[tuple[str, str, _Attempt]]:
    """Name, what is done, and the step; a step raises InfeasibleError where there is nothing to be done."""

    def make(state: State) -> tuple[State, bytes]:
        return state, make_file(state, io_type=asked.io_type)

    def calibrate_more(state: State) -> tuple[State, bytes]:
        from edgeprune.keras_bridge.conversion.calibrate import calibrate_again

        if len(asked.more[0]) <= len(state.representative[0]):
            raise InfeasibleError("there are no more samples")
        calibrated = calibrate_again(state.calibrated, representative=asked.more)
        return make(replace(state, calibrated=calibrated, representative=asked.more))

    def scale_channels(state: State) -> tuple[State, bytes]:
        from edgeprune.keras_bridge.conversion.calibrate import calibrate_again

        pairs = find_pairs(read_model(state.calibrated, where="the calibrated model"))
        if not asked.may_scale:
            raise InfeasibleError("it would spoil clusters")
        if not pairs:
            raise InfeasibleError("no two layers can be equalized")
        scaled = equalize(state.calibrated, peaks=find_peaks(state, {pair.tensor for pair in pairs}))
        return make(replace(state, calibrated=calibrate_again(scaled, representative=state.representative)))

    def tune(state: State) -> tuple[State, bytes]:
        from edgeprune.keras_bridge.conversion.calibrate import calibrate

        if asked.recover is None:
            raise InfeasibleError("nothing may be trained")
        tuned = asked.recover(state.model)
        calibrated = calibrate(tuned, representative=state.representative)
        return make(replace(state, model=tuned, calibrated=calibrated))

    def widen(state: State) -> tuple[State, bytes]:
        from edgeprune.keras_bridge.conversion.convert import convert

        if asked.wide_io_type is None:
            raise InfeasibleError("'edgeprune quantize' does, where runtime and --io-type allow it")
        given, io_type = state.representative, asked.wide_io_type
        return state, convert(state.model, scheme=WIDE, representative=given, io_type=io_type)

    yield "more calibration samples", f"{len(asked.more[0])} samples", calibrate_more
    yield (
        "range clipping, percentile",
        f"{KEPT:.2%} of the values inside",
        lambda state: make(replace(state, clip="percentile")),
    )
    yield (
        "range clipping, MSE",
        "least squared error of 8 bits",
        lambda state: make(replace(state, clip="least error")),
    )
    yield "cross-layer equalization", "channels scaled to like ranges", scale_channels
    yield (
        "bias correction",
        f"shifted means taken back, {LOOKED_AT} samples",
        lambda state: make(replace(state, corrected=True)),
    )
    yield RECOVERY, "fine-tuned with rounding", tune
    yield WIDE, f"16-bit activations, {asked.wide_io_type} inputs and outputs, twice the arena", widen
