from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from edgeprune.errors import DataError, RecipeError, UnknownNameError
from edgeprune.keras_bridge.data.dataset import Data
from edgeprune.keras_bridge.training.compiled import find_output_activation
from edgeprune.keras_bridge.training.task import Task, resolve_task
from tests.keras_bridge.feeding import batch_of, prepare


def build(units: int, activation: str | None, **compiled: Any) -> keras.Model:
    model = keras.Sequential([keras.Input((4,)), layers.Dense(units, activation=activation)])
    if compiled:
        model.compile(**compiled)
    return model


def pack(model: keras.Model, labels: Sequence[Any] | np.ndarray | None) -> Data:
    y = None if labels is None else np.asarray(labels)
    count = 12 if y is None else len(y)
    x = tuple(np.zeros((count, *tensor.shape[1:]), np.float32) for tensor in model.inputs)
    return prepare(model, x, y)


def resolve(model: keras.Model, labels: Any, **flags: Any) -> Task:
    return resolve_task(model, pack(model, labels), **flags)


def loss_of(task: Task, labels: Any, predictions: Any, weights: Any = None) -> float:
    """The loss of one output's samples, reduced as Keras does it."""
    y, p = np.asarray(labels), keras.ops.convert_to_tensor(predictions)
    return float(task.loss((y,), [p], None if weights is None else (np.asarray(weights, np.float32),)))


CLASSES = [0, 1, 2, 0, 1, 2]
ONE_HOT = np.eye(3)[CLASSES]


@pytest.mark.parametrize(
    ("units", "activation", "labels", "loss", "kind", "logits"),
    [
        (3, "softmax", CLASSES, "sparse_categorical_crossentropy", "sparse", False),
        (3, None, CLASSES, "sparse_categorical_crossentropy", "sparse", True),
        (3, "softmax", ONE_HOT, "categorical_crossentropy", "one_hot", False),
        (3, None, ONE_HOT.astype(int), "categorical_crossentropy", "one_hot", True),
        (1, "sigmoid", [0, 1, 1, 0], "binary_crossentropy", "binary", False),
        (2, "sigmoid", [[0, 1], [1, 1], [0, 0], [1, 0]], "binary_crossentropy", "binary", False),
        (1, None, [0.5, 1.5, 2.5, 0.1], "mean_squared_error", "regression", True),
    ],
)
def test_output_and_labels_settle_the_loss_where_only_one_fits(
    units: int, activation: str | None, labels: Any, loss: str, kind: str, logits: bool
) -> None:
    task = resolve(build(units, activation), labels)
    assert (task.loss_name, task.label_kind, task.from_logits) == (loss, kind, logits)
    assert loss in task.origin
    assert "since the labels are" in task.origin


@pytest.mark.parametrize(
    ("units", "activation", "labels"),
    [
        (3, "sigmoid", CLASSES),
        (3, None, ONE_HOT),
        (1, None, [0, 1, 1, 0]),
        (1, None, [17, 42, 80, 3]),
        (3, "softmax", np.full((6, 3), 1 / 3)),
    ],
)
def test_a_loss_that_would_be_a_guess_is_asked_for(units: int, activation: str | None, labels: Any) -> None:
    with pytest.raises(RecipeError, match="--loss") as caught:
        resolve(build(units, activation), labels)
    assert "more than one possible" in caught.value.what


def test_the_flag_settles_it() -> None:
    task = resolve(build(1, None), [17, 42, 80, 3], loss="mae")
    assert (task.loss_name, task.metric, task.label_kind) == ("mean_absolute_error", "mae", "regression")
    assert "from --loss" in task.origin


def test_the_flag_outweighs_the_compiled_loss() -> None:
    task = resolve(build(1, "sigmoid", loss="mse"), [0, 1, 1, 0], loss="binary_crossentropy")
    assert task.loss_name == "binary_crossentropy"


def test_misspelt_flags_are_refused_with_the_nearest_name() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'accuracy'"):
        resolve(build(3, "softmax"), CLASSES, metric="acuracy")
    with pytest.raises(UnknownNameError, match="did you mean 'huber'"):
        resolve(build(1, None), [0.5, 1.5], loss="hubber")


def test_a_metric_that_cannot_be_computed_is_refused() -> None:
    with pytest.raises(RecipeError, match="accuracy, f1, auc"):
        resolve(build(3, "softmax"), CLASSES, metric="mae")
    with pytest.raises(RecipeError, match="agreement"):
        resolve(build(3, "softmax"), CLASSES, metric="agreement")


