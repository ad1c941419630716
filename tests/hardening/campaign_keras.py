"""Damaged `.keras` files opened, traced and, every so many, converted: refused in a sentence, or worked with.

`python -m hardening.campaign_keras FILE FIRST LAST EVERY`, in `tests/`, judges so many of them in one process
that has TensorFlow already, and begins another where that one crashes or takes too long. It prints one JSON
object a file.
"""

import contextlib
import io
import json
import resource
import select
import subprocess
import sys
import tempfile
import time
import traceback
import zipfile
from pathlib import Path
from random import Random
from typing import Any

from tflite_mutations import mutate_bytes

SECONDS, SECONDS_TO_START = 90.0, 600.0
"""Ten times what converting a file takes, and loading TensorFlow; there may be others on the machine."""
FREE_BYTES, BYTES_PER_BYTE = 200 << 20, 10
_SIZES = (0, -1, 1, 2, 3, 7, 1000, 10**6, 2**31 - 1, 10**9, 10**12, 10**30, -(10**9))
_NUMBERS = (*_SIZES, 0.5, -0.5, 1e30, 1e-30, 1e308, float("nan"), float("inf"), "NaN", None, True, [], {}, "")


def mutate_archive(data: bytes, random: Random) -> bytes:
    """A `.keras` file with something wrong in it: in its bytes, its config, or its weights."""
    kind = random.random()
    if kind < 0.2:
        return mutate_bytes(data, random)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    if kind < 0.35:
        name = random.choice(sorted(members))
        members[name] = mutate_bytes(members[name], random)
    else:
        name = random.choice(("config.json",) * 9 + ("metadata.json",))
        config = json.loads(members[name])
        for _ in range(random.randint(1, 3)):
            _change_below(config, random)
        members[name] = json.dumps(config).encode()
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _change_below(part: Any, random: Random) -> None:
    """Changes one value of a config, drawn level by level."""
    while True:
        keys = list(part) if isinstance(part, dict) else list(range(len(part)))
        if not keys:
            return
        key = random.choice(keys)
        if isinstance(part[key], dict | list) and part[key] and random.random() < 0.95:
            part = part[key]
        elif random.random() < 0.1 and isinstance(part, dict):
            del part[key]
            return
        else:
            part[key] = _change_value(part[key], random)
            return


def _change_value(value: Any, random: Random) -> Any:
    if isinstance(value, bool) or value is None:
        return random.choice((True, False, None, 0, "x"))
    if isinstance(value, int | float):
        return random.choice(_SIZES if random.random() < 0.6 else _NUMBERS)
    if isinstance(value, str):
        return random.choice(("", "x", "relu", "Dense", "linear", value + "_1", value.upper(), 3, None))
    return (
        random.choice((value * 2, None, [], 1)) if isinstance(value, list) else random.choice(({}, None, 1))
    )


def serve(file: Path, first: int, last: int, every: int) -> None:
    """The judging process: prints a number before each file, and its row after it."""
    from edgeprune.cli.main import run

    data, opened = file.read_bytes(), 0
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder, "mutated.keras")

        def command(*arguments: str) -> int:
            said = io.StringIO()
            with contextlib.redirect_stderr(said), contextlib.redirect_stdout(io.StringIO()):
                code = run([arguments[0], str(here), *arguments[1:]])
            if code not in (0, 1, 3) or (code == 3 and "error: " not in said.getvalue()):
                raise AssertionError(f"{arguments[0]} ended with {code}: {said.getvalue()[-900:]}")
            return code

        here.write_bytes(data)
        command("convert", "--scheme", "none", "--output", str(Path(folder, "o.tflite")), "--force")
        for number in range(first, last):
            mutated = mutate_archive(data, Random(f"keras {number}"))
            here.write_bytes(mutated)
            print(number, flush=True)
            before, begun, wrong, said = _reset_peak(), time.monotonic(), "", "wrong"
            try:
                code = command("inspect", "--device", "cortex-m7")
                said = "refused" if code == 3 else "opened"
                opened += code != 3
                if code != 3 and every and opened % every == 0:
                    output = str(Path(folder, "o.tflite"))
                    command("convert", "--scheme", "none", "--output", output, "--force")
                    said = "converted"
            except Exception:  # noqa: BLE001 (it is told)
                wrong = traceback.format_exc()[-1500:]
            used = _peak() - before
            if said == "refused" and used > FREE_BYTES + BYTES_PER_BYTE * len(mutated):
                wrong = f"took {used} bytes of memory"
            row = {"file": f"keras {number}", "said": said, "wrong": wrong}
            print(json.dumps(row | {"seconds": time.monotonic() - begun, "bytes": used}), flush=True)


def _reset_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    return _status("VmRSS")


def _peak() -> int:
    return _status("VmHWM")


def _status(key: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{key}:"))


def main() -> None:
    """Judge the files that the command line asks for, whatever happens to the process that does."""
    file, first, last, every = Path(sys.argv[1]), *map(int, sys.argv[2:5])
    if sys.argv[5:] == ["serve"]:
        resource.setrlimit(resource.RLIMIT_AS, (32 << 30, 32 << 30))
        serve(file, first, last, every)
        return
    while first < last:
        command = [
            sys.executable,
            "-m",
            "hardening.campaign_keras",
            str(file),
            str(first),
            str(last),
            str(every),
        ]
        child = subprocess.Popen([*command, "serve"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        first = _follow(child, first, last)


def _follow(child: subprocess.Popen[bytes], first: int, last: int) -> int:
    """Prints the rows of a judging process; the number of the file that the next one begins with."""
    assert child.stdout is not None
    at, over, seconds = first, "", SECONDS_TO_START
    while not over:
        ready, _, _ = select.select([child.stdout], [], [], seconds)
        line = child.stdout.readline() if ready else b""
        seconds = SECONDS
        if line.startswith(b"{"):
            print(line.decode().strip(), flush=True)
            at = last
        elif line.strip().isdigit():
            at = int(line)
        elif not line:
            over = "ended" if ready else "took too long"
    child.kill()
    code = child.wait()
    child.stdout.close()
    if at == last:
        return last
    wrong = over if over != "ended" else f"ended with {code}"
    print(
        json.dumps({"file": f"keras {at}", "said": "wrong", "wrong": wrong, "seconds": SECONDS}), flush=True
    )
    return at + 1


if __name__ == "__main__":
    main()
