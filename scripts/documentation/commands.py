"""The command line, as click knows it."""

import re
from collections.abc import Iterator

import click

from documentation.markdown import code, escape, page, table
from edgeprune.cli.main import cli


def list_commands(
    command: click.Command = cli, name: str = "edgeprune"
) -> Iterator[tuple[str, click.Command]]:
    """Every command with its whole name; of a group its members."""
    if not isinstance(command, click.Group):
        yield name, command
        return
    context = click.Context(command, info_name=name)
    for member in command.list_commands(context):
        found = command.get_command(context, member)
        if found is not None:
            yield from list_commands(found, f"{name} {member}")


def write_commands() -> str:
    """The page of all commands."""
    intro = (
        "Every command takes `--json` for one versioned document on stdout; progress, notes and warnings go "
        "to stderr. The [exit codes](exit_codes.md) are the same for all. `edgeprune --version` prints the "
        "version."
    )
    return page("Command line", intro, *(_describe(name, command) for name, command in list_commands()))


def _describe(name: str, command: click.Command) -> str:
    context = click.Context(command, info_name=name)
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    options = [parameter for parameter in command.get_params(context) if isinstance(parameter, click.Option)]
    return "\n\n".join(
        [
            f"## {name}",
            f"```text\n{usage}\n```",
            _describe_help(command.help or ""),
            *_describe_options(options, context),
        ]
    )


def _describe_help(text: str) -> str:
    paragraphs = [" ".join(part.replace("\b", "").split()) for part in text.split("\n\n")]
    return "\n\n".join(escape(part) for part in paragraphs if part)


def _describe_options(options: list[click.Option], context: click.Context) -> Iterator[str]:
    """A table for each group of options, in the order of the help; one table where there are no groups."""
    groups: dict[str, list[list[str]]] = {}
    for option in options:
        record = option.get_help_record(context)
        if record is not None:
            groups.setdefault(getattr(option, "group", ""), []).append(_describe_option(*record))
    for group, rows in groups.items():
        yield table([group or "option", "what it does", "default, range"], rows)


def _describe_option(flags: str, text: str) -> list[str]:
    told = re.search(r"(?:\s*\[[^\[\]]*\])*$", text)
    assert told is not None  # it may be empty
    brackets = [part.removeprefix("default: ") for part in re.findall(r"\[(.*?)\]", told[0])]
    return [code(flags), escape(text[: told.start()]), escape("; ".join(brackets))]
