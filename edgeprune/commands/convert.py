"""`edgeprune convert`: a Keras model as a stripped `.tflite` file, without pruning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeprune.build.artefact import name_unsupported
from edgeprune.build.file_metadata import Annotating, compose_annotation, read_labels
from edgeprune.build.inputs import open_representative
from edgeprune.config.build_options import Acceptable, DataSource, ModelSource
from edgeprune.config.load_options import AS_SAVED, LoadOptions
from edgeprune.device.check import check_budgets, resolve_budgets, verdict
from edgeprune.device.figures import Check, Figure
from edgeprune.device.profile import Profile, load_profile
from edgeprune.errors import DataError, EdgepruneError, InputError, OpError, ToolError
from edgeprune.files import refuse_existing, write_file
from edgeprune.graph.layergraph import Array
from edgeprune.measuring.backend import backend_of, check_ops, measure
from edgeprune.measuring.schemes import refuse_scheme
from edgeprune.progress import Progress
from edgeprune.quantization.first_loss import find_first_loss
from edgeprune.quantization.shortage import describe_shortage
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.runtimes.golden import draw_inputs
from edgeprune.runtimes.litert_choice import choose_litert
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.samples import Outputs, as_real
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.annotate import annotate
from edgeprune.tflite.notes import list_notes
from edgeprune.tflite.ops import describe_ends
from edgeprune.tflite.read import read_model
from edgeprune.tflite.rewriting.rewrite import in_ops_of
from edgeprune.tflite.schemes import SCHEMES, choose_io_type
from edgeprune.tflite.strip import strip
from edgeprune.version import __version__

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.data.dataset import Data

_TRIED = 8
"""Samples that a converted file is run on before it is written."""
_STANDS_OUT = 0.05
"""Mean difference from the model's outputs, as a fraction of their range, that rounding rarely reaches."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ConvertRequest:
    """What `edgeprune convert` was asked for.

    Attributes:
        model: a saved Keras model, or one in memory.
        output: the `.tflite` file to write; None for none.
        data: what `load_data` takes; schemes that calibrate need them.
        scheme, io_type: as `keras_bridge.conversion.convert` takes them.
        device: a profile's id or file, whose runtime and budgets the file is held against; None for none.
        labels: file of labels; None for the names of the data's classes.
        annotating: what the file says about itself.
        seed: of the samples that are calibrated on.
        representative_samples: how many; None for the usual number.
        steps_per_epoch: batches that are read of data that never end.
        accept: doubts that are known; "input-range" where the data seem to have another than the model
            expects.
        load: how the model is opened.
        force: replace an output that exists.
    """

    model: ModelSource
    output: Path | None = None
    data: DataSource | None = None
    scheme: str = "int8"
    io_type: str | None = None
    device: str | None = None
    labels: Path | None = None
    annotating: Annotating = field(default_factory=Annotating)
    seed: int = 0
    representative_samples: int | None = None
    steps_per_epoch: int | None = None
    accept: tuple[Acceptable, ...] = ()
    load: LoadOptions = AS_SAVED
    force: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class ConvertResult(Summarized):
    """What `edgeprune convert` did.

    Attributes:
        output: the file that was written; None for none.
        model: what was converted.
        tflite: the file.
        scheme, io_type: how it is quantized.
        samples: how many training samples it was calibrated on; 0 for schemes that do not calibrate.
        profile: the device; None where none was given.
        figures: of the file on it; empty where none was given.
        checks: those against budgets.
    """

    output: Path | None
    model: keras.Model
    tflite: bytes
    scheme: str
    io_type: str
    samples: int
    profile: Profile | None
    figures: Mapping[str, Figure]
    checks: tuple[Check, ...]

    @property
    def fits(self) -> bool:
        """Whether the file fits the device, if there is one."""
        return all(check.ok for check in self.checks)

    def to_json(self) -> dict[str, Any]:
        """The document of `convert --json`."""
        return {
            "schema": 1,
            "output": None if self.output is None else str(self.output),
            "scheme": self.scheme,
            "io_type": self.io_type,
            "ends": describe_ends(read_model(self.tflite, where="the converted file")),
            "tflite_bytes": len(self.tflite),
            "samples": self.samples,
            "device": None if self.profile is None else self.profile.id,
            "checks": [check.to_json() for check in self.checks],
            "ok": self.fits,
            "sentence": "" if self.profile is None else verdict(self.checks, self.profile.id),
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
        document = self.to_json()
        return Summary(
            document["sentence"] or f"{len(self.tflite):,} bytes, {self.scheme}.",
            figures={name: figure.value for name, figure in self.figures.items()},
            provenance={name: figure.to_json() for name, figure in self.figures.items()},
            checks=document["checks"],
        )


def convert_file(request: ConvertRequest, *, progress: Progress) -> ConvertResult:
    """Convert, strip, annotate, and hold the file against the device; it is written even if it does not fit.

    Raises:
        ModelError: the model cannot be used.
        DataError: the scheme calibrates and there are no data, or data or labels cannot be used.
        RecipeError: the device's runtime cannot execute files of this scheme.
        OpError: the device's runtime lacks an op of the file.
        OutputError: the output exists and `force` is not set, or it cannot be written.
    """
    refuse_existing(request.output, force=request.force)
    io_type = choose_io_type(request.scheme, request.io_type)
    profile = None if request.device is None else load_profile(request.device)
    if profile is not None:
        refuse_scheme(request.scheme, profile, io_type=io_type)
    if SCHEMES[request.scheme].needs_data and request.data is None:
        raise DataError(
            f"the scheme {request.scheme} needs representative data",
            why="activation ranges are measured on real inputs",
            fix="pass --data (inputs alone are enough), or choose --scheme float16",
        )
    from edgeprune.keras_bridge.conversion.convert import convert
    from edgeprune.keras_bridge.loading.given import hash_source, name_source, open_model

    progress.stage("load")
    model = open_model(request.model, options=request.load, progress=progress)
    data = _load_data(request, model, progress)
    drawn = None
    if data is not None and SCHEMES[request.scheme].needs_data:
        drawn = open_representative(
            model,
            data,
            samples=request.representative_samples,
            check_range="input-range" not in request.accept,
            seed=request.seed,
            progress=progress,
        )
    labels = _find_labels(request, model, data)
    progress.stage("convert")
    named = convert(
        model, scheme=request.scheme, representative=drawn.inputs if drawn else None, io_type=io_type
    )
    if profile is not None:
        named = backend_of(profile).rewrite(named)
    elif request.scheme == "int8":
        named = in_ops_of(named, runtime="tflm")
    _require_running(named, model, drawn.inputs if drawn else None, progress)
    if drawn is not None and data is not None:
        shortage = describe_shortage(
            model, drawn, tflite=named, scheme=request.scheme, io_type=io_type, inputs=data.validation.x
        )
        if shortage:
            progress.warn(shortage)
    tflite = annotate(
        strip(named),
        compose_annotation(
            model,
            asked=request.annotating,
            profile=profile,
            data=data,
            labels=labels,
            description=f"Converted by edgeprune {__version__} from {name_source(request.model)}, "
            f"SHA-256 {hash_source(request.model, request.load)}.",
        ),
    )
    for note in list_notes(read_model(tflite, where="the converted file")):
        progress.note(note)
    figures: Mapping[str, Figure] = {}
    checks: tuple[Check, ...] = ()
    if profile is not None:
        progress.stage("measure")
        measured = measure(tflite, profile=profile, where=str(request.output or "the converted file"))
        if measured.unsupported:
            raise name_unsupported(measured, profile, model=model, named=named)
        budgets = resolve_budgets(profile)
        figures = measured.figures
        checks = (*check_budgets(figures, budgets, profile), check_ops(measured, profile))
    result = ConvertResult(
        output=request.output,
        model=model,
        tflite=tflite,
        scheme=request.scheme,
        io_type=io_type,
        samples=drawn.samples if drawn else 0,
        profile=profile,
        figures=figures,
        checks=checks,
    )
    if request.output is not None:
        result.save(request.output, force=request.force)
    return result


def _require_running(
    named: bytes, model: keras.Model, inputs: tuple[Array, ...] | None, progress: Progress
) -> None:
    """Runs the file, and warns where its outputs are far from the model's.

    Raises:
        OpError: no runtime that is installed here runs it; the layer is named.
    """
    from edgeprune.keras_bridge.conversion.layer_names import name_place

    file = read_model(named, where="the converted file")
    given = draw_inputs(file, samples=1, seed=0) if inputs is None else tuple(x[:_TRIED] for x in inputs)
    samples = as_real(named, given)
    try:
        run = run_litert(named, samples)
    except OpError as error:
        try:
            run_tflm(named, samples)
        except (InputError, ToolError):
            raise name_place(model, error, tflite=named) from error
        progress.note(f"the file runs in TFLM alone: {error.message}")
        return
    if (older := choose_litert()) != run.runtime.split()[0]:
        progress.note(f"the file runs in {run.runtime}, and not in {older}, which lacks one of its ops")
    if inputs is not None and (off := _measure_gap(model, given, run.outputs)) > _STANDS_OUT:
        progress.warn(
            f"outputs of the file are {off:.0%} of their range away from the model's on representative "
            f"data{_find_start(named, model, given)}"
        )


def _find_start(named: bytes, model: keras.Model, inputs: tuple[Array, ...]) -> str:
    """Where activations begin to differ from the float file's, as the end of a sentence."""
    from edgeprune.keras_bridge.conversion.convert import convert
    from edgeprune.keras_bridge.conversion.layer_names import name_layers

    try:
        found = find_first_loss(convert(model, scheme="none"), named, inputs=inputs)
    except EdgepruneError:  # which says nothing of the file that was asked for
        found = None
    layer = name_layers(model, named).get(found.tensor) if found else None
    if found is None:
        return ""
    place = f"in layer '{layer}' ({found.op})" if layer else f"in an op {found.op}"
    place = "in the model's inputs" if found.op == "INPUT" else place
    return (
        f"; it starts {place}, whose values are off by {found.lost:.0%} of their spread; "
        "'edgeprune quantize' tries what makes it less"
    )


def _measure_gap(model: keras.Model, inputs: tuple[Array, ...], outputs: Sequence[Outputs]) -> float:
    """The worst output's mean difference from the Keras model's, as a fraction of its range."""
    from edgeprune.keras_bridge.training.inference import predict

    gaps = [0.0]
    for wanted, found in zip(predict(model, inputs), outputs, strict=True):
        span = max(float(np.ptp(wanted)), float(np.abs(wanted).max()))
        if span > 0:
            gaps.append(float(np.abs(wanted - found.values.reshape(wanted.shape)).mean()) / span)
    return max(gaps)


def _load_data(request: ConvertRequest, model: keras.Model, progress: Progress) -> Data | None:
    from edgeprune.keras_bridge.data.dataset import load_data
    from edgeprune.keras_bridge.training.compiled import interface_of

    if request.data is None:
        return None
    data = load_data(
        request.data,
        interface=interface_of(model),
        seed=request.seed,
        steps_per_epoch=request.steps_per_epoch,
        progress=progress,
    )
    for note in data.notes:
        progress.note(note)
    return data


def _find_labels(request: ConvertRequest, model: keras.Model, data: Data | None) -> tuple[str, ...]:
    if request.labels is not None:
        return read_labels(request.labels, outputs=model.outputs)
    return (data.class_names or ()) if data is not None else ()
