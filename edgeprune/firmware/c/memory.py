"""Where every tensor lies in the arena: as few bytes as can be found, planned while compiling."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

ALIGNMENT_BYTES = 4
"""Of every buffer: the widest element is 32 bits."""

_ROUNDS = 400


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """Memory that is needed from one layer to another.

    Attributes:
        name: for people.
        size_bytes: its size.
        first, last: the first and last layer that it is needed in, both included.
        over: index of a block that ends in this one's first layer → slack in bytes: this one may lie over
            it if it starts at most so many bytes after its start, None where only at the same (see
            `Layer.overlaps`).
    """

    name: str
    size_bytes: int
    first: int
    last: int
    over: Mapping[int, int | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class MemoryPlan:
    """Offsets of blocks in bytes, in the order they were given, and the bytes needed for all."""

    offsets: tuple[int, ...]
    total_bytes: int


def plan_memory(blocks: Sequence[Block]) -> MemoryPlan:
    """The smallest plan found.

    Blocks are placed one by one at the lowest offset that is free; which order is best is searched for from
    three starts (by size, by age, by both), each time moving the block that sticks out, or any, to another
    place in the order. The same blocks give the same plan.
    """
    if not blocks:
        return MemoryPlan(offsets=(), total_bytes=0)
    everything = range(len(blocks))
    starts = (
        sorted(everything, key=lambda i: -blocks[i].size_bytes),
        sorted(everything, key=lambda i: blocks[i].first),
        sorted(everything, key=lambda i: -blocks[i].size_bytes * (1 + blocks[i].last - blocks[i].first)),
    )
    chance = Random(0)
    order = min(starts, key=lambda start: _place(blocks, start).total_bytes)
    best = _place(blocks, order)
    for _ in range(_ROUNDS):
        top = max(everything, key=lambda i: best.offsets[i] + blocks[i].size_bytes)
        moved = top if chance.random() < 0.5 else order[int(chance.random() * len(order))]
        changed = [index for index in order if index != moved]
        changed.insert(int(chance.random() * len(order)), moved)
        plan = _place(blocks, changed)
        if plan.total_bytes <= best.total_bytes:
            order, best = changed, plan
    return best


def find_clashes(blocks: Sequence[Block], plan: MemoryPlan) -> list[tuple[int, int]]:
    """Pairs of blocks that lie over one another although they must not; empty for every valid plan."""
    return [
        (one, other)
        for one in range(len(blocks))
        for other in range(one)
        if _are_live_together(blocks[one], blocks[other])
        and not _may_lie(blocks, one, plan.offsets[one], other, plan.offsets[other])
    ]


def _place(blocks: Sequence[Block], order: Sequence[int]) -> MemoryPlan:
    offsets: dict[int, int] = {}
    for index in order:
        rivals = [other for other in offsets if _are_live_together(blocks[index], blocks[other])]
        candidates = {0} | {_align(offsets[other] + blocks[other].size_bytes) for other in rivals}
        for other in rivals:
            if other in blocks[index].over:
                candidates.add(max(0, _align_down(offsets[other] + (blocks[index].over[other] or 0))))
            if index in blocks[other].over:
                candidates.add(max(0, _align(offsets[other] - (blocks[other].over[index] or 0))))
        offsets[index] = next(
            offset
            for offset in sorted(candidates)
            if all(_may_lie(blocks, index, offset, other, offsets[other]) for other in rivals)
        )
    total = max(offsets[index] + blocks[index].size_bytes for index in order)
    return MemoryPlan(offsets=tuple(offsets[i] for i in range(len(blocks))), total_bytes=_align(total))


def _are_live_together(one: Block, other: Block) -> bool:
    return one.first <= other.last and other.first <= one.last


def _may_lie(blocks: Sequence[Block], one: int, offset: int, other: int, other_offset: int) -> bool:
    if offset + blocks[one].size_bytes <= other_offset or other_offset + blocks[other].size_bytes <= offset:
        return True
    for upper, lower, distance in ((one, other, offset - other_offset), (other, one, other_offset - offset)):
        if lower in blocks[upper].over:
            slack = blocks[upper].over[lower]
            return distance == 0 if slack is None else distance <= slack
    return False


def _align(size: int) -> int:
    return -(-size // ALIGNMENT_BYTES) * ALIGNMENT_BYTES


def _align_down(size: int) -> int:
    return size // ALIGNMENT_BYTES * ALIGNMENT_BYTES
