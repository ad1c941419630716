"""Data that only run from a start to an end: tf.data, PyDatasets, iterables and generators."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras

from edgeprune.config.training_options import USUAL_BATCH
from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.batches import Batch, Reservoir, Stream, regroup
from edgeprune.keras_bridge.data.parts import Interface, arrange
from edgeprune.progress import Progress

KEPT_SAMPLES = 4096
KEPT_BYTES = 256 * 2**20
"""What is kept of a stream: for calibration, probes, and validation where it has no set of its own."""
_QUIET_SECONDS = 10.0
_SPOKEN_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """How streams are read.

    Attributes:
        steps_per_epoch: batches of the training data in one pass; None to count them.
        batch_size: samples per training batch; None for a stream's own.
        seed: of what is kept.
        progress: is told while a stream is counted.
    """

    steps_per_epoch: int | None
    batch_size: int | None
    seed: int
    progress: Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class Unread:
    """A stream that nobody has gone through yet.

    Attributes:
        given: a tf.data.Dataset, a PyDataset, something to iterate over, or a function that makes such.
        again: gives the stream anew, where `given` can be gone through only once.
    """

    given: Any
    again: Callable[[], Any] | None = None


def open_stream(
    unread: Unread,
    interface: Interface,
    *,
    reading: Reading,
    where: str,
    look: Callable[[Batch], Batch] = lambda batch: batch,
    prepare: Callable[[Batch], Batch] = lambda batch: batch,
    steps: int | None = None,
) -> Stream:
    """A stream, gone through once: counted, looked at, some of it kept.

    Args:
        unread: what to go through.
        interface: of the model.
        reading: how streams are read.
        where: the source, for messages.
        look: is shown every batch of the first pass, and gives it back prepared.
        prepare: prepares the batches of later passes.
        steps: batches in one pass, where it has no end or not all of it counts.

    Raises:
        DataError: it fails, is empty, never ends, or can be gone through only once.
    """
    given = unread.given
    make = _maker(given, unread.again, where=where)
    endless = _is_endless(given)
    if endless and steps is None:
        raise DataError(
            "the dataset never ends",
            where=where,
            fix="leave .repeat() out, add .take(n), or say how many batches are an epoch with "
            "--steps-per-epoch",
        )

    def start(change: Callable[[Batch], Batch] = prepare) -> Iterator[Batch]:
        return (change(batch) for batch in _batches(_make_anew(make, where=where), interface, where=where))

    def restart() -> Iterator[Batch]:
        is_empty = True
        for batch in start():
            is_empty = False
            yield batch
        if is_empty:
            raise DataError(
                "the dataset can be gone through only once",
                where=where,
                why="each epoch starts anew",
                fix="give a function that makes it anew each time",
            )

    kept = Reservoir(samples=KEPT_SAMPLES, limit_bytes=KEPT_BYTES, seed=reading.seed)
    batches, said, quiet = 0, time.monotonic(), _QUIET_SECONDS
    for batch in start(look):
        kept.add(batch)
        batches += 1
        if steps is not None and batches >= steps:
            break
        if time.monotonic() - said > quiet:
            said, quiet = time.monotonic(), _SPOKEN_SECONDS
            reading.progress.note(
                f"{where}: still reading, {kept.seen} samples so far; if it never ends, "
                "give --steps-per-epoch"
            )
    if not kept.seen:
        raise DataError("the dataset is empty", where=where, fix="give at least one sample")
    return Stream(
        start=restart,
        samples=kept.seen,
        batches=batches,
        kept=kept.finish(),
        origin=f"streamed, {batches} batches in a pass",
        endless=endless or (steps is not None and not _has_length(given)),
        resize=reading.batch_size,
    )


def is_stream(given: Any) -> bool:
    """Whether it is one of the things that `open_stream` takes."""
    if isinstance(given, list | tuple | dict | str) or hasattr(given, "shape"):
        return False
    return hasattr(given, "element_spec") or hasattr(given, "__iter__") or callable(given) or _is_py(given)


def _is_py(given: Any) -> bool:
    return isinstance(given, keras.utils.PyDataset) or (
        hasattr(given, "__getitem__") and hasattr(given, "__len__") and not hasattr(given, "keys")
    )


def _has_length(given: Any) -> bool:
    if hasattr(given, "cardinality"):
        return int(given.cardinality()) >= 0
    try:
        return len(given) > 0
    except TypeError:
        return False


def _is_endless(given: Any) -> bool:
    if hasattr(given, "cardinality"):
        return int(given.cardinality()) == -1  # tf.data.INFINITE_CARDINALITY
    return isinstance(given, keras.utils.PyDataset) and given.num_batches is None


def _maker(given: Any, again: Callable[[], Any] | None, *, where: str) -> Callable[[], Any]:
    """What gives the stream from its start."""
    if hasattr(given, "__next__"):  # can be gone through once
        if again is None:
            raise DataError(
                "a generator can be gone through only once",
                where=where,
                why="each epoch starts anew",
                fix="give the function that makes it, without calling it",
            )
        return again
    if callable(given) and not (hasattr(given, "__iter__") or _is_py(given)):
        return given  # type: ignore[no-any-return]
    return lambda: given


def _make_anew(make: Callable[[], Any], *, where: str) -> Any:
    try:
        return make()
    except DataError:
        raise
    except (Exception, SystemExit) as error:  # the user's own code
        raise _failed(error, where) from error


def _batches(given: Any, interface: Interface, *, where: str) -> Iterator[Batch]:
    """Batches in the model's order; single samples are put together."""
    rank = len(interface.inputs[0].shape)
    elements = (arrange(element, interface, where=where) for element in _elements(given, where=where))
    first = next(elements, None)
    if first is None:
        return
    if first.x[0].ndim == rank - 1:
        singles = (one.map(lambda array: array[None]) for one in _chain(first, elements))
        yield from regroup(singles, USUAL_BATCH)
    else:
        yield from _chain(first, elements)


def _chain(first: Batch, rest: Iterator[Batch]) -> Iterator[Batch]:
    yield first
    yield from rest


def _elements(given: Any, *, where: str) -> Iterator[Any]:
    """What the user's own code gives, one by one; whatever it raises is an input error."""
    try:
        if hasattr(given, "element_spec"):
            iterator = iter(given.prefetch(2).as_numpy_iterator())
        elif _is_py(given) and not hasattr(given, "__next__"):
            iterator = _items(given)
        else:
            iterator = iter(given)
    except (Exception, SystemExit) as error:  # the user's own code
        raise _failed(error, where) from error
    while True:
        try:
            element = next(iterator)
        except StopIteration:
            return
        except (Exception, SystemExit) as error:  # the user's own code
            raise _failed(error, where) from error
        yield tuple(element) if isinstance(element, list) else element  # torch collates into lists


def _items(given: Any) -> Iterator[Any]:
    """A PyDataset or the like, by its numbers: Python's own iteration over one may go on for ever."""
    count = given.num_batches if isinstance(given, keras.utils.PyDataset) else len(given)
    number = 0
    while count is None or number < count:
        yield given[number]
        number += 1
    if hasattr(given, "on_epoch_end"):
        given.on_epoch_end()


def _failed(error: BaseException, where: str) -> DataError:
    why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return DataError("the dataset failed", where=where, why=why, fix="iterate over it to see")
