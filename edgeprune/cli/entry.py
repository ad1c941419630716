"""The program `edgeprune`: nothing is imported before `main` runs, for Ctrl-C may come while it is."""

from typing import NoReturn

from edgeprune.cli.ending import end_with


def main() -> NoReturn:
    """Run the command line of this process, and end it."""
    end_with(_run)


def _run() -> int:
    import sys

    from edgeprune.cli.main import run

    return run(sys.argv[1:])
