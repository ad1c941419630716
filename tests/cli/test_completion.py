"""What shells offer: asked of bash itself, and through the variables that scripts of zsh and fish set."""

import shutil
import subprocess

import pytest

from tests.cli.test_imports import imported_by

VARIABLE = "_EDGEPRUNE_COMPLETE"


@pytest.fixture
def offer(spawn):
    """What bash's script is told for a line whose last word is to be completed."""

    def ask(*words):
        asked = {"COMP_WORDS": " ".join(("edgeprune", *words)), "COMP_CWORD": str(len(words))}
        ended = spawn(env={VARIABLE: "bash_complete", **asked})
        assert ended.returncode == 0, ended.stderr
        return [line.partition(",")[::2] for line in ended.stdout.splitlines()]

    return ask


def test_commands_are_offered(offer):
    assert offer("ch") == [("plain", "check")]
    assert ("plain", "calibrate") in offer("devices", "")
    assert len(offer("")) > 20


def test_options_and_their_values_are_offered(offer):
    assert offer("build", "--lat") == [("plain", "--latency-ms")]
    assert offer("build", "--runtime", "") == [("plain", "tflm"), ("plain", "c")]
    assert offer("build", "--minimize", "f") == [("plain", "flash")]


@pytest.mark.parametrize("command", ["build", "check", "convert", "run", "bench", "firmware", "flash"])
def test_devices_are_offered_by_name_or_as_files(offer, command):
    assert offer(command, "--device", "pixel-") == [("plain", "pixel-6"), ("plain", "pixel-8")]
    assert offer(command, "--device", "./my") == [("file", "./my")]


def test_files_are_left_to_the_shell(offer):
    assert offer("check", "mod") == [("file", "mod")]
    assert offer("build", "--data", "dig") == [("file", "dig")]


@pytest.mark.parametrize(
    ("shell", "words"),
    [
        ("zsh", ("compdef _edgeprune_completion edgeprune",)),
        ("fish", ("complete --no-files --command edgeprune",)),
    ],
)
def test_scripts_name_the_program_and_the_variable(spawn, shell, words):
    ended = spawn(env={VARIABLE: f"{shell}_source"})
    assert ended.returncode == 0
    assert all(word in ended.stdout for word in (*words, f"{VARIABLE}={shell}_complete"))
    if shutil.which(shell):
        subprocess.run([shell, "--no-execute"], input=ended.stdout, text=True, check=True)


def test_zsh_and_fish_are_told_what_things_are(spawn):
    words = {"COMP_WORDS": "edgeprune veri", "COMP_CWORD": "1"}
    zsh = spawn(env={VARIABLE: "zsh_complete", **words}).stdout.splitlines()
    assert zsh[:2] == ["plain", "verify"]
    fish = spawn(env={VARIABLE: "fish_complete", "COMP_WORDS": "edgeprune veri", "COMP_CWORD": "veri"})
    assert fish.stdout.splitlines()[0].startswith("plain,verify")


BASH = """
set -e
PATH="$1:$PATH"
eval "$(_EDGEPRUNE_COMPLETE=bash_source edgeprune)"
COMP_WORDS=(edgeprune quant) COMP_CWORD=1
_edgeprune_completion edgeprune
echo "${COMPREPLY[@]}"
complete -p edgeprune
"""


def test_bash_completes_with_what_its_script_says(spawn, tmp_path):
    from tests.cli.conftest import COMMAND, ROOT

    program = tmp_path / "edgeprune"
    program.write_text(f"#!/bin/sh\nPYTHONPATH='{ROOT}' exec '{COMMAND[0]}' -c '{COMMAND[2]}' \"$@\"\n")
    program.chmod(0o755)
    ended = subprocess.run(["bash", "-c", BASH, "bash", str(tmp_path)], capture_output=True, text=True)
    assert ended.stderr == ""
    offered, registered = ended.stdout.splitlines()
    assert offered == "quantize"
    assert "_edgeprune_completion edgeprune" in registered


def test_an_unknown_shell_or_question_is_a_wrong_command_line(spawn):
    assert spawn(env={VARIABLE: "tcsh_source"}).returncode == 2
    assert spawn(env={VARIABLE: "bash_nothing"}).returncode == 2


def test_completing_imports_no_tensorflow(monkeypatch):
    monkeypatch.setenv(VARIABLE, "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "edgeprune build --device pix")
    monkeypatch.setenv("COMP_CWORD", "3")
    assert imported_by() == "imported:"
