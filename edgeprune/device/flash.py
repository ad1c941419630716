"""Bytes of TFLM's code that a model pulls into the image: interpreter, start-up and the ops it uses."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from edgeprune.device.decoding import decode_code_bytes
from edgeprune.errors import UnknownNameError
from edgeprune.graph.opshape import OpShape
from edgeprune.tflite.decode.wire import OP_NAME as DECODE

UNLISTED_OP_BYTES = 12000
"""What an op that was never linked is taken for: about the mean of those that were."""


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeSizes:
    """Bytes of linked code for one set of registrations.

    Attributes:
        ops: what each op adds to an image that holds no other op, by TFLite's builtin name.
        shared_bytes: what two ops have in common, and is linked once.
        error: largest relative error on op sets that were linked whole.
    """

    ops: Mapping[str, int]
    shared_bytes: int
    error: float


@dataclass(frozen=True, kw_only=True, slots=True)
class FlashTable:
    """Linked code of one build: a core, compiler flags and a kernel library.

    Attributes:
        build: its name, for example "m4f_o3".
        flags: what it was compiled with.
        baseline_bytes: interpreter, allocator, C library and start-up code, without any op.
        full: the registrations that take every type.
        int8: the int8-only registrations where they were linked, else None.
    """

    build: str
    flags: str
    baseline_bytes: int
    full: CodeSizes
    int8: CodeSizes | None


@dataclass(frozen=True, kw_only=True, slots=True)
class CodeEstimate:
    """Code of a model's ops in bytes, interpreter and start-up included, and the ops that were guessed."""

    code_bytes: int
    error: float
    unlisted: tuple[str, ...]


def add_code(alone: Sequence[int], shared_bytes: int) -> int:
    """Bytes of ops linked together: the largest as it is alone, the others less what they share with it."""
    ordered = sorted(alone, reverse=True)
    return sum(ordered[:1]) + sum(max(size - shared_bytes, 0) for size in ordered[1:])


def estimate_code(ops: Iterable[OpShape], table: FlashTable) -> CodeEstimate:
    """Code that a model with these ops links.

    An op all of whose uses are int8 takes its int8-only registration, as edgeprune's own resolver does.
    """
    kinds: dict[str, bool] = {}
    for op in ops:
        kinds[op.op] = kinds.get(op.op, True) and op.dtype == "int8"
    # DECODE shares nothing with other ops, so its code comes on top in full.
    extra = decode_code_bytes(table.build) if kinds.pop(DECODE, None) is not None else 0
    sizes, unlisted, reduced = [], [], False
    for kind, is_int8 in kinds.items():
        if is_int8 and table.int8 is not None and kind in table.int8.ops:
            sizes.append(table.int8.ops[kind])
            reduced = True
        elif kind in table.full.ops:
            sizes.append(table.full.ops[kind])
        else:
            sizes.append(UNLISTED_OP_BYTES)
            unlisted.append(kind)
    used = table.int8 if reduced and table.int8 is not None else table.full
    return CodeEstimate(
        code_bytes=table.baseline_bytes + add_code(sizes, used.shared_bytes) + extra,
        error=used.error,
        unlisted=tuple(unlisted),
    )


@lru_cache(maxsize=16)
def load_flash_table(build: str) -> FlashTable:
    """The committed sizes of a build. Raises UnknownNameError for a build that was not linked."""
    text = (resources.files("edgeprune.device") / "tables" / "flash.json").read_text(encoding="utf-8")
    builds = json.loads(text)
    if build not in builds:
        raise UnknownNameError("flash build", build, builds)
    entry = builds[build]
    int8 = entry.get("int8")
    return FlashTable(
        build=build,
        flags=entry["flags"],
        baseline_bytes=entry["baseline_bytes"],
        full=CodeSizes(ops=entry["ops"], shared_bytes=entry["shared_bytes"], error=entry["error"]),
        int8=CodeSizes(ops=int8["ops"], shared_bytes=int8["shared_bytes"], error=int8["error"])
        if int8
        else None,
    )
