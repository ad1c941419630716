"""A Keras model turned into a file, with every figure of both, and what is checked about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeprune import __version__, phone_step
from edgeprune.annotation import compose_annotation, describe_origin, hash_origin
from edgeprune.compress_step import DECODES, choose_encodings
from edgeprune.compressed import Compressed
from edgeprune.device.check import check_budgets
from edgeprune.device.profile import Profile
from edgeprune.device.runtime import name_runtime
from edgeprune.errors import OpError
from edgeprune.figures import Check, Figure
from edgeprune.graph.channels import name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.job import Job, describe_settings
from edgeprune.measure import Measured, check_ops, measure
from edgeprune.runtimes.agreement import (
    FRACTION_ALLOWED,
    STEPS_ALLOWED,
    Compared,
    Comparison,
    choose_sample_count,
    compare_runtimes,
)
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.samples import as_real
from edgeprune.shortage import describe_shortage
from edgeprune.sparse_choice import SparseChoice
from edgeprune.tflite.annotate import annotate
from edgeprune.tflite.strip import strip
from edgeprune.tflite.zeros import Arrived, Zeros, require_zeros

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
        float_accuracy: the Keras model's metric on the test set.
        compressed: the file as it is flashed, where its zeros are stored encoded: `figures` are of that one.
        arrived: what became of each kernel's zeros, where any were made.
    """

    model: keras.Model
    graph: LayerGraph
    tflite: bytes
    measured: Measured
    figures: Mapping[str, Figure]
    float_accuracy: float
    compressed: Compressed | SparseChoice | None = None
    arrived: tuple[Arrived, ...] = ()

    @property
    def flashed(self) -> bytes:
        """The file that runs on the device, but for what an NPU's compiler makes of it."""
        return self.tflite if self.compressed is None else self.compressed.tflite


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """A file as the device stores it.

    Attributes:
        measured: the file before, read and measured.
        figures: of the file that is flashed.
        compressed: that file, where its constants may be stored encoded.
    """

    measured: Measured
    figures: Mapping[str, Figure]
    compressed: Compressed | SparseChoice | None = None


def encode_for_device(tflite: bytes, job: Job, *, shaped: bool = True) -> Encoded:
    """The file with its weights stored as the device's runtime can unpack them, if it can, and its figures.

    Args:
        tflite: the stripped file of a model.
        job: whose device and budgets count.
        shaped: whether zeros or clusters were made in it; else it is only measured.
    """
    measured = measure(tflite, profile=job.profile, where="model.tflite")
    decodes = job.profile.runtime.decodes if shaped else ()
    if phone_step.DECODES in decodes and job.request.scheme == "none":
        sparse = phone_step.choose_sparse(tflite, profile=job.profile)
        after = measure(sparse.tflite, profile=job.profile, where="model_encoded.tflite")
        return Encoded(measured=measured, figures=after.figures, compressed=sparse)
    if DECODES not in decodes:
        return Encoded(measured=measured, figures=measured.figures)
    compressed = choose_encodings(tflite, profile=job.profile, budgets=job.budgets, before=measured)
    return Encoded(measured=measured, figures=compressed.after, compressed=compressed)