def test_a_metric_is_meant_of_the_one_output_that_has_it() -> None:
    image = keras.Input((4,))
    heads = [layers.Dense(2, name="centre"), layers.Dense(3, activation="softmax", name="shape")]
    model = keras.Model(image, [head(image) for head in heads])
    data = prepare(model, (np.zeros((6, 4), np.float32),), [np.full((6, 2), 0.5), np.asarray(CLASSES)])
    assert resolve_task(model, data, metric="accuracy").metric == "shape_accuracy"
    assert resolve_task(model, data, metric="rmse").metric == "centre_rmse"
    with pytest.raises(RecipeError, match=r"output 'centre' .*name an output that has it, shape=f1"):
        resolve_task(model, data, metric="centre=f1")


@pytest.mark.parametrize("metric", ["accuracy", "acc", keras.metrics.CategoricalAccuracy()])
def test_a_compiled_one_hot_loss_takes_class_numbers(metric: Any) -> None:
    task = resolve(build(3, "softmax", loss="categorical_crossentropy", metrics=[metric]), CLASSES)
    assert (task.loss_name, task.label_kind) == ("sparse_categorical_crossentropy", "sparse")
    assert (task.metric, "as compiled" in task.origin) == ("accuracy", True)
    assert "since the labels are integers" in task.origin
    # −ln 0.5 and −ln 0.2, one by one and as their mean.
    predictions = [[0.5, 0.3, 0.2], [0.7, 0.1, 0.2]]
    assert loss_of(task, [0], predictions[:1]) == pytest.approx(0.693147, rel=1e-4)
    assert loss_of(task, [2], predictions[1:]) == pytest.approx(1.609438, rel=1e-4)
    assert loss_of(task, [0, 2], predictions) == pytest.approx((0.693147 + 1.609438) / 2, rel=1e-4)


def test_label_smoothing_survives_the_change_to_class_numbers() -> None:
    loss = keras.losses.CategoricalCrossentropy(label_smoothing=0.3)
    task = resolve(build(3, "softmax", loss=loss), CLASSES)
    # Labels become 0.8, 0.1, 0.1: −0.8 ln 0.5 − 0.1 ln 0.25 − 0.1 ln 0.25.
    assert loss_of(task, [0], [[0.5, 0.25, 0.25]]) == pytest.approx(0.831777, rel=1e-4)


def test_a_compiled_sparse_loss_takes_one_hot_labels() -> None:
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    task = resolve(build(3, None, loss=loss), ONE_HOT)
    assert (task.loss_name, task.label_kind, task.from_logits) == (
        "categorical_crossentropy",
        "one_hot",
        True,
    )
    # All logits equal: −ln ⅓.
    assert loss_of(task, [[0.0, 1.0, 0.0]], [[0.0, 0.0, 0.0]]) == pytest.approx(1.098612, rel=1e-4)


def test_flat_labels_are_not_broadcast_against_a_column_of_outputs() -> None:
    task = resolve(build(1, None, loss="mse"), [1.5, 2.5, 3.5, 4.5])
    # (1.5 − 1)² and (4.5 − 4)²; broadcast, there would be (1.5 − 4)² too.
    assert loss_of(task, [1.5, 4.5], [[1.0], [4.0]]) == pytest.approx(0.25)


def test_a_loss_of_the_models_own_is_used_as_it_is() -> None:
    def halved(y: Any, p: Any) -> Any:
        return keras.losses.sparse_categorical_crossentropy(y, p) / 2

    task = resolve(build(3, "softmax", loss=halved), CLASSES)
    assert (task.loss_name, task.label_kind, task.metric) == ("halved", "sparse", "accuracy")
    assert loss_of(task, [0], [[0.5, 0.3, 0.2]]) == pytest.approx(0.693147 / 2, rel=1e-4)


def test_the_first_compiled_metric_that_can_be_computed_is_taken() -> None:
    metrics = ["mae", keras.metrics.AUC(), "accuracy"]
    assert resolve(build(1, "sigmoid", loss="bce", metrics=["auc", "accuracy"]), [0, 1]).metric == "auc"
    assert (
        resolve(build(3, "softmax", loss="categorical_crossentropy", metrics=metrics), CLASSES).metric
        == "auc"
    )


