import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.main import cli, run

ROOT = Path(__file__).parents[2]
COMMAND = [sys.executable, "-c", "from edgeprune.cli.entry import main; main()"]


@dataclass(frozen=True)
class Ended:
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def edgeprune(capfd) -> Callable[..., Ended]:
    """Runs a command line in this process."""

    def call(*arguments: object) -> Ended:
        capfd.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Ended(code, out, err)

    return call


@pytest.fixture
def spawn() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a command line in a process of its own; `before` is what a shell does first there."""

    def call(*arguments: object, before: str = "", **options: Any) -> subprocess.CompletedProcess[str]:
        command = [*COMMAND, *map(str, arguments)]
        if before:
            command = ["bash", "-c", f'{before}; exec "$@"', "bash", *command]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **options.pop("env", {})}
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.run(command, text=True, env=environment, check=False, timeout=120, **streams)

    return call


@pytest.fixture
def command() -> Iterator[Callable[[Callable[[], Answer]], None]]:
    """Adds a command named `try` that does what the test wants to see the boundary handle."""

    def add(does: Callable[[], Answer]) -> None:
        cli.add_command(Command("try", callback=does))

    yield add
    cli.commands.pop("try", None)
