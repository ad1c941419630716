"""Fuzzing of everything that reads a `.tflite` file: `python scripts/fuzz_tflite.py --minutes 10`.

Each damaged file goes through `view` and `strip`, and every few of those that can still be read through
`check`, which hands them to the real TFLM. Wanted: exit 0, 1 or 3, a sentence for each 3, no command over its
time, and no more memory than ten times the file. What breaks that is kept, and the script ends with 1.
"""

import argparse
import contextlib
import io
import random
import sys
import time
import tracemalloc
from collections import Counter
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from edgeprune.cli.main import run
from edgeprune.errors import ModelError
from edgeprune.tflite.outline import outline_model
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import strip

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
mutations = import_module("tflite_mutations")

MEMORY_FACTOR = 10
MEMORY_FLOOR_BYTES = 1 << 20  # what Python itself needs, whatever the size of the file
SECONDS = {"view": 5.0, "strip": 5.0, "check": 120.0}
DEVICES = ("cortex-m7", "cortex-m55", "cortex-m7", "cortex-m0plus", "pixel-6")
"""In turn: each has its own kernels, and pixel-6 has LiteRT in place of TFLM."""
ALLOWED = {"view": (0, 3), "strip": (0, 3), "check": (0, 1, 3)}


def main() -> None:
    """Fuzz for so many minutes, and say what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--check-every", type=int, default=10, help="readable files between two checks")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-failures"), help="where what breaks is kept")
    asked = parser.parse_args()
    victims = list(mutations.list_victims().items())
    deadline = time.monotonic() + 60 * asked.minutes
    counts: Counter[str] = Counter()
    failures = 0
    with TemporaryDirectory() as folder:
        number = 0
        while time.monotonic() < deadline:
            generator = random.Random(f"{asked.seed} {number}")
            name, victim = generator.choice(victims)
            data = mutations.mutate(victim, generator)
            problems = evaluator(data, Path(folder), counts=counts, check_every=asked.check_every)
            if problems:
                failures += 1
                asked.keep.mkdir(exist_ok=True)
                kept = asked.keep / f"{name}-{asked.seed}-{number}.tflite"
                kept.write_bytes(data)
                print(f"{kept}: {'; '.join(problems)}", flush=True)
            number += 1
    print(f"{number} files in {asked.minutes:g} minutes from {len(victims)} victims, {failures} failures")
    print(", ".join(f"{what}: {count}" for what, count in sorted(counts.items())))
    sys.exit(1 if failures else 0)


def evaluator(data: bytes, folder: Path, *, counts: Counter[str], check_every: int) -> list[str]:
    """What went wrong with one file, one clause each."""
    file, output = folder / "fuzzed.tflite", folder / "stripped.tflite"
    file.write_bytes(data)
    problems = [problem] if (problem := judge_memory(data)) else []
    ends = []
    for command in (["view", str(file)], ["strip", str(file), "--output", str(output), "--force"]):
        problem, code = judge_command([*command, *(["--json"] if len(data) % 2 else [])])
        problems += [problem] if problem else []
        ends.append(code)
        counts[f"{command[0]} {code}"] += 1
    if ends[0] == 0:
        counts["readable"] += 1
        if counts["readable"] % check_every == 0:
            device = DEVICES[counts["readable"] // check_every % len(DEVICES)]
            problem, code = judge_command(["check", str(file), "--device", device])
            problems += [problem] if problem else []
            counts[f"check {code}"] += 1
    return problems


def judge_memory(data: bytes) -> str:
    """A clause if reading, outlining or stripping takes more memory than it may; "" if not."""
    tracemalloc.start()
    try:
        with contextlib.suppress(ModelError):
            outline_model(read_model(data, where="fuzzed"))
            strip(data, keep_interface=True)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    allowed = MEMORY_FACTOR * len(data) + MEMORY_FLOOR_BYTES
    return f"takes {peak} bytes of memory for a file of {len(data)}" if peak > allowed else ""


def judge_command(arguments: list[str]) -> tuple[str, int]:
    """A clause if the command did what it must not, "" if not; and its exit code."""
    command = arguments[0]
    said = io.StringIO()
    begun = time.monotonic()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()) as answered:
        code = run(arguments)
    seconds = time.monotonic() - begun
    if code not in ALLOWED[command]:
        return f"{command} ended with {code}: {said.getvalue()[-500:]}", code
    if code == 3 and not (said.getvalue().startswith("error: ") or "error" in answered.getvalue()):
        return f"{command} did not say what is wrong", code
    if seconds > SECONDS[command]:
        return f"{command} took {seconds:.1f} s", code
    return "", code


if __name__ == "__main__":
    main()
