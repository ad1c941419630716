"""Batches, and sources that can be gone through again and again."""

from collections.abc import Iterator

import numpy as np
import pytest

from edgeprune.keras_bridge.data.batches import Batch, Changed, Reservoir, Stream, join, regroup
from tests.keras_bridge.feeding import batch_of, hold_arrays


def numbered(count: int, start: int = 0) -> Batch:
    """Samples whose input, label and weight are their number."""
    numbers = np.arange(start, start + count)
    return batch_of(numbers[:, None].astype(np.float32), numbers, numbers / 2)


def numbers_of(batch: Batch) -> list[int]:
    """The numbers, if input, label and weight still belong together."""
    (x,), (y,), (weights,) = batch.x, batch.y or (), batch.weights or ()
    np.testing.assert_array_equal(x[:, 0], y)
    np.testing.assert_array_equal(weights, y / 2)
    return [int(number) for number in y]


class Counted:
    """A stream of batches, that knows how often it was begun and how many batches it gave."""

    def __init__(self, *sizes: int, endless: bool = False) -> None:
        self.sizes, self.endless = sizes, endless
        self.starts = self.given = 0

    def __call__(self) -> Iterator[Batch]:
        self.starts += 1
        first = 0
        while True:
            for size in self.sizes:
                self.given += 1
                yield numbered(size, first)
                first += size
            if not self.endless:
                return

    def stream(self, *, resize: int | None = None, batches: int | None = None) -> Stream:
        return Stream(
            start=self,
            samples=sum(self.sizes),
            batches=batches or len(self.sizes),
            kept=numbered(1),
            endless=self.endless,
            resize=resize,
        )


def draw(stream: Stream, step: int) -> list[int]:
    return numbers_of(stream.draw(step, size=99, seed=0))


def test_joined_batches_are_one_after_the_other() -> None:
    assert numbers_of(join([numbered(2), numbered(3, 2)])) == [0, 1, 2, 3, 4]
    bare = join([batch_of(np.zeros((2, 1))), batch_of(np.ones((1, 1)))])
    assert bare.x[0].ravel().tolist() == [0, 0, 1]
    assert bare.y is bare.weights is None


@pytest.mark.parametrize("sizes", [(5,), (1, 1, 1, 1, 1), (2, 3), (4, 1), (0, 5), (7, 0, 3)])
@pytest.mark.parametrize("size", [1, 2, 3, 5, 9])
def test_regrouped_batches_hold_the_same_samples_in_order(sizes: tuple[int, ...], size: int) -> None:
    starts = np.cumsum([0, *sizes])
    given = (numbered(count, int(start)) for count, start in zip(sizes, starts, strict=False))
    found = [numbers_of(batch) for batch in regroup(given, size)]
    assert [number for batch in found for number in batch] == list(range(sum(sizes)))
    assert all(len(batch) == size for batch in found[:-1])
    assert 0 < len(found[-1]) <= size


def test_nothing_regrouped_is_nothing() -> None:
    assert list(regroup([], 3)) == []


def test_rows_are_taken_read_and_left_out() -> None:
    rows = hold_arrays(np.arange(10.0)[:, None])
    few = rows.only(np.array([1, 4, 5, 9])).only(np.array([0, 2, 3]))
    assert (few.samples, few.drawable) == (3, 3)
    assert few.take(np.array([0, 2])).x[0].ravel().tolist() == [1, 9]
    assert [batch.x[0].ravel().tolist() for batch in few.read(2)] == [[1, 5], [9]]


def test_classes_of_rows_go_with_them() -> None:
    rows = hold_arrays(np.zeros((4, 1)), np.array([3, 1, 2, 0]))
    classes = rows.only(np.array([0, 2])).classes
    assert classes is not None
    assert classes.tolist() == [3, 2]


def test_batches_of_rows_are_a_function_of_seed_and_step_alone() -> None:
    rows = hold_arrays(np.arange(10.0)[:, None])

    def drawn(step: int, seed: int) -> list[float]:
        return rows.draw(step, size=3, seed=seed).x[0].ravel().tolist()

    forwards = [drawn(step, 0) for step in range(6)]
    backwards = [drawn(step, 0) for step in reversed(range(6))]
    assert forwards == backwards[::-1]
    assert forwards != [drawn(step, 1) for step in range(6)]
    assert rows.per_epoch(3) == 3
    assert len({number for batch in forwards[:3] for number in batch}) == 9


def test_more_than_there_are_is_all_of_them() -> None:
    rows = hold_arrays(np.arange(4.0)[:, None])
    assert rows.per_epoch(99) == 1
    assert sorted(rows.draw(5, size=99, seed=0).x[0].ravel().tolist()) == [0, 1, 2, 3]


def test_a_stream_goes_on_where_it_was() -> None:
    counted = Counted(2, 2, 1)
    stream = counted.stream()
    assert [draw(stream, step) for step in range(4)] == [[0, 1], [2, 3], [4], [0, 1]]
    assert (counted.starts, counted.given) == (2, 4)


