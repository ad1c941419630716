"""Damaged files of real models through everything that opens them: refused in a sentence, or worked with.

`python -m hardening.campaign_tflite FIRST LAST EVERY`, in `tests/`, judges so many files, each in a process
of its own, and hands every so-many-th of those that can be opened to a command that runs it. With `sanitize`
behind these, the C of each file that the engine takes is compiled with gcc's sanitizers and run, too. It
prints one JSON object a file.
"""

import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Callable, Collection
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from hardening.children import judge
from numpy.typing import NDArray
from small_models import SHARED_MODELS
from tflite_mutations import list_victims, mutate

from edgeprune.cli.main import run
from edgeprune.device.profile import load_profile
from edgeprune.errors import EdgepruneError
from edgeprune.firmware.c.emulator import run_host_program
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.image import build_host_program
from edgeprune.measuring.backend import measure
from edgeprune.runtimes.golden import draw_inputs
from edgeprune.tflite.model import NUMPY_TYPES, Model
from edgeprune.tflite.read import read_model
from tests.firmware.c.example import join
from tests.firmware.c.examples import all_examples

SECONDS, SECONDS_RUNNING = 30.0, 300.0
"""A file is refused within one, and run within ten; there may be others on the machine."""
CASES = ("dense3d", "convtranspose_static", "running_sum", "loop_1", "nested_if", "strided_slice_runtime")
RUNS = {
    "agree": ("agree", "FILE", "--samples", "2"),
    "check": ("check", "FILE", "--device", "cortex-m7"),
    "compress": ("compress", "FILE", "--device", "cortex-m7", "--output", "OUT", "--force"),
    "run": ("run", "FILE", "--device", "cortex-m7", "--on", "host", "--samples", "2"),
}
"""They start processes: seconds each."""
EXTREMES: dict[str, Callable[[np.dtype[Any]], tuple[Any, Any]]] = {
    "f": lambda dtype: (np.nan, -np.inf),
    "b": lambda dtype: (False, True),
    "i": lambda dtype: (np.iinfo(dtype).min, np.iinfo(dtype).max),
    "u": lambda dtype: (np.iinfo(dtype).min, np.iinfo(dtype).max),
}
"""What the last two samples of sanitized programs hold, by the kind of their type."""
SANITIZERS = ("-O0", "-g1", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover=all")


def list_files() -> dict[str, bytes]:
    """Real files, the small ones of the shared cases among them, and hand-made ones with what those lack.

    One of them for each op that the C engine has.
    """
    folder = SHARED_MODELS.parent / "cases" / "tflite"
    cases = {name: (folder / f"{name}.tflite").read_bytes() for name in CASES if folder.exists()}
    return cases | list_victims() | list_ops()


def list_ops() -> dict[str, bytes]:
    """A file for each op that the C engine has, of one of its examples."""
    return {example.op: join([example])[0] for example in reversed(all_examples())}


def open_everywhere(data: bytes) -> str:
    """Reads, views, strips, prices and compiles; what came of the first and the last."""
    try:
        read_model(data, where="mutated")
    except EdgepruneError as error:
        _require_refusal(error)
        return "refused"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "mutated.tflite")
        file.write_bytes(data)
        run_command(("view", str(file)), allowed=(0, 3))
        run_command(("strip", str(file), "--output", str(file), "--force"), allowed=(0, 3))
        with contextlib.suppress(EdgepruneError):
            measure(data, profile=load_profile("pixel-6"), where="mutated")
        try:
            write_engine(data, directory=Path(folder, "c"), core="Cortex-M7")
        except EdgepruneError as error:
            _require_refusal(error)
            return "opened"
    return "compiled"


def _require_refusal(error: EdgepruneError) -> None:
    if error.exit_code != 3 or not error.what:
        raise error


def run_file(name: str, data: bytes) -> str:
    """One command that runs the file, or is to say why it cannot."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "mutated.tflite")
        file.write_bytes(data)
        places = {"FILE": str(file), "OUT": str(Path(folder, "out.tflite"))}
        arguments = tuple(places.get(each, each) for each in RUNS[name])
        return f"{name} {run_command(arguments, allowed=(0, 1, 3))}"


def list_samples(model: Model) -> tuple[NDArray[Any], ...]:
    """Inputs of four samples: two that are drawn, and two of the extreme values of their types."""
    arrays = []
    for tensor, drawn in zip(model.inputs, draw_inputs(model, samples=2, seed=0), strict=True):
        dtype = np.dtype(NUMPY_TYPES[tensor.dtype])
        extremes = [np.full((1, *tensor.shape), end, dtype) for end in EXTREMES[dtype.kind](dtype)]
        arrays.append(np.concatenate([drawn, *extremes]))
    return tuple(arrays)


def sanitize(data: bytes, seen: Collection[str]) -> str:
    """Compiles the engine's C with gcc's sanitizers and runs it; says which sources these were."""
    with tempfile.TemporaryDirectory() as folder:
        engine = write_engine(data, directory=Path(folder, "c"), core="Cortex-M7")
        model = engine.program.model
        sources = sha256(b"".join(file.read_bytes() for file in sorted(engine.files))).hexdigest()
        if sources in seen:
            return f"same C {sources}"
        program = build_host_program(engine, directory=Path(folder, "host"), flags=SANITIZERS)
        run_host_program(program, list_samples(model), model=model)
    return f"sanitized {sources}"


def run_command(arguments: tuple[str, ...], *, allowed: tuple[int, ...]) -> int:
    """The exit code; AssertionError for one that is not allowed, or a refusal without a sentence."""
    said = io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
        code = run(list(arguments))
    if code not in allowed or (code == 3 and "error: " not in said.getvalue()):
        raise AssertionError(f"{arguments[0]} ended with {code}: {said.getvalue()[-600:]}")
    return code


def main() -> None:
    """Judge the files that the command line asks for."""
    first, last, every = map(int, sys.argv[1:4])
    sanitizes, seen = sys.argv[4:] == ["sanitize"], set[str]()
    victims, opened = sorted(list_files().items()), 0
    for number in range(first, last):
        name, victim = victims[number % len(victims)]
        data = mutate(victim, Random(f"{name} {number}"))
        end = judge(lambda d=data: open_everywhere(d), file_bytes=len(data), seconds=SECONDS)
        ends = [end]
        opened += end.said in ("opened", "compiled")
        if every and not end.wrong and end.said != "refused" and opened % every == 0:
            command = sorted(RUNS)[opened // every % len(RUNS)]
            running = judge(
                lambda c=command, d=data: run_file(c, d), file_bytes=None, seconds=SECONDS_RUNNING
            )
            ends.append(running)
        if sanitizes and end.said == "compiled":
            ran = judge(lambda d=data: sanitize(d, seen), file_bytes=None, seconds=SECONDS_RUNNING)
            seen.add(ran.said.rpartition(" ")[2])
            ends.append(replace(ran, said=ran.said.rpartition(" ")[0] or ran.said))
        for each in ends:
            row = {
                "file": f"{name} {number}",
                "said": each.said,
                "wrong": each.wrong,
                "seconds": each.seconds,
            }
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
