"""Streams in all the forms that Keras takes: gone through once, counted, and some of them kept."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data import streams
from edgeprune.keras_bridge.data.batches import Stream, join
from edgeprune.keras_bridge.data.parts import Interface, Port
from edgeprune.keras_bridge.data.streams import Reading, Unread, is_stream, open_stream
from edgeprune.progress import Silent

MODEL = Interface(inputs=(Port(name="x", shape=(None, 2)),), outputs=(Port(name="y", shape=(None, 3)),))
X = np.arange(20, dtype=np.float32).reshape(10, 2)
Y = np.arange(10) % 3


def stream(
    given: Any,
    *,
    steps: int | None = None,
    batch_size: int | None = None,
    again: Callable[[], Any] | None = None,
    interface: Interface = MODEL,
    seed: int = 0,
) -> Stream:
    reading = Reading(steps_per_epoch=steps, batch_size=batch_size, seed=seed, progress=Silent())
    unread = Unread(given=given, again=again)
    return open_stream(unread, interface, reading=reading, where="here", steps=steps)


def pairs(size: int = 4) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    return ((X[i : i + size], Y[i : i + size]) for i in range(0, 10, size))


def dataset() -> tf.data.Dataset:
    return tf.data.Dataset.from_tensor_slices((X, Y))


class Numbered(keras.utils.PyDataset):
    """A PyDataset that counts its epochs."""

    def __init__(self, batches: int | None = 3) -> None:
        super().__init__()
        self.batches, self.epochs = batches, 0

    @property
    def num_batches(self) -> int | None:
        return self.batches

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        rows = np.arange(4 * index, min(4 * index + 4, 10)) if self.batches else np.arange(4)
        return X[rows], Y[rows]

    def on_epoch_end(self) -> None:
        self.epochs += 1


class Tensor:
    """What torch has: values that have to be fetched from where they are."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def detach(self) -> "Tensor":
        return self

    def cpu(self) -> np.ndarray:
        return self.values


class Loader:
    """Like torch's DataLoader: with a length, without numbers, batches as lists."""

    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Iterator[list[Tensor]]:
        return ([Tensor(x), Tensor(y)] for x, y in pairs())


class Sequence:
    """With numbers and a length: Python's own iteration waits for an IndexError that never comes."""

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return list(pairs())[index % 3]


