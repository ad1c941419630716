"""The child's side: one runtime, in a process of its own, on a share of the samples.

`python -m edgeprune.runtimes.worker litert|tflm|timing DIRECTORY` reads `DIRECTORY/request.json`, writes
`result.json` and `output_<n>.npy` beside it. What the runtime itself says goes to stderr. An error of the
runtime is part of the result; a full disk ends the process with `NO_ROOM`, anything else with a traceback.
"""

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from edgeprune.children import NO_ROOM
from edgeprune.files.writing import is_full
from edgeprune.runtimes.litert_choice import LITERT_PACKAGES

_LITERT_RESOLVERS = {
    "default": "AUTO",
    "builtin": "BUILTIN_WITHOUT_DEFAULT_DELEGATES",
    "reference": "BUILTIN_REF",
}
_ARENA_TOO_SMALL = ("Failed to resize buffer", "Failed to allocate", "missing:", "Arena size is too small")


def run_litert(directory: Path, request: dict[str, Any]) -> dict[str, Any]:
    """LiteRT on this worker's share of the samples."""
    name = request["package"]
    module = import_module(f"{LITERT_PACKAGES[name]}.interpreter")
    resident_before = _reset_peak()

    def make_interpreter() -> Any:
        made = module.Interpreter(
            model_path=str(directory.parent / "model.tflite"),
            num_threads=request["threads"],
            experimental_op_resolver_type=module.OpResolverType[_LITERT_RESOLVERS[request["kernels"]]],
        )
        made.allocate_tensors()
        return made

    interpreter = make_interpreter()
    inputs = [detail["index"] for detail in interpreter.get_input_details()]
    outputs = [detail["index"] for detail in interpreter.get_output_details()]
    for (
        detail
    ) in interpreter.get_input_details():  # LiteRT leaves there what it finds: no numbers of words, say
        interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    # The first inference touches all memory and warms the caches; it runs on zeros and is not timed.
    with suppress(RuntimeError):  # zeros may be what the file cannot be asked; whether it runs, samples tell
        interpreter.invoke()
    peak = _peak()
    if request["state"] == "sequence":
        interpreter = make_interpreter()

    def invoke(samples: list[Any]) -> list[Any]:
        if request["state"] == "reset":
            interpreter.reset_all_variables()
        for index, sample in zip(inputs, samples, strict=True):
            interpreter.set_tensor(index, sample)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in outputs]

    return {
        "runtime": f"{name} {version(name)}",
        "seconds": _run_samples(directory, request, invoke),
        "peak_rss_delta_bytes": None if peak is None or resident_before is None else peak - resident_before,
    }


def run_timing(directory: Path, request: dict[str, Any]) -> dict[str, Any]:
    """LiteRT on several files in turn, again and again, so that whatever else the machine does hits all."""
    name = request["package"]
    module = import_module(f"{LITERT_PACKAGES[name]}.interpreter")
    generator = np.random.default_rng(0)
    interpreters = []
    for path in request["models"]:
        interpreter = module.Interpreter(
            model_path=path,
            num_threads=request["threads"],
            experimental_op_resolver_type=module.OpResolverType[_LITERT_RESOLVERS[request["kernels"]]],
        )
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            values = np.zeros(detail["shape"], detail["dtype"])
            if values.dtype.kind == "f":
                values[...] = generator.normal(size=values.shape)
            interpreter.set_tensor(detail["index"], values)
        interpreter.invoke()
        interpreters.append(interpreter)
    seconds: list[list[float]] = [[] for _ in interpreters]
    deadline = time.perf_counter() + request["budget_seconds"]
    for turn in range(request["runs"]):
        if turn >= request["least_runs"] and time.perf_counter() > deadline:
            break
        for interpreter, taken in zip(interpreters, seconds, strict=True):
            begun = time.perf_counter()
            interpreter.invoke()
            taken.append(time.perf_counter() - begun)
    return {"runtime": f"{name} {version(name)}", "seconds": seconds}


