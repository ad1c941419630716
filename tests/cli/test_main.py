"""The boundary: what each way to end a command looks like from outside."""

import errno
import os
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from edgeprune.build.result import BuildResult
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import show_progress
from edgeprune.errors import (
    DeviceError,
    EdgepruneError,
    InfeasibleError,
    ModelError,
    ProfileError,
    ToolMissingError,
)
from tests.report_sample import make_report


def raising(error: BaseException):
    def does():
        raise error

    return does


def test_an_answer_goes_to_stdout_and_its_exit_code_is_kept(command, edgeprune):
    command(lambda: Answer(text="seven", document={"n": 7}, exit_code=1))
    ended = edgeprune("try")
    assert (ended.code, ended.out, ended.err) == (1, "seven\n", "")


def test_json_prints_the_versioned_document(command, edgeprune):
    command(lambda: Answer(text="seven", document={"n": 7}))
    ended = edgeprune("try", "--json")
    assert ended.code == 0
    assert list(ended.document) == ["schema", "edgeprune", "n"]


def test_what_libraries_write_to_stdout_does_not_spoil_the_document(command, edgeprune):
    def does():
        print("Keras says hello")
        os.write(1, b"C++ says hello\n")
        subprocess.run([sys.executable, "-c", "print('child says hello')"], check=True)
        return Answer(text="", document={"n": 7})

    command(does)
    ended = edgeprune("try", "--json")
    assert ended.document["n"] == 7
    assert all(f"{who} says hello" in ended.err for who in ("Keras", "C++", "child"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ModelError("is not a model", where="a.keras", fix="give another"), 3),
        (ProfileError("two errors"), 3),
        (InfeasibleError("no"), 1),
        (ToolMissingError("tool is missing"), 4),
        (DeviceError("board does not answer"), 4),
        (EdgepruneError("the root"), 70),
    ],
)
def test_an_error_is_one_sentence_on_stderr_and_its_exit_code(command, edgeprune, error, code):
    command(raising(error))
    ended = edgeprune("try")
    assert (ended.code, ended.out, ended.err) == (code, "", f"error: {error.message}\n")


def test_with_json_an_error_is_a_document_on_stdout(command, edgeprune):
    command(raising(ModelError("is not a model", where="a.keras", why="it is text", fix="give another")))
    ended = edgeprune("try", "--json")
    assert (ended.code, ended.err) == (3, "")
    assert ended.document["error"] == {
        "kind": "ModelError",
        "message": "a.keras: is not a model (it is text); give another",
        "what": "is not a model",
        "where": "a.keras",
        "why": "it is text",
        "fix": "give another",
        "exit_code": 3,
    }


def test_an_infeasible_build_shows_the_best_it_found_and_then_the_error(command, edgeprune):
    error = InfeasibleError("no pruned model meets the budgets")
    report = make_report(verdict=False, sentence="does not fit cortex-m7.")
    error.best = BuildResult(outcome=None, report=report)
    command(raising(error))
    ended = edgeprune("try")
    assert ended.code == 1
    assert "does not fit cortex-m7." in ended.out
    assert ended.err == "error: no pruned model meets the budgets\n"
    ended = edgeprune("try", "--json")
    assert ended.document["error"]["exit_code"] == 1
    assert ended.document["dense"]["latency_ms"] == 124.1


