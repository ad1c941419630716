"""Progress on stderr: a bar with an ETA on a terminal, plain lines elsewhere.

A stage that has ended says how long it took, and what came of it where it told that.
"""

import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TextIO

from edgeprune.progress import Progress, Silent
from edgeprune.terminal.tables import measure_width, printable

_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 10.0
_BAR_CELLS = 24

Manner = Literal["quiet", "usual", "verbose"]


@contextmanager
def watch(stream: TextIO | None = None, *, manner: Manner = "usual") -> Iterator[Progress]:
    """A `Progress` on the stream (stderr); however the block ends, the last line is finished.

    Args:
        stream: a terminal gets a bar, all else lines.
        manner: quiet for warnings alone, verbose for lines without pause: others' output stands between them.
    """
    stream = stream or sys.stderr
    lines = ProgressLines(stream, every=0.0 if manner == "verbose" else _LINE_SECONDS)
    if manner == "quiet":
        yield Warnings(lines)
    elif manner == "usual" and stream.isatty() and os.environ.get("TERM") != "dumb":
        bar = ProgressBar(stream, color=not os.environ.get("NO_COLOR"))
        try:
            yield bar
        finally:
            bar.close()
    else:
        try:
            yield lines
        finally:
            lines.close()


class Warnings(Silent):
    """What a person should not overlook, and nothing else."""

    def __init__(self, lines: "ProgressLines") -> None:
        """Where to."""
        self._lines = lines

    def warn(self, text: str) -> None:
        """A line."""
        self._lines.warn(text)


class Stage:
    """How far a stage is, and how long it will take if it goes on like this."""

    def __init__(self, name: str, *, total: int, now: Callable[[], float]) -> None:
        """Start the clock. `total` is 0 where the number of steps is not known."""
        self.name, self.total, self.done, self.detail = printable(name), total, 0, ""
        self._now, self._start = now, now()
        self._first: tuple[int, float] | None = None

    def advance(self, steps: int, detail: str) -> None:
        """Count steps; an empty detail keeps the last one."""
        self.done += steps
        if steps and self._first is None:
            self._first = self.done, self._now()
        self.detail = printable(detail) or self.detail

    @property
    def elapsed_seconds(self) -> float:
        """Since the stage began."""
        return self._now() - self._start

    @property
    def took(self) -> str:
        """The same for people."""
        return format_seconds(self.elapsed_seconds)

    @property
    def remaining(self) -> str:
        """For example "1:05 left"; empty where that cannot be known.

        The first step does not count: functions are compiled in it, which may take a hundred times as long.
        """
        if self._first is None or self.done == self._first[0] or self.done >= self.total:
            return ""
        first, then = self._first
        per_step = (self._now() - then) / (self.done - first)
        return f"{format_seconds(per_step * (self.total - self.done))} left"


class ProgressBar:
    """One line, redrawn in place; finished stages stay above it."""

    def __init__(self, stream: TextIO, *, color: bool, now: Callable[[], float] = time.monotonic) -> None:
        """Nothing is drawn before the first stage."""
        self._stream, self._color, self._now = stream, color, now
        self._stage: Stage | None = None
        self._drawn_at = -_REDRAW_SECONDS

    def stage(self, name: str, *, total: int = 0) -> None:
        """A new line, after the last stage's is finished."""
        self._finish()
        self._stage = Stage(name, total=total, now=self._now)
        self._draw()

    def advance(self, steps: int = 1, *, detail: str = "") -> None:
        """The line moves on, at most ten times per second."""
        if self._stage is None:
            return
        self._stage.advance(steps, detail)
        if self._now() - self._drawn_at >= _REDRAW_SECONDS:
            self._draw()

    def note(self, text: str) -> None:
        """A line above the bar."""
        self._write_above(f"  note: {printable(text)}")

    def warn(self, text: str) -> None:
        """A yellow line above the bar."""
        self._write_above(self._paint(f"  warning: {printable(text)}", "33"))

    def close(self) -> None:
        """Finish the line."""
        self._finish()

    def _write_above(self, line: str) -> None:
        self._stream.write(f"\r\x1b[K{line}\n")
        self._draw()

    def _finish(self) -> None:
        if self._stage is not None:
            parts = (self._stage.name, self._paint(self._stage.took, "2"), self._stage.detail)
            self._stream.write(f"\r\x1b[K{'  '.join(part for part in parts if part)}\n")
            self._stream.flush()
        self._stage = None

    def _draw(self) -> None:
        stage = self._stage
        if stage is None:
            self._stream.flush()
            return
        parts = [stage.name]
        if stage.total:
            share = min(stage.done / stage.total, 1.0)
            full = round(share * _BAR_CELLS)
            parts.append(f"[{'#' * full}{'.' * (_BAR_CELLS - full)}] {share:4.0%}")
        parts += [part for part in (stage.remaining, stage.detail) if part]
        line = _cut("  ".join(parts), shutil.get_terminal_size().columns - 1)
        self._stream.write(f"\r\x1b[K{line}")
        self._stream.flush()
        self._drawn_at = self._now()

    def _paint(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._color else text


class ProgressLines:
    """A line when a stage begins, some within a long one, and one with what came of it: for logs."""

    def __init__(
        self,
        stream: TextIO,
        *,
        every: float = _LINE_SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is written before the first stage.

        Args:
            stream: where to.
            every: seconds between lines of one stage.
            now: a clock.
        """
        self._stream, self._every, self._now = stream, every, now
        self._stage: Stage | None = None
        self._written_at = now()

    def stage(self, name: str, *, total: int = 0) -> None:
        """A line with the stage's name, after the last stage's result."""
        self._finish()
        self._stage = Stage(name, total=total, now=self._now)
        self._write(self._stage.name)

    def close(self) -> None:
        """The last stage's result."""
        self._finish()

    def advance(self, steps: int = 1, *, detail: str = "") -> None:
        """A line, if the last one is old enough."""
        if self._stage is None:
            return
        stage = self._stage
        stage.advance(steps, detail)
        if steps and self._now() - self._written_at >= self._every:
            count = f"{stage.done}/{stage.total}" if stage.total else ""
            parts = (f"  {stage.name}", count, stage.remaining, stage.detail)
            self._write("  ".join(part for part in parts if part))

    def note(self, text: str) -> None:
        """A line."""
        self._write(f"note: {printable(text)}")

    def warn(self, text: str) -> None:
        """A line."""
        self._write(f"warning: {printable(text)}")

    def _finish(self) -> None:
        stage = self._stage
        if stage is not None and (stage.detail or stage.elapsed_seconds >= _LINE_SECONDS):
            self._write("  ".join(part for part in (f"  done in {stage.took}", stage.detail) if part))
        self._stage = None

    def _write(self, line: str) -> None:
        self._stream.write(line + "\n")
        self._stream.flush()
        self._written_at = self._now()


def format_seconds(seconds: float) -> str:
    """For example "0.4 s", "12 s", "1:05" or "1:01:05"."""
    if round(seconds) < 60:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _cut(line: str, columns: int) -> str:
    while line and measure_width(line) > columns:
        line = line[:-1]
    return line
