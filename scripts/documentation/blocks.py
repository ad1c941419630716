"""The blocks of commands in README and docs: read, run as a reader would, compared with what the page shows.

A comment before a fence says what is to be done with it:

    <!-- not run: REASON -->     a console block that nobody runs here
    <!-- run: WORD, WORD -->     how it is run: `exact` (its output is the same to the last digit, not only
                                 in form), `nightly`, `exit N`, `needs NAME`; Python is run where it has this
    <!-- file: NAME -->          the block is a file that commands below it use
    <!-- after: PAGE -->         what the blocks of another page make is there already

In what is shown, a line `…` stands for any lines, `…` within a line for any text, and at its end for the rest
of the paragraph.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_ANY = "…"
_COMMAND = "import sys; sys.argv[0] = 'edgeprune'; from edgeprune.cli.entry import main; main()"
_SHOWN_ERROR = 2
"""From this exit code on, what a command has to say stands on stderr."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """A fenced block.

    Attributes:
        page: where it stands.
        line: of its fence, from 1.
        language: "console", "python", ...
        lines: what is in it.
        marks: the comments before it: ("run", "exact"), ("not run", "needs a board"), ...
    """

    page: Path
    line: int
    language: str
    lines: tuple[str, ...]
    marks: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """Page and line."""
        return f"{os.path.relpath(self.page, ROOT)}:{self.line}"

    def marked(self, kind: str) -> str | None:
        """What the mark of that kind says, None without one."""
        return next((text for found, text in self.marks if found == kind), None)

    @property
    def words(self) -> tuple[str, ...]:
        """How it is run."""
        return tuple(word.strip() for word in (self.marked("run") or "").split(",") if word.strip())

    @property
    def is_nightly(self) -> bool:
        """Whether it takes too long for every day."""
        return "nightly" in self.words

    @property
    def missing(self) -> list[str]:
        """The programs and packages it needs that are not here."""
        return [name for name in self._arguments("needs") if not _is_here(name)]

    @property
    def exit_code(self) -> int:
        """What its commands end in."""
        return int(next(iter(self._arguments("exit")), "0"))

    def _arguments(self, word: str) -> list[str]:
        return [said.removeprefix(f"{word} ") for said in self.words if said.startswith(f"{word} ")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """A command, and what is shown below it."""

    command: str
    shown: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """What came of a command."""

    code: int
    lines: tuple[str, ...]


def read_blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    lines = page.read_text("utf-8").splitlines()
    blocks: list[Block] = []
    marks: list[tuple[str, str]] = []
    at = 0
    while at < len(lines):
        line = lines[at]
        if line.startswith("```"):
            end = lines.index("```", at + 1)
            blocks.append(
                Block(
                    page=page,
                    line=at + 1,
                    language=line.removeprefix("```").strip(),
                    lines=tuple(lines[at + 1 : end]),
                    marks=tuple(marks),
                )
            )
            marks, at = [], end
        elif mark := re.fullmatch(r"<!-- (not run|run|file|after): (.+) -->", line):
            marks.append((mark[1], mark[2]))
        elif line.strip():
            # An `after` is for the whole page, wherever it stands.
            marks = [] if not line.startswith("<!--") else marks
        at += 1
    return blocks


def pages_before(page: Path) -> list[Path]:
    """The pages whose blocks a page builds on."""
    found = re.findall(r"^<!-- after: (.+) -->$", page.read_text("utf-8"), re.MULTILINE)
    return [ROOT / "docs" / name.removeprefix("docs/") for name in found]


def read_steps(block: Block) -> Iterator[Step]:
    """The commands of a console block, each with what is shown below it."""
    command, shown = "", list[str]()
    for line in block.lines:
        if line.startswith("$ "):
            if command:
                yield Step(command=command, shown=tuple(shown))
            command, shown = line.removeprefix("$ "), []
        elif line.startswith("> ") and not shown:
            command += "\n" + line.removeprefix("> ")
        else:
            shown.append(line)
    yield Step(command=command, shown=tuple(shown))


@dataclass
class Session:
    """A folder in which blocks are run, of all pages; the same command is run once.

    Attributes:
        folder: holds what the pages take as given: models, data.
        nightly: whether what takes long is run, too.
        ended: what was run.
    """

    folder: Path
    nightly: bool = False
    ended: dict[str, Ended] = field(default_factory=dict)

    def run_page(self, page: Path) -> list[str]:
        """What differs from what the page shows, block by block."""
        for earlier in pages_before(page):
            self.run_page(earlier)
        return [fault for block in read_blocks(page) for fault in self.run_block(block)]

    def run_block(self, block: Block) -> Iterator[str]:
        """What differs from what the block shows."""
        name = block.marked("file")
        if name:
            (self.folder / name).write_text("\n".join(block.lines) + "\n", "utf-8")
        if block.marked("not run") or block.missing or (block.is_nightly and not self.nightly):
            return
        if block.language == "python" and block.words:
            yield from self._run_python(block)
        if block.language != "console":
            return
        for step in read_steps(block):
            ended = self.run(step.command)
            if ended.code != block.exit_code:
                said = "\n".join(ended.lines)
                yield f"{block.name}: '{step.command}' ended in {ended.code}, not {block.exit_code}:\n{said}"
            elif step.shown and not is_like(step.shown, ended.lines, exact="exact" in block.words):
                said = "\n".join(ended.lines)
                yield f"{block.name}: '{step.command}' prints another text than is shown there:\n{said}"

    def run(self, command: str) -> Ended:
        """What came of a command line of the shell, now or when it was run before."""
        return self._run_once(command, ["bash", "-c", command])

    def _run_python(self, block: Block) -> Iterator[str]:
        text = "\n".join(block.lines)
        ended = self._run_once(text, [sys.executable, "-c", text])
        if ended.code:
            yield f"{block.name}: ended in {ended.code}:\n" + "\n".join(ended.lines)

    def _run_once(self, text: str, command: Sequence[str]) -> Ended:
        if text not in self.ended:
            self.ended[text] = self._start(command)
        return self.ended[text]

    def _start(self, command: Sequence[str]) -> Ended:
        tools = self.folder / ".bin"
        tools.mkdir(exist_ok=True)
        for name, text in {
            "edgeprune": f'exec "{sys.executable}" -c "{_COMMAND}" "$@"',
            "python": f'exec "{sys.executable}" "$@"',
        }.items():
            (tools / name).write_text(f"#!/bin/sh\n{text}\n", "utf-8")
            (tools / name).chmod(0o755)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80", "TF_CPP_MIN_LOG_LEVEL": "3"}
        environment["PATH"] = f"{tools}{os.pathsep}{environment['PATH']}"
        found = subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False
        )
        said = found.stderr if found.returncode >= _SHOWN_ERROR else found.stdout
        lines = tuple(line.rstrip() for line in said.strip("\n").splitlines())
        return Ended(code=found.returncode, lines=lines)


def is_like(shown: Sequence[str], lines: Sequence[str], *, exact: bool) -> bool:
    """Whether lines are those that a page shows; in form alone, numbers and widths of columns may differ."""
    spell = str.rstrip if exact else _spell_form
    pattern = "".join(_make_pattern(spell(line)) for line in shown)
    return re.fullmatch(pattern, "".join(spell(line) + "\n" for line in lines)) is not None


def _make_pattern(line: str) -> str:
    if line.strip() == _ANY:
        return r"(?:.*\n)*"
    text = ".*".join(map(re.escape, line.split(_ANY))) + "\n"
    return text + r"(?:.+\n)*" if line.endswith(_ANY) else text


def _is_here(name: str) -> bool:
    """Whether a program, or a package, is installed."""
    try:
        return shutil.which(name) is not None or bool(version(name))
    except PackageNotFoundError:
        return False


def _spell_form(line: str) -> str:
    line = re.sub(r"[+−-]?\d[\d.,]*(?: [kMG](?=\s|$))?", "0", line)
    line = re.sub(r"\b(?:KiB|MiB|B|bytes)\b", "bytes", line)
    return " ".join(re.sub(r"-{2,}", "--", line).split())