def test_a_bug_ends_in_70_with_a_sentence_and_the_traceback_in_a_file(
    command, edgeprune, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    command(raising(KeyError("x")))
    ended = edgeprune("try")
    assert (ended.code, ended.out) == (70, "")
    assert "Traceback" not in ended.err
    (file,) = tmp_path.iterdir()
    assert str(file) in ended.err
    assert "KeyError: 'x'" in file.read_text()


def busy() -> Answer:
    with show_progress() as progress:
        progress.stage("convert")
        progress.note("so it is")
        progress.warn("watch out")
    return Answer(text="done", document={})


def test_quiet_tells_of_warnings_alone(command, edgeprune):
    command(busy)
    assert edgeprune("try").err == "convert\nnote: so it is\nwarning: watch out\n"
    for flag in ("-q", "--quiet"):
        ended = edgeprune("try", flag)
        assert (ended.code, ended.out, ended.err) == (0, "done\n", "warning: watch out\n")


@pytest.mark.parametrize("flag", ["-v", "--verbose"])
def test_verbose_shows_the_traceback_of_a_bug(command, edgeprune, monkeypatch, flag):
    monkeypatch.setenv("EDGEPRUNE_DEBUG", "")  # put back afterwards
    command(raising(ZeroDivisionError()))
    assert "Traceback" in edgeprune("try", flag).err


def test_quiet_and_verbose_cannot_be_combined(command, edgeprune):
    command(busy)
    ended = edgeprune("try", "-q", "--quiet", "--verbose")
    assert ended.code == 2
    assert "--quiet and --verbose cannot be combined" in ended.err


def test_a_bug_shows_its_traceback_when_debugging(command, edgeprune, monkeypatch):
    monkeypatch.setenv("EDGEPRUNE_DEBUG", "1")
    command(raising(ZeroDivisionError()))
    ended = edgeprune("try")
    assert ended.code == 70
    assert "Traceback" in ended.err


def test_a_library_that_exits_with_1_does_not_look_like_a_verdict(command, edgeprune):
    command(raising(SystemExit(1)))
    assert edgeprune("try").code == 4


def test_an_interrupt_ends_in_130(command, edgeprune):
    command(raising(KeyboardInterrupt()))
    ended = edgeprune("try")
    assert (ended.code, ended.err) == (130, "error: interrupted\n")


def test_a_full_disk_is_an_error_of_the_output(command, edgeprune):
    command(raising(OSError(errno.ENOSPC, "No space left on device", "out/model.keras")))
    ended = edgeprune("try")
    assert ended.code == 3
    assert ended.err.startswith("error: out/model.keras: No space left on device")


def test_a_full_disk_behind_stdout_is_an_error_too(spawn):
    with Path("/dev/full").open("w") as full:
        ended = spawn("list", "criteria", stdout=full)
    assert ended.returncode == 3
    assert ended.stderr == "error: stdout: No space left on device\n"


def test_a_reader_that_goes_away_leaves_no_trace(spawn):
    read, write = os.pipe()
    os.close(read)
    ended = spawn("list", "ops", stdout=write)
    os.close(write)
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ("frobnicate",),
        ("devices", "show"),
        ("build", "model.keras"),
        ("build", "--device", "cortex-m7", "--latency-ms", "nan"),
        ("build", "--device", "cortex-m7", "--latency-ms", "inf"),
        ("build", "--device", "cortex-m7", "--flash-kib", "0"),
        ("build", "--device", "cortex-m7", "--max-drop", "-2"),
        ("build", "--device", "cortex-m7", "--epochs", "0"),
        ("build", "--device", "cortex-m7", "--runtime", "litert"),
        ("build", "--device", "cortex-m7", "--accept", "anything"),
        ("build", "--device", "cortex-m7", "--clusters", "4", "--sparsity", "0.5"),
        ("prune", "a.keras", "--ratio", "1", "--output", "b.keras"),
        ("prune", "a.keras", "--ratio", "-0.1", "--output", "b.keras"),
    ],
)
def test_a_wrong_command_line_ends_in_2(edgeprune, arguments):
    ended = edgeprune(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert "Error: " in ended.err
    ended = edgeprune(*arguments, "--json")
    assert ended.code == 2
    assert ended.document["error"]["exit_code"] == 2


def test_help_and_version_go_to_stdout(edgeprune):
    assert edgeprune("--version").out.startswith("edgeprune, version ")
    assert "Exit codes" in edgeprune("--help").out
    assert edgeprune("build", "--help").code == 0


def test_control_characters_of_a_message_do_not_reach_the_terminal(command, edgeprune):
    command(raising(ModelError("layer '\x1b[2J' is unknown")))
    assert edgeprune("try").err == "error: layer '\\x1b[2J' is unknown\n"


def test_output_that_the_terminal_cannot_encode_is_escaped(spawn):
    ended = spawn("devices", "list", env={"PYTHONIOENCODING": "ascii"})
    assert ended.returncode == 0
    assert "cortex-m7" in ended.stdout


def test_warnings_of_libraries_are_kept_off_the_terminal(spawn):
    ended = spawn("list", "criteria")
    assert ended.stderr == ""


@pytest.fixture(autouse=True)
def _same_warnings_afterwards():
    with warnings.catch_warnings():
        yield
