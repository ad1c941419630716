"""A registry: name to definition. Duplicates raise, unknown names suggest the nearest."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

from edgeprune.errors import UnknownNameError

T = TypeVar("T")


class Registry(Generic[T]):
    """Definitions of one kind, by name, in the order they were added."""

    def __init__(self, kind: str, *, listing: str = "") -> None:
        """Start empty.

        Args:
            kind: what the definitions are, for messages: "criterion".
            listing: the command that lists them.
        """
        self.kind, self.listing = kind, listing
        self._definitions: dict[str, T] = {}

    def add(self, name: str, definition: T) -> T:
        """The definition, now known by its name. Raises ValueError for a name that is taken."""
        if name in self._definitions:
            raise ValueError(f"{self.kind} '{name}' is defined twice")
        self._definitions[name] = definition
        return definition

    @contextmanager
    def adding(self, name: str, definition: T) -> Iterator[T]:
        """The definition, known by its name while the block runs."""
        self.add(name, definition)
        try:
            yield definition
        finally:
            del self._definitions[name]

    def __getitem__(self, name: str) -> T:
        """The definition. Raises UnknownNameError."""
        try:
            return self._definitions[name]
        except KeyError:
            raise UnknownNameError(self.kind, name, self._definitions, listing=self.listing) from None

    def __contains__(self, name: object) -> bool:
        """Whether the name is known."""
        return name in self._definitions

    def __iter__(self) -> Iterator[str]:
        """The names."""
        return iter(self._definitions)

    def __len__(self) -> int:
        """How many there are."""
        return len(self._definitions)

    def items(self) -> Iterator[tuple[str, T]]:
        """Names with their definitions."""
        return iter(self._definitions.items())
