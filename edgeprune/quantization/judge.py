"""A file judged by the metrics of the model it came from, on LiteRT's dequantized outputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.runtimes.samples import as_real

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.answers import AnswerTally
    from edgeprune.keras_bridge.training.evaluation import Evaluator


_ANSWERED_ON = 1000
"""Samples on which answers are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """How good a file is.

    Attributes:
        metrics: every metric by its name.
        runtime: name and version of the LiteRT that ran it.
        answers: a tally of what it answered; None for a model of several outputs.
    """

    metrics: Mapping[str, float]
    runtime: str
    answers: AnswerTally | None = None


def judge_file(tflite: bytes, evaluator: Evaluator) -> Judged:
    """Every metric of a file, over as many samples at a time as memory has room for.

    Args:
        tflite: the file.
        evaluator: samples and metrics.

    Raises:
        ToolError: LiteRT cannot be loaded, or failed.
    """
    from edgeprune.keras_bridge.training.answers import start_answers

    runtime, answers = "", start_answers(evaluator.task)

    def run(inputs: tuple[Array, ...]) -> Sequence[Array]:
        nonlocal runtime
        found = run_litert(tflite, as_real(tflite, inputs))
        runtime = found.runtime
        return [output.values for output in found.outputs]

    metrics = evaluator.score_all(run, watch=None if answers is None else answers.add)
    return Judged(metrics=metrics, runtime=runtime, answers=answers)


def say_one_answer(tflite: bytes, model: keras.Model, evaluator: Evaluator) -> str:
    """The sentence about a classifier's file that always gives one answer where the model gives several.

    Accuracy hardly sees that where one class is rare. "" for other models.

    Args:
        tflite: the file.
        model: what it was made of.
        evaluator: test samples.
    """
    from edgeprune.keras_bridge.training.inference import predict

    task, source = evaluator.task, evaluator.source
    if len(task.outputs) != 1 or task.label_kind not in ("sparse", "one_hot", "binary"):
        return ""
    x = source.take(np.arange(min(source.drawable, _ANSWERED_ON))).x
    wanted, found = predict(model, x)[0], run_litert(tflite, as_real(tflite, x)).outputs[0].values
    cut = 0.0 if wanted.min() < 0 or wanted.max() > 1 else 0.5  # of logits, or of probabilities
    answers, given = (
        np.unique(values > cut if values.shape[-1] == 1 else values.argmax(axis=-1))
        for values in (wanted, found)
    )
    if len(given) > 1 or len(answers) < 2:
        return ""
    return (
        f"The file gives one answer to all {len(x[0])} test samples, where the model gives {len(answers)}: "
        f"no {task.metric} speaks for it. A metric such as f1 or auc sees that (--metric)."
    )