FORMS: dict[str, Callable[[], Any]] = {
    "a tf.data.Dataset": lambda: dataset().batch(4),
    "a function that makes a generator": lambda: pairs,
    "a PyDataset": Numbered,
    "a loader of torch": Loader,
    "a sequence": Sequence,
    "an iterable": lambda: type("Own", (), {"__iter__": lambda self: pairs()})(),
    "a function that makes a dataset": lambda: lambda: dataset().batch(4),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_is_counted_and_read_again_and_again(form: str) -> None:
    given = FORMS[form]()
    assert is_stream(given)
    found = stream(given)
    assert (found.samples, found.batches, found.endless, found.drawable) == (10, 3, False, 10)
    assert found.origin == "streamed, 3 batches in a pass"
    for _ in range(2):
        whole = join(list(found.read(100)))
        np.testing.assert_array_equal(whole.x[0], X)
        np.testing.assert_array_equal((whole.y or ())[0], Y)
    drawn = [found.draw(step, size=99, seed=0) for step in range(4)]
    assert [len(batch) for batch in drawn] == [4, 4, 2, 4]
    np.testing.assert_array_equal(drawn[3].x[0], X[:4])


@pytest.mark.parametrize("given", [dataset(), lambda: zip(X, Y, strict=True)], ids=["dataset", "function"])
def test_single_samples_are_put_together(given: Any) -> None:
    found = stream(given)
    assert (found.samples, found.batches) == (10, 1)
    np.testing.assert_array_equal(join(list(found.read(3))).x[0], X)


@pytest.mark.parametrize("given", [[X, Y], (X, Y), {"x": X}, "file.npz", X, tf.constant(X), 3])
def test_what_is_no_stream_is_not_taken_for_one(given: Any) -> None:
    assert not is_stream(given)


def test_a_pydataset_hears_of_the_end_of_each_pass() -> None:
    given = Numbered()
    found = stream(given)
    assert given.epochs == 1
    list(found.read(99))
    assert given.epochs == 2


def test_only_some_samples_are_kept_and_the_seed_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "KEPT_SAMPLES", 3)
    one, same, other = (stream(pairs, seed=seed).kept for seed in (0, 0, 1))
    assert len(one) == 3
    np.testing.assert_array_equal(one.x[0], same.x[0])
    assert not np.array_equal(one.x[0], other.x[0])
    np.testing.assert_array_equal((one.y or ())[0], one.x[0][:, 0] // 2 % 3)


def test_batches_of_another_size_are_put_together() -> None:
    found = stream(pairs, batch_size=5)
    assert found.per_epoch(99) == 2
    np.testing.assert_array_equal(found.draw(1, size=5, seed=0).x[0], X[5:])


def endless() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    number = 0
    while True:
        yield np.full((2, 2), number, np.float32), np.zeros(2, int)
        number += 1


ENDLESS: dict[str, Callable[[], Any]] = {
    "a tf.data.Dataset": lambda: dataset().batch(4).repeat(),
    "a PyDataset": lambda: Numbered(batches=None),
}


@pytest.mark.parametrize("form", ENDLESS)
def test_what_says_that_it_never_ends_is_refused_unless_steps_are_given(form: str) -> None:
    with pytest.raises(DataError, match="the dataset never ends") as caught:
        stream(ENDLESS[form]())
    assert "--steps-per-epoch" in caught.value.fix
    found = stream(ENDLESS[form](), steps=5)
    assert (found.batches, found.endless, found.per_epoch(99)) == (5, True, 5)


def test_of_an_endless_generator_an_epoch_is_what_somebody_says() -> None:
    found = stream(endless, steps=3)
    assert (found.samples, found.batches, found.endless) == (6, 3, True)
    assert [float(found.draw(step, size=2, seed=0).x[0][0, 0]) for step in range(5)] == [0, 1, 2, 3, 4]


def test_a_stream_with_an_end_may_be_cut_short() -> None:
    found = stream(dataset().batch(2), steps=2)
    assert (found.samples, found.batches, found.endless) == (4, 2, False)
    assert sum(len(batch) for batch in found.read(99)) == 4


def test_a_generator_is_refused_since_each_epoch_starts_anew() -> None:
    with pytest.raises(DataError, match="a generator can be gone through only once") as caught:
        stream(pairs())
    assert caught.value.fix == "give the function that makes it, without calling it"


def test_a_generator_that_can_be_had_anew_is_taken() -> None:
    found = stream(pairs(), again=pairs)
    assert [len(list(found.read(99))) for _ in range(2)] == [3, 3]


def test_a_function_that_gives_the_same_generator_each_time_is_refused_when_it_is_used_up() -> None:
    made = pairs()
    found = stream(lambda: made)
    with pytest.raises(DataError, match="can be gone through only once"):
        found.draw(0, size=4, seed=0)
    with pytest.raises(DataError, match="can be gone through only once"):
        list(found.read(4))


@pytest.mark.parametrize("given", [lambda: iter(()), dataset().take(0).batch(4)], ids=["function", "dataset"])
def test_an_empty_stream_is_refused(given: Any) -> None:
    with pytest.raises(DataError, match="the dataset is empty"):
        stream(given)


def failing() -> Iterator[Any]:
    yield from pairs()
    raise KeyError("no such file")


def at_once() -> Iterator[Any]:
    raise KeyError("no such file")


@pytest.mark.parametrize("given", [failing, at_once])
def test_whatever_the_user_s_code_raises_is_an_error_of_the_data(given: Any) -> None:
    with pytest.raises(DataError, match="KeyError: 'no such file'") as caught:
        stream(given)
    assert caught.value.where == "here"
    assert isinstance(caught.value.__cause__, KeyError)


def test_somebody_who_waits_is_told_so_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []

    class Noting(Silent):
        def note(self, text: str) -> None:
            notes.append(text)

    def slow() -> Iterator[Any]:
        for batch in pairs(1):
            time.sleep(0.01)
            yield batch

    monkeypatch.setattr(streams, "_QUIET_SECONDS", 0.045)
    reading = Reading(steps_per_epoch=None, batch_size=None, seed=0, progress=Noting())
    open_stream(Unread(given=slow), MODEL, reading=reading, where="here")
    (said,) = notes
    assert said.startswith("here: still reading, ")
    assert "--steps-per-epoch" in said


def test_batches_of_several_inputs_are_put_in_the_model_s_order() -> None:
    interface = Interface(
        inputs=(Port(name="left", shape=(None, 2)), Port(name="right", shape=(None, 2))),
        outputs=MODEL.outputs,
    )
    given = tf.data.Dataset.from_tensor_slices(({"right": -X, "left": X}, Y)).batch(4)
    left, right = join(list(stream(given, interface=interface).read(99))).x
    np.testing.assert_array_equal(left, X)
    np.testing.assert_array_equal(right, -X)
    with pytest.raises(DataError, match="there is nothing for the input 'right'"):
        stream(tf.data.Dataset.from_tensor_slices(({"left": X}, Y)).batch(4), interface=interface)
