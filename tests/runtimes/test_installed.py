import os
import stat
import subprocess
import sys
from pathlib import Path

from edgeprune.runtimes.installed import installed_tools


def test_what_is_installed_has_a_version_and_every_tool_a_purpose_and_a_fix():
    tools = {tool.name: tool for tool in installed_tools()}
    assert tools["tflite-micro"].version[0].isdigit()
    assert all(tool.purpose and tool.fix for tool in tools.values())


def test_a_program_that_is_not_there_is_said_to_be_missing(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    tools = {tool.name: tool for tool in installed_tools()}
    assert not tools["cmake"].is_installed


def test_a_programs_version_is_what_it_says(monkeypatch, tmp_path):
    program = tmp_path / "cmake"
    program.write_text("#!/bin/sh\necho cmake version 3.25.1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.defpath}")
    assert {tool.name: tool.version for tool in installed_tools()}["cmake"] == "3.25.1"


def test_looking_imports_nothing_heavy():
    script = (
        "import sys; from edgeprune.runtimes.installed import installed_tools; installed_tools(); "
        "print([name for name in ('tensorflow', 'keras', 'numpy') if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert said.stdout.strip() == "[]"
