import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest
from small_models import dense_int8

from edgeprune.errors import ToolFailedError
from edgeprune.runtimes.processes import run_workers
from edgeprune.runtimes.samples import Invocations

ROOT = Path(__file__).parents[2]
ONE = Invocations(inputs=(np.zeros((1, 1, 2), np.int8),), batch=1, samples=1)

LONG_RUN = """
import sys
import numpy as np
sys.path.insert(0, "tests")
from small_models import dense_int8
from edgeprune.runtimes.tflm_host import run_tflm
print("running", flush=True)
run_tflm(dense_int8(), (np.zeros((30_000_000, 2), np.int8),))
"""


@pytest.fixture
def temporary(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return tmp_path


def test_a_worker_that_breaks_is_reported_with_the_end_of_its_stderr(temporary):
    with pytest.raises(ToolFailedError) as caught:
        run_workers(
            "litert",
            dense_int8(),
            invocations=ONE,
            outputs=1,
            options={"package": "tensorflow", "threads": 1},
            timeout_seconds=60,
        )
    assert "KeyError: 'kernels'" in caught.value.why
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL])
def test_however_a_run_ends_no_process_and_no_file_is_left(temporary, ending):
    parent = subprocess.Popen(
        [sys.executable, "-c", LONG_RUN],
        cwd=ROOT,
        # A shell without job control starts background jobs with Ctrl-C ignored, and tests may be one.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert parent.stdout.readline() == b"running\n"
        wait_for(lambda: workers_in(temporary), "the workers did not start")
        parent.send_signal(ending)
        parent.wait(timeout=30)
        wait_for(lambda: not workers_in(temporary), "a worker was left")
        wait_for(lambda: not list(temporary.iterdir()), "a temporary file was left")
    finally:
        parent.kill()
        parent.wait()
        parent.stdout.close()


def workers_in(folder):
    """Processes that have the folder in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if str(folder).encode() in entry.read_bytes() and b"worker" in entry.read_bytes():
                found.append(entry.parent.name)
        except OSError:
            continue
    return found


def wait_for(condition, complaint):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, complaint
        time.sleep(0.05)
