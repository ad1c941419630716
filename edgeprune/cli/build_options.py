"""The flags of `edgeprune build`, made from the fields of `BuildOptions`, and its help in groups."""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import Field
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

import click

from edgeprune.cli.command import Command
from edgeprune.cli.completion import complete_devices, complete_files
from edgeprune.cli.options import CountOrWord, DropType, Finite
from edgeprune.config.build_options import (
    GROUPS,
    BuildOptions,
    Group,
    OptionText,
    describe_default,
    flags_of,
    list_options,
)
from edgeprune.config.tables import describe_fields

_LAST = GROUPS[-1]
_SPECIAL: dict[str, click.ParamType] = {"max_drop": DropType(), "epochs": CountOrWord("auto")}  # type: ignore[type-arg]
"""Types of flags whose values say more than their fields' types."""
_COMPLETIONS = {"device": complete_devices, "data": complete_files}
"""What a shell offers for values, where the type does not say it."""


class GroupedOption(click.Option):
    """An option that stands under a heading of its own in the help."""

    def __init__(self, *args: Any, group: Group, **kwargs: Any) -> None:
        """As click's, and the heading."""
        super().__init__(*args, **kwargs)
        self.group = group

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Spellings and help; the range is not told, because most say no more than the name does."""
        record = super().get_help_record(ctx)
        return None if record is None else (record[0], self.help or "")


class GroupedCommand(Command):
    """A command whose help lists options by group; those without one stand in the last."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the groups, in the order of `GROUPS`."""
        rows: dict[str, list[tuple[str, str]]] = {group: [] for group in GROUPS}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
            if record is not None:
                rows[getattr(parameter, "group", _LAST)].append(record)
        for group, records in rows.items():
            with formatter.section(group):
                formatter.write_dl(records)


def build_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the flags of `BuildOptions`; what is not given arrives as None or ()."""
    for item, text in reversed(list(list_options())):
        flags = flags_of(item, text)
        if not flags:
            continue
        hint = describe_fields(BuildOptions)[1][item.name]
        if not flags[0].startswith("-"):
            command = click.argument(flags[0], type=_choose_type(hint, item), required=False)(command)
            continue
        command = click.option(
            *flags,
            item.name,
            cls=GroupedOption,
            group=text.group,
            type=_SPECIAL.get(item.name) or _choose_type(hint, item),
            is_flag=(hint is bool and "/" not in flags[0]) or None,
            default=None,
            multiple=get_origin(hint) is tuple,
            metavar=text.metavar or None,
            shell_complete=_COMPLETIONS.get(item.name),
            help=_describe(item, text),
        )(command)
    return command


def _choose_type(hint: Any, item: Field[Any]) -> Any:
    """What click makes of a flag's text, by the field's type and range."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _choose_type(next(a for a in arguments if a is not type(None)), item)
    if origin is tuple:
        return _choose_type(arguments[0], item)
    if origin is Literal:
        return click.Choice(arguments)
    if hint is bool:
        return bool
    rules = item.metadata
    if hint is int:
        return click.IntRange(min=rules["low"], max=rules["high"])
    if hint is float:
        low, high = rules["low"], rules["high"]
        return Finite(
            min=rules["above"] if low is None else low,
            min_open=low is None and rules["above"] is not None,
            max=rules["below"] if high is None else high,
            max_open=high is None and rules["below"] is not None,
        )
    return click.Path(path_type=Path) if hint is Path else str


def _describe(item: Field[Any], text: OptionText) -> str:
    default = describe_default(item, text)
    return f"{text.help}  [default: {default}]" if default else text.help
