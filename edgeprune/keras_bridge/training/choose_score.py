"""Which metric decides, and which are watched: what `--metric` names, else as the model was compiled."""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import keras
import numpy as np

from edgeprune.errors import RecipeError, UnknownNameError
from edgeprune.keras_bridge.data.batches import Array
from edgeprune.keras_bridge.training.compiled import Compiled, CompiledMetric
from edgeprune.keras_bridge.training.losses import LOSSES
from edgeprune.keras_bridge.training.metrics import METRICS, Metric, find_metric
from edgeprune.keras_bridge.training.scores import KerasTally, LossTally, OutputTask, Score, TableTally

LOSS = "loss"
"""What `--metric` calls the model's own loss, over all outputs."""

_HIGHER = re.compile(
    r"accuracy|^auc|precision|recall|f1_score|fbeta_score|io_?u|r2_score|cosine_similarity|sensitivity"
    r"|specificity|concordance|correlation|true_positives|true_negatives"
)
_LOWER = re.compile(
    r"error|crossentropy|hinge|divergence|poisson|log_?cosh|huber|false_positives|false_negatives"
)
_SAME: dict[str, tuple[str, dict[str, float], tuple[str, ...]]] = {
    "CategoricalAccuracy": ("accuracy", {}, ("classes",)),
    "SparseCategoricalAccuracy": ("accuracy", {}, ("classes",)),
    "BinaryAccuracy": ("accuracy", {"threshold": 0.5}, ("binary",)),
    "MeanAbsoluteError": ("mae", {}, ("classes", "binary", "values")),
    "MeanSquaredError": ("mse", {}, ("classes", "binary", "values")),
    "RootMeanSquaredError": ("rmse", {}, ("classes", "binary", "values")),
    "TopKCategoricalAccuracy": ("top_5_accuracy", {"k": 5}, ("classes",)),
    "SparseTopKCategoricalAccuracy": ("top_5_accuracy", {"k": 5}, ("classes",)),
}
"""Classes of Keras → the metric of the table that computes the same, its settings, and of which outputs."""
_AT_HALF = (
    "as compiled: cut at 0.5 as Keras does, although the outputs are logits, where even odds are at 0; "
    "compile it with BinaryAccuracy(threshold=0) to count those"
)
_TAKES_ONE_HOT = re.compile(r"^(Categorical|TopK|F1Score|FBetaScore|OneHot)")


def choose_scores(
    tasks: tuple[OutputTask, ...], compiled: Compiled, *, asked: str | None, mode: str | None
) -> tuple[Score, ...]:
    """What models are judged by; the first decides.

    Args:
        tasks: of all outputs.
        compiled: how the model was compiled.
        asked: what `--metric` says: names with commas between, each perhaps "output=name"; None for the
            model's own.
        mode: "min" or "max", what `--metric-mode` says of the first; None where it is known.

    Raises:
        UnknownNameError: there is no such metric.
        RecipeError: a metric cannot be computed, or it is not known which direction is better.
    """
    own = _tell_apart(
        [_as_compiled(given, tasks, width=compiled.widths[given.output]) for given in compiled.metrics]
    )
    known = [score for score, _ in own]
    labelled = all(task.label_kind not in ("none", "reconstruction") for task in tasks)
    if asked is not None:
        chosen = [_find(name.strip(), tasks, own, mode=mode) for name in asked.split(",")]
        return (*chosen, *(s for s in known if labelled and s.name not in [c.name for c in chosen]))
    directed = [score for score, is_known in own if is_known] if labelled else []
    if len(tasks) == 1 or not labelled:
        default = default_score(tasks)
        first = directed[0] if directed else default
    else:
        first = directed[0] if len(own) == 1 and directed else _loss(tasks)
    if mode is not None:
        first = _directed(first, mode)
    return (first, *(score for score in directed if score is not first))


def _tell_apart(found: Sequence[tuple[Score, bool] | None]) -> list[tuple[Score, bool]]:
    """Those that can be computed; of several of one name, all but the first are numbered."""
    scores: list[tuple[Score, bool]] = []
    for item in found:
        if item is not None:
            score, is_known = item
            count = sum(other.name.partition("#")[0] == score.name for other, _ in scores)
            scores.append((replace(score, name=f"{score.name}#{count + 1}") if count else score, is_known))
    return scores


