"""Scores of predictions against labels, in numpy, so that they serve Keras and TFLite outputs alike."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from edgeprune.registry import Registry

Takes = Literal["classes", "scores", "values"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Metric:
    """One way to score predictions.

    Attributes:
        score: (predictions, labels) → number.
        takes: what the function is given. "classes": predicted and true class, both (n,) int. "scores": one
            score per class (n, classes), or (n,) for the positive class, and the true class (n,). "values":
            two float arrays of one shape.
        higher_is_better: False for errors.
        summary: one clause for people.
        aliases: what Keras calls it.
    """

    score: Callable[[NDArray[Any], NDArray[Any]], float]
    takes: Takes
    higher_is_better: bool
    summary: str
    aliases: tuple[str, ...] = ()


METRICS: Registry[Metric] = Registry("metric")


def find_metric(name: str) -> str | None:
    """The name in `METRICS` for a name that edgeprune or Keras uses, or None."""
    lowered = name.lower()
    return next(
        (known for known, metric in METRICS.items() if lowered == known or lowered in metric.aliases), None
    )


def score_accuracy(predicted: NDArray[Any], labels: NDArray[Any]) -> float:
    """The fraction of samples whose class is right."""
    return float(np.mean(predicted == labels))


def score_f1(predicted: NDArray[Any], labels: NDArray[Any]) -> float:
    """F1: of class 1 where there are only the classes 0 and 1, else the mean over the classes that occur."""
    classes = np.union1d(predicted, labels)
    if np.isin(classes, (0, 1)).all():
        classes = np.array([1])
    scores = []
    for c in classes:
        hits = np.sum((predicted == c) & (labels == c))
        claims = np.sum(predicted == c) + np.sum(labels == c)
        scores.append(2 * hits / claims if claims else 0.0)
    return float(np.mean(scores))


def score_auc(scores: NDArray[Any], labels: NDArray[Any]) -> float:
    """Area under the ROC curve, ties counted half; of several classes the mean of one against the rest.

    Classes without both positive and negative samples are left out; 0.5 if none is left.
    """
    columns = {1: scores} if scores.ndim == 1 else dict(enumerate(scores.T))
    areas = []
    for c, column in columns.items():
        positive = labels == c
        n_positive, n_negative = int(positive.sum()), int((~positive).sum())
        if n_positive and n_negative:
            # Mann-Whitney: the rank sum of the positives, equal scores sharing their mean rank.
            _, inverse, counts = np.unique(column, return_inverse=True, return_counts=True)
            ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse.reshape(-1)]
            u = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
            areas.append(u / (n_positive * n_negative))
    return float(np.mean(areas)) if areas else 0.5


def score_top_5(scores: NDArray[Any], labels: NDArray[Any]) -> float:
    """The fraction of samples whose class is among the five with the highest scores."""
    if scores.ndim == 1:
        return 1.0
    best = np.argsort(-scores, axis=-1, kind="stable")[:, :5]
    return float(np.mean((best == labels[:, None]).any(axis=-1)))


def score_mae(predicted: NDArray[Any], labels: NDArray[Any]) -> float:
    """Mean absolute error."""
    return float(np.mean(np.abs(predicted - labels)))


def score_mse(predicted: NDArray[Any], labels: NDArray[Any]) -> float:
    """Mean squared error."""
    return float(np.mean(np.square(predicted - labels)))


def score_rmse(predicted: NDArray[Any], labels: NDArray[Any]) -> float:
    """Root of the mean squared error."""
    return float(np.sqrt(score_mse(predicted, labels)))


def score_r2(predicted: NDArray[Any], labels: NDArray[Any]) -> float:
    """1 − mean squared error ÷ variance of the labels: 1 when all is right, 0 for predicting their mean.

    Labels that are all equal give 1 if they are met exactly, else 0.
    """
    error, variance = score_mse(predicted, labels), float(np.var(labels))
    if variance == 0:
        return float(error == 0)
    return 1 - error / variance


METRICS.add(
    "accuracy",
    Metric(
        score=score_accuracy,
        takes="classes",
        higher_is_better=True,
        summary="fraction of samples whose class is right",
        aliases=("acc", "categorical_accuracy", "sparse_categorical_accuracy", "binary_accuracy"),
    ),
)
METRICS.add(
    "agreement",
    Metric(
        score=score_accuracy,
        takes="classes",
        higher_is_better=True,
        summary="fraction of samples put into the class the original model puts them into",
    ),
)
METRICS.add(
    "f1",
    Metric(
        score=score_f1,
        takes="classes",
        higher_is_better=True,
        summary="F1 of the positive class, or its mean over several classes",
        aliases=("f1_score",),
    ),
)
METRICS.add(
    "auc",
    Metric(
        score=score_auc,
        takes="scores",
        higher_is_better=True,
        summary="area under the ROC curve",
    ),
)
METRICS.add(
    "top_5_accuracy",
    Metric(
        score=score_top_5,
        takes="scores",
        higher_is_better=True,
        summary="fraction of samples whose class is among the five highest scores",
        aliases=("top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy"),
    ),
)
METRICS.add(
    "mae",
    Metric(
        score=score_mae,
        takes="values",
        higher_is_better=False,
        summary="mean absolute error",
        aliases=("mean_absolute_error",),
    ),
)
METRICS.add(
    "mse",
    Metric(
        score=score_mse,
        takes="values",
        higher_is_better=False,
        summary="mean squared error",
        aliases=("mean_squared_error",),
    ),
)
METRICS.add(
    "rmse",
    Metric(
        score=score_rmse,
        takes="values",
        higher_is_better=False,
        summary="root of the mean squared error",
        aliases=("root_mean_squared_error",),
    ),
)
METRICS.add(
    "r2",
    Metric(
        score=score_r2,
        takes="values",
        higher_is_better=True,
        summary="share of the variance that is explained",
        aliases=("r2_score",),
    ),
)
