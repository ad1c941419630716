import io
from contextlib import suppress

import pytest

from edgeprune.terminal.progress import ProgressBar, ProgressLines, format_seconds, watch


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
    lines.stage("write")
    lines.close()
    assert stream.getvalue().splitlines() == [
        "load",
        "recover",
        "  recover  20/100  40 s left  loss 0.5",
        "  recover  40/100  30 s left  loss 0.5",
        "note: half of it",
        "warning: watch out",
        "  done in 25 s  loss 0.5",
        "write",
    ]


def test_a_short_stage_says_what_came_of_it():
    stream, clock = io.StringIO(), Clock()
    lines = ProgressLines(stream, now=clock)
    lines.stage("convert")
    clock.seconds += 2
    lines.advance(0, detail="accuracy 0.84, latency 50.8 ms")
    lines.close()
    assert stream.getvalue().splitlines() == ["convert", "  done in 2.0 s  accuracy 0.84, latency 50.8 ms"]


def test_a_bar_leaves_a_line_with_time_and_result():
    stream, clock = Terminal(), Clock()
    bar = ProgressBar(stream, color=False, now=clock)
    bar.stage("convert")
    clock.seconds += 2
    bar.advance(0, detail="latency 50.8 ms")
    bar.close()
    assert stream.getvalue().endswith("\r\x1b[Kconvert  2.0 s  latency 50.8 ms\n")


@pytest.mark.parametrize(
    ("manner", "lines"),
    [
        ("quiet", ["warning: watch out"]),
        ("usual", ["load", "note: so it is", "warning: watch out", "  done in 0.0 s  two"]),
        ("verbose", ["load", "  load  one", "  load  two", "note: so it is", "warning: watch out"]),
    ],
)
def test_as_much_is_told_as_was_asked_for(manner, lines):
    stream = io.StringIO()
    with watch(stream, manner=manner) as progress:
        progress.stage("load")
        progress.advance(detail="one")
        progress.advance(detail="two")
        progress.note("so it is")
        progress.warn("watch out")
    assert stream.getvalue().splitlines()[: len(lines)] == lines


def test_a_terminal_gets_a_bar_with_the_time_left():
    stream, clock = Terminal(), Clock()
    bar = ProgressBar(stream, color=False, now=clock)
    bar.stage("recover", total=4)
    clock.seconds = 30.0
    bar.advance(1, detail="compiled")
    last = stream.getvalue().rsplit("\r\x1b[K", 1)[1]
    assert last == "recover  [######..................]  25%  compiled", (
        "the first step takes longer than others"
    )
    clock.seconds = 35.0
    bar.advance(1, detail="loss 0.5")
    last = stream.getvalue().rsplit("\r\x1b[K", 1)[1]
    assert last == "recover  [############............]  50%  10 s left  loss 0.5"


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
        with watch(stream) as progress:
            progress.stage("load")
            progress.warn("watch out")
        assert ("\x1b[33m" in stream.getvalue()) is colored


def test_the_line_is_finished_when_an_error_passes(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    with suppress(ValueError), watch(stream) as progress:
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