@pytest.mark.parametrize(
    ("units", "activation", "loss", "labels"),
    [
        (3, "softmax", "sparse_categorical_crossentropy", CLASSES),
        (3, "softmax", "categorical_crossentropy", ONE_HOT),
        (1, "sigmoid", "binary_crossentropy", [0, 1, 1, 0, 1, 1]),
    ],
)
@pytest.mark.parametrize("given", ["accuracy", "acc"])
def test_a_weighted_accuracy_is_that_which_keras_takes_for_the_labels(
    units: int, activation: str, loss: str, labels: Any, given: str
) -> None:
    keras.utils.set_random_seed(0)
    model = build(units, activation, loss=loss, weighted_metrics=[given])
    y, weights = np.asarray(labels), np.arange(6, dtype=np.float32)
    x = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    theirs = model.evaluate(x, y, sample_weight=weights, verbose=0, return_dict=True)[given]
    (first, *_) = resolve(model, labels).scores
    assert first.name == given
    assert first.higher_is_better
    predicted = [model.predict(x, verbose=0)]
    assert first.of(predicted, (y,), weights=(weights,)) == pytest.approx(theirs, rel=1e-5)


SPREAD = [0, 0, 1, 1, 0, 1]
BITS = [[0, 1, 1], [1, 1, 0], [0, 0, 0], [1, 0, 1], [0, 1, 0], [1, 1, 1]]
LOGITS = keras.losses.BinaryCrossentropy(from_logits=True)


@pytest.mark.parametrize(
    ("units", "activation", "loss", "labels", "metric"),
    [
        (1, None, LOGITS, SPREAD, "accuracy"),
        (1, None, LOGITS, SPREAD, "acc"),
        (1, None, LOGITS, SPREAD, "binary_accuracy"),
        (1, None, LOGITS, SPREAD, keras.metrics.BinaryAccuracy(threshold=0.0)),
        (1, "sigmoid", "binary_crossentropy", SPREAD, "accuracy"),
        (3, "sigmoid", "binary_crossentropy", BITS, "accuracy"),
        (3, "sigmoid", "binary_crossentropy", BITS, "binary_accuracy"),
        (3, None, LOGITS, BITS, "accuracy"),
        (3, "softmax", "categorical_crossentropy", ONE_HOT, "binary_accuracy"),
        (3, "softmax", keras.losses.SparseCategoricalCrossentropy(ignore_class=2), CLASSES, "accuracy"),
        (3, None, "mse", np.linspace(-1, 1, 18).reshape(6, 3), "r2_score"),
        (3, "softmax", "categorical_crossentropy", ONE_HOT, "f1_score"),
        (3, None, "mse", np.linspace(-1, 1, 18).reshape(6, 3), "mae"),
    ],
)
def test_a_compiled_metric_is_the_number_that_evaluate_gives(
    units: int, activation: str | None, loss: Any, labels: Any, metric: Any
) -> None:
    keras.utils.set_random_seed(0)
    model = build(units, activation, loss=loss, metrics=[metric])
    y = np.asarray(labels)
    if y.dtype != np.float64 and metric in ("f1_score",):
        y = y.astype(np.float32)
    x = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
    theirs = list(model.evaluate(x, y, verbose=0, return_dict=True).items())
    value = next(found for name, found in theirs if name != "loss")
    (first, *_) = resolve(model, y).scores
    assert first.of([model.predict(x, verbose=0)], (y,)) == pytest.approx(np.mean(value), rel=1e-5)


RARE = np.random.default_rng(2).random(100) < 0.1
TAGS = np.random.default_rng(3).integers(0, 2, (100, 6))
TENS = np.random.default_rng(4).integers(0, 10, 100)
AMOUNTS = np.random.default_rng(5).normal(size=(100, 1))
BINARY, SPARSE = "binary_crossentropy", "sparse_categorical_crossentropy"


