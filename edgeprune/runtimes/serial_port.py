"""Lines from the console of a board, over its serial port."""

import time
from collections.abc import Sequence

from edgeprune.errors import DeviceError, ToolMissingError

try:
    import serial
except ImportError:  # of the extra `serial`
    serial = None

_POLL_SECONDS = 0.2
_LONGEST_LINE = 4096


def require_pyserial() -> None:
    """Raises ToolMissingError where it is not installed."""
    if serial is None:
        raise ToolMissingError("pyserial is not installed", fix="pip install 'edgeprune[serial]'")


def listen(port: str, *, baud: int, seconds: float, ends: Sequence[str]) -> list[str]:
    """What a board writes until one of the lines in `ends`.

    A line break is sent first, for programs that wait for one.

    Args:
        port: for example "/dev/ttyACM0" or "COM3".
        baud: speed.
        seconds: how long to wait for the last line.
        ends: lines that end it, without what surrounds them.

    Raises:
        ToolMissingError: pyserial is not installed.
        DeviceError: the port cannot be opened, is lost, or falls silent; what was heard is in the message.
    """
    require_pyserial()
    lines: list[str] = []
    until, rest = time.monotonic() + seconds, b""
    try:
        with serial.Serial(port, baud, timeout=_POLL_SECONDS) as console:
            console.write(b"\n")
            while time.monotonic() < until:
                rest += console.read(max(1, console.in_waiting))
                *whole, rest = rest.split(b"\n")
                for raw in whole:
                    lines.append(raw.decode("utf-8", "replace").rstrip("\r"))
                    if lines[-1].strip() in ends:
                        return lines
                rest = rest[-_LONGEST_LINE:]
    except (serial.SerialException, OSError) as error:
        raise DeviceError(
            "the serial port cannot be used",
            where=port,
            why=str(error),
            fix="check the cable, the name of the port and that no terminal has it open",
        ) from error
    heard = f"the last of {len(lines)} lines was: {lines[-1][:80]}" if lines else "it said nothing"
    raise DeviceError(
        f"the board did not finish within {seconds:g} s",
        where=port,
        why=heard,
        fix="press its reset button while edgeprune waits, check --baud, or wait longer with --wait; an "
        "image of --runtime c prints by semihosting until platform_write() in its platform/arm/platform.c "
        "writes to a UART",
    )