def convert_for(job: Job, model: keras.Model, *, samples: int | None = None) -> bytes:
    """The model's file, quantized as the job asks for; names are still in it.

    Args:
        job: scheme, type of inputs and outputs, representative data.
        model: what is converted.
        samples: of the representative set, from its start; all if not given.
    """
    from edgeprune.keras_bridge.convert import convert

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
    zeros: Mapping[str, Zeros] | None = None,
    named: bytes | None = None,
) -> Artefact:
    """Converts, strips, measures and evaluates: every figure of the model and of its file.

    Args:
        model: what becomes a file.
        job: data, device and scheme.
        zeros: name of a kernel → where zeros were made in it, which are looked for in the file; none for
            clusters. What was shaped is stored encoded where the device's runtime can unpack it. None where
            weights were not shaped.
        named: its file as the converter made it, if there is one already.

    Raises:
        InfeasibleError: zeros were lost on the way.
    """
    from edgeprune.keras_bridge.trace import trace

    inputs, scheme = job.inputs, job.request.scheme
    tflite = make_file(job, model) if named is None else finish_file(job, model, named=named)
    encoded = encode_for_device(tflite, job, shaped=zeros is not None)
    arrived = require_zeros(encoded.measured.model, zeros) if zeros else ()
    run = run_litert(tflite, as_real(tflite, inputs.test.inputs))
    samples = len(inputs.test.inputs[0])
    graph = trace(model).graph
    channels = name_channels(graph)
    macs = count_macs(Lowering(graph, channels).lower(channels.everything))
    counted = "counted in the layer graph"
    figures = {
        "params": Figure(value=float(graph.params), unit="", source="measured", evidence=counted),
        "macs": Figure(value=float(macs), unit="", source="measured", evidence=counted),
        **encoded.figures,
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
        measured=encoded.measured,
        figures=figures,
        float_accuracy=inputs.test.score_model(model),
        compressed=encoded.compressed,
        arrived=arrived,
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
    from edgeprune.keras_bridge.places import describe_place

    return OpError(
        f"{name_runtime(profile)} on {profile.id} cannot execute the converted model",
        where=describe_place(model, named, op=measured.unsupported[0].partition(" ")[0]),
        why="; ".join(dict.fromkeys(measured.unsupported)),
        fix="replace the layer that becomes this op",
    )


def verify(artefact: Artefact, job: Job) -> Comparison:
    """The artefact in several runtimes, the device's among them, compared with LiteRT's reference kernels.

    What Vela compiled runs on an NPU alone; there the file before Vela is compared.
    """
    samples = choose_sample_count(int(artefact.figures["macs"].value or 0))
    return compare_runtimes(
        artefact.tflite,
        as_real(artefact.tflite, tuple(x[:samples] for x in job.inputs.test.inputs)),
        encoded=artefact.flashed,
        with_tflm=job.profile.runtime.name != "litert",
    )


def find_verified(comparison: Comparison, job: Job) -> Compared | None:
    """The row of the device's runtime, if it is to agree with the reference.

    None for LiteRT, whose kernels round differently by design, and for ops that only the NPU executes. The C
    engine computes what TFLM's reference kernels do, bit for bit.
    """
    profile = job.profile
    if profile.runtime.name == "litert" or comparison.tflm is None:
        return None
    return None if profile.npu is not None and comparison.tflm.unavailable else comparison.tflm


def check_artefact(
    pruned: Artefact, job: Job, *, dense: Artefact, comparison: Comparison
) -> tuple[Check, ...]:
    """Budgets, accuracy against the dense model's, ops and agreement of runtimes."""
    checks = [*check_budgets(pruned.figures, job.budgets, job.profile)]
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
    verified = find_verified(comparison, job)
    if verified is not None:
        checks.append(_check_agreement(verified, comparison, job.profile))
    return tuple(checks)


def _check_agreement(row: Compared, comparison: Comparison, profile: Profile) -> Check:
    found = row.agreement
    if found is None:
        figure = Figure(value=None, unit="steps", source="unavailable", evidence=row.unavailable)
        # Nobody can be held to what this machine cannot tell; a file that TFLM refuses is another matter.
        budget = None if row.is_missing else float(STEPS_ALLOWED)
        return Check(name="agreement", figure=figure, budget=budget)
    in_steps = found.max_steps is not None
    file = " (on the file before Vela: what it compiles runs on the NPU alone)" if profile.npu else ""
    figure = Figure(
        value=float(found.max_steps or 0) if in_steps else found.max_fraction,
        unit="steps" if in_steps else "of the range",
        source="simulated",
        evidence=f"{found.elements} output elements of {found.samples} test samples, {found.differing} "
        f"of them differ between {comparison.reference} and {row.runtime}{file}",
    )
    if not comparison.decides:
        note = "this LiteRT rounds otherwise than TFLM; tflite-runtime 2.14 would tell ('edgeprune doctor')"
        return Check(name="agreement", figure=figure, budget=None, note=note)
    budget = float(STEPS_ALLOWED) if in_steps else FRACTION_ALLOWED
    return Check(name="agreement", figure=figure, budget=budget, note="what rounding can explain")
