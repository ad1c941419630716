"""A Keras model turned into a file, with every figure of both, and what is checked about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeprune.build.file_metadata import compose_annotation, describe_origin, hash_origin
from edgeprune.build.job import Job, describe_settings
from edgeprune.config.budgets import BUDGETS
from edgeprune.device.figures import Figure
from edgeprune.device.profile import Profile
from edgeprune.encoding.choices import Compressed
from edgeprune.encoding.xnnpack_sparse import SparseChoice
from edgeprune.errors import OpError
from edgeprune.graph.channels import name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.measuring.backend import backend_of
from edgeprune.measuring.records import Encoded, Measured
from edgeprune.methods.method import Applied
from edgeprune.quantization.judge import judge_file
from edgeprune.quantization.shortage import describe_shortage
from edgeprune.report.sections.answers import AnswersPart
from edgeprune.tflite.annotate import annotate
from edgeprune.tflite.notes import list_notes
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import strip
from edgeprune.tflite.zeros import Arrived, require_zeros
from edgeprune.units import format_metric
from edgeprune.version import __version__

if TYPE_CHECKING:
    import keras

_SAMPLES_FOR_NAMES = 4


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Artefact:
    """A Keras model and the file it became.

    Attributes:
        model: the Keras model.
        graph: its layer graph.
        tflite: the file's bytes.
        measured: the file, read and measured.
        figures: every figure of `UNITS`.
        metric: the name of the metric that decides.
        float_metrics: every metric of the Keras model on the test set, by its name.
        metrics: likewise of the file.
        compressed: the file as it is flashed, where its zeros are stored encoded: `figures` are of that one.
        arrived: what became of each kernel's zeros, where any were made.
        answers: what the file answered to the test samples, as the report has it.
    """

    model: keras.Model
    graph: LayerGraph
    tflite: bytes
    measured: Measured
    figures: Mapping[str, Figure]
    metric: str
    float_metrics: Mapping[str, float]
    metrics: Mapping[str, float]
    compressed: Compressed | SparseChoice | None = None
    arrived: tuple[Arrived, ...] = ()
    answers: AnswersPart | None = None

    @property
    def float_accuracy(self) -> float:
        """The Keras model's metric that decides, on the test set."""
        return self.float_metrics[self.metric]

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of the file before it is used, one sentence each."""
        return list_notes(read_model(self.tflite, where="model.tflite"))

    @property
    def told(self) -> str:
        """The figures that people look at first, for one line."""
        found = [(kind, self.figures.get(kind.figure)) for kind in BUDGETS.values()]
        costs = [kind.say(figure.value) for kind, figure in found if figure and figure.value]
        return ", ".join([f"{self.metric} {format_metric(self.metrics[self.metric])}", *costs])

    @property
    def flashed(self) -> bytes:
        """The file that runs on the device, but for what an NPU's compiler makes of it."""
        return self.tflite if self.compressed is None else self.compressed.tflite


def encode_for_device(tflite: bytes, job: Job, *, shaped: bool = True) -> Encoded:
    """The file as the device stores it, and its figures.

    Args:
        tflite: the stripped file of a model.
        job: whose device and budgets count.
        shaped: whether zeros or clusters were made in it; else it is only measured.
    """
    backend = backend_of(job.profile)
    if shaped:
        return backend.encode(tflite, budgets=job.budgets, scheme=job.request.scheme)
    measured = backend.measure(tflite, where="model.tflite")
    return Encoded(measured=measured, figures=measured.figures)


def convert_for(job: Job, model: keras.Model, *, samples: int | None = None) -> bytes:
    """The model's file, quantized as the job asks for; names are still in it.

    Args:
        job: scheme, type of inputs and outputs, representative data.
        model: what is converted.
        samples: of the representative set, from its start; all if not given.
    """
    from edgeprune.keras_bridge.conversion.convert import convert

    return convert(
        model,
        scheme=job.request.scheme,
        representative=tuple(x[:samples] for x in job.inputs.representative),
        io_type=job.request.io_type,
    )


def make_file(job: Job, model: keras.Model, *, samples: int | None = None) -> bytes:
    """The model's file as it is shipped: converted, stripped, with what it says about itself.

    Args:
        job: as `convert_for` reads it; its device and data decide what the file says.
        model: what is converted.
        samples: of the representative set, from its start; all if not given.
    """
    return finish_file(job, model, named=convert_for(job, model, samples=samples))


