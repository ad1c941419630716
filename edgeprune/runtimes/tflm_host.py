"""An artefact in the real TFLM, built for this machine: its outputs, its ops and its tensor arena."""

import re
from dataclasses import dataclass, replace
from importlib.util import find_spec

from edgeprune.errors import ModelError, OpError, ToolFailedError, ToolMissingError
from edgeprune.runtimes.processes import run_workers
from edgeprune.runtimes.samples import Array, Outputs, find_state, group, ungroup
from edgeprune.tflite.complaints import name_op, read_complaint
from edgeprune.tflite.model import Model
from edgeprune.tflite.ops import unsupported_ops
from edgeprune.tflite.read import read_model

ARENA_LIMIT_BYTES = 1 << 30
FIX = "pip install --pre tflite-micro (there are wheels for Linux on x86-64 alone)"
"""How to get TFLM, for messages."""

_TOTALS = re.compile(r"Arena allocation (total|head|tail) (\d+) bytes")
_ROWS = re.compile(r"'([^']+)' used (\d+) bytes.*?\(requested (\d+) bytes for (\d+) ")


@dataclass(frozen=True, kw_only=True, slots=True)
class AllocationRow:
    """What one kind of record takes in the arena's tail: bytes with and without alignment, and how many."""

    name: str
    used_bytes: int
    requested_bytes: int
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Allocation:
    """The arena as TFLM's RecordingMicroAllocator saw it, with the pointers of this machine (64 bit).

    Attributes:
        total_bytes: head and tail.
        head_bytes: activations and scratch, which overlay one another.
        tail_bytes: what lives as long as the interpreter.
        rows: the tail by kind.
    """

    total_bytes: int
    head_bytes: int
    tail_bytes: int
    rows: tuple[AllocationRow, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class TflmRun:
    """What TFLM made of a set of samples.

    Attributes:
        outputs: one entry per output of the model.
        allocation: the arena it used.
        seconds: time in the runtime, summed over samples and processes, with reference kernels here.
        runtime: name and version.
    """

    outputs: tuple[Outputs, ...]
    allocation: Allocation
    seconds: float
    runtime: str


def run_tflm(
    tflite: bytes,
    inputs: tuple[Array, ...],
    *,
    arena_bytes: int | None = None,
    timeout_seconds: float = 600.0,
) -> TflmRun:
    """The artefact's outputs and arena in TFLM, sample by sample, on all cores.

    State goes on from sample to sample only where it is in resource variables, as in LiteRT.

    Args:
        tflite: the artefact.
        inputs: one array per input, (samples, ...); floats are quantized as the input asks for.
        arena_bytes: the arena to run in, exactly; if not given, one that is large enough is found.
        timeout_seconds: for the whole run.

    Raises:
        ModelError: the artefact is damaged, TFLM refused it or crashed on it, or the arena is too small.
        DataError: the inputs do not fit the artefact.
        OpError: TFLM has no kernel for an op, or its kernel does not take the op's types.
        ToolMissingError: tflite-micro is not installed, or cannot be loaded here.
        ToolFailedError: TFLM failed or took too long.
    """
    model = read_model(tflite, where="the artefact")
    if find_spec("tflite_micro") is None:
        raise ToolMissingError("TFLM is not installed here", why="tflite-micro is missing", fix=FIX)
    invocations = group(model, inputs)
    run = run_workers(
        "tflm",
        tflite,
        invocations=invocations,
        outputs=len(model.outputs),
        options={
            "arena_bytes": arena_bytes or _first_arena_bytes(model),
            "arena_limit_bytes": arena_bytes or ARENA_LIMIT_BYTES,
            "state": find_state(model),
        },
        most_workers=1 if model.has_resources else None,
        timeout_seconds=timeout_seconds,
    )
    for result in run.results:
        if "error" in result:
            if result["error_kind"] in ("ImportError", "ModuleNotFoundError"):
                raise ToolMissingError("TFLM cannot be loaded here", why=result["error"], fix=FIX)
            _fail(result["error"], run.stderr, model)
    return TflmRun(
        outputs=tuple(
            Outputs(
                raw=ungroup(stacked, invocations),
                scale=float(tensor.scales[0]) if tensor.scales.size else 0.0,
                zero_point=int(tensor.zero_points[0]) if tensor.zero_points.size else 0,
            )
            for tensor, stacked in zip(model.outputs, run.outputs, strict=True)
        ),
        allocation=parse_allocations(run.results[0]["allocations"]),
        seconds=sum(result["seconds"] for result in run.results),
        runtime=run.results[0]["runtime"],
    )


def parse_allocations(text: str) -> Allocation:
    """The arena from what RecordingMicroAllocator::PrintAllocations writes.

    Raises:
        ToolFailedError: the text does not hold the three totals.
    """
    totals = {name: int(size) for name, size in _TOTALS.findall(text)}
    if set(totals) != {"total", "head", "tail"}:
        raise ToolFailedError("TFLM's allocation report has an unknown form", why=text.strip()[:300])
    return Allocation(
        total_bytes=totals["total"],
        head_bytes=totals["head"],
        tail_bytes=totals["tail"],
        rows=tuple(
            AllocationRow(name=name, used_bytes=int(used), requested_bytes=int(asked), count=int(count))
            for name, used, asked, count in _ROWS.findall(text)
        ),
    )


def _first_arena_bytes(model: Model) -> int:
    """Room for every activation at once, which is generous, plus TFLM's own records."""
    tensors = [tensor for subgraph in model.subgraphs for tensor in subgraph.tensors]
    activations = sum(tensor.bytes for tensor in tensors if not tensor.is_constant)
    generous = min(ARENA_LIMIT_BYTES // 4, 2 * activations + 1024 * len(tensors) + (1 << 20))
    # A size that is no multiple of 16 would be counted into the tail as alignment.
    return generous // 16 * 16


def _fail(error: str, stderr: str, model: Model) -> None:
    found = read_complaint(stderr or error)
    if found.op == "CUSTOM":
        named = next((lacking.op for lacking in unsupported_ops(model, runtime="tflm")), found.op)
        found = replace(found, op=named, reason=found.reason.replace("CUSTOM", named))
    if found.index is not None:
        what, place = f"TFLM's kernel for {found.place} refuses the file", found.index
    elif found.op:
        raise OpError(f"TFLM has no kernel for the op {found.op}", where=model.where, fix=found.fix)
    else:
        raise ModelError("TFLM refuses the model", why=found.reason, fix="convert the model again")
    kind = OpError if found.is_limit else ModelError
    raise kind(
        what,
        where=name_op(model, place),
        why=found.reason,
        fix=found.fix if found.is_limit or found.is_fault else "",
    )