@pytest.mark.parametrize(
    ("units", "activation", "loss", "labels", "metric"),
    [
        (1, "sigmoid", BINARY, RARE, keras.metrics.AUC(curve="PR", name="pr_auc")),
        (1, "sigmoid", BINARY, RARE, keras.metrics.AUC()),
        (10, "softmax", SPARSE, TENS, keras.metrics.SparseTopKCategoricalAccuracy(k=2)),
        (1, "sigmoid", BINARY, RARE, keras.metrics.BinaryAccuracy(threshold=0.05)),
        (1, "sigmoid", BINARY, RARE, keras.metrics.Precision()),
        (1, "sigmoid", BINARY, RARE, keras.metrics.Recall()),
        (1, "sigmoid", BINARY, RARE, keras.metrics.RecallAtPrecision(0.5)),
        (6, "sigmoid", BINARY, TAGS, keras.metrics.F1Score(average="macro", threshold=0.5)),
        (6, "sigmoid", BINARY, TAGS, keras.metrics.F1Score(average="micro", threshold=0.5)),
        (6, "sigmoid", BINARY, TAGS, keras.metrics.AUC(multi_label=True)),
        (1, "sigmoid", BINARY, RARE, keras.metrics.BinaryIoU(target_class_ids=[1])),
        (1, None, "mse", AMOUNTS, keras.metrics.CosineSimilarity()),
        (1, None, "mse", AMOUNTS, keras.metrics.MeanAbsolutePercentageError()),
        (1, None, "mse", AMOUNTS, keras.metrics.R2Score()),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_metrics_of_a_meaning_of_their_own_are_what_evaluate_gives(
    units: int, activation: str | None, loss: str, labels: np.ndarray, metric: Any
) -> None:
    keras.utils.set_random_seed(0)
    model = build(units, activation, loss=loss, metrics=[metric])
    y = labels if labels is TENS else labels.astype(np.float32)
    x = np.random.default_rng(1).normal(size=(100, 4)).astype(np.float32)
    theirs = model.evaluate(x, y, verbose=0, return_dict=True)
    (first, *_) = resolve(model, y).scores
    found = first.of([model.predict(x, verbose=0)], (y,))
    assert found == pytest.approx(theirs[metric.name], rel=1e-5, abs=1e-7)


def test_the_threshold_of_logits_is_said() -> None:
    said = "cut at 0.5 as Keras does, although the outputs are logits"
    assert said in resolve(build(1, None, loss=LOGITS, metrics=["accuracy"]), SPREAD).origin
    assert said not in resolve(build(1, "sigmoid", loss="bce", metrics=["accuracy"]), SPREAD).origin
    own = keras.metrics.BinaryAccuracy(threshold=0.0)
    assert said not in resolve(build(1, None, loss=LOGITS, metrics=[own]), SPREAD).origin


def test_places_that_are_masked_do_not_count_for_errors_either() -> None:
    source = keras.Input((3, 2))
    model = keras.Model(source, layers.Dense(2)(layers.Masking(0.0)(source)))
    model.compile(loss="mse", metrics=["mae"])
    x = np.random.default_rng(0).normal(size=(6, 3, 2)).astype(np.float32)
    x[:3, 1:] = 0
    y = np.random.default_rng(1).normal(size=(6, 3, 2)).astype(np.float32)
    theirs = model.evaluate(x, y, verbose=0, return_dict=True)["mae"]
    (first, *_) = resolve(model, y).scores
    mask = (x != 0).any(axis=-1)
    ours = first.of([model.predict(x, verbose=0)], (y,), masks=[mask])
    assert ours == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "units", "labels", "said"),
    [
        ("binary_crossentropy", 1, [-1, 1, 1, -1], r"\(y \+ 1\) / 2"),
        ("binary_crossentropy", 1, [0, 1, 2, 1], "0 or 1 per output"),
        ("mse", 3, CLASSES, "values of the output's shape"),
    ],
)
def test_labels_that_do_not_fit_the_compiled_loss_are_refused(
    loss: str, units: int, labels: Any, said: str
) -> None:
    with pytest.raises(DataError, match=said):
        resolve(build(units, "sigmoid", loss=loss), labels)


def test_an_autoencoder_without_labels_is_judged_by_its_input() -> None:
    task = resolve(build(4, None, loss="mse"), None)
    assert (task.label_kind, task.metric, task.higher_is_better) == ("reconstruction", "mse", False)
    batch = batch_of(np.zeros((2, 4)))
    labels = task.complete(batch).y
    assert labels is not None
    assert labels[0] is batch.x[0]
    assert task.score(np.full((2, 4), 3.0), batch.x[0]) == 9.0


def test_a_classifier_without_labels_is_judged_by_agreement_with_the_original() -> None:
    task = resolve(build(3, "softmax"), None)
    assert (task.label_kind, task.metric, task.output_kind) == ("none", "agreement", "classes")
    original = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    assert task.score(np.array([[0.4, 0.3, 0.3], [0.5, 0.4, 0.1]]), original) == 0.5
    assert "original model" in task.origin


def test_a_classifier_as_wide_as_its_input_is_no_autoencoder() -> None:
    assert resolve(build(4, "softmax"), None).label_kind == "none"
    assert resolve(build(4, None, loss="sparse_categorical_crossentropy"), None).label_kind == "none"


def test_other_outputs_without_labels_are_judged_by_the_variance_explained() -> None:
    task = resolve(build(2, None), None)
    assert (task.label_kind, task.metric, task.higher_is_better) == ("none", "r2", True)
    assert task.score(np.array([[1.0, 1.0]]), np.array([[0.0, 2.0]])) == 0.0


def test_several_outputs_without_labels_are_scored_by_their_mean() -> None:
    inputs = keras.Input((4,))
    model = keras.Model(inputs, [layers.Dense(2)(inputs), layers.Dense(2)(inputs)])
    task = resolve(model, None)
    first, second = np.array([[0.0, 2.0]]), np.array([[4.0, 8.0]])
    assert task.score([first, np.array([[6.0, 6.0]])], [first, second]) == 0.5


