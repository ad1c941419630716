"""`edgeprune doctor`: what is installed, what is missing, and what that costs."""

import platform
from dataclasses import asdict

import click

from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.terminal.tables import Column, format_table, wrap

_LITERT = ("tflite-runtime", "ai-edge-litert")


@click.command(cls=Command)
def doctor() -> Answer:
    """Show what is installed, what is missing, and what that costs; exit 1 if 'build' cannot work."""
    from edgeprune.runtimes.installed import installed_tools

    tools = installed_tools()
    names = {tool.name for tool in tools if tool.is_installed}
    missing = [tool.name for tool in tools if tool.required and not tool.is_installed]
    if not names.intersection(_LITERT):
        missing.append(" or ".join(_LITERT))
    if missing:
        sentence = f"not ready: 'edgeprune build' needs {', '.join(missing)}."
    else:
        sentence = "ready: everything that 'edgeprune build' needs is installed."
    columns = (
        Column(heading="tool"),
        Column(heading="version", wrap=True),
        Column(heading="used to", wrap=True),
    )
    rows = [[tool.name, tool.version or "missing", tool.purpose] for tool in tools]
    fixes = [wrap(f"To get {tool.name}: {tool.fix}") for tool in tools if not tool.is_installed]
    document = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "tools": [{**asdict(tool), "installed": tool.is_installed} for tool in tools],
        "missing": missing,
        "ok": not missing,
        "sentence": sentence,
    }
    text = "\n".join([format_table(columns, rows), "", *fixes, "", wrap(sentence)])
    return Answer(text=text, document=document, exit_code=1 if missing else 0)
