"""The class of every command: it has `--json`, and stdout holds its answer and nothing else."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any

import click


class Command(click.Command):
    """A command that returns an `Answer`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As click's, and one option more."""
        super().__init__(*args, **kwargs)
        # `main` looks for the flag itself, because errors on the way here need it, too.
        help_text = "Print one JSON document instead of tables."
        self.params.append(click.Option(["--json"], is_flag=True, expose_value=False, help=help_text))

    def invoke(self, ctx: click.Context) -> Any:
        """The answer."""
        with _keep_stdout_clean():
            return super().invoke(ctx)


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
