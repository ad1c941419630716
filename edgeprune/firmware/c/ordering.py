"""In which order ops run: branches one after the other, where that needs less memory at once."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

_WIDTH = 64
"""Partial orders that are followed at once; with fewer branches than that many, the search is complete."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What an op needs memory for.

    Attributes:
        reads, writes: tensors.
        after: tasks, by their places, that must have run before.
        scratch_bytes: memory while it runs.
        overlaps: tensor that it reads → slack, see `Layer.overlaps`.
    """

    reads: tuple[int, ...] = ()
    writes: tuple[int, ...] = ()
    after: tuple[int, ...] = ()
    scratch_bytes: int = 0
    overlaps: Mapping[int, int | None] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Partial:
    """Tasks that have run, as bits and in order; the most memory until now, and the memory held."""

    done: int = 0
    order: tuple[int, ...] = ()
    peak_bytes: int = 0
    held_bytes: int = 0


def find_order(tasks: Sequence[Task], *, sizes: Mapping[int, int]) -> tuple[int, ...]:
    """Places of the tasks in an order of less memory at once, or as they are where none is found.

    Memory is counted as if it never had gaps, so an order is a proposal: its plan tells whether it is better.

    Args:
        tasks: in an order that works.
        sizes: bytes of each tensor in the arena; others take none.
    """
    search = _Search(tasks, sizes)
    given = _Partial()
    for place in range(len(tasks)):
        given = search.run(given, place)
    # No order needs less than the largest task by itself.
    partials = [_Partial(peak_bytes=max(map(search.need, tasks), default=0))]
    for _ in tasks:
        found: dict[int, _Partial] = {}
        for partial in (after for before in partials for after in search.follow(before)):
            if partial.peak_bytes < given.peak_bytes:
                known = found.setdefault(partial.done, partial)
                found[partial.done] = min(known, partial, key=lambda each: (each.peak_bytes, each.order))
        ranked = sorted(found.values(), key=lambda each: (each.peak_bytes, each.held_bytes, each.order))
        partials = ranked[:_WIDTH]
    return partials[0].order if partials else given.order


class _Search:
    """Steps from one partial order to the next."""

    def __init__(self, tasks: Sequence[Task], sizes: Mapping[int, int]) -> None:
        self.tasks = tasks
        self.sizes = sizes
        self.users: dict[int, int] = {}
        makers = {tensor: place for place, task in enumerate(tasks) for tensor in task.writes}
        self.needs = []
        for place, task in enumerate(tasks):
            before = {*task.after, *(makers[tensor] for tensor in task.reads if tensor in makers)}
            self.needs.append(sum(1 << each for each in before))
            for tensor in (*task.reads, *task.writes):
                self.users[tensor] = self.users.get(tensor, 0) | 1 << place

    def follow(self, partial: _Partial) -> Iterator[_Partial]:
        """What may come next: one task alone where it costs nothing, for waiting would not help."""
        ready = [
            self.run(partial, place)
            for place, needs in enumerate(self.needs)
            if not partial.done >> place & 1 and needs & partial.done == needs
        ]
        for after in ready:
            if after.peak_bytes == partial.peak_bytes and after.held_bytes <= partial.held_bytes:
                yield after
                return
        yield from ready

    def run(self, partial: _Partial, place: int) -> _Partial:
        """The order with one more task."""
        task = self.tasks[place]
        done = partial.done | 1 << place
        made = self._sum(task.writes)
        dying = [
            tensor
            for tensor in {*task.reads, *task.writes}
            if tensor in self.sizes and self.users[tensor] & done == self.users[tensor]
        ]
        shared = max((self._share(task, tensor) for tensor in dying), default=0)
        return _Partial(
            done=done,
            order=(*partial.order, place),
            peak_bytes=max(partial.peak_bytes, partial.held_bytes + made + task.scratch_bytes - shared),
            held_bytes=partial.held_bytes + made - self._sum(dying),
        )

    def need(self, task: Task) -> int:
        """Bytes that a task takes at least, whatever else is held."""
        shared = max((self._share(task, tensor) for tensor in task.overlaps), default=0)
        return self._sum({*task.reads, *task.writes}) + task.scratch_bytes - shared

    def _share(self, task: Task, tensor: int) -> int:
        """Bytes that the output may have in common with a tensor that is read for the last time."""
        if tensor not in task.overlaps or tensor not in self.sizes:
            return 0
        made, gap = self._sum(task.writes), max(0, -(task.overlaps[tensor] or 0))
        return max(0, self.sizes[tensor] + made - max(self.sizes[tensor] + gap, made))

    def _sum(self, tensors: Iterable[int]) -> int:
        return sum(self.sizes.get(tensor, 0) for tensor in tensors)
