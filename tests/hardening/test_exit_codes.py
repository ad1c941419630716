"""What the machine, the shell and odd files do to a command ends in a sentence and an exit code of ours."""

import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hardening.conftest import COMMAND, ROOT, take_interrupts, tiny_build
from small_models import dense_int8

from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.main import cli
from edgeprune.errors import DataError, ToolStoppedError
from edgeprune.keras_bridge.conversion.quiet import quiet_stderr
from edgeprune.measuring.arena import forget_arenas
from edgeprune.runtimes.golden import load_golden
from edgeprune.runtimes.processes import run_workers
from edgeprune.runtimes.samples import Invocations
from edgeprune.tflite.read import read_model


@pytest.fixture
def command():
    """Adds a command named `try` that raises something."""

    def add(error: BaseException) -> None:
        def does() -> Answer:
            raise error

        cli.add_command(Command("try", callback=does))

    yield add
    cli.commands.pop("try", None)


CLOSED = {
    "stdin": "exec <&-",
    "stdout": "exec >&-",
    "stderr": "exec 2>&-",
    "stdout and stderr": "exec >&- 2>&-",
    "all three": "exec <&- >&- 2>&-",
    "stderr full": "exec 2>/dev/full",
    "stderr for reading alone": "exec 2</dev/null",
}


@pytest.mark.parametrize("kind", CLOSED)
def test_closed_streams_do_not_spoil_a_command(place, spawn, kind) -> None:
    ended = spawn("strip", "model.tflite", "--output", "out.tflite", before=CLOSED[kind])
    assert ended.returncode == 0, ended.stderr
    assert (place / "out.tflite").read_bytes()[4:8] == b"TFL3"
    ended = spawn("check", "missing.tflite", "--device", "cortex-m7", before=CLOSED[kind])
    assert ended.returncode == 3, ended.stderr


def test_nothing_that_is_opened_takes_the_place_of_a_closed_stream(place, spawn) -> None:
    """Else what libraries print would go into the output."""
    arguments = ("strip", "model.tflite", "--output", "out.tflite", "--force")
    assert spawn(*arguments).returncode == 0
    expected = (place / "out.tflite").read_bytes()
    assert spawn(*arguments, before=CLOSED["all three"]).returncode == 0
    assert (place / "out.tflite").read_bytes() == expected


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ("build", "--help"), ("list", "ops")])
@pytest.mark.parametrize("before", ["exec >&-", "exec > >(exec <&-)", "exec >/dev/full"])
def test_an_answer_that_cannot_be_given_is_no_bug(place, spawn, arguments, before) -> None:
    ended = spawn(*arguments, before=before)
    assert ended.returncode == (3 if "full" in before else 0), ended.stderr


@pytest.mark.parametrize("arguments", [("frobnicate",), ("check", "x.tflite", "--device", "nothing")])
def test_an_error_that_nobody_can_read_keeps_its_exit_code(place, spawn, arguments) -> None:
    for kind in ("stderr", "all three", "stderr full"):
        ended = spawn(*arguments, before=CLOSED[kind])
        assert ended.returncode == (2 if arguments[0] == "frobnicate" else 3)


