"""What a stage adds to the page: its section, and what it proves.

A file of `sections/` is one stage: the types of its part of `report.json`, and the `Section` or `Proof` that
shows it. `html.SECTIONS` lists them in the order of the page.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
"""What `Report.to_json` gives, or a part of it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Section:
    """A part of a page.

    Attributes:
        reads: keys of the document; `summarise` is given these and no others.
        summarise: the template's variables, or None where there is nothing to show.
        template: its file in `templates/`.
    """

    reads: tuple[str, ...]
    summarise: Callable[[Document], Document | None]
    template: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """What a stage proved, for the list that all stages share.

    Attributes:
        reads: its key in the document.
        say: the sentences; it is given what stands under the key, and is not asked where that is nothing.
    """

    reads: str
    say: Callable[[Any], Sequence[str]]
