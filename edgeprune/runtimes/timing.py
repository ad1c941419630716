"""How long an artefact takes in LiteRT on this machine, and whether XNNPACK's sparse kernels can run here."""

import platform
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from edgeprune.runtimes.litert_choice import choose_litert
from edgeprune.runtimes.litert_host import Kernels, fail_with
from edgeprune.runtimes.processes import run_workers
from edgeprune.runtimes.samples import Invocations
from edgeprune.tflite.read import read_model

_LEAST_RUNS = 5
_X86 = ("x86_64", "amd64", "i386", "i686", "x86")
_ARM_64 = ("aarch64", "arm64")


@dataclass(frozen=True, kw_only=True, slots=True)
class Timing:
    """Time of one inference on this machine, weights loaded and caches warm.

    Attributes:
        median_ms: half of the runs took no longer.
        low_ms, high_ms: the quartiles; half of the runs lie between them.
        runs: how many there were.
        threads: threads of the runtime.
        runtime: name and version, for example "tflite-runtime 2.14.0".
        machine: the processor's architecture, for example "x86_64".
    """

    median_ms: float
    low_ms: float
    high_ms: float
    runs: int
    threads: int
    runtime: str
    machine: str


def time_litert(tflite: bytes, *, kernels: Kernels = "default", runs: int = 50, threads: int = 1) -> Timing:
    """The time of one inference in LiteRT; see `time_alternately`."""
    return time_alternately([tflite], kernels=kernels, runs=runs, threads=threads)[0]


def time_alternately(
    files: Sequence[bytes],
    *,
    kernels: Kernels = "default",
    runs: int = 50,
    threads: int = 1,
    budget_seconds: float = 20.0,
) -> tuple[Timing, ...]:
    """The time of one inference of each file, measured in turn in one process.

    What else the machine does at the time hits all files alike. Inputs are random where they are floats, else
    zeros.

    Args:
        files: artefacts.
        kernels: as for `run_litert`; "default" is XNNPACK.
        runs: inferences of each file, after one that is not counted; fewer, but five, where time runs out.
        threads: threads of the runtime.
        budget_seconds: after which no further turn begins.

    Raises:
        ModelError: a file is damaged, or the runtime refused it or crashed on it.
        OpError: the runtime has no kernel for one of its ops.
        ToolMissingError: no LiteRT can be loaded.
        ToolFailedError: the runtime failed or took too long.
    """
    for number, data in enumerate(files):
        read_model(data, where=f"file {number + 1}")
    package = choose_litert()
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        paths = [Path(folder) / f"{number}.tflite" for number in range(len(files))]
        for path, data in zip(paths, files, strict=True):
            path.write_bytes(data)
        run = run_workers(
            "timing",
            files[0],
            invocations=Invocations(inputs=(), samples=0, batch=1),
            outputs=0,
            options={
                "package": package,
                "models": [str(path) for path in paths],
                "kernels": kernels,
                "runs": runs,
                "least_runs": min(runs, _LEAST_RUNS),
                "threads": threads,
                "budget_seconds": budget_seconds,
            },
            timeout_seconds=600.0,
        )
    (result,) = run.results
    if "error" in result:
        fail_with(result["error"], result["error_kind"])
    return tuple(
        Timing(
            median_ms=float(np.median(taken)) * 1000,
            low_ms=float(np.quantile(taken, 0.25)) * 1000,
            high_ms=float(np.quantile(taken, 0.75)) * 1000,
            runs=len(taken),
            threads=threads,
            runtime=result["runtime"],
            machine=platform.machine(),
        )
        for taken in result["seconds"]
    )


def explain_no_sparse_kernels(*, machine: str = "", runtime: str = "", features: str | None = None) -> str:
    """Why XNNPACK takes dense kernels on this machine whatever the weights, as a clause; "" if it need not.

    It leaves its sparse kernels off on x86 processors with AVX (`xnn_is_chw_compatible_config` in
    `src/xnnpack/hardware-config.h`). The revision inside tflite-runtime 2.14 (b9d4073) asks for arithmetic in
    half precision instead, which x86 does not count as having and older and small ARM cores lack; 41e87ce,
    nine days younger, does not.

    Args:
        machine: the architecture, as `platform.machine` calls it; this machine's, if not given.
        runtime: name and version of LiteRT; the one that runs here, if not given.
        features: what the processor can do, as Linux calls it; this machine's, if not given.
    """
    machine = (machine or platform.machine()).lower()
    if machine in _X86:
        return f"XNNPACK leaves its sparse kernels off on x86 processors, and this machine is {machine}"
    runtime = runtime or choose_litert()
    features = _read_features() if features is None else features
    old = runtime.startswith("tflite-runtime") and machine in _ARM_64
    if old and features and "asimdhp" not in features.split():
        return (
            "tflite-runtime 2.14 takes sparse kernels only on cores with half-precision arithmetic, which "
            "this processor lacks; ai-edge-litert takes them there, too"
        )
    return ""


def _read_features() -> str:
    """Features of the first core, in Linux's words; "" where they cannot be read."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2] for line in lines if line.startswith("Features")), "")
