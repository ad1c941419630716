"""A Keras model turned into a file, with every figure of both, and what is checked about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgeprune import __version__
from edgeprune.annotation import compose_annotation, describe_origin, hash_origin
from edgeprune.compress_step import DECODES, choose_encodings
from edgeprune.compressed import Compressed
from edgeprune.device.check import check_budgets
from edgeprune.device.profile import Profile
from edgeprune.errors import OpError
from edgeprune.figures import Check, Figure
from edgeprune.graph.channels import name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.job import Job, describe_settings
from edgeprune.measure import Measured, check_ops, measure
from edgeprune.runtimes.compare import Agreement, compare_runs
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.annotate import annotate
from edgeprune.tflite.ops import unsupported_ops
from edgeprune.tflite.strip import strip
from edgeprune.tflite.zeros import Arrived, Zeros, require_zeros

if TYPE_CHECKING:
    import keras

_SAMPLES_FOR_NAMES = 4
MACS_VERIFIED_AT_MOST = 4e9
"""How much work the check against TFLM's reference kernels may be; they run at about 0.3 GMAC/s."""


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
    compressed: Compressed | None = None
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
    compressed: Compressed | None = None


def encode_for_device(tflite: bytes, job: Job, *, shaped: bool = True) -> Encoded:
    """The file with its weights stored as the device's runtime can unpack them, if it can, and its figures.

    Args:
        tflite: the stripped file of a model.
        job: whose device and budgets count.
        shaped: whether zeros or clusters were made in it; else it is only measured.
    """
    measured = measure(tflite, profile=job.profile, where="model.tflite")
    if not shaped or DECODES not in job.profile.runtime.decodes:
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
    """The model's file as it is shipped: stripped, with what it says about itself.

    Args:
        job: as `convert_for` reads it; its device and data decide what the file says.
        model: what is converted.
        samples: of the representative set, from its start; all if not given.
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
    return annotate(strip(convert_for(job, model, samples=samples)), annotation)


def make_artefact(model: keras.Model, job: Job, *, zeros: Mapping[str, Zeros] | None = None) -> Artefact:
    """Converts, strips, measures and evaluates: every figure of the model and of its file.

    Args:
        model: what becomes a file.
        job: data, device and scheme.
        zeros: name of a kernel → where zeros were made in it, which are looked for in the file; none for
            clusters. What was shaped is stored encoded where the device's runtime can unpack it. None where
            weights were not shaped.

    Raises:
        InfeasibleError: zeros were lost on the way.
    """
    from edgeprune.keras_bridge.trace import trace

    inputs, scheme = job.inputs, job.request.scheme
    tflite = make_file(job, model)
    encoded = encode_for_device(tflite, job, shaped=zeros is not None)
    arrived = require_zeros(encoded.measured.model, zeros) if zeros else ()
    run = run_litert(tflite, inputs.test.inputs)
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
        f"{profile.runtime.name} on {profile.id} cannot execute the converted model",
        where=describe_place(model, named, op=measured.unsupported[0].partition(" ")[0]),
        why="; ".join(dict.fromkeys(measured.unsupported)),
        fix="replace the layer that becomes this op",
    )


def verify(artefact: Artefact, job: Job) -> Agreement | None:
    """The artefact in the device's real runtime, compared with LiteRT's reference kernels.

    None where LiteRT is the device's runtime: then evaluation already ran in it. What Vela compiled runs on
    an NPU alone; there the file before Vela is compared, if TFLM has all its kernels.
    """
    if job.profile.runtime.name != "tflm":
        return None
    if job.profile.npu is not None and unsupported_ops(artefact.measured.model, runtime="tflm"):
        return None
    macs = max(artefact.figures["macs"].value or 0.0, 1.0)
    samples = int(max(4, min(MACS_VERIFIED_AT_MOST / macs, 100)))
    few = tuple(x[:samples] for x in job.inputs.test.inputs)
    reference = run_litert(artefact.tflite, few, kernels="reference")
    device = run_tflm(artefact.flashed, few)
    return compare_runs(reference, device)


def name_verified(profile: Profile) -> str:
    """What `verify` ran: the device's runtime, and which file."""
    if profile.npu is None:
        return "TFLM with its reference kernels"
    return "TFLM with its reference kernels, on the file before Vela (what it compiles runs on the NPU alone)"


def check_artefact(
    pruned: Artefact, job: Job, *, dense: Artefact, agreement: Agreement | None
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
    if agreement is not None:
        figure = Figure(
            value=float(agreement.max_steps),
            unit="steps",
            source="simulated",
            evidence=f"{agreement.elements} output elements of {agreement.samples} test samples, "
            f"{agreement.differing} differ between LiteRT's reference kernels and "
            f"{name_verified(job.profile)}",
        )
        checks.append(Check(name="agreement", figure=figure, budget=1.0, note="quantization steps"))
    return tuple(checks)
