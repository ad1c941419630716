"""Quantizing with care: from the plain int8 file, rung by rung, until it is as good as it has to be.

Each rung is tried on what the rungs before it have left, measured on validation data in LiteRT, and kept if
it pays. The cheap ones come first; what is good enough is not climbed any further.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from edgeprune.build.inputs import Inputs as Opened
from edgeprune.errors import EdgepruneError, InfeasibleError
from edgeprune.progress import Progress, Within
from edgeprune.quantization.int8_file import (
    KEPT,
    LOOKED_AT,
    Inputs,
    Stand,
    find_peaks,
    make_file,
    measure_errors,
)
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.samples import as_real
from edgeprune.tflite.equalize import equalize, find_pairs
from edgeprune.tflite.read import read_model
from edgeprune.tflite.rounding import TensorError
from edgeprune.units import format_drop

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.evaluation import Judge

RECOVERY, WIDE = "quantization-aware recovery", "int16x8"
"""The rungs that the last one stands on, and the last one, by name."""
MAX_DROP = 0.005
"""Of the metric, by quantizing alone: half a point."""
MORE_SAMPLES = 1000
"""What calibration may take where the usual number does not do."""
JUDGED_AT_MOST = 2000
"""Validation samples that a rung is measured on."""
RECOVERY_EPOCHS = 2
RECOVERY_RATE = 1e-4
"""Learning rate of quantization-aware recovery: weights only have to move by a step or two."""
ROUNDED_ON = 100
"""Samples that quantization-aware recovery takes its ranges from."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rung:
    """One thing that was tried.

    Attributes:
        name: what it is called.
        detail: what exactly was done, as a clause.
        metric: of the quantized file on validation data; None where it could not be tried.
        drop: against the float model, as `Task.drop` has it; None likewise.
        kept: whether it paid, so that the next rungs stand on it.
    """

    name: str
    detail: str
    metric: float | None = None
    drop: float | None = None
    kept: bool = False

    def to_json(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Climbed:
    """A quantized file, and how it came about.

    Attributes:
        model: the Keras model that the file is of.
        tflite: the file, not stripped.
        scheme: how it is quantized.
        rungs: what was tried, in order; the first is the plain file.
        errors: per activation, in order of execution; empty where the scheme's tensors cannot be compared.
        float_metric: of the original Keras model on the same data.
    """

    model: keras.Model
    tflite: bytes
    scheme: str
    rungs: tuple[Rung, ...]
    errors: tuple[TensorError, ...]
    float_metric: float

    def to_json(self) -> dict[str, Any]:
        """As JSON takes it: rungs, errors worst first, and the float metric."""
        worst_first = sorted(self.errors, key=lambda error: error.sqnr_db)
        return {
            "scheme": self.scheme,
            "float_metric": self.float_metric,
            "rungs": [rung.to_json() for rung in self.rungs],
            "tensors": [error.to_json() for error in worst_first],
        }


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Climb:
    """What a climb needs.

    Attributes:
        judge: scores files on validation data.
        representative: calibration inputs, one array per model input.
        more: a larger choice of them.
        io_type: type of the file's inputs and outputs.
        max_drop: a file whose metric drops by no more than this is good enough.
        may_scale: whether channels may be scaled; that would spoil clusters.
        recover: fine-tunes a model with rounding; None where nothing can or may be trained.
        wide_io_type: of inputs and outputs of an int16x8 file; None where such a file may not be chosen.
    """

    judge: Judge
    representative: Inputs
    more: Inputs
    io_type: str
    max_drop: float
    may_scale: bool = True
    recover: Callable[[keras.Model], keras.Model] | None = None
    wide_io_type: str | None = None


def plan_climb(
    inputs: Opened, *, io_type: str, max_drop: float, epochs: int, seed: int, progress: Progress
) -> Climb:
    """What the ladder needs, of opened inputs; int16x8 and equalization are for the caller to allow or not.

    Args:
        inputs: model, data and task.
        io_type: of the file's inputs and outputs.
        max_drop: of the metric, by quantizing, that is good enough.
        epochs: of quantization-aware recovery; 0 for none.
        seed: of everything random.
        progress: is told about steps of recovery.
    """
    from edgeprune.keras_bridge.data.representative import draw_representative
    from edgeprune.keras_bridge.training.evaluation import sample_judge
    from edgeprune.keras_bridge.training.quantization_aware import recover_quantized

    judge = sample_judge(inputs.validation, samples=JUDGED_AT_MOST, seed=seed)

    def recover(model: keras.Model) -> keras.Model:
        recovery = inputs.plan_recovery(epochs=epochs, seed=seed)
        return recover_quantized(
            model,
            training=inputs.training,
            judge=judge,
            recovery=replace(recovery, learning_rate=RECOVERY_RATE),
            representative=tuple(x[:ROUNDED_ON] for x in inputs.representative),
            progress=Within(progress),
        )

    return Climb(
        judge=judge,
        representative=inputs.representative,
        more=draw_representative(inputs.data, samples=MORE_SAMPLES, seed=seed).inputs,
        io_type=io_type,
        max_drop=max_drop,
        recover=recover if epochs > 0 else None,
    )


def climb(model: keras.Model, asked: Climb, *, progress: Progress) -> Climbed:
    """The int8 file of a model, as good as the rungs make it.

    Args:
        model: the trained model.
        asked: data and limits.
        progress: is told about every rung.

    Raises:
        ModelError: the converter does not accept the model.
    """
    from edgeprune.keras_bridge.conversion.calibrate import calibrate

    judge = asked.judge
    dense = judge.score_model(model)

    def measure(tflite: bytes) -> tuple[float, float]:
        run = run_litert(tflite, as_real(tflite, judge.inputs))
        metric = judge.score_outputs([output.values for output in run.outputs])
        return metric, judge.drop(before=dense, after=metric)

    stand = Stand(
        model=model,
        calibrated=calibrate(model, representative=asked.representative),
        representative=asked.representative,
    )
    tflite, scheme = make_file(stand, io_type=asked.io_type), "int8"
    metric, drop = measure(tflite)
    count = len(asked.representative[0])
    rungs = [
        Rung(name="int8", detail=f"{count} samples, observed ranges", metric=metric, drop=drop, kept=True)
    ]
    for name, detail, step in _rungs(asked):
        if drop <= asked.max_drop:
            break
        progress.note(f"{scheme} loses {format_drop(drop)} of {judge.task.metric}: {name}")
        try:
            moved, candidate = step(stand)
            metric_now, drop_now = measure(candidate)
        except EdgepruneError as error:
            rungs.append(Rung(name=name, detail=f"not tried: {error.message}"))
            continue
        better = drop_now < drop
        rungs.append(Rung(name=name, detail=detail, metric=metric_now, drop=drop_now, kept=better))
        if better:
            stand, tflite, drop = moved, candidate, drop_now
            scheme = WIDE if name == WIDE else scheme
    return Climbed(
        model=stand.model,
        tflite=tflite,
        scheme=scheme,
        rungs=tuple(rungs),
        errors=_name_errors(stand, tflite),
        float_metric=dense,
    )


def _name_errors(stand: Stand, tflite: bytes) -> tuple[TensorError, ...]:
    from edgeprune.keras_bridge.conversion.layer_names import name_layers

    layers = name_layers(stand.model, tflite)
    errors = measure_errors(stand.calibrated, tflite, inputs=stand.representative)
    return tuple(replace(error, layer=layers.get(error.tensor, "")) for error in errors)


_Step = Callable[[Stand], tuple[Stand, bytes]]


def _rungs(asked: Climb) -> Iterator[tuple[str, str, _Step]]:
    """Name, what is done, and the step; a step raises InfeasibleError where there is nothing to be done."""

    def make(stand: Stand) -> tuple[Stand, bytes]:
        return stand, make_file(stand, io_type=asked.io_type)

    def calibrate_more(stand: Stand) -> tuple[Stand, bytes]:
        from edgeprune.keras_bridge.conversion.calibrate import calibrate_again

        if len(asked.more[0]) <= len(stand.representative[0]):
            raise InfeasibleError("there are no more samples")
        calibrated = calibrate_again(stand.calibrated, representative=asked.more)
        return make(replace(stand, calibrated=calibrated, representative=asked.more))

    def scale_channels(stand: Stand) -> tuple[Stand, bytes]:
        from edgeprune.keras_bridge.conversion.calibrate import calibrate_again

        pairs = find_pairs(read_model(stand.calibrated, where="the calibrated model"))
        if not asked.may_scale:
            raise InfeasibleError("it would spoil clusters")
        if not pairs:
            raise InfeasibleError("no two layers can be equalized")
        scaled = equalize(stand.calibrated, peaks=find_peaks(stand, {pair.tensor for pair in pairs}))
        return make(replace(stand, calibrated=calibrate_again(scaled, representative=stand.representative)))

    def tune(stand: Stand) -> tuple[Stand, bytes]:
        from edgeprune.keras_bridge.conversion.calibrate import calibrate

        if asked.recover is None:
            raise InfeasibleError("nothing may be trained")
        tuned = asked.recover(stand.model)
        calibrated = calibrate(tuned, representative=stand.representative)
        return make(replace(stand, model=tuned, calibrated=calibrated))

    def widen(stand: Stand) -> tuple[Stand, bytes]:
        from edgeprune.keras_bridge.conversion.convert import convert

        if asked.wide_io_type is None:
            raise InfeasibleError("'edgeprune quantize' does, where runtime and --io-type allow it")
        given, io_type = stand.representative, asked.wide_io_type
        return stand, convert(stand.model, scheme=WIDE, representative=given, io_type=io_type)

    yield "more calibration samples", f"{len(asked.more[0])} samples", calibrate_more
    yield (
        "range clipping, percentile",
        f"{KEPT:.2%} of the values inside",
        lambda stand: make(replace(stand, clip="percentile")),
    )
    yield (
        "range clipping, MSE",
        "least squared error of 8 bits",
        lambda stand: make(replace(stand, clip="least error")),
    )
    yield "cross-layer equalization", "channels scaled to like ranges", scale_channels
    yield (
        "bias correction",
        f"shifted means taken back, {LOOKED_AT} samples",
        lambda stand: make(replace(stand, corrected=True)),
    )
    yield RECOVERY, "fine-tuned with rounding", tune
    yield WIDE, f"16-bit activations, {asked.wide_io_type} inputs and outputs, twice the arena", widen
