"""Runs the console blocks of pages, and writes what they print today into the pages.

    python scripts/update_docs.py README.md docs/howto/commands.md [--nightly]

Only what differs from what is shown is written; read the diff, and shorten with a line `…` what is too long.
"""

import argparse
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from documentation.blocks import Block, Session, is_like, read_blocks, read_steps
from documentation.given import provide_files


def main() -> None:
    """Writes the pages."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("pages", nargs="+", type=Path)
    parser.add_argument("--nightly", action="store_true", help="run what takes long, too")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="edgeprune-docs-") as folder:
        missing = provide_files(Path(folder))
        if missing:
            sys.exit(f"update_docs: {', '.join(missing)} of ../shared is not beside this checkout")
        session = Session(folder=Path(folder), nightly=arguments.nightly)
        for page in arguments.pages:
            faults = session.run_page(page.resolve())
            print(f"{page}: {len(faults)} differ")
            if faults:
                write_page(page.resolve(), session)


def write_page(page: Path, session: Session) -> None:
    """The page with what its commands printed in this session."""
    lines = page.read_text("utf-8").splitlines()
    for block in reversed(read_blocks(page)):
        if block.language == "console" and not block.marked("not run"):
            lines[block.line : block.line + len(block.lines)] = list_lines(block, session)
    page.write_text("\n".join(lines) + "\n", "utf-8")


def list_lines(block: Block, session: Session) -> list[str]:
    """The block's lines, with outputs as they are now where they differ."""
    lines = []
    for step in read_steps(block):
        lines += ["$ " + step.command.replace("\n", "\n> ")]
        ended = session.ended.get(step.command)
        is_right = (
            ended is None or not step.shown or is_like(step.shown, ended.lines, exact="exact" in block.words)
        )
        lines += step.shown if is_right or ended is None else ended.lines
    return "\n".join(lines).splitlines()


if __name__ == "__main__":
    main()
