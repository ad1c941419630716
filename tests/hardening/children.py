"""What files cost and how they end, each judged in a process of its own under limits of memory and time."""

import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass

FREE_BYTES = 200 << 20
BYTES_PER_BYTE = 10


@dataclass(frozen=True)
class End:
    """How a process ended: what it said, and what was wrong with how it ended, "" for nothing."""

    said: str
    wrong: str
    seconds: float


def judge(work: Callable[[], str], *, file_bytes: int | None, seconds: float) -> End:
    """What `work` gives back, in a fork of this process that may take 10 N + 200 MB more than it has.

    Args:
        work: gives a short text, or raises, or crashes.
        file_bytes: N; None for no limit, which runtimes and sanitizers cannot live with.
        seconds: after which it is killed.
    """
    receive, send = os.pipe()
    begun = time.monotonic()
    child = os.fork()
    if not child:
        _work(work, send, file_bytes)
    os.close(send)
    said, over = b"", False
    while not over:
        left = begun + seconds - time.monotonic()
        ready, _, _ = select.select([receive], [], [], max(left, 0.0))
        piece = os.read(receive, 1 << 16) if ready else b""
        over = not piece
        said += piece
    took = time.monotonic() - begun
    if took >= seconds:
        os.kill(child, signal.SIGKILL)
    os.close(receive)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    text = said.decode(errors="replace")
    if took >= seconds:
        return End(text, f"took over {seconds:g} s", took)
    return End(text, "" if code == 0 else f"ended with {code}: {text[-1500:]}", took)


def _work(work: Callable[[], str], send: int, file_bytes: int | None) -> None:
    """The child's side; never returns."""
    code = 1
    try:
        if file_bytes is not None:
            limit_memory(BYTES_PER_BYTE * file_bytes + FREE_BYTES)
        os.write(send, work().encode())
        code = 0
    except BaseException:  # noqa: BLE001 (it ends here, whatever it was, and is told)
        os.write(send, traceback.format_exc().encode())
    finally:
        os.close(send)
        sys.stdout.flush()
        os._exit(code)


def limit_memory(more_bytes: int) -> None:
    """This process may take so many bytes of address space more than it has now."""
    with open("/proc/self/statm", encoding="ascii") as file:
        has = int(file.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (has + more_bytes, has + more_bytes))
