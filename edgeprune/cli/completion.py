"""Shell completion: what bash, zsh and fish ask of the program, through a variable, and are told."""

import os

import click
from click.shell_completion import CompletionItem

VARIABLE = "_EDGEPRUNE_COMPLETE"
"""Set by a shell: "bash_source" asks for the script that its start-up file evaluates, "bash_complete" for
what may come next."""
_USAGE = 2


def complete(program: click.Command) -> int:
    """The exit code, once the shell's question is answered on stdout."""
    from click.shell_completion import shell_complete

    failed = shell_complete(program, {}, "edgeprune", VARIABLE, os.environ[VARIABLE])
    return _USAGE if failed else 0


def complete_devices(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The names of profiles; files where the name begins like a path."""
    from edgeprune.device.profile import list_ids

    if incomplete.startswith((".", "/", "~")):
        return complete_files(context, parameter, incomplete)
    return [CompletionItem(name) for name in list_ids() if name.startswith(incomplete)]


def complete_files(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """What the shell finds on the disk."""
    return [CompletionItem(incomplete, type="file")]