def test_what_was_drawn_can_be_drawn_again() -> None:
    counted = Counted(2, 2, 1)
    stream = counted.stream()
    assert [draw(stream, step) for step in (2, 1, 1, 0)] == [[4], [2, 3], [2, 3], [0, 1]]


def test_a_resumed_stream_skips_to_its_step_within_the_epoch_alone() -> None:
    counted = Counted(2, 2, 1)
    assert draw(counted.stream(), 3 * 1000 + 1) == [2, 3]
    assert (counted.starts, counted.given) == (1, 2)


def test_a_stream_that_was_left_long_ago_is_not_run_through() -> None:
    counted = Counted(2, 2, 1)
    stream = counted.stream()
    draw(stream, 0)
    assert draw(stream, 3001) == [2, 3]
    assert counted.given <= 1 + 2


def test_an_endless_stream_is_begun_once_and_goes_on() -> None:
    counted = Counted(2, endless=True)
    stream = counted.stream(batches=2)
    assert [draw(stream, step) for step in range(5)] == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9]]
    assert counted.starts == 1
    assert [numbers_of(batch) for batch in stream.read(99)] == [[0, 1], [2, 3]], "a pass has an end"


def test_an_endless_stream_that_ends_starts_again() -> None:
    counted = Counted(2, 2)
    stream = counted.stream()
    stream.endless = True
    assert [draw(stream, step) for step in range(3)] == [[0, 1], [2, 3], [0, 1]]


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_stream_is_drawn_in_batches_of_another_size(size: int) -> None:
    stream = Counted(3, 3, 2).stream(resize=size)
    steps = stream.per_epoch(99)
    assert steps == 8 // size
    for epoch in range(2):
        drawn = [draw(stream, epoch * steps + step) for step in range(steps)]
        assert all(len(batch) == size for batch in drawn)
        assert [number for batch in drawn for number in batch] == list(range(steps * size))


def test_a_pass_through_a_stream_gives_batches_no_larger_than_asked() -> None:
    assert [numbers_of(batch) for batch in Counted(3, 2).stream().read(2)] == [[0, 1], [2], [3, 4]]


def test_a_changed_source_changes_whatever_way_it_is_read() -> None:
    def negate(batch: Batch) -> Batch:
        return batch.map(np.negative)

    rows = hold_arrays(np.arange(4.0)[:, None])
    changed = Changed(rows, negate)
    assert changed.take(np.array([1, 2])).x[0].ravel().tolist() == [-1, -2]
    assert [batch.x[0].ravel().tolist() for batch in changed.read(3)] == [[0, -1, -2], [-3]]
    plain = rows.draw(1, size=2, seed=5).x[0]
    np.testing.assert_array_equal(changed.draw(1, size=2, seed=5).x[0], -plain)
    assert (changed.samples, changed.drawable, changed.per_epoch(3)) == (4, 4, 1)


def fill(batches: Iterator[Batch], *, samples: int, seed: int, limit_bytes: int = 2**20) -> Batch:
    reservoir = Reservoir(samples=samples, limit_bytes=limit_bytes, seed=seed)
    for batch in batches:
        reservoir.add(batch)
    return reservoir.finish()


@pytest.mark.parametrize("sizes", [(20,), (7, 13), (1,) * 20])
def test_each_sample_is_as_likely_to_be_kept_as_any_other(sizes: tuple[int, ...]) -> None:
    counts, draws = np.zeros(20), 2000
    for seed in range(draws):
        starts = np.cumsum([0, *sizes])
        given = (numbered(count, int(start)) for count, start in zip(sizes, starts, strict=False))
        kept = numbers_of(fill(given, samples=5, seed=seed))
        assert len(set(kept)) == 5
        counts[kept] += 1
    # A quarter of all draws; the standard deviation of such a count is √(2000 · ¼ · ¾) = 19.
    assert np.abs(counts - draws / 4).max() < 4 * 19.4


def test_what_is_kept_does_not_depend_on_how_the_stream_is_cut() -> None:
    def cut(size: int) -> Iterator[Batch]:
        return (numbered(size, start) for start in range(0, 24, size))

    one, other = (numbers_of(fill(cut(size), samples=6, seed=3)) for size in (4, 12))
    assert one == other


def test_no_more_is_kept_than_fits() -> None:
    each = numbered(1).size_bytes
    kept = fill(iter([numbered(50), numbered(50, 50)]), samples=40, seed=0, limit_bytes=10 * each)
    assert len(kept) == 10
    assert len(fill(iter([numbered(3)]), samples=40, seed=0)) == 3
    assert len(fill(iter([numbered(50)]), samples=40, seed=0, limit_bytes=1)) == 1


def test_what_is_kept_is_a_copy() -> None:
    batch = numbered(4)
    kept = fill(iter([batch]), samples=4, seed=0)
    batch.x[0][:] = -1
    assert kept.x[0].ravel().tolist() == [0, 1, 2, 3]
