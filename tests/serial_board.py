"""An image on a board of qemu whose UART is a pseudo-terminal of this machine."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def serial_board(image: Path, *, machine: str, options: Sequence[str] = ()) -> Iterator[str]:
    """The terminal's name, while the board runs."""
    quiet = ["-display", "none", "-monitor", "none", "-serial", "pty"]
    command = ["qemu-system-arm", "-M", machine, *options, *quiet, "-kernel", str(image)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as board:
        try:
            # "char device redirected to /dev/pts/3 (label serial0)"
            yield next(word for line in board.stdout for word in line.split() if word.startswith("/dev/"))
        finally:
            board.kill()
