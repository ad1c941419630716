"""Every way edgeprune can say no, and the exit code each one ends in.

    EdgepruneError
    ├── InputError            3   an input cannot be used
    │   ├── ModelError            a model file, Keras or TFLite
    │   ├── LayerError            a layer of a Keras model
    │   ├── OpError               an op of a TFLite model
    │   ├── ProfileError          a device profile
    │   ├── RecipeError           a recipe, or a flag's value
    │   ├── DataError             training, test or representative data
    │   ├── OutputError           the place where results should go
    │   └── UnknownNameError      a name that no registry holds
    ├── InfeasibleError       1   edgeprune worked; the answer is no
    ├── ToolError             4   an external tool or package
    │   ├── ToolMissingError
    │   └── ToolFailedError
    │       └── ToolStoppedError      from outside: killed, or out of time
    └── DeviceError           4   a board or phone

A message has up to four parts: what is wrong, where, why, and what to do. They are kept as attributes,
so that `--json` can show them apart.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

_MOST_NAMES = 20
"""More names than these are no help within a sentence."""


class EdgepruneError(Exception):
    """The root of the tree: an error that is reported in one sentence, without a traceback."""

    exit_code = 70

    def __init__(self, what: str, *, where: str = "", why: str = "", fix: str = "") -> None:
        """Keep the four parts.

        Args:
            what: what is wrong, as a clause without a full stop.
            where: the file, layer, op or key it is wrong in.
            why: the cause, as a clause.
            fix: what the reader can do, as an imperative clause.
        """
        self.what, self.where, self.why, self.fix = what, where, why, fix
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """All parts in one line."""
        head = f"{self.where}: {self.what}" if self.where else self.what
        if self.why:
            head += f" ({self.why})"
        return f"{head}; {self.fix}" if self.fix else head

    def to_json(self) -> dict[str, str]:
        """The parts as the `error` object of a JSON document."""
        return {
            "kind": type(self).__name__,
            "message": self.message,
            "what": self.what,
            "where": self.where,
            "why": self.why,
            "fix": self.fix,
        }


class InputError(EdgepruneError):
    """An input cannot be used."""

    exit_code = 3


class ModelError(InputError):
    """A model file cannot be read or is not what it claims to be."""


class LayerError(InputError):
    """A layer of a Keras model cannot be handled at all."""


class OpError(InputError):
    """An op of a TFLite model is unknown or unsupported on the target."""


class ProfileError(InputError):
    """A device profile is wrong; all its errors are reported together."""


class RecipeError(InputError):
    """A recipe or the value of a flag cannot be used."""


class DataError(InputError):
    """Training, test or representative data cannot be used."""


class OutputError(InputError):
    """Results cannot be written where they were asked for."""


class UnknownNameError(InputError):
    """A name that is not known; the message suggests the nearest one that is."""

    def __init__(self, kind: str, name: str, known: Iterable[str], *, listing: str = "") -> None:
        """Build the suggestion.

        Args:
            kind: what was looked up, for example "device".
            name: the name that was asked for.
            known: all names there are.
            listing: the command that lists them.
        """
        self.kind, self.name, self.known = kind, name, sorted(known)
        near = get_close_matches(name.lower(), self.known, n=1, cutoff=0.5)
        near = near or [other for other in self.known if name and name.lower() in other.lower()][:_MOST_NAMES]
        if near:
            fix = f"did you mean {' or '.join(map(repr, near))}?"
        elif listing and len(self.known) > _MOST_NAMES:
            fix = f"there are {len(self.known)}"
        else:
            fix = f"known: {', '.join(self.known)}"
        if listing:
            fix += f" ('{listing}' lists them all)"
        super().__init__(f"unknown {kind} '{name}'", fix=fix)


class InfeasibleError(EdgepruneError):
    """Edgeprune worked; the answer is no: a budget cannot be met, or outputs differ.

    Attributes:
        best: the best build found, as `edgeprune.build` returns one that fits; None where there is none.
    """

    exit_code = 1
    best: Any = None


class ToolError(EdgepruneError):
    """An external tool or package."""

    exit_code = 4


class ToolMissingError(ToolError):
    """A tool or package that this step needs is not installed."""


class ToolFailedError(ToolError):
    """A tool ran and failed; `why` holds the end of what it said."""


class ToolStoppedError(ToolFailedError):
    """A tool was killed, as when memory runs out, or ran out of time: no fault of what it worked on."""


class DeviceError(EdgepruneError):
    """A board or phone did not do what was asked."""

    exit_code = 4
