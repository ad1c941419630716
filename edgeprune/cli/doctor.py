"""`edgeprune doctor`: what is installed, what is missing, and what that costs."""

import platform
from dataclasses import asdict

import click

from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.terminal.tables import Column, format_table, wrap


@click.command(cls=Command)
@click.option("--fix", is_flag=True, help="Print the commands that install what is missing, for a shell.")
def doctor(*, fix: bool) -> Answer:
    """Show what is installed, what is missing, and what that costs; exit 1 if 'build' cannot work."""
    from edgeprune.runtimes.installed import installed_tools
    from edgeprune.runtimes.installing import list_commands
    from edgeprune.runtimes.litert_choice import LITERT_PACKAGES

    tools = installed_tools()
    missing = [tool.name for tool in tools if tool.required and not tool.is_usable]
    usable = {tool.name: tool.version for tool in tools if tool.is_usable}
    litert = next((f"{name} {usable[name]}" for name in LITERT_PACKAGES if name in usable), None)
    if missing:
        sentence = f"not ready: 'edgeprune build' needs {', '.join(missing)}."
    else:
        sentence = "ready: everything that 'edgeprune build' needs is installed."
    commands = list_commands(tools)
    columns = (
        Column(heading="tool"),
        Column(heading="version", wrap=True),
        Column(heading="used to", wrap=True),
    )
    rows = [[tool.name, tool.version or "missing", tool.purpose] for tool in tools]
    broken = [
        wrap(f"{tool.name} {tool.version} is installed but cannot be loaded: {tool.obstacle}.")
        for tool in tools
        if tool.obstacle
    ]
    runs = [wrap(f"LiteRT files run in {litert} here.")] if litert else []
    fixes = [wrap(f"To get {tool.name}: {tool.fix}") for tool in tools if not tool.is_usable]
    document = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "tools": [{**asdict(tool), "installed": tool.is_installed} for tool in tools],
        "litert": litert,
        "missing": missing,
        "commands": commands,
        "ok": not missing,
        "sentence": sentence,
    }
    if fix:
        text = "\n".join(commands) or "# nothing is missing"
    else:
        notes = "\n".join([*broken, *runs, *fixes])
        text = "\n\n".join([format_table(columns, rows), notes, wrap(sentence)])
    return Answer(text=text, document=document, exit_code=1 if missing else 0)
