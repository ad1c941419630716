"""Whether a classifier is better than one that always gives the same answer."""

import keras
import numpy as np

from edgeprune.keras_bridge.training.evaluation import Evaluator


def find_chance(evaluator: Evaluator) -> float | None:
    """The accuracy of always answering the commonest class, and what luck adds; None for other metrics."""
    task = evaluator.task
    if task.metric != "accuracy" or len(task.outputs) != 1 or task.label_kind not in ("sparse", "one_hot"):
        return None
    labels = evaluator.source.take(np.arange(evaluator.source.drawable)).y
    assert labels is not None  # they have a kind
    classes = labels[0].argmax(axis=-1) if task.label_kind == "one_hot" else labels[0]
    counts = np.unique(classes.reshape(-1), return_counts=True)[1]
    share = float(counts.max() / counts.sum())
    return share + 2 * float(np.sqrt(share * (1 - share) / counts.sum()))


def say_chance(evaluator: Evaluator, model: keras.Model) -> str:
    """The sentence about a model that is no better than chance, "" for one that is."""
    chance = find_chance(evaluator)
    if chance is None:
        return ""
    score = evaluator.score_model(model)
    if score > chance:
        return ""
    return (
        f"The original's validation {evaluator.task.metric} of {score:.4f} is no better than always giving "
        "the commonest answer: no result can be judged by it. Check labels, preprocessing and weights."
    )
