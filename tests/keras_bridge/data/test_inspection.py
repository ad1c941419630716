"""One look at all data of a part: what is refused, what is measured, what becomes of it."""

import re
from typing import Any

import numpy as np
import pytest

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data import inspection
from edgeprune.keras_bridge.data.batches import Rows
from edgeprune.keras_bridge.data.inspection import Inspection
from edgeprune.keras_bridge.data.parts import Interface, Port
from tests.keras_bridge.feeding import batch_of, everything, hold_arrays

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.array([0, 1, 2, 0, 1, 2])


def inspect(*outputs: tuple[int | None, ...], class_weights: dict[int, float] | None = None) -> Inspection:
    ports = tuple(Port(name=f"out_{i}", shape=shape) for i, shape in enumerate(outputs or ((None, 3),)))
    interface = Interface(inputs=(Port(name="x", shape=(None, 2)),), outputs=ports)
    return Inspection(interface, part="train", where="here", class_weights=class_weights)


def test_ranges_and_labels_are_measured_over_all_batches() -> None:
    look = inspect()
    look.look(batch_of(X[:2], Y[:2]))
    look.look(batch_of(X[2:], Y[2:]))
    assert (look.spans, look.dtypes) == ([(0.0, 11.0)], ["float32"])
    assert look.facts is not None
    (facts,) = look.facts
    assert (facts.low, facts.high, facts.are_integers, facts.are_bits) == (0, 2, True, False)


def test_a_fault_tells_the_number_of_its_sample_in_the_whole_part() -> None:
    look = inspect()
    look.look(batch_of(X, Y))
    bad = X.copy()
    bad[4, 1] = np.nan
    with pytest.raises(DataError, match="x_train holds NaN, first in sample 10"):
        look.look(batch_of(bad, Y))


def test_doubles_are_measured_as_stored_and_handed_on_as_floats() -> None:
    look = inspect()
    rows = look.look_at_rows(hold_arrays(X.astype(np.float64), Y))
    assert look.dtypes == ["float64"]
    assert everything(rows).x[0].dtype == np.float32


def test_a_double_that_no_float_can_hold_is_refused() -> None:
    bad = X.astype(np.float64)
    bad[3, 1] = 1e300
    with pytest.raises(DataError, match=r"x_train holds .*first in sample 3"):
        inspect().look(batch_of(bad, Y))


@pytest.mark.parametrize("chunk", [1, 2**20])
def test_rows_are_looked_at_in_pieces_and_prepared_when_they_are_fetched(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inspection, "_CHUNK_BYTES", chunk)
    look = inspect()
    rows = look.look_at_rows(hold_arrays(X.astype(np.float64), Y[:, None]))
    batch = everything(rows)
    assert batch.x[0].dtype == np.float32
    np.testing.assert_array_equal((batch.y or ())[0], Y)
    assert look.spans == [(0.0, 11.0)]
    with pytest.raises(DataError, match="y_train holds 7"):
        inspect().look_at_rows(hold_arrays(X, np.array([0, 1, 2, 0, 1, 7])))


def test_of_what_has_to_be_decoded_a_sample_is_looked_at() -> None:
    seen: list[int] = []

    def fetch(rows: np.ndarray) -> Any:
        seen.append(len(rows))
        return batch_of(np.zeros((len(rows), 2), np.float32), np.zeros(len(rows), int))

    inspect().look_at_rows(Rows(count=10_000, fetch=fetch, is_costly=True))
    assert seen == [256]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ([1, 1, -0.5, 1, 1, 1], "w_train holds negative weights"),
        ([1, 1, np.nan, 1, 1, 1], "w_train holds NaN, first in sample 2"),
        ([1, 1, np.inf, 1, 1, 1], "w_train holds infinity, first in sample 2"),
        ([1, 1], "w_train has 2 weights for 6 samples"),
    ],
)
@pytest.mark.parametrize("as_rows", [True, False])
def test_weights_that_are_none_are_refused(weights: list[float], said: str, as_rows: bool) -> None:
    given = np.asarray(weights, np.float32)
    look = inspect()
    with pytest.raises(DataError, match=re.escape(said)):
        look.look_at_rows(hold_arrays(X, Y, given)) if as_rows else look.look(batch_of(X, Y, given))


def weigh(look: Inspection, y: Any, weights: Any = None) -> list[float]:
    batch = look.look(batch_of(X[: len(y)], y, weights))
    (found,) = batch.weights or ()
    return [round(float(weight), 6) for weight in found]


def test_class_weights_become_weights_of_the_samples() -> None:
    classes = {0: 2.0, 2: 0.5}
    assert weigh(inspect(class_weights=classes), Y) == [2, 1, 0.5, 2, 1, 0.5], "1 where nothing is said"
    assert weigh(inspect(class_weights=classes), Y[:, None]) == [2, 1, 0.5, 2, 1, 0.5]
    assert weigh(inspect(class_weights=classes), np.eye(3)[Y]) == [2, 1, 0.5, 2, 1, 0.5]


def test_class_weights_multiply_those_of_the_samples() -> None:
    weights = np.array([1, 1, 1, 3, 3, 0], np.float32)
    assert weigh(inspect(class_weights={0: 2.0}), Y, weights) == [2, 1, 1, 6, 3, 0]


@pytest.mark.parametrize("column", [True, False])
def test_classes_0_and_1_of_a_single_output_are_weighed_too(column: bool) -> None:
    y = np.array([0, 1, 1])
    given = y[:, None].astype(np.float32) if column else y
    assert weigh(inspect((None, 1), class_weights={1: 3.0}), given) == [1, 3, 3]


def test_labels_of_each_output_are_measured_apart() -> None:
    look = inspect((None, 3), (None, 1))
    look.look(batch_of(X, (Y, Y / 10)))
    assert look.facts is not None
    assert [facts.are_integers for facts in look.facts] == [True, False]
    with pytest.raises(DataError, match="y_train_out_0 holds 3, 4, 5, but"):
        inspect((None, 3), (None, 1)).look(batch_of(X, (Y + 3, Y / 10)))


def test_labels_in_another_order_are_told_the_models() -> None:
    with pytest.raises(DataError, match=r"taken in the model's order: out_0, out_1"):
        inspect((None, 3), (None, 2)).look(batch_of(X, (np.eye(2)[Y % 2], Y)))
