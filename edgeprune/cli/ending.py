"""How the process ends: with an exit code of ours, from its first line to its last.

Nothing is imported here but what takes no time, and is there whatever is wrong with the installation.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from edgeprune.cli.interrupts import watch_interrupts

_TOOL_FAILED, _INTERRUPTED = 4, 130
_ABRUPT: list[bool] = []


def end_with(run: Callable[[], int]) -> NoReturn:
    """End the process with the exit code that `run` gives; it may import what it needs.

    What it raises comes from outside the boundary in `main.py`: modules that cannot be loaded, or a Ctrl-C
    while they are.
    """
    try:
        watch_interrupts()
        code = run()
    except KeyboardInterrupt:
        _ignore_interrupts()
        code = _say("interrupted", _INTERRUPTED)
    except (ImportError, MemoryError, OSError) as error:
        end_abruptly()
        why = str(error) or type(error).__name__
        fix = "'edgeprune doctor' says what is missing; where memory is limited (ulimit -v), allow more"
        code = _say(f"edgeprune cannot be loaded ({why}); {fix}", _TOOL_FAILED)
    # All is said. Python would set its own handler back, and libraries take their time to shut down.
    _ignore_interrupts()
    if _ABRUPT:
        _flush()
        os._exit(code)
    sys.exit(code)


def end_abruptly() -> None:
    """Let the process end without shutting libraries down: where memory ran out, some wait for ever."""
    _ABRUPT.append(True)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, AttributeError, ValueError):
            stream.flush()


def _say(message: str, code: int) -> int:
    with suppress(OSError, AttributeError, ValueError):  # stderr is closed
        sys.stderr.write(f"error: {message}\n")
        sys.stderr.flush()
    return code
