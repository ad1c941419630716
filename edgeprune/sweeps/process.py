"""The parent's side of a trial: its process, started, watched and ended."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgeprune.build.stages import STATE
from edgeprune.build.workdir import place_of_work
from edgeprune.children import ending_error, python_command, python_environment
from edgeprune.files import write_file
from edgeprune.sweeps.rows import TRIAL_FILE, read_trial
from edgeprune.sweeps.storage import LOG, OUTPUT, REQUEST_FILE, STARTS, TRIALS, Storage

_POLL_SECONDS = 0.2
_LOG_CHARACTERS = 1500
_NO_RESULT = 1e9
"""Worse than any drop: for searches, which want a number."""


def run_trial(
    trial: Mapping[str, Any], storage: Storage, *, cpus: float, node: str, within: Path | None = None
) -> Iterator[dict[str, Any]]:
    """Builds a trial in a process of its own; gives how far its recovery is, whenever a stage is finished.

    Args:
        trial: as `Trial.to_json` gives it.
        storage: where it lives; what it finds there is gone on with.
        cpus: threads that it computes with.
        node: this machine, as Ray knows it.
        within: the folder that paths are relative to; None for that of this process.

    Raises:
        ToolStoppedError, ToolFailedError: the process was killed, or ended without a result.
    """
    name = trial["name"]
    folder = storage.folder(name)
    attempt = _count_start(folder, node)
    asked = json.dumps({**trial, "attempt": attempt, "node": node}).encode()
    write_file(folder / REQUEST_FILE, asked, force=True)
    work, seen = place_of_work(folder / OUTPUT), 0
    with _started(folder, cpus=cpus, within=within) as child:
        while child.poll() is None:
            stages = sorted(work.glob(f"segment-*/{STATE}"))
            for stage in stages[seen:]:
                report = _read_stage(stage)
                if report is None:
                    break
                seen += 1
                storage.push(f"{TRIALS}/{name}")
                yield report
            time.sleep(_POLL_SECONDS)
    if not (folder / TRIAL_FILE).exists():
        said = (folder / LOG).read_text(encoding="utf-8", errors="replace")[-_LOG_CHARACTERS:].strip()
        raise ending_error(f"the trial {name}", child.returncode, why=said)
    storage.push(f"{TRIALS}/{name}")
    storage.forget(f"{TRIALS}/{name}/{work.name}")
    if not seen:  # nothing had to be trained, or could be
        built = read_trial(folder / TRIAL_FILE, root=folder)[0].accuracy is not None
        yield {"epochs": 0.0, "drop": 0.0 if built else _NO_RESULT}


def _count_start(folder: Path, node: str) -> int:
    with (folder / STARTS).open("a+", encoding="utf-8") as file:
        file.write(json.dumps({"node": node, "time": time.time()}) + "\n")
        file.seek(0)
        return len(file.readlines())


@contextmanager
def _started(folder: Path, *, cpus: float, within: Path | None) -> Iterator[subprocess.Popen[bytes]]:
    """The child, which is gone when the block is left, however it is left."""
    threads = str(max(1, int(cpus)))
    bounded = dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), threads)
    with (folder / LOG).open("ab") as log:
        child = subprocess.Popen(
            [*python_command("edgeprune.sweeps.trial"), str(folder)],
            cwd=within,
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=python_environment() | bounded,
            start_new_session=True,
        )
    try:
        yield child
    finally:
        if child.poll() is None and hasattr(os, "killpg"):
            os.killpg(child.pid, signal.SIGKILL)
        child.kill()
        child.wait()
        if child.stdin is not None:
            child.stdin.close()


def _read_stage(stage: Path) -> dict[str, Any] | None:
    """How far recovery was after a stage; None where the build has ended meanwhile, and removed it."""
    try:
        state = json.loads(stage.read_bytes())
    except OSError:
        return None
    return {"epochs": state["steps"][-1]["epochs"], "drop": state["drop"]}