def _find(
    asked: str, tasks: tuple[OutputTask, ...], own: Sequence[tuple[Score, bool]], *, mode: str | None
) -> Score:
    """The metric that somebody names."""
    output, _, name = asked.rpartition("=")
    outputs = [task.name for task in tasks]
    if output and output not in outputs:
        raise UnknownNameError("output", output, outputs)
    wanted = {asked, name, f"{output}_{name}"} if output else {name}
    for score, is_known in own:
        if score.name in wanted or (len(tasks) == 1 and _plain(score.name) == name):
            if mode is None and not is_known:
                raise RecipeError(
                    f"it is not known whether more or less of '{score.name}' is better",
                    where="--metric",
                    why="it is a metric of the model's own",
                    fix="say it with --metric-mode max or --metric-mode min",
                )
            chosen = score if mode is None else _directed(score, mode)
            return _named(chosen, origin="from --metric, as compiled")
    if name == LOSS:
        return _named(_loss(tasks), origin="from --metric")
    known = find_metric(name)
    if known is None:
        names = [*METRICS, LOSS, *(score.name for score, _ in own)]
        raise UnknownNameError("metric", name, names, listing="edgeprune list metrics")
    places = (outputs.index(output),) if output else _find_places(known, tasks)
    for place in places:
        _require(known, name, tasks[place], among=tasks)
    chosen = _table(known, tasks, places, origin="from --metric")
    return chosen if mode is None else _directed(chosen, mode)


def _find_places(known: str, tasks: tuple[OutputTask, ...]) -> tuple[int, ...]:
    """The outputs that a metric is meant of where none is named: all, or the only one that has it."""
    able = tuple(place for place, task in enumerate(tasks) if _has(known, task))
    return able if len(able) == 1 else tuple(range(len(tasks)))


def _has(known: str, task: OutputTask) -> bool:
    return applies(METRICS[known], task) and not (known == "agreement" and task.label_kind != "none")


def _require(known: str, flag: str, task: OutputTask, *, among: tuple[OutputTask, ...]) -> None:
    if _has(known, task):
        return
    possible = [name for name, m in METRICS.items() if name != "agreement" and applies(m, task)]
    if task.label_kind == "none":
        possible = [_default_name(task)]
    able = [f"{other.name}={flag}" for other in among if _has(known, other)]
    of_which, fix = "this model's outputs", f"use one of {', '.join(possible)}"
    if len(among) > 1:
        of_which = f"the output '{task.name}'"
        fix = f"name an output that has it, {' or '.join(able)}" if able else fix
    raise RecipeError(
        f"--metric {flag} cannot be computed from {of_which} and labels",
        where="--metric",
        why=f"the labels are of the kind '{task.label_kind}', the outputs are {task.output_kind}",
        fix=fix,
    )


def applies(metric: Metric, task: OutputTask) -> bool:
    """Whether a metric of the table can be computed."""
    if task.label_kind == "own":
        return False
    if metric.takes == "values":
        return task.label_kind != "sparse"
    if metric.takes == "scores" and task.label_kind == "none":
        return False
    return task.output_kind != "values"


def table_score(name: str, tasks: tuple[OutputTask, ...]) -> Score:
    """A metric of the table over all outputs."""
    return _table(name, tasks, tuple(range(len(tasks))), origin="")


def _table(name: str, tasks: tuple[OutputTask, ...], outputs: tuple[int, ...], *, origin: str) -> Score:
    told = name if len(tasks) == 1 or len(outputs) > 1 else f"{tasks[outputs[0]].name}_{name}"
    return Score(
        name=told,
        higher_is_better=METRICS[name].higher_is_better,
        start=partial(TableTally, name=name, outputs=outputs, tasks=tasks),
        origin=origin,
    )


def _loss(tasks: tuple[OutputTask, ...]) -> Score:
    return Score(
        name=LOSS,
        higher_is_better=False,
        start=partial(LossTally, tasks=tasks),
        origin="the model's own loss over all outputs; --metric names another",
    )


