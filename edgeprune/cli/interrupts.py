"""Whether Ctrl-C was pressed, also where a library made another error of it.

An extension that is interrupted while it is imported ends in an ImportError or a SystemError; a compiler that
gets the same Ctrl-C, in a failed tool. For whoever pressed it, the command was interrupted.
"""

import _thread
import os
import signal
import sys
import threading
import time
from types import FrameType

_SEEN: list[int] = []


def watch_interrupts() -> None:
    """Remember each Ctrl-C from now on, which raises KeyboardInterrupt as always.

    Where it comes in code whose errors Python drops (a `__del__`, a weak reference's callback), it is raised
    once more after that; where an extension or a user's own function drops it, see `Heeding` in
    `command.py`. Where it is ignored, as for background jobs of a shell, it stays so.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _note)
        sys.unraisablehook = _raise_later


def was_interrupted() -> bool:
    """Whether there was one."""
    return bool(_SEEN)


def list_notes(error: BaseException | None) -> list[str]:
    """Notes (PEP 678) of an error and of those that it was made of: what is kept, say."""
    notes: list[str] = []
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        notes += getattr(error, "__notes__", ())
        error = error.__cause__ or error.__context__
    return notes


def _note(number: int, frame: FrameType | None) -> None:
    _SEEN.append(number)
    raise KeyboardInterrupt


def _raise_later(dropped: "sys.UnraisableHookArgs") -> None:
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        # Not from here: this too is code whose errors Python drops.
        _thread.start_new_thread(_interrupt_soon, ())
    else:
        sys.__unraisablehook__(dropped)


def _interrupt_soon() -> None:
    time.sleep(0.01)
    main = threading.main_thread().ident
    if main is None or os.name != "posix":
        _thread.interrupt_main()
    else:
        signal.pthread_kill(main, signal.SIGINT)  # which wakes it, whatever it waits for
