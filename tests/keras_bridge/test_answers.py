"""Confusion matrices and histograms of values, counted on paper."""

import numpy as np

from edgeprune.keras_bridge.training.answers import SHOWN_CLASSES, AnswerTally
from edgeprune.keras_bridge.training.scores import OutputTask


def tally(*, label_kind="sparse", output_kind="classes", ignored=frozenset()):
    task = OutputTask(
        name="y",
        loss=None,
        weight=1.0,
        loss_name="",
        label_kind=label_kind,
        output_kind=output_kind,
        from_logits=False,
        ignored=ignored,
    )
    return AnswerTally(task=task)


def test_answers_are_counted_by_class_over_several_batches():
    found = tally()
    found.add((np.array([0, 1]),), (np.eye(3)[[0, 2]],), None)
    found.add((np.array([1, 2]),), (np.eye(3)[[2, 2]],), None)
    answers = found.result(["a", "b", "c"])
    assert answers["counts"] == [[1, 0, 0], [0, 0, 2], [0, 0, 1]]
    assert answers["confused"] == [{"label": "b", "answer": "c", "count": 2}]
    assert (answers["labels"], answers["samples"]) == (["a", "b", "c"], 4)


def test_one_hot_labels_and_ignored_classes_are_understood():
    found = tally(label_kind="one_hot")
    found.add((np.eye(2)[[0, 1]],), (np.array([[0.9, 0.1], [0.8, 0.2]]),), None)
    assert found.result()["counts"] == [[1, 0], [1, 0]]
    ignoring = tally(ignored=frozenset({1}))
    ignoring.add((np.array([0, 1]),), (np.eye(2)[[0, 0]],), None)
    assert ignoring.result()["counts"] == [[1, 0], [0, 0]]


def test_numbers_that_are_no_class_stand_for_no_label():
    found = tally()
    found.add((np.array([0, 255, -1]),), (np.eye(2)[[1, 1, 1]],), None)
    answers = found.result()
    assert (answers["counts"], answers["samples"]) == ([[0, 1], [0, 0]], 1)
    assert answers["confused"] == [{"label": "0", "answer": "1", "count": 1}]
    void = tally()
    void.add((np.array([255]),), (np.eye(2)[[1]],), None)
    assert void.result() is None


def test_a_yes_is_what_is_more_than_a_half():
    found = tally(label_kind="binary", output_kind="binary")
    found.add((np.array([[0], [1], [1]]),), (np.array([[0.4], [0.6], [0.3]]),), None)
    answers = found.result()
    assert answers["labels"] == ["no", "yes"]
    assert answers["counts"] == [[1, 0], [1, 1]]


def test_of_too_many_classes_only_mistakes_are_kept():
    count = SHOWN_CLASSES + 1
    found = tally()
    found.add((np.arange(count),), (np.eye(count)[[1, *range(1, count)]],), None)
    answers = found.result()
    assert answers["counts"] == answers["labels"] == []
    assert answers["confused"] == [{"label": "0", "answer": "1", "count": 1}]


def test_values_are_binned_against_the_true_ones():
    found = tally(label_kind="regression", output_kind="values")
    found.add((np.array([[0.0], [1.0], [np.nan]]),), (np.array([[0.0], [0.0], [0.0]]),), None)
    answers = found.result()
    assert (answers["low"], answers["high"], answers["samples"]) == (0.0, 1.0, 2)
    counts = np.array(answers["counts"])
    assert counts[0, 0] == 1
    assert counts[-1, 0] == 1
    assert counts.sum() == 2


def test_nothing_gives_nothing():
    assert tally().result() is None
    assert tally(output_kind="values").result() is None
