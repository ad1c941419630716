"""An artefact as C++ sources for TFLM: the model, an exact op resolver and the size of the arena."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from edgeprune.errors import OpError
from edgeprune.firmware.rendering import fill_template, write_texts
from edgeprune.tflite.model import Model
from edgeprune.tflite.op_table import OPS
from edgeprune.tflite.ops import is_int8_only, kinds_used
from edgeprune.version import __version__

ARENA_ALIGNMENT_BYTES = 16
ARENA_MARGIN = 0.02
"""Added to the arena in `arena_size.h`: the accuracy to which predicted arenas were checked."""

_BYTES_PER_LINE = 12
_KERNELS = "tensorflow/lite/micro/kernels"
_FILES = ("model_data.h", "model_data.cc", "op_resolver.h", "arena_size.h")
_INT8_OF_2025 = ("BATCH_MATMUL", "MAXIMUM", "MINIMUM", "PAD", "TRANSPOSE")
"""Ops that older TFLMs register for int8 alone not at all, or under another signature."""


def write_tflm_package(
    directory: Path,
    *,
    tflite: bytes,
    model: Model,
    arena_bytes: int,
    arena_size_bytes: int,
    arena_evidence: str,
    provenance: Mapping[str, str] | None = None,
) -> tuple[Path, ...]:
    """Paths of the files written: `model_data.h`, `model_data.cc`, `op_resolver.h`, `arena_size.h`.

    The same arguments give the same files, byte for byte.

    Args:
        directory: where they go; made if it is missing. Files of the same names are replaced.
        tflite: the artefact.
        model: the same, read.
        arena_bytes: what the interpreter needs on the device.
        arena_size_bytes: what the application reserves, from `reserve_arena`.
        arena_evidence: where the first number comes from, one clause for the header's comment.
        provenance: further facts for the comment on top of each file, for example {"Device": "cortex-m7"}.

    Raises:
        OpError: TFLM has no kernel for an op of the model.
        OutputError: a file cannot be written.
    """
    texts = render_tflm_package(
        tflite=tflite,
        model=model,
        arena_bytes=arena_bytes,
        arena_size_bytes=arena_size_bytes,
        arena_evidence=arena_evidence,
        comment=format_comment(tflite, provenance or {}),
    )
    return write_texts(directory, texts)


def render_tflm_package(
    *,
    tflite: bytes,
    model: Model,
    arena_bytes: int,
    arena_size_bytes: int,
    arena_evidence: str,
    comment: str,
) -> dict[str, str]:
    """Name → text of the files of `write_tflm_package`; `comment` goes on top of each.

    Raises:
        OpError: TFLM has no kernel for an op of the model.
    """
    values = {
        "comment": comment,
        "bytes": format_bytes(tflite),
        "length": str(len(tflite)),
        "needed": str(arena_bytes),
        "evidence": one_line(arena_evidence),
        "margin": str(arena_size_bytes - arena_bytes),
        "size": str(arena_size_bytes),
    } | _resolver_values(model)
    return {name: fill_template(f"tflm/{name}.in", values) for name in _FILES}


def format_comment(tflite: bytes, provenance: Mapping[str, str]) -> str:
    """Lines of a comment that say what a file was made from."""
    facts = {
        "Generator": f"edgeprune {__version__}",
        "Model": f"{len(tflite)} bytes, SHA-256 {hashlib.sha256(tflite).hexdigest()}",
    } | dict(provenance)
    return "\n".join(f"// {one_line(name)}: {one_line(text)}" for name, text in facts.items())


def format_bytes(data: bytes) -> str:
    """The elements of a C array, 12 to a line."""
    lines = (data[start : start + _BYTES_PER_LINE] for start in range(0, len(data), _BYTES_PER_LINE))
    return "\n".join("    " + " ".join(f"0x{byte:02x}," for byte in line) for line in lines)


def reserve_arena(arena_bytes: int, *, planning_bytes: int, growth_bytes: int = 0) -> int:
    """Size of the arena that an application reserves: a multiple of 16, with a margin.

    Args:
        arena_bytes: what the interpreter needs on the device.
        planning_bytes: what it needs while it plans the arena.
        growth_bytes: what its records take more than was predicted, for a TFLM built otherwise.
    """
    needed = max(arena_bytes + int(arena_bytes * ARENA_MARGIN), planning_bytes) + growth_bytes
    return -(-needed // ARENA_ALIGNMENT_BYTES) * ARENA_ALIGNMENT_BYTES


def one_line(text: str) -> str:
    """Text that stays inside a // comment: printable ASCII, and no backslash, which could join lines."""
    return "".join(char if " " <= char <= "~" and char != "\\" else "?" for char in text)


def _resolver_values(model: Model) -> dict[str, str]:
    headers: set[str] = set()
    headers_of_2025: set[str] = set()
    calls = []
    uses_of = kinds_used(model)
    for name, uses in uses_of.items():
        kind = OPS.get(name)
        if kind is None or kind.tflm_method is None:
            raise OpError(
                f"TFLM has no kernel for the op {name}",
                where=model.where,
                fix="replace the layer that becomes it",
            )
        argument = ""
        if is_int8_only(kind, uses):
            recent = name in _INT8_OF_2025
            (headers_of_2025 if recent else headers).add(f"{_KERNELS}/{kind.int8_header}")
            argument = f"EDGEPRUNE_INT8_KERNEL{'_OF_2025' if recent else ''}({name})"
        calls.append(
            f"  TF_LITE_ENSURE_STATUS(resolver.{kind.tflm_method}({argument}));"
            f"  // {len(uses)} x {one_line(name)}"
        )
    recent_values = {"headers": _include(headers_of_2025)}
    return {
        "int8_headers": _include(headers),
        "int8_of_2025": fill_template("tflm/int8_of_2025.h.in", recent_values) if headers_of_2025 else "",
        "count": str(max(1, len(uses_of))),
        "registrations": "\n".join(calls),
    }


def _include(headers: Iterable[str]) -> str:
    return "\n".join(f'#include "{header}"' for header in sorted(headers))
