"""What a model is for: its losses, its metrics, and how its labels look. Never guessed in silence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import keras
import numpy as np

from edgeprune.config.drop import Drop, count_drop
from edgeprune.config.training_options import Mode
from edgeprune.errors import RecipeError, UnknownNameError
from edgeprune.keras_bridge.data.batches import Array, Arrays, Batch
from edgeprune.keras_bridge.data.dataset import Data
from edgeprune.keras_bridge.training.choose_score import choose_scores, default_score, table_score
from edgeprune.keras_bridge.training.compiled import (
    Compiled,
    find_output_activation,
    name_outputs,
    read_compiled,
)
from edgeprune.keras_bridge.training.label_fit import Fit, fit_labels, fit_without_labels
from edgeprune.keras_bridge.training.losses import LOSSES, find_loss
from edgeprune.keras_bridge.training.scores import OutputTask, Score

USUAL_DROP = 0.02
"""Points of a score, or the part of an error that is added, that may be lost where nobody says otherwise."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Task:
    """What the model is trained and judged by.

    Attributes:
        outputs: how each output is trained.
        scores: what models are judged by; the first decides.
        origin: sentences that say where this comes from.
    """

    outputs: tuple[OutputTask, ...]
    scores: tuple[Score, ...]
    origin: str

    @property
    def metric(self) -> str:
        """The name of the metric that decides."""
        return self.scores[0].name

    @property
    def higher_is_better(self) -> bool:
        """Whether that metric is a score (True) or an error (False)."""
        return self.scores[0].higher_is_better

    @property
    def loss_name(self) -> str:
        """The losses of all outputs, for people."""
        if len(self.outputs) == 1:
            return self.outputs[0].loss_name
        return ", ".join(f"{output.name}: {output.loss_name}" for output in self.outputs)

    @property
    def label_kind(self) -> str:
        """The kind of the first output's labels."""
        return self.outputs[0].label_kind

    @property
    def output_kind(self) -> str:
        """What outputs are: as the one output, "values" where there are several."""
        return self.outputs[0].output_kind if len(self.outputs) == 1 else "values"

    @property
    def from_logits(self) -> bool:
        """Whether the first output has not been through softmax or sigmoid."""
        return self.outputs[0].from_logits

    @property
    def is_labelled(self) -> bool:
        """Whether there is something to learn beside the original's outputs."""
        return self.outputs[0].label_kind != "none"

    def complete(self, batch: Batch) -> Batch:
        """The batch with the labels that are trained on: the input itself for a reconstruction."""
        if self.label_kind == "reconstruction":
            return replace(batch, y=(batch.x[0],))
        return batch if self.is_labelled else replace(batch, y=None, weights=None)

    def without_labels(self) -> "Task":
        """The same for samples that have none: judged by how near outputs are to the original's."""
        outputs = tuple(replace(output, label_kind="none") for output in self.outputs)
        return replace(self, outputs=outputs, scores=(default_score(outputs),))

    def loss(self, y: Sequence[Any], predictions: Sequence[Any], weights: Sequence[Any] | None = None) -> Any:
        """The losses of all outputs, weighted and summed: a number on Keras tensors.

        Args:
            y: labels, one per output.
            predictions: likewise.
            weights: of the samples, likewise; None for equal ones.
        """
        total: Any = 0.0
        for i, output in enumerate(self.outputs):
            if output.loss is not None:
                weight = None if weights is None else weights[i]
                total += output.weight * output.loss(y[i], predictions[i], weight)
        return total

    def score(self, predictions: Array | Sequence[Array], labels: Array | Sequence[Array]) -> float:
        """The metric that decides, of samples that are in memory.

        Args:
            predictions: (samples, ...) float outputs, dequantised where they were integers; one array, or one
                per output.
            labels: likewise; the inputs for "reconstruction"; the original's outputs for "none".
        """
        given, y = _as_tuple(predictions), _as_tuple(labels)
        return self.scores[0].of(given, y)

    def by_table(self, name: str) -> "Task":
        """The same, judged by a metric of `METRICS`."""
        return replace(self, scores=(table_score(name, self.outputs),))

    def drop(self, *, before: float, after: float) -> float:
        """How much worse `after` is; see `count_drop`."""
        return count_drop(before, after, higher_is_better=self.higher_is_better)

    def limit_drop(self, asked: Drop | None, *, before: float, usual: float = USUAL_DROP) -> float:
        """The largest `drop` that is allowed.

        Args:
            asked: what somebody says; None for the usual one.
            before: the metric that it is held against.
            usual: points of a score, or the part of an error that is added.
        """
        if asked is None:
            return usual
        if self.higher_is_better:
            return asked.value * abs(before) if asked.is_relative else asked.value
        return asked.value if asked.is_relative or before <= 0 else asked.value / before

    def worst_allowed(self, before: float, *, max_drop: float) -> float:
        """The value of the metric at which `drop` reaches `max_drop`."""
        if self.higher_is_better:
            return before - max_drop
        return before * (1 + max_drop) if before > 0 else before + max_drop


