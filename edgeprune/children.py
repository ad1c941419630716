"""Python processes of edgeprune's own: how they are started, and how they ended."""

import os
import signal
import sys
from pathlib import Path

from edgeprune.errors import ToolFailedError, ToolStoppedError

NO_ROOM = 74
"""The exit code, as in sysexits.h, of a process that found the disk full."""


def python_command(module: str) -> list[str]:
    """The command that runs a module of edgeprune in a process of its own."""
    # -P keeps files of the working directory from being imported in place of packages.
    return [sys.executable, "-P", "-m", module]


def python_environment() -> dict[str, str]:
    """This process's environment, in which the child finds the same edgeprune."""
    home = str(Path(__file__).resolve().parents[1])
    inherited = os.environ.get("PYTHONPATH")
    return os.environ | {"PYTHONPATH": os.pathsep.join([home, inherited] if inherited else [home])}


def describe_ending(returncode: int) -> str:
    """How a process ended, as the end of a sentence: its exit code, or the signal that killed it."""
    if returncode >= 0:
        return f"ended with exit code {returncode}"
    if was_killed(returncode):
        return f"was killed with {signal.Signals(-returncode).name}"
    try:
        return f"crashed with {signal.Signals(-returncode).name}"
    except ValueError:
        return f"crashed with signal {-returncode}"


def was_killed(returncode: int) -> bool:
    """Whether somebody else ended it; the system does, with SIGKILL, when there is no memory left."""
    return -returncode in (getattr(signal, "SIGKILL", 9), signal.SIGTERM, signal.SIGINT)


def has_crashed(returncode: int) -> bool:
    """Whether a signal ended it that nobody sent: a fault of its own, or of what it was given."""
    return returncode < 0 and not was_killed(returncode)


def ending_error(who: str, returncode: int, *, why: str) -> ToolFailedError:
    """The error of a process that failed.

    Args:
        who: what it was, for example "the tflm runtime".
        returncode: its exit code, or minus the signal that ended it.
        why: the end of what it said.
    """
    what = f"{who} {describe_ending(returncode)}"
    if not was_killed(returncode):
        return ToolFailedError(what, why=why)
    is_memory = -returncode == getattr(signal, "SIGKILL", 9)
    return ToolStoppedError(
        f"{what}: out of memory?" if is_memory else what,
        why=why,
        fix="close other programs, or use a machine with more memory" if is_memory else "run it again",
    )