@pytest.mark.parametrize(
    ("task", "predictions", "labels", "score"),
    [
        ((3, "softmax", CLASSES), [[0.1, 0.8, 0.1], [0.6, 0.3, 0.1]], [1, 2], 0.5),
        ((3, "softmax", ONE_HOT), [[0.1, 0.8, 0.1], [0.6, 0.3, 0.1]], [[0, 1, 0], [0, 0, 1]], 0.5),
        ((1, "sigmoid", [0, 1]), [[0.4], [0.6], [0.7]], [0, 1, 0], 2 / 3),
        ((2, "sigmoid", [[0, 1], [1, 1]]), [[0.9, 0.1]], [[1, 1]], 0.5),
    ],
)
def test_scores_can_be_redone_by_hand(task: Any, predictions: Any, labels: Any, score: float) -> None:
    units, activation, trained_on = task
    resolved = resolve(build(units, activation), trained_on)
    assert resolved.score(np.array(predictions), np.array(labels)) == pytest.approx(score)


def test_samples_without_labels_are_judged_by_the_outputs_of_the_original() -> None:
    task = resolve(build(3, "softmax"), CLASSES)
    original = np.array([[0.1, 0.8, 0.1], [0.6, 0.3, 0.1]])
    assert task.score(np.array([[0.3, 0.4, 0.3], [0.2, 0.7, 0.1]]), original) == 0.5
    task = resolve(build(1, None, loss=keras.losses.BinaryCrossentropy(from_logits=True)), [0, 1, 1])
    assert task.score(np.array([[0.2], [-3.0]]), np.array([[0.3], [0.2]])) == 0.5


def test_logits_are_cut_at_zero() -> None:
    task = resolve(build(1, None, loss=keras.losses.BinaryCrossentropy(from_logits=True)), [0, 1, 1])
    assert task.score(np.array([[0.3], [-0.3]]), np.array([1, 0])) == 1.0


def test_every_pixel_of_a_segmentation_counts() -> None:
    inputs = keras.Input((2, 2, 1))
    model = keras.Model(inputs, layers.Conv2D(3, 1, activation="softmax")(inputs))
    labels = np.zeros((6, 2, 2, 1), int)
    labels[0, 0, 0] = 2
    task = resolve(model, labels)
    predictions = np.zeros((1, 2, 2, 3))
    predictions[..., 0] = 1
    assert task.label_kind == "sparse"
    assert task.score(predictions, labels[:1, ..., 0]) == 0.75


def test_a_drop_is_absolute_for_scores_and_relative_for_errors() -> None:
    score, error = resolve(build(3, "softmax"), CLASSES), resolve(build(1, None), [0.5, 1.5])
    assert score.drop(before=0.93, after=0.91) == pytest.approx(0.02)
    assert score.worst_allowed(0.93, max_drop=0.02) == pytest.approx(0.91)
    assert error.drop(before=0.50, after=0.51) == pytest.approx(0.02)
    assert error.worst_allowed(0.50, max_drop=0.02) == pytest.approx(0.51)
    # An error of 0 has no share to grow by: it grows absolutely.
    assert error.drop(before=0.0, after=0.1) == pytest.approx(0.1)
    assert error.worst_allowed(0.0, max_drop=0.02) == pytest.approx(0.02)


def test_the_last_activation_is_found_through_reshapes_and_nested_models() -> None:
    inputs = keras.Input((4,))
    inner = keras.Model(inputs, layers.Dense(6, activation="sigmoid")(inputs))
    outside = keras.Input((4,))
    assert find_output_activation(keras.Model(outside, layers.Reshape((2, 3))(inner(outside)))) == "sigmoid"
    assert find_output_activation(keras.Model(outside, layers.Softmax()(inner(outside)))) == "softmax"
    assert find_output_activation(keras.Model(outside, keras.ops.softmax(inner(outside)))) == "softmax"
    assert find_output_activation(keras.Model(outside, layers.ReLU()(outside))) == "relu"
    assert find_output_activation(build(2, None)) == "linear"
    assert find_output_activation(keras.Model(outside, outside + 1.0)) == "linear"


def test_two_metrics_of_one_name_are_told_apart() -> None:
    metrics = [keras.metrics.AUC(name="area"), keras.metrics.AUC(curve="PR", name="area_1")]
    task = resolve(build(1, "sigmoid", loss="bce", metrics=metrics), [0, 1])
    assert [score.name for score in task.scores] == ["area", "area#2"]