def _as_tuple(arrays: Array | Sequence[Array]) -> Arrays:
    return (np.asarray(arrays),) if isinstance(arrays, np.ndarray) else tuple(map(np.asarray, arrays))


def resolve_task(
    model: keras.Model,
    data: Data,
    *,
    loss: str | None = None,
    metric: str | None = None,
    metric_mode: Mode | None = None,
) -> Task:
    """What the model is for: from the flags, else from how it was compiled, else from outputs and labels.

    Args:
        model: Functional or Sequential.
        data: checked against the model.
        loss: value of --loss: a name in `LOSSES` or Keras's name for it, or "output=name,…".
        metric: value of --metric: names of compiled metrics or in `METRICS`, or "output=name,…".
        metric_mode: whether more ("max") or less ("min") of the metric is better, where it is not known.

    Raises:
        UnknownNameError: there is no such loss, metric or output.
        RecipeError: a flag does not fit model and labels, or there is none where nothing else settles it.
        DataError: labels that do not fit the compiled loss.
    """
    names, compiled = name_outputs(model), read_compiled(model)
    flags = _read_losses(loss, names)
    if data.facts is None:
        tasks, origins = _without_labels(model, names, compiled, flags)
    else:
        tasks, origins = _with_labels(model, names, compiled, flags, data)
    scores = choose_scores(tasks, compiled, asked=metric, mode=metric_mode)
    origin = " ".join(dict.fromkeys(origins))
    return Task(outputs=tasks, scores=scores, origin=f"{origin} {_say_metric(scores)}")


def _with_labels(
    model: keras.Model,
    names: Sequence[str],
    compiled: Compiled,
    flags: Mapping[str, str],
    data: Data,
) -> tuple[tuple[OutputTask, ...], list[str]]:
    tasks, origins = [], []
    assert data.facts is not None  # the caller looked
    for i, (name, facts) in enumerate(zip(names, data.facts, strict=True)):
        given = compiled.losses[i]
        if given is None and name not in flags and compiled.is_useful:
            tasks.append(_unlearnt(name))
            origins.append(f"The output '{name}' has no loss, as compiled.")
            continue
        fit = fit_labels(
            facts,
            shape=tuple(model.outputs[i].shape[1:]),
            activation=find_output_activation(model, i),
            flag=flags.get(name),
            compiled=given,
            where=data.source,
            output=name if len(names) > 1 else "",
        )
        weight = compiled.weights[i]
        ignored = getattr(given, "ignore_class", None) if name not in flags else None
        tasks.append(_task_of(fit, name, weight=weight, ignored=ignored))
        said = fit.origin if len(names) == 1 else fit.origin.replace("The loss", f"The loss of '{name}'", 1)
        origins.append(said if weight == 1 else f"{said.removesuffix('.')}, with the weight {weight:g}.")
    return tuple(tasks), origins


def _without_labels(
    model: keras.Model, names: Sequence[str], compiled: Compiled, flags: Mapping[str, str]
) -> tuple[tuple[OutputTask, ...], list[str]]:
    fits = [
        fit_without_labels(
            model,
            output=i,
            activation=find_output_activation(model, i),
            loss=flags.get(name) or compiled.losses[i],
        )
        for i, name in enumerate(names)
    ]
    tasks = tuple(_task_of(fit, name) for fit, name in zip(fits, names, strict=True))
    return tasks, [fit.origin for fit in fits]


def _task_of(fit: Fit, name: str, *, weight: float = 1.0, ignored: int | None = None) -> OutputTask:
    return OutputTask(
        name=name,
        loss=fit.loss,
        weight=weight,
        loss_name=fit.loss_name,
        label_kind=fit.label_kind,
        output_kind=fit.output_kind,
        from_logits=fit.from_logits,
        ignored=frozenset() if ignored is None else frozenset({int(ignored)}),
    )


def _unlearnt(name: str) -> OutputTask:
    return OutputTask(
        name=name,
        loss=None,
        weight=0.0,
        loss_name="none",
        label_kind="own",
        output_kind="values",
        from_logits=False,
    )


def _read_losses(given: str | None, names: Sequence[str]) -> dict[str, str]:
    """`--loss` as a loss per output."""
    if given is None:
        return {}
    found: dict[str, str] = {}
    for item in given.split(","):
        output, _, loss = item.strip().rpartition("=")
        if find_loss(loss) is None:
            raise UnknownNameError("loss", loss, LOSSES)
        if output and output not in names:
            raise UnknownNameError("output", output, names)
        if not output and len(names) > 1 and "," in given:
            raise RecipeError(
                f"--loss {given} does not say which output '{loss}' is for",
                fix=f"name the outputs: {names[0]}={loss},…",
            )
        found |= dict.fromkeys([output] if output else names, loss)
    return found


def _say_metric(scores: Sequence[Score]) -> str:
    """The sentences about what decides, and what is watched."""
    first, *others = scores
    if "without labels" in first.origin:
        said = f"Without labels the metric is {first.name}, {first.origin.removeprefix('without labels, ')}."
    else:
        said = f"The metric is {first.name}, {first.origin}."
    if others:
        said += f" Watched besides: {', '.join(score.name for score in others)}."
    return said
