"""The command `edgeprune`, and the one boundary where errors become sentences and exit codes."""

import io
import os
import sys
import tempfile
import traceback
import warnings
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout, suppress
from importlib import import_module
from typing import Any, NoReturn

import click

from edgeprune.cli.answer import Answer, version_document
from edgeprune.cli.completion import VARIABLE, complete
from edgeprune.cli.ending import end_abruptly, end_with
from edgeprune.cli.interrupts import list_notes, was_interrupted
from edgeprune.cli.named_errors import name_error
from edgeprune.cli.streams import discard, usable_streams
from edgeprune.errors import EdgepruneError, InfeasibleError, OutputError
from edgeprune.report.schema import format_json
from edgeprune.terminal.results import format_report
from edgeprune.terminal.tables import printable
from edgeprune.version import __version__

_USAGE, _BUG, _INTERRUPTED = 2, 70, 130

_COMMANDS = {
    "agree": "agree",
    "bench": "bench",
    "build": "build",
    "check": "check",
    "compress": "compress",
    "convert": "convert",
    "devices": "devices",
    "doctor": "doctor",
    "firmware": "firmware",
    "flash": "flash",
    "front": "front",
    "inspect": "inspect",
    "list": "listing",
    "prune": "prune",
    "quantize": "quantize",
    "run": "run",
    "sparsify": "sparsify",
    "strip": "strip",
    "sweep": "sweep",
    "verify": "verify",
    "view": "view",
}
"""Command, which is also the module's name → what it is called in there."""


class Commands(click.Group):
    """The commands, each imported when it is asked for: start-up is not to pay for the others."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, sorted."""
        return sorted({*_COMMANDS, *super().list_commands(ctx)})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None."""
        if cmd_name in _COMMANDS:
            return _load(cmd_name)
        # Of those that it holds, click suggests the nearest to a misspelt name.
        self.commands.update({name: _load(name) for name in _COMMANDS})
        return super().get_command(ctx, cmd_name)


def _load(name: str) -> click.Command:
    command: click.Command = getattr(import_module(f"edgeprune.cli.{name}"), _COMMANDS[name])
    return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="edgeprune")
def cli() -> None:
    """Prune a trained Keras model until it provably fits a device.

    Exit codes: 0 done and everything checked fits; 1 the answer is no; 2 wrong command line; 3 an input
    cannot be used; 4 an external tool or a device failed; 70 a bug in edgeprune; 130 interrupted.
    """


def main() -> NoReturn:
    """Run the command line of this process, and end it; `entry.py` does so without importing this first."""
    end_with(lambda: run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """The exit code of one command line; its answer goes to stdout, progress and errors to stderr.

    A crash never exits 1, which would say that edgeprune worked and the answer is no.
    """
    if not {"-v", "--verbose"}.isdisjoint(arguments):
        os.environ["EDGEPRUNE_DEBUG"] = "1"  # processes of ours inherit it
    with usable_streams():
        return _run(arguments, as_json="--json" in arguments)


def _run(arguments: Sequence[str], *, as_json: bool) -> int:
    try:
        return _answer(arguments, as_json=as_json)
    except click.ClickException as error:
        return _refuse_usage(error, as_json=as_json)
    except (KeyboardInterrupt, click.Abort) as error:
        return _report_interrupt(error, as_json=as_json)
    except (Exception, SystemExit) as error:  # noqa: BLE001  (the one boundary)
        if was_interrupted():
            return _report_interrupt(error, as_json=as_json)
        if isinstance(error, MemoryError | ImportError):
            end_abruptly()
        named = error if isinstance(error, EdgepruneError) else name_error(error)
        if named is not None:
            return _report_error(named, as_json=as_json)
        return _report_bug(error, as_json=as_json)


def _answer(arguments: Sequence[str], *, as_json: bool) -> int:
    if VARIABLE in os.environ:
        return complete(cli)
    _quiet_libraries()
    said = io.StringIO()
    try:
        with redirect_stdout(said), cli.make_context("edgeprune", list(arguments)) as context:
            answer = cli.invoke(context)
    except click.exceptions.Exit as end:  # --help and --version
        _print(said.getvalue())
        return int(end.exit_code)
    if not isinstance(answer, Answer):
        _print(said.getvalue())
        return 0
    _print(format_json(version_document(answer.document)) if as_json else answer.text)
    return answer.exit_code


def _quiet_libraries() -> None:
    """Keep TensorFlow's start-up talk and other packages' warnings off the terminal."""
    if os.environ.get("EDGEPRUNE_DEBUG"):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _refuse_usage(error: click.ClickException, *, as_json: bool) -> int:
    if as_json:
        parts = {"kind": type(error).__name__, "message": error.format_message()}
        _print_error_document({}, parts, _USAGE)
    else:
        error.show()
    return _USAGE


def _report_error(error: EdgepruneError, *, as_json: bool) -> int:
    # An infeasible build says how far it came.
    best = error.best if isinstance(error, InfeasibleError) else None
    if as_json:
        _print_error_document(best.to_json() if best else {}, error.to_json(), error.exit_code)
    else:
        if best:
            with suppress(EdgepruneError):
                _print(format_report(best.report))
        _complain(error.message)
    return error.exit_code


def _report_interrupt(error: BaseException, *, as_json: bool) -> int:
    message = "; ".join(["interrupted", *list_notes(error)])
    if as_json:
        _print_error_document({}, {"kind": "Interrupted", "message": message}, _INTERRUPTED)
    else:
        _complain(message)
    return _INTERRUPTED


def _report_bug(error: BaseException, *, as_json: bool) -> int:
    trace = "".join(traceback.format_exception(error))
    place = "" if os.environ.get("EDGEPRUNE_DEBUG") else _save_trace(trace)
    if not place:
        sys.stderr.write(trace)
    kind = type(error).__name__
    message = f"this is a bug in edgeprune {__version__}: {kind}: {error}"
    message += f"; please report it with {place}" if place else "; please report it with the lines above"
    if as_json:
        _print_error_document({}, {"kind": kind, "message": message, "traceback": place}, _BUG)
    else:
        _complain(message)
    return _BUG


def _save_trace(trace: str) -> str:
    """The file that now holds the traceback, "" if there is no room for one."""
    try:
        with tempfile.NamedTemporaryFile(
            "w", prefix="edgeprune-", suffix=".traceback", delete=False, errors="backslashreplace"
        ) as file:
            file.write(trace)
    except OSError:
        return ""
    return file.name


def _print_error_document(document: Mapping[str, Any], error: Mapping[str, Any], exit_code: int) -> None:
    with suppress(EdgepruneError):
        whole = {**version_document(document), "error": {**error, "exit_code": exit_code}}
        _print(format_json(whole))


def _print(text: str) -> None:
    """Write to stdout. That nobody reads on is no error; that there is no room is one."""
    try:
        if hasattr(sys.stdout, "reconfigure"):
            sys.stdout.reconfigure(errors="backslashreplace")
        sys.stdout.write(text if text.endswith("\n") else text + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        discard(1)
    except OSError as error:
        discard(1)
        raise OutputError(error.strerror or str(error), where="stdout") from error


def _complain(message: str) -> None:
    lines = [printable(line) for line in message.splitlines()] or [""]
    sys.stderr.write("\n".join([f"error: {lines[0]}", *lines[1:]]) + "\n")
    sys.stderr.flush()
