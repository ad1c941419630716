"""Python processes of edgeprune's own: how they are started, and how they ended."""

import os
import signal
import sys
from pathlib import Path


def python_command(module: str) -> list[str]:
    """The command that runs a module of edgeprune in a process of its own."""
    # -P keeps files of the working directory from being imported in place of packages.
    return [sys.executable, "-P", "-m", module]


def python_environment() -> dict[str, str]:
    """This process's environment, in which the child finds the same edgeprune."""
    home = str(Path(__file__).resolve().parents[2])
    inherited = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([home, inherited] if inherited else [home])}


def describe_ending(returncode: int) -> str:
    """How a process ended, as the end of a sentence: its exit code, or the signal that killed it."""
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    try:
        return f"crashed with {signal.Signals(-returncode).name}"
    except ValueError:
        return f"crashed with signal {-returncode}"
