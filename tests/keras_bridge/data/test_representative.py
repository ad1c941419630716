"""The representative set: from the training part alone, by class, by the seed."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from edgeprune.keras_bridge.data.dataset import Data, InputRange
from edgeprune.keras_bridge.data.representative import Representative, draw_representative
from tests.keras_bridge.feeding import batch_of, hold_arrays, prepare


def made(x: np.ndarray, y: np.ndarray | None, *, y_test: np.ndarray | None = None) -> Data:
    return Data(
        train=hold_arrays(x, y),
        is_held_out=False,
        validation=batch_of(x[:1] * 0 - 1),
        test=hold_arrays(x[:1] * 0 - 2, y_test),
        facts=None,
        is_labelled=y is not None,
        class_names=None,
        source="made",
        notes=(),
        ranges=(InputRange(name="x", minimum=0.0, maximum=1.0, dtype="float32"),),
    )


def numbered(count: int) -> np.ndarray:
    return np.arange(count, dtype=np.float32)[:, None]


def labels(drawn: Representative) -> np.ndarray:
    (found,) = drawn.labels or ()
    return found


def test_samples_come_from_the_training_part_alone_and_once() -> None:
    drawn = draw_representative(made(numbered(500), None), seed=0)
    rows = drawn.inputs[0][:, 0]
    assert drawn.samples == len(set(rows.tolist())) == 200
    assert rows.min() >= 0
    assert drawn.selection == "drawn from the 500 training samples with seed 0"


def test_the_seed_decides() -> None:
    data = made(numbered(500), np.arange(500) % 7)
    one, same, other = (draw_representative(data, seed=seed).inputs[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("one_hot", [False, True])
def test_each_class_gives_its_share_and_the_rarest_at_least_one(one_hot: bool) -> None:
    y = np.array([0] * 700 + [1] * 299 + [2])
    labels = np.eye(3, dtype=np.float32)[y] if one_hot else y
    drawn = draw_representative(made(numbered(1000), labels), samples=100, seed=0)
    counts = np.bincount(y[drawn.inputs[0][:, 0].astype(int)])
    assert counts[2] == 1
    assert abs(counts[0] - 70) <= 1
    assert counts.sum() == 100
    assert not drawn.warnings
    assert "by class" in drawn.selection


def test_labels_stay_with_their_samples() -> None:
    y = np.arange(300) % 10
    drawn = draw_representative(made(numbered(300), y), samples=50, seed=0)
    np.testing.assert_array_equal(labels(drawn), drawn.inputs[0][:, 0].astype(int) % 10)


def test_fewer_samples_than_classes_are_warned_of() -> None:
    drawn = draw_representative(made(numbered(100), np.arange(100) % 10), samples=4, seed=0)
    assert len(set(labels(drawn).tolist())) == 4
    assert "6 of 10 classes have no sample" in drawn.warnings[0]


def test_a_class_that_only_the_test_part_has_is_warned_of_and_not_drawn() -> None:
    data = made(numbered(100), np.arange(100) % 2, y_test=np.array([2]))
    assert (
        "1 of 3 classes have no sample in the representative set (2)"
        in (draw_representative(data, seed=0).warnings[0])
    )


def test_channels_that_never_change_are_warned_of() -> None:
    images = np.random.default_rng(0).random((20, 4, 4, 3), dtype=np.float32)
    assert not draw_representative(made(images, None), seed=0).warnings
    images[..., 1] = 0.5
    (warning,) = draw_representative(made(images, None), seed=0).warnings
    assert "1 of 3 channels are constant" in warning
    assert "first channel 1" in warning


def test_values_as_labels_are_no_classes() -> None:
    drawn = draw_representative(made(numbered(30), np.linspace(0, 1, 30)[:, None]), seed=0)
    assert drawn.samples == 30
    assert "by class" not in drawn.selection


def test_features_of_very_different_scale_are_named_with_the_fix() -> None:
    rng = np.random.default_rng(0)
    x = np.stack([rng.uniform(0, 1, 300), rng.uniform(0, 1000, 300)], axis=1).astype(np.float32)
    seen = InputRange(name="x", minimum=0.0, maximum=1000.0, dtype="float32")
    (warning,) = draw_representative(replace(made(x, None), ranges=(seen,)), seed=0).warnings
    assert "1 of 2 features span less than 4 of the 256 steps" in warning
    assert "scale features alike before the model" in warning
    alike = x / np.array([1, 100], np.float32)
    same = InputRange(name="x", minimum=0.0, maximum=10.0, dtype="float32")
    assert not draw_representative(replace(made(alike, None), ranges=(same,)), seed=0).warnings


AGES = np.random.default_rng(0).integers(18, 90, 400)


@pytest.mark.parametrize(
    ("units", "y", "by_class"),
    [
        (1, AGES, False),
        (1, AGES[:, None], False),
        (3, AGES, False),  # quantiles, with a loss of one's own
        (1, AGES % 2, True),
        (1, AGES % 2 * 2 - 1, True),
        (5, AGES % 5, True),
        (5, np.eye(5, dtype=np.int64)[AGES % 5], True),
    ],
)
def test_integers_that_are_values_are_drawn_plainly(units: int, y: np.ndarray, by_class: bool) -> None:
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(units)])
    model.compile(loss=lambda y, p: keras.ops.mean(keras.ops.square(p)))
    data = prepare(model, numbered(400), y)
    drawn = draw_representative(data, samples=100, seed=0)
    assert ("by class" in drawn.selection) == by_class
    assert not drawn.warnings
    # A held-out tenth of ages would otherwise be every tenth of all, sorted.
    order = np.random.default_rng(0).permutation(400)[:40]
    plain = np.array_equal(np.sort(order), np.sort(data.validation.x[0][:, 0]))
    assert plain != by_class
