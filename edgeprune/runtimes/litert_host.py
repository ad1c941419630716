"""An artefact in LiteRT on this machine: the runtime of phones and Linux boards."""

from dataclasses import dataclass
from typing import Literal, NoReturn

from edgeprune.errors import ModelError, OpError, ToolFailedError
from edgeprune.runtimes.litert_choice import choose_litert, list_usable
from edgeprune.runtimes.processes import run_workers
from edgeprune.runtimes.samples import Array, Outputs, find_state, group, ungroup
from edgeprune.tflite.complaints import explain_refusal
from edgeprune.tflite.model import Model
from edgeprune.tflite.ops import find_flat_softmax
from edgeprune.tflite.read import read_model

Kernels = Literal["default", "builtin", "reference"]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class LitertRun:
    """What LiteRT made of a set of samples.

    Attributes:
        outputs: one entry per output of the model.
        seconds: time in the runtime, summed over samples and processes, on this machine.
        runtime: name and version, for example "tflite-runtime 2.14.0".
        peak_rss_delta_bytes: how much the process grew at its peak, from before the model was loaded to after
            one inference; None where the operating system does not say (other than Linux).
    """

    outputs: tuple[Outputs, ...]
    seconds: float
    runtime: str
    peak_rss_delta_bytes: int | None


def run_litert(
    tflite: bytes,
    inputs: tuple[Array, ...],
    *,
    threads: int | None = None,
    kernels: Kernels = "default",
    package: str | None = None,
    timeout_seconds: float = 600.0,
) -> LitertRun:
    """The artefact's outputs in LiteRT, sample by sample, on all cores.

    Each sample is an inference of its own with the batch size that is in the file, so the result depends
    neither on the number of cores nor on the other samples. Only what a file keeps in resource variables
    goes on from sample to sample, as in one sequence: LiteRT does not reset them.

    Args:
        tflite: the artefact.
        inputs: one array per input, (samples, ...); floats are quantized as the input asks for.
        threads: threads of each process; one, if not given, since the processes share the cores.
        kernels: "default" as applications get them (XNNPACK), "builtin" without XNNPACK, "reference" the
            plain ones, which are the nearest to TFLM's.
        package: a distribution of `LITERT_PACKAGES`; if not given, the first that can be loaded and has a
            kernel for each op.
        timeout_seconds: for the whole run.

    Raises:
        ModelError: the artefact is damaged.
        DataError: the inputs do not fit the artefact.
        OpError: the runtime has no kernel for one of its ops.
        ToolMissingError: no LiteRT can be loaded.
        ModelError: besides, the runtime refused the file, or crashed on it.
        ToolFailedError: the runtime failed or took too long.
    """
    if package is not None:
        return _run(
            package, tflite, inputs, threads=threads, kernels=kernels, timeout_seconds=timeout_seconds
        )
    first: OpError | None = None
    choose_litert()  # raises where there is none
    for name in list_usable():
        try:
            return _run(
                name, tflite, inputs, threads=threads, kernels=kernels, timeout_seconds=timeout_seconds
            )
        except OpError as error:  # an older runtime may lack an op, or a version of one, that a newer one has
            first = first or error
    assert first is not None  # there is one runtime at least
    raise first


def _run(
    package: str,
    tflite: bytes,
    inputs: tuple[Array, ...],
    *,
    threads: int | None,
    kernels: Kernels,
    timeout_seconds: float,
) -> LitertRun:
    """The artefact's outputs in the LiteRT of one distribution."""
    model = read_model(tflite, where="the artefact")
    invocations = group(model, inputs)
    try:
        run = run_workers(
            "litert",
            tflite,
            invocations=invocations,
            outputs=len(model.outputs),
            options={
                "threads": threads or 1,
                "kernels": kernels,
                "state": find_state(model),
                "package": package,
            },
            # TensorFlow takes longer to import than a second process saves.
            most_workers=1 if package == "tensorflow" or model.has_resources else None,
            timeout_seconds=timeout_seconds,
        )
    except ModelError as error:
        if (known := find_flat_softmax(model)) is None:
            raise
        raise ModelError(error.what, why=known[0], fix=known[1]) from error
    for result in run.results:
        if "error" in result:
            fail_with(result["error"], result["error_kind"], who=package, model=model)
    return LitertRun(
        outputs=tuple(
            Outputs(
                raw=ungroup(stacked, invocations),
                scale=float(tensor.scales[0]) if tensor.scales.size else 0.0,
                zero_point=int(tensor.zero_points[0]) if tensor.zero_points.size else 0,
            )
            for tensor, stacked in zip(model.outputs, run.outputs, strict=True)
        ),
        seconds=sum(result["seconds"] for result in run.results),
        runtime=run.results[0]["runtime"],
        peak_rss_delta_bytes=run.results[0]["peak_rss_delta_bytes"],
    )


def fail_with(error: str, kind: str, *, who: str = "LiteRT", model: Model | None = None) -> NoReturn:
    """Raise what the runtime said in a worker as OpError, ModelError or ToolFailedError.

    Args:
        error: the message.
        kind: the exception's name.
        who: the runtime, for messages.
        model: the file, for the names of its tensors.
    """
    if "UnicodeDecodeError" in error:
        raise ModelError(
            f"a name in the file is no text, which {who} refuses",
            why=error.strip().splitlines()[0][:300],
            fix="take the names away with 'edgeprune strip'",
        )
    if kind in ("ImportError", "ModuleNotFoundError", "SystemError"):
        raise ToolFailedError(
            f"{who} cannot be loaded",
            why=(error.strip().splitlines() or [kind])[0][:300],
            fix="'edgeprune doctor' says what to do",
        )
    raise explain_refusal(error, who=who, model=model)
