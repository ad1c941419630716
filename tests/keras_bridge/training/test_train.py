import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.keras_bridge.data.augment import Augmentation
from edgeprune.keras_bridge.data.dataset import Data
from edgeprune.keras_bridge.training.distiller import distance_of
from edgeprune.keras_bridge.training.inference import feed, predict, reestimate_batch_norm
from edgeprune.keras_bridge.training.optimizers import Optimizing
from edgeprune.keras_bridge.training.task import Task, resolve_task
from edgeprune.keras_bridge.training.train import (
    USUAL_SHARE,
    Recovery,
    Trained,
    Training,
    Tuner,
    draw_batch,
    steps_per_epoch,
)
from tests.keras_bridge.feeding import hold_arrays, inputs_of, prepare

START = Trained(step=0, optimizer=[], losses=[])


def make_model(seed: int, *, dropout: bool = False) -> keras.Model:
    """A tiny classifier with everything that has a state: normalization, dropout, bias."""
    keras.utils.set_random_seed(seed)
    image = keras.Input((6, 6, 1))
    x = layers.Conv2D(4, 3)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Dropout(0.5)(x) if dropout else x
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(3, activation="softmax")(x))


def make_data(*, labelled: bool = True, count: int = 40) -> Data:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((count, 6, 6, 1)).astype(np.float32)
    y = rng.integers(0, 3, count) if labelled else None
    return prepare(make_model(0), x, y, parts=("train", "test", "val"))


def make_training(*, labelled: bool = True) -> Training:
    data = make_data(labelled=labelled)
    task: Task = resolve_task(make_model(0), data)
    return Training(source=data.train, task=task, is_labelled=data.is_labelled)


def test_the_teacher_is_asked_beside_losses_that_it_knows() -> None:
    def own(y, p):
        return keras.ops.mean(keras.ops.square(keras.ops.one_hot(y, 3) - p), axis=-1)

    data, shares = make_data(), {}
    for name, loss in (("known", "sparse_categorical_crossentropy"), ("own", own)):
        model = make_model(0)
        model.compile("adam", loss)
        task = resolve_task(model, data)
        shares[name] = Training(source=data.train, task=task, is_labelled=True).teacher_share
        assert Training(source=data.train, task=task, is_labelled=False).teacher_share == USUAL_SHARE
    assert shares == {"known": USUAL_SHARE, "own": 0.0}


def train_on(*inputs: np.ndarray) -> Training:
    """On inputs alone, whatever they are."""
    return Training(source=hold_arrays(inputs), task=make_training().task, is_labelled=False)


def weights_after(pieces: list[int], *, dropout: bool, fresh_tuner: bool) -> list[np.ndarray]:
    recovery = Recovery(
        total_steps=sum(pieces), batch_size=8, augmentation=Augmentation(flip=True, shift=1), seed=3
    )
    student, teacher, training = make_model(1, dropout=dropout), make_model(2), make_training()
    tuner, state = Tuner(student, teacher, training=training, recovery=recovery), START
    for steps in pieces:
        if fresh_tuner:
            tuner = Tuner(student, teacher, training=training, recovery=recovery)
        state = tuner.tune(steps, start=state)
    assert state.step == sum(pieces)
    assert len(state.losses) == len(pieces)
    return student.get_weights()


@pytest.mark.parametrize("dropout", [False, True])
@pytest.mark.parametrize("fresh_tuner", [False, True])
def test_a_run_cut_in_pieces_gives_the_same_weights_bit_for_bit(dropout: bool, fresh_tuner: bool) -> None:
    whole = weights_after([9], dropout=dropout, fresh_tuner=False)
    pieces = weights_after([2, 4, 3], dropout=dropout, fresh_tuner=fresh_tuner)
    for a, b in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_number_of_steps_gives_other_weights() -> None:
    whole, fewer = (weights_after([n], dropout=False, fresh_tuner=False) for n in (9, 8))
    assert any((a != b).any() for a, b in zip(whole, fewer, strict=True))


