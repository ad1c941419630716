"""Samples on their way to a model: one batch, and sources that can be gone through again and again.

Nothing here holds a whole data set but where somebody gave arrays. A source is either *rows*, any of which
can be had at any time (arrays, memory-mapped files, folders), or a *stream*, which only runs from its start
to its end (tf.data, generators); of a stream some samples, drawn by the seed, are kept in memory.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import DataError

Array = NDArray[Any]
Arrays = tuple[Array, ...]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Batch:
    """Some samples.

    Attributes:
        x: one array per model input, (samples, ...). `uint8` stays `uint8`.
        y: one array per model output, (samples, ...), or None where there are no labels. Class numbers are
            integers.
        weights: one array per model output, (samples,) or whatever Keras spreads over the output; or None.
    """

    x: Arrays
    y: Arrays | None = None
    weights: Arrays | None = None

    def __len__(self) -> int:
        return len(self.x[0])

    def take(self, rows: Any) -> "Batch":
        """Only these rows: indices, a mask or a slice."""
        return self.map(lambda array: array[rows])

    def map(self, change: Callable[[Array], Array]) -> "Batch":
        """The same with every array changed."""
        return Batch(
            x=tuple(map(change, self.x)),
            y=None if self.y is None else tuple(map(change, self.y)),
            weights=None if self.weights is None else tuple(map(change, self.weights)),
        )

    @property
    def arrays(self) -> Arrays:
        """All arrays."""
        return (*self.x, *(self.y or ()), *(self.weights or ()))

    @property
    def size_bytes(self) -> int:
        """What the arrays take in memory."""
        return sum(array.nbytes for array in self.arrays)


def join(batches: Sequence[Batch]) -> Batch:
    """The batches, one after the other."""
    first = batches[0]
    if len(batches) == 1:
        return first
    missing = {
        "labels": [batch.y is None for batch in batches],
        "sample weights": [batch.weights is None for batch in batches],
    }
    for kind, lack in missing.items():
        if any(lack) and not all(lack):
            raise DataError(f"some batches have {kind} and some have none", fix="give all of them, or none")
    shapes = [[array.shape[1:] for array in batch.arrays] for batch in batches]
    if other := next((found for found in shapes if found != shapes[0]), None):
        a, b = next((a, b) for a, b in zip(shapes[0], other, strict=True) if a != b)
        raise DataError(
            f"batches differ in the shape of their samples, {a} and {b}",
            fix="pad all samples to one length, the one that the model's input has",
        )

    def stack(pick: Callable[[Batch], Arrays]) -> Arrays:
        return tuple(np.concatenate(parts) for parts in zip(*map(pick, batches), strict=True))

    return Batch(
        x=stack(lambda batch: batch.x),
        y=None if first.y is None else stack(lambda batch: batch.y or ()),
        weights=None if first.weights is None else stack(lambda batch: batch.weights or ()),
    )


def regroup(batches: Iterable[Batch], size: int) -> Iterator[Batch]:
    """The same samples in batches of `size`; the last may be smaller."""
    waiting: list[Batch] = []
    count = 0
    for batch in batches:
        waiting.append(batch)
        count += len(batch)
        while count >= size:
            whole = join(waiting)
            yield whole.take(slice(size))
            rest = whole.take(slice(size, None))
            waiting, count = ([rest], len(rest)) if len(rest) else ([], 0)
    if count:
        yield join(waiting)


class Source(Protocol):
    """Samples that can be gone through again and again.

    Attributes:
        samples: how many there are in one pass.
        drawable: how many of them can be had at any time, numbered from 0: all rows, or what a stream keeps.
        classes: (drawable,) class numbers where the one output has some, else None.
        origin: a clause that says how it is read, for the report; "" for plain arrays.
    """

    @property
    def samples(self) -> int:
        """How many there are in one pass."""

    @property
    def drawable(self) -> int:
        """How many can be had at any time."""

    @property
    def classes(self) -> Array | None:
        """(drawable,) class numbers, or None."""

    @property
    def origin(self) -> str:
        """How it is read."""

    def take(self, rows: Array) -> Batch:
        """Drawable samples by their numbers, sorted."""

    def read(self, size: int) -> Iterator[Batch]:
        """All samples once, in the source's own order, in batches of at most `size`."""

    def per_epoch(self, size: int) -> int:
        """Training batches in one pass."""

    def draw(self, step: int, *, size: int, seed: int) -> Batch:
        """The training batch of a step, counted from 0 over all epochs; an incomplete last one is left out.

        Rows come in a new order in every epoch, a pure function of seed and epoch; a stream in its own.
        """


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Rows:
    """A source of which every sample can be had at any time.

    Attributes:
        count: of samples before any are left out.
        fetch: samples by their sorted numbers.
        all_classes: (count,) class numbers, or None.
        origin: as in `Source`.
        chosen: numbers of the samples that belong to it, sorted; None for all.
        whole: all samples as arrays, in memory or mapped, where they are that.
        is_costly: whether a sample has to be decoded, so that no pass is made only to look at all of them.
    """

    count: int
    fetch: Callable[[Array], Batch]
    all_classes: Array | None = None
    origin: str = ""
    chosen: Array | None = None
    whole: Batch | None = None
    is_costly: bool = False

    @property
    def samples(self) -> int:
        """How many there are."""
        return self.count if self.chosen is None else len(self.chosen)

    @property
    def drawable(self) -> int:
        """All of them."""
        return self.samples

    @property
    def classes(self) -> Array | None:
        """(samples,) class numbers, or None."""
        if self.all_classes is None or self.chosen is None:
            return self.all_classes
        return np.asarray(self.all_classes[self.chosen])

    def take(self, rows: Array) -> Batch:
        """Samples by their numbers."""
        return self.fetch(rows if self.chosen is None else self.chosen[rows])

    def read(self, size: int) -> Iterator[Batch]:
        """All samples, in order."""
        for start in range(0, self.samples, size):
            yield self.take(np.arange(start, min(start + size, self.samples)))

    def per_epoch(self, size: int) -> int:
        """Whole batches; one at least."""
        return max(1, self.samples // min(size, self.samples))

    def draw(self, step: int, *, size: int, seed: int) -> Batch:
        """The batch of a step."""
        size = min(size, self.samples)
        epoch, index = divmod(step, self.per_epoch(size))
        order = _permutation(self.samples, seed, epoch)
        return self.take(np.sort(order[index * size : (index + 1) * size]))

    def only(self, rows: Array) -> "Rows":
        """The same with these samples alone: sorted numbers."""
        return replace(self, chosen=rows if self.chosen is None else self.chosen[rows])


def hold(batch: Batch, *, classes: Array | None = None, origin: str = "") -> Rows:
    """Arrays as a source; memory-mapped ones are read where they are wanted.

    Args:
        batch: all samples.
        classes: (samples,) class numbers, or None.
        origin: as in `Source`.
    """

    def fetch(rows: Array) -> Batch:
        whole = len(rows) and rows[-1] - rows[0] == len(rows) - 1
        picked = batch.take(slice(rows[0], rows[-1] + 1) if whole else rows)
        return picked.map(np.asarray)

    return Rows(count=len(batch), fetch=fetch, all_classes=classes, origin=origin, whole=batch)


_PERMUTATIONS: dict[tuple[int, int, int], Array] = {}


def _permutation(count: int, seed: int, epoch: int) -> Array:
    key = (count, seed, epoch)
    if key not in _PERMUTATIONS:
        _PERMUTATIONS.clear()
        _PERMUTATIONS[key] = np.random.default_rng([seed, epoch]).permutation(count)
    return _PERMUTATIONS[key]


@dataclass(kw_only=True, slots=True, eq=False)
class Stream:
    """A source that only runs from its start to its end; some of its samples are kept.

    Attributes:
        start: gives an iterator over one pass, in batches of the source's own size.
        samples: in one pass.
        batches: in one pass.
        kept: samples drawn over the whole pass.
        classes: (kept,) class numbers, or None.
        origin: as in `Source`.
        endless: whether it never ends, so that a pass goes on where the one before stopped.
        resize: samples per training batch; None for batches as the source has them.
    """

    start: Callable[[], Iterator[Batch]]
    samples: int
    batches: int
    kept: Batch
    classes: Array | None = None
    origin: str = ""
    endless: bool = False
    resize: int | None = None
    _running: Iterator[Batch] | None = None
    _next: int = 0

    @property
    def drawable(self) -> int:
        """The kept ones."""
        return len(self.kept)

    def take(self, rows: Array) -> Batch:
        """Kept samples by their numbers."""
        return self.kept.take(rows)

    def read(self, size: int) -> Iterator[Batch]:
        """All samples of one pass."""
        for batch in self._limited(self.start()):
            for first in range(0, len(batch), size):
                yield batch.take(slice(first, first + size))

    def per_epoch(self, size: int) -> int:
        """Batches in one pass."""
        return self.batches if self.resize is None else max(1, self.samples // self.resize)

    def draw(self, step: int, *, size: int, seed: int) -> Batch:
        """The batch of a step; quick where it follows the one before, else what lies between is skipped."""
        per_epoch = self.per_epoch(size)
        if self._running is None or step < self._next or step - self._next >= per_epoch:
            self._running, self._next = None, step if self.endless else step - step % per_epoch
        while True:
            if self._running is None or (self._next % per_epoch == 0 and not self.endless):
                self._running = self._sized(self.start())
            batch = next(self._running, None)
            if batch is None:  # fewer than were counted, or an endless one that ended: from the start again
                self._running = self._sized(self.start())
                batch = next(self._running)
            self._next += 1
            if self._next > step:
                return batch

    def _sized(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        return batches if self.resize is None else regroup(batches, self.resize)

    def _limited(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        for number, batch in enumerate(batches):
            if number >= self.batches:
                return
            yield batch


@dataclass(frozen=True, slots=True, eq=False)
class Changed:
    """A source whose batches are changed when they are read.

    Attributes:
        source: what is read.
        change: one batch into another of as many samples.
    """

    source: Source
    change: Callable[[Batch], Batch]

    @property
    def samples(self) -> int:
        """As many as there were."""
        return self.source.samples

    @property
    def drawable(self) -> int:
        """As many as there were."""
        return self.source.drawable

    @property
    def classes(self) -> Array | None:
        """As they were."""
        return self.source.classes

    @property
    def origin(self) -> str:
        """As it was."""
        return self.source.origin

    def take(self, rows: Array) -> Batch:
        """Samples by their numbers, changed."""
        return self.change(self.source.take(rows))

    def read(self, size: int) -> Iterator[Batch]:
        """All samples, changed."""
        return map(self.change, self.source.read(size))

    def per_epoch(self, size: int) -> int:
        """As many batches as there were."""
        return self.source.per_epoch(size)

    def draw(self, step: int, *, size: int, seed: int) -> Batch:
        """The batch of a step, changed."""
        return self.change(self.source.draw(step, size=size, seed=seed))


class Reservoir:
    """Some samples of a stream, each sample as likely as any other (Vitter 1985, "algorithm R")."""

    def __init__(self, *, samples: int, limit_bytes: int, seed: int) -> None:
        """Get ready.

        Args:
            samples: how many are kept, at most.
            limit_bytes: what they may take in memory; fewer are kept where they are large.
            seed: of the draw.
        """
        self._wanted, self._limit = samples, limit_bytes
        self._rng = np.random.default_rng([seed, 11])
        self._kept: list[Batch] = []
        self.seen = 0

    def add(self, batch: Batch) -> None:
        """More samples of the stream."""
        if not self.seen and len(batch):
            each = max(1, batch.size_bytes // len(batch))
            self._wanted = max(1, min(self._wanted, self._limit // each))
        numbers = self.seen + np.arange(len(batch))
        places = np.where(numbers < self._wanted, numbers, self._rng.integers(numbers + 1))
        self.seen += len(batch)
        for row in np.flatnonzero(places < self._wanted):
            one, place = batch.take(slice(row, row + 1)).map(np.copy), int(places[row])
            if place == len(self._kept):
                self._kept.append(one)
            else:
                self._kept[place] = one

    def finish(self) -> Batch:
        """What was kept."""
        return join(self._kept)
