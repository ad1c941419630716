"""Where TFLM's greedy memory planner puts every activation: the head of the tensor arena.

The same plan is made here as `GreedyMemoryPlanner` makes on the device, byte for byte: buffers are rounded
up to 16 bytes, placed largest first, each at the lowest offset that is free for as long as it lives.
Activations take one byte per element on every core, so the plan does not depend on the pointers' size.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgeprune.tflite.model import Model, Tensor

ALIGNMENT_BYTES = 16
"""`MicroArenaBufferAlignment()`: of every buffer, and of all that kernels keep."""

PLANNED_AT_MOST = 5000
"""Activations of foreign files up to which they are planned: time grows with their square."""

_BRANCHES = {
    "IF": ("then_subgraph_index", "else_subgraph_index"),
    "WHILE": ("cond_subgraph_index", "body_subgraph_index"),
    "CALL_ONCE": ("init_subgraph_index",),
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Buffer:
    """Memory that is needed from one op to another.

    Attributes:
        size_bytes: its size, before rounding.
        first_op, last_op: the first and last op during which it is needed, both included; the model's
            inputs are there at 0 and the first op is 1, as TFLM counts.
        name: for people.
    """

    size_bytes: int
    first_op: int
    last_op: int
    name: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ArenaPlan:
    """Offsets of buffers in bytes, in the order they were given, and the bytes needed for all."""

    offsets: tuple[int, ...]
    total_bytes: int


def align(size: int, *, to: int = ALIGNMENT_BYTES) -> int:
    """The size rounded up to a multiple."""
    return -(-size // to) * to


def plan_arena(buffers: Sequence[Buffer]) -> ArenaPlan:
    """The plan TFLM makes for these buffers.

    Args:
        buffers: tensors in the order of the file, then scratch buffers in the order they are requested;
            among equal sizes the planner places the last one first, so the order counts.
    """
    sizes = [align(buffer.size_bytes) for buffer in buffers]
    order = sorted(range(len(buffers) - 1, -1, -1), key=lambda i: -sizes[i])
    offsets = [0] * len(buffers)
    # Placed buffers by offset: (offset, end, first op, last op).
    placed: list[tuple[int, int, int, int]] = []
    starts: list[int] = []
    total = 0
    for index in order:
        size, first, last = sizes[index], buffers[index].first_op, buffers[index].last_op
        offset = 0
        for start, end, begins, ends in placed:
            if begins > last or first > ends:
                continue
            if start - offset >= size:
                break
            if end > offset:
                offset = end
        offsets[index] = offset
        place = bisect_right(starts, offset)
        starts.insert(place, offset)
        placed.insert(place, (offset, offset + size, first, last))
        if offset + size > total:
            total = offset + size
    return ArenaPlan(offsets=tuple(offsets), total_bytes=total)


def list_buffers(model: Model, *, scratch: Mapping[int, Sequence[int]] | None = None) -> list[Buffer]:
    """All buffers TFLM plans for a model, in its order: tensors of all subgraphs, then scratch buffers.

    Constants lie in flash and variables in the arena's tail; neither is part of the plan. Offsets that a
    model brings along in its metadata (`OfflineMemoryAllocation`) are not followed.

    Args:
        model: the model.
        scratch: bytes of the scratch buffers that the main subgraph's ops ask for, by the op's index.
    """
    lives = [[[-1, -1] for _ in subgraph.tensors] for subgraph in model.subgraphs]
    spans: dict[int, tuple[int, int]] = {}
    _mark(model, 0, 0, lives, spans)
    buffers = []
    for place, tensor in list_planned(model):
        first, last = lives[place][tensor.index]
        buffers.append(Buffer(size_bytes=tensor.bytes, first_op=first, last_op=last, name=tensor.name))
    for index, sizes in sorted((scratch or {}).items()):
        first, last = spans[index]
        buffers += [Buffer(size_bytes=n, first_op=first, last_op=last, name="scratch") for n in sizes]
    return buffers


def list_planned(model: Model) -> list[tuple[int, Tensor]]:
    """Subgraph and tensor of each buffer, in the order of `list_buffers`, without scratch."""
    return [
        (place, tensor)
        for place, subgraph in enumerate(model.subgraphs)
        for tensor in subgraph.tensors
        if not (tensor.is_constant or tensor.is_variable) and tensor.bytes
    ]


def _mark(
    model: Model,
    place: int,
    scope: int,
    lives: list[list[list[int]]],
    spans: dict[int, tuple[int, int]],
) -> int:
    """Mark when each tensor of a subgraph is first made and last used; the scope after it."""
    subgraph, marked = model.subgraphs[place], lives[place]

    def touch(tensor: int, now: int) -> None:
        if tensor >= 0:
            life = marked[tensor]
            life[:] = [now if life[0] < 0 else life[0], now]

    for tensor in subgraph.inputs:
        touch(tensor, scope)
    for op in subgraph.ops:
        scope += 1
        start = scope
        for tensor in op.outputs:
            touch(tensor, scope)
        for key in _BRANCHES.get(op.name, ()):
            branch = op.options.get(key, -1)
            if 0 <= branch < len(model.subgraphs):
                scope = _mark(model, branch, scope + 1, lives, spans)
        for tensor in op.inputs:
            if tensor >= 0 and marked[tensor][0] >= 0:
                marked[tensor][1] = scope
        for tensor in op.outputs:
            marked[tensor][1] = scope
        if place == 0:
            spans[op.index] = (start, scope)
    for tensor in subgraph.outputs:
        touch(tensor, scope)
    return scope
