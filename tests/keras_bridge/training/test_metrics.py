import numpy as np
import pytest

from edgeprune.keras_bridge.training.metrics import (
    METRICS,
    find_metric,
    score_auc,
    score_f1,
    score_r2,
    score_top_5,
)


def test_f1_of_two_classes_is_that_of_the_positive_class() -> None:
    # One hit, one false alarm, one miss: 2 · 1 / (2 + 2).
    assert score_f1(np.array([1, 1, 0, 0]), np.array([1, 0, 1, 0])) == 0.5


def test_f1_of_three_classes_is_their_mean() -> None:
    # Class 0: 2·1/(1+2) = 2/3; class 1: 2·1/(2+1) = 2/3; class 2: 1.
    assert score_f1(np.array([0, 1, 1, 2]), np.array([0, 0, 1, 2])) == pytest.approx(7 / 9)


def test_auc_counts_the_pairs_in_the_right_order() -> None:
    # Positives 0.8 and 0.4 against negatives 0.6 and 0.2: three of four pairs are right.
    assert score_auc(np.array([0.8, 0.4, 0.6, 0.2]), np.array([1, 1, 0, 0])) == 0.75


def test_auc_counts_a_tie_as_half_a_pair() -> None:
    assert score_auc(np.array([0.5, 0.5]), np.array([1, 0])) == 0.5


def test_auc_of_several_classes_leaves_absent_ones_out() -> None:
    scores = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    assert score_auc(scores, np.array([0, 1])) == 1.0


def test_top_5_looks_no_further_than_the_fifth() -> None:
    scores = np.array([[6, 5, 4, 3, 2, 1]] * 2, dtype=float)
    assert score_top_5(scores, np.array([4, 5])) == 0.5


def test_r2_is_zero_for_the_mean_and_one_for_the_truth() -> None:
    labels = np.array([0.0, 2.0])
    assert score_r2(np.array([1.0, 1.0]), labels) == 0.0
    assert score_r2(labels, labels) == 1.0
    assert score_r2(np.array([1.0, 2.0]), np.array([2.0, 2.0])) == 0.0


@pytest.mark.parametrize(
    ("name", "known"), [("acc", "accuracy"), ("MAE", "mae"), ("mean_squared_error", "mse"), ("speed", None)]
)
def test_names_that_keras_uses_are_known(name: str, known: str | None) -> None:
    assert find_metric(name) == known


def test_no_two_metrics_share_an_alias() -> None:
    names = [name for known, metric in METRICS.items() for name in (known, *metric.aliases)]
    assert len(names) == len(set(names))
