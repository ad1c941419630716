"""What a command gives back: the same content for people and for programs, and the exit code."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgeprune.version import __version__


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """The result of a command; `main` prints it, commands do not print.

    Attributes:
        text: for people.
        document: for programs, printed with `--json`.
        exit_code: 0, or 1 where the answer is no.
    """

    text: str
    document: Mapping[str, Any]
    exit_code: int = 0


def version_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """The document with its schema version and edgeprune's in front, where it has none of its own."""
    return {"schema": 1, "edgeprune": __version__, **document}