NAMED: dict[str, tuple[BaseException, int, str]] = {
    "no memory": (MemoryError("Unable to allocate 9 TiB"), 4, "out of memory"),
    "no threads": (RuntimeError("can't start new thread"), 4, "no more threads"),
    "a library that cannot be mapped": (
        ImportError("libtensorflow.so: failed to map segment from shared object", name="tensorflow"),
        *(4, "cannot be loaded"),
    ),
    "a package that is missing": (ModuleNotFoundError("No module named 'x'", name="x"), 4, "not installed"),
    "no memory for a process": (OSError(errno.ENOMEM, "Cannot allocate memory"), 4, "no more for this"),
    "no processes": (BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable"), 4, "no more for"),
    "no descriptors": (OSError(errno.EMFILE, "Too many open files"), 4, "no more for this"),
    "a pipe's end": (BrokenPipeError(errno.EPIPE, "Broken pipe"), 4, "has ended"),
    "sys.exit": (SystemExit(0), 4, "sys.exit(0)"),
    "sys.exit with text": (SystemExit("done"), 4, "sys.exit('done')"),
    "a name too long": (OSError(errno.ENAMETOOLONG, "File name too long", "n" * 300), 3, "too long"),
    "a circle of links": (OSError(errno.ELOOP, "Too many levels of symbolic links", "a"), 3, "symbolic"),
    "a NUL": (ValueError("embedded null byte"), 3, "NUL"),
    "a full disk, in numpy's words": (OSError("4096 requested and 0 written"), 3, "requested and 0"),
    "a full disk, in TensorFlow's words": (
        type("ResourceExhaustedError", (Exception,), {})("model/variables; No space left on device"),
        *(3, "No space left on device (model/variables"),
    ),
    "a disk that fails": (OSError(errno.EIO, "Input/output error", "out"), 3, "Input/output error"),
}


@pytest.mark.parametrize("kind", NAMED)
def test_what_the_machine_or_the_user_did_is_no_bug(command, edgeprune, kind) -> None:
    error, code, text = NAMED[kind]
    command(error)
    ended = edgeprune("try")
    assert (ended.code, ended.err.count("error: ")) == (code, 1)
    assert text in ended.err
    assert "; " in ended.err, "what to do"
    document = json.loads(edgeprune("try", "--json").out)
    assert document["error"]["exit_code"] == code


@pytest.mark.parametrize(
    "error", [KeyError("x"), AssertionError(), FileNotFoundError(2, "No such file", "x")]
)
def test_a_bug_stays_a_bug(command, edgeprune, error, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    command(error)
    assert edgeprune("try").code == 70


def test_an_interrupt_says_what_is_kept_whatever_it_became(command, edgeprune) -> None:
    interrupt = KeyboardInterrupt()
    interrupt.add_note("2 finished stages are kept in proj.edgeprune-work")
    command(interrupt)
    ended = edgeprune("try")
    assert ended.code == 130
    assert ended.err == "error: interrupted; 2 finished stages are kept in proj.edgeprune-work\n"


@pytest.mark.parametrize("milliseconds", [0, 2, 5, 10, 20, 40, 80, 150, 300])
def test_ctrl_c_while_modules_are_imported_ends_in_130(place, milliseconds) -> None:
    """From the first line on; before it, Python itself is what is interrupted."""
    code = """
import sys
from edgeprune.cli import ending
from edgeprune.cli.entry import main

def watch(watch=ending.watch_interrupts):
    watch()
    sys.stdout.write("-")
    sys.stdout.flush()

ending.watch_interrupts = watch
main()
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code, "inspect", "no.keras", "--device", "cortex-m7"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=take_interrupts,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.read(1) == "-"
    time.sleep(milliseconds / 1000)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (130, 3), said  # 3: it was over
    assert "Traceback" not in said
    assert said.count("error: ") == 1


def test_ctrl_c_while_libraries_shut_down_changes_nothing(tiny, tmp_path) -> None:
    """After the answer, TensorFlow takes its time, and Python has no handler of ours any more."""
    process = subprocess.Popen(
        [*COMMAND, "inspect", str(tiny / "tiny.keras"), "--device", "cortex-m7"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=take_interrupts,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    until = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < until:
        process.send_signal(signal.SIGINT)
        time.sleep(0.05)
    _, said = process.communicate(timeout=60)
    assert process.returncode in (0, 130), said
    assert "Traceback" not in said


MEMORY_MIB = [30, 60, 120, 250, 500, 1000]


@pytest.mark.parametrize("mib", MEMORY_MIB)
def test_too_little_memory_is_no_bug(place, spawn, mib) -> None:
    """Whatever of Python, numpy or TensorFlow finds no room first."""
    ended = spawn(
        *("inspect", "no.keras", "--device", "cortex-m7"), before=f"ulimit -v {mib * 1024}; ulimit -c 0"
    )
    # With very little, Python itself does not start (1, 127), or a library aborts (134, 139).
    if "error: " in ended.stderr and "OpenBLAS" not in ended.stderr:  # which sends SIGINT where it finds none
        assert ended.returncode in (3, 4), ended.stderr
        assert ended.stderr.count("error: ") == 1
    assert ended.returncode not in (0, 70), ended.stderr


def make_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


READING = {
    "a model to check": ("check", "pipe", "--device", "cortex-m7"),
    "a model to strip": ("strip", "pipe", "--output", "out.tflite"),
    "a profile": ("check", "model.tflite", "--device", "pipe.toml"),
    "a profile to validate": ("devices", "validate", "pipe.toml"),
    "a record": ("devices", "calibrate", "cortex-m7", "pipe.json"),
    "a recipe": ("build", "--recipe", "pipe.toml"),
    "a Keras model": ("convert", "pipe.keras", "--scheme", "none", "--output", "out.tflite"),
    "a config": ("convert", "pipe.json", "--scheme", "none", "--output", "out.tflite"),
    "code": ("convert", "m.keras", "--custom", "pipe.py:x", "--scheme", "none", "--output", "o.tflite"),
}


@pytest.mark.parametrize("kind", READING)
@pytest.mark.parametrize("what", ["a pipe", "a name too long", "a circle of links", "a NUL"])
def test_what_is_no_file_is_refused_at_once(place, edgeprune, kind, what) -> None:
    arguments = list(READING[kind])
    at = next(n for n, argument in enumerate(arguments) if "pipe" in argument)
    name, colon, rest = arguments[at].partition(":")
    if what == "a pipe":
        make_pipe(place / name)
    elif what == "a circle of links":
        (place / name).symlink_to(name)
    else:
        new = "n" * 300 if what == "a name too long" else "a\0b"
        name = name.replace("pipe", new)
    arguments[at] = f"{name}{colon}{rest}"
    ended = edgeprune(*arguments)
    assert ended.code == 3, ended.err
    assert ended.err.count("error: ") == 1


def test_a_build_of_pipes_is_refused_at_once(place, edgeprune) -> None:
    folder = place / "built"
    folder.mkdir()
    make_pipe(folder / "report.json")
    make_pipe(folder / "model.tflite")
    for arguments in (("run", "built"), ("firmware", "built", "--project", "cmake")):
        ended = edgeprune(*arguments)
        assert ended.code == 3, ended.err


def test_a_byte_order_mark_is_read_over(place, edgeprune) -> None:
    (place / "recipe.toml").write_bytes(b'\xef\xbb\xbfdevice = "nothing"\n')
    ended = edgeprune("build", "--recipe", "recipe.toml")
    assert ended.code == 3
    assert "unknown device 'nothing'" in ended.err
    (place / "recipe.toml").write_bytes(b"\xff\xfed\0e\0")
    ended = edgeprune("build", "--recipe", "recipe.toml")
    assert ended.code == 3
    assert "UTF-8" in ended.err


def zip_of(members: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def npy(array) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def header(text: str) -> bytes:
    """A header of an .npy file, and no array behind it."""
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


HEADERS = {
    "no array": b"just text",
    "nothing": b"",
    "half a header": header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}")[:30],
    "a header that is no Python": header("{'descr': ((((((\n"),
    "a header with a bad indent": header(" 1\n  2\n 3\n"),
    "a header of another kind": header("[1, 2, 3]\n"),
    "a header of no type": header("{'descr': 7, 'fortran_order': False, 'shape': (1,)}\n"),
    "a shape of text": header("{'descr': '<f4', 'fortran_order': False, 'shape': ('a',)}\n"),
    "a shape below zero": header("{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}\n"),
    "a huge shape": header(f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({10**11}, {10**11})}}\n"),
    "a deep header": header("(" * 5000),
}


@pytest.mark.parametrize("kind", HEADERS)
def test_golden_samples_whose_members_are_no_arrays_are_refused(tmp_path, kind) -> None:
    members = {"input_0.npy": HEADERS[kind], "output_0.npy": npy(np.zeros((1, 1, 3), np.int8))}
    members |= {"origin.npy": npy(np.array("here")), "labels.npy": npy(np.array([], np.str_))}
    (tmp_path / "golden.npz").write_bytes(zip_of(members))
    with pytest.raises(DataError, match="cannot be read"):
        load_golden(tmp_path / "golden.npz", read_model(dense_int8(), where="model"))


@pytest.mark.parametrize("kind", HEADERS)
def test_data_whose_members_are_no_arrays_are_refused(tiny, edgeprune, tmp_path, kind) -> None:
    (tmp_path / "data.npz").write_bytes(zip_of({"x_train.npy": HEADERS[kind]}))
    ended = edgeprune(
        *("quantize", tiny / "tiny.keras", "--data", tmp_path / "data.npz"),
        *("--output", tmp_path / "out.tflite"),
    )
    assert ended.code == 3, ended.err
    assert "data.npz" in ended.err


@pytest.mark.parametrize("content", [b"[]", b"1", b'"text"', b"null", b"{", b"\xff", b"[" * 100_000])
@pytest.mark.parametrize("member", ["metadata.json", "config.json"])
def test_a_keras_archive_whose_json_has_another_form_is_refused(
    tiny, edgeprune, tmp_path, member, content
) -> None:
    with zipfile.ZipFile(tiny / "tiny.keras") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (tmp_path / "odd.keras").write_bytes(zip_of(members | {member: content}))
    ended = edgeprune(
        *("convert", tmp_path / "odd.keras", "--scheme", "none", "--output", tmp_path / "out.tflite"),
    )
    assert ended.code == 3, ended.err
    assert member in ended.err


@pytest.mark.parametrize("number", range(7))
def test_a_name_that_tensorflow_cannot_scope_is_refused_at_the_door(
    tiny, edgeprune, tmp_path, number
) -> None:
    ended = edgeprune(
        *("convert", tiny / f"named_{number}.keras", "--scheme", "none", "--output", tmp_path / "out.tflite"),
    )
    assert ended.code == 3, ended.err
    assert "name that TensorFlow" in ended.err or "none that TensorFlow can compile" in ended.err


@pytest.mark.parametrize("name", ["out", " ", "out.h5", "out.tflite", "out.KERAS"])
@pytest.mark.parametrize("arguments", [("prune", "--ratio", "0.5"), ("sparsify", "--sparsity", "0.5")])
def test_a_model_that_keras_could_not_save_is_refused_before_any_work(
    tiny, edgeprune, tmp_path, arguments, name
) -> None:
    ended = edgeprune(
        *arguments, tiny / "tiny.keras", "--data", tiny / "tiny.npz", "--output", tmp_path / name
    )
    assert ended.code == 3, ended.err
    assert "does not end in .keras" in ended.err


OWN_CODE = """
import sys
import numpy as np

def at_once():
    sys.exit(0)

def train():
    yield np.zeros((8, 6, 6, 1), "float32"), np.zeros(8, "int64")
    sys.exit(0)

def later():
    return train, train

def loop(model, epochs, callbacks):
    sys.exit(1)
"""


@pytest.mark.parametrize("function", ["at_once", "later"])
def test_data_whose_code_ends_the_process_are_an_input_error(
    tiny, edgeprune, tmp_path, monkeypatch, function
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN_CODE)
    ended = edgeprune("quantize", tiny / "tiny.keras", "--data", f"own.py:{function}", "--output", "o.tflite")
    assert ended.code == 3, ended.err
    assert "SystemExit" in ended.err


def test_so_is_a_training_loop_that_does(tiny, edgeprune, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own.py").write_text(OWN_CODE)
    ended = edgeprune(*tiny_build(tiny, "--train", "own.py:loop", "--output", "out"))
    assert ended.code == 3, ended.err
    assert "the training loop failed (SystemExit: 1" in ended.err
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["own.py"]


ONE = Invocations(inputs=(np.zeros((1, 1, 2), np.int8),), batch=1, samples=1)
KILLED = """
import os, signal
os.kill(os.getpid(), signal.{signal})
"""


@pytest.mark.parametrize(("name", "text"), [("SIGKILL", "out of memory?"), ("SIGTERM", "SIGTERM")])
def test_a_worker_that_is_killed_is_no_fault_of_the_model(
    place, edgeprune, monkeypatch, tmp_path_factory, name, text
) -> None:
    """As by the system when memory runs out: the runtime's package kills its process while it is imported."""
    folder = tmp_path_factory.mktemp("killed")
    forget_arenas()
    for package in ("tflite_micro", "tflite_runtime", "ai_edge_litert"):
        (folder / package).mkdir()
        (folder / package / "__init__.py").write_text(KILLED.format(signal=name))
    options = {"arena_bytes": 1 << 16, "arena_limit_bytes": 1 << 16, "stateful": False}
    monkeypatch.setattr(
        "edgeprune.runtimes.processes.python_environment",
        lambda: os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
    )
    with pytest.raises(ToolStoppedError, match=name):
        run_workers(
            "tflm", dense_int8(), invocations=ONE, outputs=1, options=options, timeout_seconds=60
        )  # fmt: skip
    ended = edgeprune("check", "model.tflite", "--device", "cortex-m7")
    assert ended.code == 4, ended.err
    assert text in ended.err


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="files are on disks here")
def test_what_libraries_say_needs_no_room_on_a_disk(tmp_path, monkeypatch) -> None:
    """LLVM, which converts models, ends the process with code 1 where its messages find no room."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    with quiet_stderr() as said:
        os.write(2, b"chatter")
        assert said() == "chatter"


FULL = "raise OSError(28, 'No space left on device')\n"


def test_a_runtime_that_finds_no_room_is_not_the_models_fault(
    place, edgeprune, monkeypatch, tmp_path_factory
) -> None:
    """As where the folder for temporary files is full."""
    folder = tmp_path_factory.mktemp("full")
    forget_arenas()
    (folder / "tflite_micro").mkdir()
    (folder / "tflite_micro" / "__init__.py").write_text(FULL)
    monkeypatch.setattr(
        "edgeprune.runtimes.processes.python_environment",
        lambda: os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)])},
    )
    ended = edgeprune("check", "model.tflite", "--device", "cortex-m7")
    assert ended.code == 4, ended.err
    assert "no room for what the tflm runtime puts out" in ended.err
    assert "TMPDIR" in ended.err


def test_the_entry_point_is_the_one_that_is_tested() -> None:
    assert "edgeprune.cli.entry" in COMMAND[-1]
    assert 'edgeprune = "edgeprune.cli.entry:main"' in (ROOT / "pyproject.toml").read_text()


def test_ctrl_c_where_python_drops_errors_is_not_lost(place) -> None:
    code = """
import os, signal, time
from edgeprune.cli.ending import end_with

class Dropped:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(10)

def run():
    Dropped()
    time.sleep(60)
    return 0

end_with(run)
"""
    ended = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        preexec_fn=take_interrupts,
        capture_output=True,
        text=True,
        timeout=50,
    )
    assert (ended.returncode, ended.stderr) == (130, "error: interrupted\n")
