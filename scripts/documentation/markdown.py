"""Tables and headings in Markdown."""

import html
import re
from collections.abc import Iterable, Sequence

NOTHING = "–"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells are Markdown already, and an empty one is a dash."""
    lines = [_row(heads), _row(["---"] * len(heads))]
    return "\n".join([*lines, *(_row([cell or NOTHING for cell in row]) for row in rows)])


def page(title: str, *blocks: str) -> str:
    """A page: its title and its blocks, with an empty line between."""
    return "\n\n".join([f"# {title}", *(block.strip("\n") for block in blocks if block)]) + "\n"


def code(text: object) -> str:
    """Text as code within a line."""
    return f"`{text}`"


def escape(text: str) -> str:
    """Plain text as it stands, whatever Markdown would make of it; what looks like code becomes code."""
    text = re.sub(r"'((?:edgeprune|pip) [^']+)'", r"`\1`", text)
    parts = re.split(r"(`[^`]*`)", text)
    return "".join(part if part.startswith("`") else _escape_plain(part) for part in parts)


def _escape_plain(text: str) -> str:
    return re.sub(r"([*_\[\]])", r"\\\1", html.escape(text, quote=False))


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _cell(text: str) -> str:
    """In one line, with bars that end no cell; within code they end none."""
    parts = re.split(r"(`[^`]*`)", " ".join(text.split()))
    return "".join(part if part.startswith("`") else part.replace("|", "\\|") for part in parts)