def test_the_learning_rate_warms_up_and_ends_at_zero() -> None:
    recovery = Recovery(total_steps=1000, optimizing=Optimizing(learning_rate=0.01))
    assert recovery.rate_at(0) == pytest.approx(0.01 / 100)
    assert recovery.rate_at(500) == pytest.approx(0.01 / 2)
    assert recovery.rate_at(1000) == pytest.approx(0, abs=1e-12)
    assert recovery.rate_at(5000) == pytest.approx(0, abs=1e-12)
    rates = [recovery.rate_at(step) for step in range(100, 1001)]
    assert rates == sorted(rates, reverse=True)


def test_an_epoch_takes_every_sample_once_and_the_next_in_another_order() -> None:
    training = train_on(np.arange(12.0)[:, None])
    recovery = Recovery(total_steps=8, batch_size=3)
    epochs = [
        [draw_batch(training, recovery=recovery, step=4 * epoch + i).x[0].ravel() for i in range(4)]
        for epoch in (0, 1)
    ]
    for epoch in epochs:
        assert sorted(np.concatenate(epoch).tolist()) == list(range(12))
    assert [rows.tolist() for rows in epochs[0]] != [rows.tolist() for rows in epochs[1]]


def test_the_last_incomplete_batch_is_left_out() -> None:
    training = train_on(np.arange(10.0)[:, None])
    recovery = Recovery(total_steps=8, batch_size=4)
    rows = np.concatenate([draw_batch(training, recovery=recovery, step=i).x[0].ravel() for i in range(2)])
    assert len(rows) == len(set(rows.tolist())) == 8
    assert steps_per_epoch(training, recovery) == 2
    assert steps_per_epoch(training, Recovery(total_steps=1, batch_size=64)) == 1


def test_a_batch_holds_the_same_rows_of_all_inputs_and_labels() -> None:
    numbers = np.arange(10)
    inputs = (np.stack([2 * numbers, 2 * numbers + 1], axis=1).astype(np.uint8), numbers[:, None])
    source, task = hold_arrays(inputs, numbers), make_training().task
    training = Training(source=source, task=task, is_labelled=True)
    batch = draw_batch(training, recovery=Recovery(total_steps=1, batch_size=4), step=7)
    assert batch.y is not None
    (rows,) = batch.y
    assert len(rows) == 4
    for drawn, array in zip(batch.x, inputs, strict=True):
        assert drawn.dtype == array.dtype
        np.testing.assert_array_equal(drawn, array[rows])


def test_arrays_are_fed_as_floats_where_the_model_takes_floats() -> None:
    words = keras.Input((3,), dtype="int32")
    image = keras.Input((3,))
    model = keras.Model([words, image], [layers.Embedding(9, 2)(words), layers.Dense(2)(image)])
    fed = feed(model, (np.ones((2, 3), np.int64), np.ones((2, 3), np.uint8)))
    assert [str(array.dtype) for array in fed] == ["int32", "float32"]


def test_distance_of_classifiers_is_the_softened_cross_entropy() -> None:
    (output,) = make_training().task.outputs
    taught = np.array([[0.7, 0.2, 0.1]], np.float32)
    same = float(distance_of(output, taught, taught, temperature=1.0))
    assert same == pytest.approx(-(0.7 * np.log(0.7) + 0.2 * np.log(0.2) + 0.1 * np.log(0.1)), rel=1e-4)
    other = np.array([[0.1, 0.2, 0.7]], np.float32)
    expected = -(0.7 * np.log(0.1) + 0.2 * np.log(0.2) + 0.1 * np.log(0.7))
    assert float(distance_of(output, other, taught, temperature=1.0)) == pytest.approx(expected, rel=1e-4)