def _as_compiled(
    given: CompiledMetric, tasks: tuple[OutputTask, ...], *, width: int
) -> tuple[Score, bool] | None:
    """A compiled metric and whether its direction is known; None where the labels cannot feed it.

    Its number is the one that `Model.evaluate` gives.
    """
    task, metric = tasks[given.output], given.metric
    if task.label_kind in ("none", "reconstruction"):
        return None
    if isinstance(metric, str):
        metric = _metric_of(metric, task, width=width)
        if metric is None:
            return None
    of_keras = getattr(metric, "__module__", type(metric).__module__).startswith("keras.")
    if isinstance(metric, keras.metrics.Metric):
        kind = type(metric).__name__
        same = _find_same(metric, task) if not given.is_weighted else ""
        if same:
            if not applies(METRICS[same], task):
                return None
            return _table(same, tasks, (given.output,), origin="as compiled"), True
    else:
        kind = getattr(metric, "__name__", type(metric).__name__)
        metric = keras.metrics.MeanMetricWrapper(metric, name=kind)
    own = _plain(metric.name)
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", kind).lower()
    is_higher = bool(_HIGHER.search(snake)) and of_keras
    is_known = of_keras and (is_higher or bool(_LOWER.search(snake)))
    at_half = kind == "BinaryAccuracy" and task.from_logits and metric.get_config().get("threshold") == 0.5
    score = Score(
        name=own if len(tasks) == 1 else f"{task.name}_{own}",
        higher_is_better=is_higher,
        start=partial(
            KerasTally,
            metric=metric,
            output=given.output,
            labels=partial(_adapt, task=task, one_hot=bool(_TAKES_ONE_HOT.match(kind))),
            is_weighted=given.is_weighted,
        ),
        origin=_AT_HALF if at_half else "as compiled",
    )
    return score, is_known


def _metric_of(name: str, task: OutputTask, *, width: int) -> keras.metrics.Metric | None:
    """What Keras makes of a metric's name; None where the labels cannot feed it.

    "accuracy" and "acc" depend on shapes alone: one output makes it binary, whatever the loss, and several
    are classes, though each may decide for itself.
    """
    if name.lower() not in ("accuracy", "acc"):
        try:
            found = keras.metrics.get(name)
        except ValueError:  # then the model has never been fitted or evaluated with it
            return None
        return found() if isinstance(found, type) else found
    if task.label_kind not in ("sparse", "one_hot", "binary"):
        return None
    if width == 1:
        return keras.metrics.BinaryAccuracy(name=name)
    if task.label_kind == "sparse":
        return keras.metrics.SparseCategoricalAccuracy(name=name)
    return keras.metrics.CategoricalAccuracy(name=name)


def _find_same(metric: keras.metrics.Metric, task: OutputTask) -> str:
    """The metric of the table that gives the same number, "" for none."""
    same, settings, kinds = _SAME.get(type(metric).__name__, ("", {}, ()))
    if not same or task.output_kind not in kinds or (task.ignored and METRICS[same].takes != "values"):
        return ""
    if type(metric).__name__ == "BinaryAccuracy" and task.from_logits:
        return ""
    config = metric.get_config()
    return same if all(config.get(key) == value for key, value in settings.items()) else ""


def _adapt(y: Array, predictions: Array, *, task: OutputTask, one_hot: bool) -> Array:
    """Labels in the form that a metric takes, where they are in the other."""
    if task.label_kind == "sparse" and one_hot:
        return np.eye(predictions.shape[-1], dtype=np.float32)[np.asarray(y, np.int64)]
    if task.label_kind != "sparse" and y.ndim + 1 == predictions.ndim and predictions.shape[-1] == 1:
        return y[..., None]
    return y


def _plain(name: str) -> str:
    """A metric's name without the number that Keras gives to the second of its kind."""
    return re.sub(r"_\d+$", "", name)


def default_score(tasks: tuple[OutputTask, ...]) -> Score:
    """What goes with the losses, or, without labels, with the original's outputs."""
    if any(task.label_kind == "own" for task in tasks):
        return _loss(tasks)
    names = {_default_name(task) for task in tasks}
    name = names.pop() if len(names) == 1 else "r2"
    if all(task.label_kind == "none" for task in tasks):
        origin = "without labels, with the original model's outputs in their place"
    else:
        origin = "which goes with that loss"
    return _table(name, tasks, tuple(range(len(tasks))), origin=origin)


def _default_name(task: OutputTask) -> str:
    if task.label_kind == "none":
        return "r2" if task.output_kind == "values" else "agreement"
    if task.output_kind != "values":
        return "accuracy"
    fits = task.label_kind == "regression" and task.loss_name in LOSSES
    return LOSSES[task.loss_name].metric if fits else "mse"


def _directed(score: Score, mode: str) -> Score:
    return replace(score, higher_is_better=mode == "max")


def _named(score: Score, *, origin: str) -> Score:
    return replace(score, origin=origin)
