import io
from contextlib import suppress

import pytest

from edgeprune.terminal.progress import ProgressBar, ProgressLines, format_seconds, show_progress


class Clock:
    def __init__(self):
        self.seconds = 0.0

    def __call__(self):
        return self.seconds


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_a_line_per_stage_and_one_every_ten_seconds():
    stream, clock = io.StringIO(), Clock()
    lines = ProgressLines(stream, now=clock)
    lines.stage("load")
    lines.stage("recover", total=100)
    for _ in range(50):
        clock.seconds += 0.5
        lines.advance(detail="loss 0.5")
    lines.note("half of it")
    lines.warn("watch out")
    assert stream.getvalue().splitlines() == [
        "load",
        "recover",
        "  recover  20/100  40 s left  loss 0.5",
        "  recover  40/100  30 s left  loss 0.5",
        "note: half of it",
        "warning: watch out",
    ]


def test_a_terminal_gets_a_bar_with_the_time_left():
    stream, clock = Terminal(), Clock()
    bar = ProgressBar(stream, color=False, now=clock)
    bar.stage("recover", total=4)
    clock.seconds = 30.0
    bar.advance(1, detail="loss 0.5")
    last = stream.getvalue().rsplit("\r\x1b[K", 1)[1]
    assert last == "recover  [######..................]  25%  1:30 left  loss 0.5"


def test_a_bar_is_redrawn_at_most_ten_times_per_second():
    stream, clock = Terminal(), Clock()
    bar = ProgressBar(stream, color=False, now=clock)
    bar.stage("recover", total=1000)
    for _ in range(1000):
        clock.seconds += 0.001
        bar.advance()
    assert stream.getvalue().count("\r") <= 12


def test_the_bar_never_wraps(monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    stream = Terminal()
    bar = ProgressBar(stream, color=False, now=Clock())
    bar.stage("a stage with a name that is longer than the terminal is wide", total=3)
    assert len(stream.getvalue().rsplit("\x1b[K", 1)[1]) == 39


def test_no_color_is_honoured(monkeypatch):
    for set_to, colored in (("1", False), ("", True)):
        monkeypatch.setenv("NO_COLOR", set_to)
        monkeypatch.setenv("TERM", "xterm")
        stream = Terminal()
        with show_progress(stream) as progress:
            progress.stage("load")
            progress.warn("watch out")
        assert ("\x1b[33m" in stream.getvalue()) is colored


def test_the_line_is_finished_when_an_error_passes(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with suppress(ValueError), show_progress(stream) as progress:
        progress.stage("load", total=3)
        raise ValueError
    assert stream.getvalue().endswith("\n")


def test_advancing_without_a_stage_or_without_a_total_is_allowed():
    for progress in (ProgressLines(io.StringIO()), ProgressBar(Terminal(), color=False)):
        progress.advance()
        progress.stage("load")
        progress.advance(detail="reading")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.44, "0.4 s"), (12.3, "12 s"), (65, "1:05"), (3665, "1:01:05"), (59.7, "1:00")]
)
def test_times_are_written_as_people_do(seconds, text):
    assert format_seconds(seconds) == text
