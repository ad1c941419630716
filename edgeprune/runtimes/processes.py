"""The parent's side: an artefact in runtimes of other processes, with nothing left behind.

TensorFlow and the small runtimes clash when loaded into one process, a damaged model can crash a runtime,
and several processes use several cores. So each run has a temporary directory and one child per core;
arrays travel through files, and whatever happens here, the children end and the directory goes.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import numpy as np

from edgeprune.children import (
    NO_ROOM,
    describe_ending,
    ending_error,
    has_crashed,
    python_command,
    python_environment,
)
from edgeprune.errors import ModelError, ToolStoppedError
from edgeprune.runtimes.samples import Array, Invocations

_SAMPLES_PER_WORKER = 4  # below this, starting a second process (0.3 s) costs more than it saves
_STDERR_TAIL_CHARACTERS = 1500
_POLL_SECONDS = 0.01


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class WorkerRun:
    """What all workers of one run gave back.

    Attributes:
        outputs: one array per output, (invocations, *the output's shape).
        results: each worker's `result.json`.
        stderr: what the workers wrote to stderr, in order.
    """

    outputs: tuple[Array, ...]
    results: tuple[dict[str, Any], ...]
    stderr: str


def run_workers(
    kind: Literal["litert", "tflm", "timing"],
    tflite: bytes,
    *,
    invocations: Invocations,
    outputs: int,
    options: dict[str, Any],
    most_workers: int | None = None,
    timeout_seconds: float,
) -> WorkerRun:
    """The outputs of an artefact, computed by as many processes as there are cores.

    Args:
        kind: which runtime.
        tflite: the artefact.
        invocations: its inputs.
        outputs: how many outputs it has.
        options: further entries of the request, as `worker.py` reads them.
        most_workers: how many processes there may be; as many as cores, if not given.
        timeout_seconds: for the whole run.

    Raises:
        ToolStoppedError: a worker was killed or took too long.
        ModelError: it crashed: the file is one that the runtime cannot take.
        ToolFailedError: it failed otherwise.
    """
    count = len(invocations.inputs[0]) if invocations.inputs else 1
    workers = max(1, min(most_workers or count_cores(), count // _SAMPLES_PER_WORKER))
    with TemporaryDirectory(prefix="edgeprune-") as folder:
        root = Path(folder)
        (root / "model.tflite").write_bytes(tflite)
        paths = []
        for number, array in enumerate(invocations.inputs):
            paths.append(str(root / f"input_{number}.npy"))
            np.save(paths[-1], array)
        directories = []
        for worker in range(workers):
            directories.append(root / str(worker))
            directories[-1].mkdir()
            start, stop = (count * place // workers for place in (worker, worker + 1))
            request = options | {"inputs": paths, "outputs": outputs, "start": start, "stop": stop}
            (directories[-1] / "request.json").write_text(json.dumps(request), encoding="utf-8")
        with _started(kind, directories) as children:
            _wait(kind, children, directories, timeout_seconds)
        return _collect(directories, outputs)


@contextmanager
def _started(kind: str, directories: list[Path]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The children, which are gone when the block is left, however it is left."""
    children: list[subprocess.Popen[bytes]] = []
    command, environment = python_command("edgeprune.runtimes.worker"), python_environment()
    try:
        for directory in directories:
            with (directory / "stdout").open("wb") as stdout, (directory / "stderr").open("wb") as stderr:
                children.append(
                    subprocess.Popen(
                        [*command, kind, str(directory)],
                        stdin=subprocess.PIPE,
                        stdout=stdout,
                        stderr=stderr,
                        env=environment,
                        start_new_session=True,
                    )
                )
        yield children
    finally:
        for child in children:
            child.kill()
        for child in children:
            child.wait()
            if child.stdin is not None:
                child.stdin.close()


def _wait(
    kind: str, children: list[subprocess.Popen[bytes]], directories: list[Path], timeout_seconds: float
) -> None:
    deadline = time.monotonic() + timeout_seconds
    while any(child.poll() is None for child in children):
        if time.monotonic() > deadline:
            raise ToolStoppedError(f"the {kind} runtime did not finish within {timeout_seconds:g} s")
        if any(child.returncode for child in children):
            break
        time.sleep(_POLL_SECONDS)
    for child, directory in zip(children, directories, strict=True):
        if child.returncode == NO_ROOM:
            raise ToolStoppedError(
                f"there is no room for what the {kind} runtime puts out",
                where=tempfile.gettempdir(),
                fix="free some space there, or set TMPDIR to another folder",
            )
        if child.returncode:
            stderr = _read(directory / "stderr")[-_STDERR_TAIL_CHARACTERS:].strip()
            if has_crashed(child.returncode):
                raise ModelError(
                    f"the {kind} runtime {describe_ending(child.returncode)} on the file",
                    why=stderr,
                    fix="convert the model again",
                )
            raise ending_error(f"the {kind} runtime", child.returncode, why=stderr)


def _collect(directories: list[Path], outputs: int) -> WorkerRun:
    results = tuple(json.loads(_read(directory / "result.json")) for directory in directories)
    stderr = "".join(_read(directory / "stderr") for directory in directories)
    if any("error" in result for result in results):
        return WorkerRun(outputs=(), results=results, stderr=stderr)
    return WorkerRun(
        outputs=tuple(
            np.concatenate([np.load(directory / f"output_{number}.npy") for directory in directories])
            for number in range(outputs)
        ),
        results=results,
        stderr=stderr,
    )


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""


def count_cores() -> int:
    """Cores this process may use, which in a container can be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
