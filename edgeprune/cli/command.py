"""The class of every command: `--json`, `--quiet`, `--verbose`; stdout holds its answer and nothing else."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

import click

from edgeprune.cli.interrupts import was_interrupted
from edgeprune.progress import Progress
from edgeprune.terminal.progress import Manner, watch

_MANNER = "edgeprune.manner"


class Command(click.Command):
    """A command that returns an `Answer`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As click's, and three options more."""
        super().__init__(*args, **kwargs)
        # `main` looks for --json and --verbose itself, because errors on the way here need them, too.
        self.params += [
            _manner_option("quiet", "Only the answer, warnings and errors."),
            _manner_option("verbose", "All that there is, libraries' own talk too."),
            click.Option(
                ["--json"],
                is_flag=True,
                expose_value=False,
                help="Print one JSON document instead of tables.",
            ),
        ]

    def invoke(self, ctx: click.Context) -> Any:
        """The answer."""
        with _keep_stdout_clean():
            return super().invoke(ctx)


def _manner_option(manner: Manner, help_text: str) -> click.Option:
    def keep(ctx: click.Context, _: click.Parameter, value: bool) -> None:
        if value and ctx.meta.setdefault(_MANNER, manner) != manner:
            raise click.UsageError("--quiet and --verbose cannot be combined; choose one.")

    flags = [f"-{manner[0]}", f"--{manner}"]
    return click.Option(flags, is_flag=True, expose_value=False, callback=keep, help=help_text)


@contextmanager
def show_progress() -> Iterator[Progress]:
    """What the command on hand tells of its work on stderr, as much as was asked for."""
    manner: Manner = click.get_current_context().meta.get(_MANNER, "usual")
    with watch(manner=manner) as shown:
        yield Heeding(shown)


class Heeding:
    """Progress that raises KeyboardInterrupt where work goes on though there was one."""

    def __init__(self, outer: Progress) -> None:
        """Pass all on to `outer`."""
        self._outer = outer

    def stage(self, name: str, *, total: int = 0) -> None:
        """A stage begins."""
        _heed()
        self._outer.stage(name, total=total)

    def advance(self, steps: int = 1, *, detail: str = "") -> None:
        """Some steps are done."""
        _heed()
        self._outer.advance(steps, detail=detail)

    def note(self, text: str) -> None:
        """Something to read."""
        self._outer.note(text)

    def warn(self, text: str) -> None:
        """Something not to be overlooked."""
        self._outer.warn(text)


def _heed() -> None:
    if was_interrupted():
        raise KeyboardInterrupt


@contextmanager
def _keep_stdout_clean() -> Iterator[None]:
    """While a command runs, file descriptor 1 is stderr.

    Keras, the C++ of the converter and child processes write to stdout at will; a reader of `--json`
    must find one document there.
    """
    try:
        sys.stdout.flush()
        kept = os.dup(1)
    except (OSError, AttributeError):  # stdout is closed
        yield
        return
    try:
        with suppress(OSError):  # stderr is closed
            os.dup2(2, 1)
        with redirect_stdout(sys.stderr):
            yield
    finally:
        with suppress(OSError):
            sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)
