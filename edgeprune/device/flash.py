"""Bytes of TFLM's code that a model pulls into the image: interpreter, start-up and the ops it uses.

The linker keeps a section exactly if something that is kept refers to it. So the sections that an op keeps
when it is linked alone tell what any set of ops keeps: the union. `tables/flash.json` holds them, grouped by
the ops that keep them; `scripts/fit_flash.py` made it from link maps, and `source` there says of what.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any

from edgeprune.errors import UnknownNameError
from edgeprune.graph.opshape import OpShape

UNLISTED_OP_BYTES = 12000
"""What an op that was never linked is taken for: about the mean of those that were."""

INT8_ONLY = ":int8"
"""Ends the name of an op's registration for int8 alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FlashTable:
    """Linked code of one build: a core and a kernel library.

    Attributes:
        build: its name, for example "cortex-m7-cmsis-nn".
        flags: what it was compiled with.
        baseline_bytes: start-up, console, wrapper, interpreter and allocator, without any op.
        atoms: names of registrations → bytes of the code and constants that each of them keeps, and that no
            other does. A registration is named like its op, with `INT8_ONLY` if it is for int8 alone.
        error: largest relative error on images with several ops.
    """

    build: str
    flags: str
    baseline_bytes: int
    atoms: Mapping[frozenset[str], int]
    error: float


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeEstimate:
    """Code of a model's ops in bytes, interpreter and start-up included, and the ops that were guessed."""

    code_bytes: int
    error: float
    unlisted: tuple[str, ...]


def add_code(registrations: Iterable[str], atoms: Mapping[frozenset[str], int]) -> int:
    """Bytes that these registrations keep together; what several of them keep is linked once."""
    linked = set(registrations)
    return sum(size for ops, size in atoms.items() if not linked.isdisjoint(ops))


def estimate_code(ops: Iterable[OpShape], table: FlashTable) -> CodeEstimate:
    """Code that a model with these ops links.

    An op all of whose uses are int8 takes its int8-only registration, as edgeprune's own resolver does.
    """
    uses: dict[str, bool] = {}
    for op in ops:
        uses[op.op] = uses.get(op.op, True) and op.dtype == "int8"
    listed = frozenset[str]().union(*table.atoms)
    linked, unlisted = [], []
    for name, is_int8 in uses.items():
        if is_int8 and name + INT8_ONLY in listed:
            linked.append(name + INT8_ONLY)
        elif name in listed:
            linked.append(name)
        else:
            unlisted.append(name)
    guessed = UNLISTED_OP_BYTES * len(unlisted)
    return CodeEstimate(
        code_bytes=table.baseline_bytes + add_code(linked, table.atoms) + guessed,
        error=table.error,
        unlisted=tuple(unlisted),
    )


@lru_cache(maxsize=16)
def load_flash_table(build: str) -> FlashTable:
    """The committed sizes of a build. Raises UnknownNameError for a build that was not linked."""
    tables = _load_tables()
    builds = list(tables["builds"])
    if build not in builds:
        raise UnknownNameError("flash build", build, builds)
    entry, column = tables["builds"][build], builds.index(build)
    return FlashTable(
        build=build,
        flags=entry["flags"],
        baseline_bytes=entry["baseline_bytes"],
        atoms={frozenset(ops.split()): sizes[column] for ops, sizes in tables["atoms"] if sizes[column]},
        error=entry["error"],
    )


@lru_cache(maxsize=1)
def _load_tables() -> Mapping[str, Any]:
    text = (resources.files("edgeprune.device") / "tables" / "flash.json").read_text(encoding="utf-8")
    tables: Mapping[str, Any] = json.loads(text)
    return tables