def finish_file(job: Job, model: keras.Model, *, named: bytes) -> bytes:
    """A converted file as it is shipped: stripped, with what it says about itself.

    Args:
        job: its device and data decide what the file says.
        model: what was converted.
        named: the file as the converter made it.
    """
    inputs, profile = job.inputs, job.profile
    named = backend_of(profile).rewrite(named)
    origin = describe_origin(
        device=profile.id, model_sha256=inputs.sha256, seed=job.request.seed, settings=describe_settings(job)
    )
    annotation = compose_annotation(
        model,
        asked=job.request.annotating,
        profile=profile,
        data=inputs.data,
        labels=inputs.data.class_names or (),
        description=f"Made by edgeprune {__version__} for {profile.id} from {inputs.source}. "
        f"SHA-256 of its manifest, the files aside: {hash_origin(origin)}.",
    )
    return annotate(strip(named), annotation)


def make_artefact(
    model: keras.Model,
    job: Job,
    *,
    applied: Applied | None = None,
    named: bytes | None = None,
    like: Artefact | None = None,
) -> Artefact:
    """Converts, strips, measures and evaluates: every figure of the model and of its file.

    Args:
        model: what becomes a file.
        job: data, device and scheme.
        applied: what was done to its weights, if anything: zeros are looked for in the file, and what was
            shaped is stored encoded where the device's runtime can unpack it.
        named: its file as the converter made it, if there is one already.
        like: another artefact; where it is of the same model, that is not scored again.

    Raises:
        InfeasibleError: zeros were lost on the way.
    """
    from edgeprune.keras_bridge.model.trace import trace
    from edgeprune.keras_bridge.training.inference import predict

    inputs, scheme = job.inputs, job.request.scheme
    tflite = make_file(job, model) if named is None else finish_file(job, model, named=named)
    encoded = encode_for_device(tflite, job, shaped=applied is not None and applied.is_shaped)
    arrived = require_zeros(encoded.measured.model, applied.zeros) if applied and applied.zeros else ()
    judged = judge_file(tflite, inputs.test)
    graph = trace(model).graph
    channels = name_channels(graph)
    macs = count_macs(Lowering(graph, channels).lower(channels.everything))
    counted = "counted in the layer graph"
    figures = {
        "params": Figure(value=float(graph.params), unit="", source="measured", evidence=counted),
        "macs": Figure(value=float(macs), unit="", source="measured", evidence=counted),
        **encoded.figures,
        "accuracy": Figure(
            value=judged.metrics[inputs.task.metric],
            unit="",
            source="simulated",
            evidence=f"{inputs.task.metric} of the {scheme} file on {inputs.test.samples} test samples, "
            f"{judged.runtime}",
        ),
    }
    if like is not None and like.model is model:
        float_metrics = like.float_metrics
    else:
        float_metrics = inputs.test.score_all(lambda x: predict(model, x))
    return Artefact(
        model=model,
        graph=graph,
        tflite=tflite,
        measured=encoded.measured,
        figures=figures,
        float_metrics=float_metrics,
        metrics=judged.metrics,
        metric=inputs.task.metric,
        compressed=encoded.compressed,
        arrived=arrived,
        answers=judged.answers.result(inputs.data.class_names or ()) if judged.answers else None,
    )


def find_shortage(dense: Artefact, job: Job) -> str:
    """What it costs that there are few representative samples, "" where there are enough."""
    return describe_shortage(
        dense.model,
        job.inputs.calibration,
        tflite=dense.tflite,
        scheme=job.request.scheme,
        io_type=job.request.io_type,
        inputs=job.inputs.validation.inputs,
    )


def refuse_unsupported(dense: Artefact, job: Job) -> None:
    """Raises OpError where the device's runtime cannot execute an op of the dense model's file."""
    if dense.measured.unsupported:
        # The measured file has lost its names.
        named = convert_for(job, dense.model, samples=_SAMPLES_FOR_NAMES)
        raise name_unsupported(dense.measured, job.profile, model=dense.model, named=named)


def name_unsupported(measured: Measured, profile: Profile, *, model: keras.Model, named: bytes) -> OpError:
    """The error that says which layer becomes an op that the device's runtime cannot execute.

    Args:
        measured: the stripped file; some op in it is not supported.
        profile: the device.
        model: what was converted.
        named: its file with names.
    """
    from edgeprune.keras_bridge.conversion.layer_names import describe_place

    return OpError(
        f"{backend_of(profile).label} on {profile.id} cannot execute the converted model",
        where=describe_place(model, named, op=measured.unsupported[0].partition(" ")[0]),
        why="; ".join(dict.fromkeys(measured.unsupported)),
    )