def run_tflm(directory: Path, request: dict[str, Any]) -> dict[str, Any]:
    """TFLM on this worker's share of the samples, in the smallest tried arena that holds the model."""
    runtime = import_module("tflite_micro").runtime
    data = (directory.parent / "model.tflite").read_bytes()
    arena_bytes = request["arena_bytes"]
    while True:
        said = _stderr_size(directory)
        try:
            interpreter = runtime.Interpreter.from_bytes(data, arena_size=arena_bytes)
            break
        except RuntimeError:
            complaint = _stderr_from(directory, said)
            grown = arena_bytes * 4
            if grown > request["arena_limit_bytes"] or not any(
                text in complaint for text in _ARENA_TOO_SMALL
            ):
                raise

            arena_bytes = grown
    count = request["outputs"]

    def invoke(samples: list[Any]) -> list[Any]:
        if request["state"] == "reset":
            interpreter.reset()
        for index, sample in enumerate(samples):
            interpreter.set_input(sample, index)
        interpreter.invoke()
        return [interpreter.get_output(index) for index in range(count)]

    seconds = _run_samples(directory, request, invoke)
    said = _stderr_size(directory)
    interpreter.print_allocations()
    return {
        "runtime": f"tflite-micro {version('tflite-micro')}",
        "seconds": seconds,
        "arena_bytes": arena_bytes,
        "allocations": _stderr_from(directory, said),
    }


def _run_samples(directory: Path, request: dict[str, Any], invoke: Callable[[list[Any]], list[Any]]) -> float:
    """Seconds spent in the runtime; the outputs go to `output_<n>.npy`."""
    inputs = [np.load(path, mmap_mode="r") for path in request["inputs"]]
    collected: list[list[Any]] = []
    seconds = 0.0
    for place in range(request["start"], request["stop"]):
        samples = [np.asarray(array[place], order="C") for array in inputs]
        begun = time.perf_counter()
        collected.append(invoke(samples))
        seconds += time.perf_counter() - begun
    for number in range(request["outputs"]):
        np.save(directory / f"output_{number}.npy", np.stack([outputs[number] for outputs in collected]))
    return seconds


def _stderr_size(directory: Path) -> int:
    return (directory / "stderr").stat().st_size


def _stderr_from(directory: Path, offset: int) -> str:
    """What this process wrote to its stderr, which its parent sent to a file, since `offset`."""
    with (directory / "stderr").open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")


def _reset_peak() -> int | None:
    """Resident bytes now, with the kernel's peak set back to them; None where that cannot be done."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return None
    return _status("VmRSS")


def _peak() -> int | None:
    return _status("VmHWM")


def _status(key: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:")), None)


def _end_with_parent(directory: Path) -> None:
    """End, and remove what the parent could not, when the parent is gone: its end of stdin closes."""

    def wait() -> None:
        # os.read and not sys.stdin: a buffered read would hold a lock that Python needs at exit.
        while os.read(0, 1):
            pass
        shutil.rmtree(directory.parent, ignore_errors=True)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main() -> None:
    """Run what the command line asks for."""
    kind, directory = sys.argv[1], Path(sys.argv[2])
    _end_with_parent(directory)
    try:
        _run(kind, directory)
    except OSError as error:
        if not is_full(error):
            raise
        sys.exit(NO_ROOM)


def _run(kind: str, directory: Path) -> None:
    request = json.loads((directory / "request.json").read_text(encoding="utf-8"))
    try:
        result = {"litert": run_litert, "tflm": run_tflm, "timing": run_timing}[kind](directory, request)
    except (RuntimeError, ValueError, ImportError, SystemError) as error:
        result = {"error": str(error), "error_kind": type(error).__name__}
    (directory / "result.json").write_text(json.dumps(result), encoding="utf-8")


if __name__ == "__main__":
    main()