def test_distillation_without_labels_brings_the_student_to_the_teacher() -> None:
    training = make_training(labelled=False)
    student, teacher = make_model(1), make_model(2)
    teacher.layers[-1].kernel.assign(teacher.layers[-1].kernel * 3)  # so that it has opinions

    def gap() -> float:
        x = inputs_of(training.source)
        (found,), (wanted,) = predict(student, x), predict(teacher, x)
        return float(np.abs(found - wanted).mean())

    before = gap()
    recovery = Recovery(total_steps=150, batch_size=20, optimizing=Optimizing(learning_rate=0.02))
    Tuner(student, teacher, training=training, recovery=recovery).tune(150, start=START)
    assert gap() < 0.5 * before


def test_the_teacher_is_left_as_it_was() -> None:
    training, student, teacher = make_training(), make_model(1), make_model(2)
    before = teacher.get_weights()
    recovery = Recovery(total_steps=3, batch_size=8)
    Tuner(student, teacher, training=training, recovery=recovery).tune(3, start=START)
    for a, b in zip(before, teacher.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_predictions_do_not_depend_on_the_batch_size() -> None:
    model = make_model(0)
    x = inputs_of(make_data().train)
    (few,), (many,) = predict(model, x, batch_size=7), predict(model, x, batch_size=1000)
    assert few.shape == (len(x[0]), 3)
    np.testing.assert_allclose(few, many, atol=1e-6)


def test_reestimated_statistics_are_the_mean_over_batches() -> None:
    image = keras.Input((4,))
    model = keras.Model(image, layers.BatchNormalization()(image))
    x = np.random.default_rng(0).normal(3, 2, (64, 4)).astype(np.float32)
    assert reestimate_batch_norm(model, hold_arrays(x), batch_size=16, batches=6, seed=5) == 1
    drawing = Recovery(total_steps=6, batch_size=16, seed=5)
    drawn = [draw_batch(train_on(x), recovery=drawing, step=i).x[0] for i in range(6)]
    norm = model.layers[-1]
    np.testing.assert_allclose(norm.moving_mean, np.mean([b.mean(axis=0) for b in drawn], axis=0), rtol=1e-5)
    np.testing.assert_allclose(
        norm.moving_variance, np.mean([b.var(axis=0) for b in drawn], axis=0), rtol=1e-5
    )
    assert norm.momentum == 0.99


def test_asked_again_they_are_those_of_the_weights_and_samples_of_then() -> None:
    image = keras.Input((4,))
    dense, norm = layers.Dense(4, use_bias=False), layers.BatchNormalization()
    model = keras.Model(image, norm(dense(image)))
    x = np.random.default_rng(0).normal(3, 2, (64, 4)).astype(np.float32)
    for factor, momentum in ((1.0, 0.99), (5.0, 0.9)):
        dense.set_weights([factor * np.eye(4)])
        norm.momentum = momentum
        reestimate_batch_norm(model, hold_arrays(factor * x), batch_size=64, batches=1, seed=0)
        np.testing.assert_allclose(norm.moving_mean, factor**2 * x.mean(axis=0), rtol=0.2)
        assert norm.momentum == momentum


def test_statistics_that_are_not_trained_are_not_reestimated() -> None:
    image = keras.Input((4,))
    model = keras.Model(image, layers.BatchNormalization(trainable=False)(image))
    x = np.ones((8, 4), np.float32)
    assert reestimate_batch_norm(model, hold_arrays(x), seed=0) == 0
    np.testing.assert_array_equal(model.layers[-1].moving_mean, np.zeros(4))


def test_the_teacher_fades_only_where_there_are_labels_and_it_was_asked_for() -> None:
    fading, steady = (Recovery(total_steps=10, fading=fades) for fades in (True, False))
    assert [fading.weight_at(step, labelled=True) for step in (0, 5, 10)] == [0.9, 0.45, 0.0]
    assert [steady.weight_at(step, labelled=True) for step in (0, 5, 10)] == [0.9, 0.9, 0.9]
    assert fading.weight_at(9, labelled=False) == 1.0
