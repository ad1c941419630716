"""An artefact as C++ sources for TFLM: the model, an exact op resolver and the size of the arena."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from string import Template

import edgeprune
from edgeprune.errors import OpError, OutputError
from edgeprune.tflite.model import Model
from edgeprune.tflite.op_table import OPS
from edgeprune.tflite.ops import is_int8_only, kinds_used

ARENA_ALIGNMENT_BYTES = 16
_BYTES_PER_LINE = 12
_KERNELS = "tensorflow/lite/micro/kernels"
_RESOLVER = "tensorflow/lite/micro/micro_mutable_op_resolver.h"


def write_tflm_package(
    directory: Path,
    *,
    tflite: bytes,
    model: Model,
    arena_bytes: int,
    arena_evidence: str,
    margin_bytes: int = 0,
    provenance: Mapping[str, str] | None = None,
) -> tuple[Path, ...]:
    """Paths of the files written: `model_data.h`, `model_data.cc`, `op_resolver.h`, `arena_size.h`.

    The same arguments give the same files, byte for byte.

    Args:
        directory: where they go; made if it is missing. Files of the same names are replaced.
        tflite: the artefact.
        model: the same, read.
        arena_bytes: what the interpreter needs on the device.
        arena_evidence: where that number comes from, one clause for the header's comment.
        margin_bytes: added to it, before rounding up to 16.
        provenance: further facts for the comment on top of each file, for example {"Device": "cortex-m7"}.

    Raises:
        OpError: TFLM has no kernel for an op of the model.
        OutputError: a file cannot be written.
    """
    size = _round_up(arena_bytes + margin_bytes)
    facts = {
        "Generator": f"edgeprune {edgeprune.__version__}",
        "Model": f"{len(tflite)} bytes, SHA-256 {hashlib.sha256(tflite).hexdigest()}",
    } | dict(provenance or {})
    values = {
        "comment": "\n".join(f"// {_one_line(name)}: {_one_line(text)}" for name, text in facts.items()),
        "bytes": format_bytes(tflite),
        "length": str(len(tflite)),
        "needed": str(arena_bytes),
        "evidence": _one_line(arena_evidence),
        "margin": str(size - arena_bytes),
        "size": str(size),
    } | _resolver_values(model)
    written = []
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for name in ("model_data.h", "model_data.cc", "op_resolver.h", "arena_size.h"):
            template = (
                files("edgeprune.firmware").joinpath("templates", "tflm", f"{name}.in").read_text("utf-8")
            )
            written.append(directory / name)
            written[-1].write_text(Template(template).substitute(values), "utf-8")
    except OSError as error:
        raise OutputError(
            "cannot be written", where=str(error.filename or directory), why=error.strerror or ""
        ) from error
    return tuple(written)


def format_bytes(data: bytes) -> str:
    """The elements of a C array, 12 to a line."""
    lines = (data[start : start + _BYTES_PER_LINE] for start in range(0, len(data), _BYTES_PER_LINE))
    return "\n".join("    " + " ".join(f"0x{byte:02x}," for byte in line) for line in lines)


def _resolver_values(model: Model) -> dict[str, str]:
    headers = {_RESOLVER}
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
            # Some of these headers are not among the resolver's own includes.
            headers.add(f"{_KERNELS}/{kind.int8_header}")
            argument = f"EDGEPRUNE_INT8_KERNEL({name})"
        calls.append(
            f"  TF_LITE_ENSURE_STATUS(resolver.{kind.tflm_method}({argument}));"
            f"  // {len(uses)} x {_one_line(name)}"
        )
    return {
        "includes": "\n".join(f'#include "{header}"' for header in sorted(headers)),
        "count": str(max(1, len(uses_of))),
        "registrations": "\n".join(calls),
    }


def _one_line(text: str) -> str:
    """Text that stays inside a // comment: printable ASCII, and no backslash, which could join lines."""
    return "".join(char if " " <= char <= "~" and char != "\\" else "?" for char in text)


def _round_up(size_bytes: int) -> int:
    return -(-size_bytes // ARENA_ALIGNMENT_BYTES) * ARENA_ALIGNMENT_BYTES
