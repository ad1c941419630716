"""What a model is for: its loss, its metric, and how its labels look. Never guessed in silence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import RecipeError, UnknownNameError
from edgeprune.keras_bridge.data.dataset import Data
from edgeprune.keras_bridge.training.compiled import find_output_activation, read_compiled
from edgeprune.keras_bridge.training.label_fit import Fit, OutputKind, fit_labels, fit_without_labels
from edgeprune.keras_bridge.training.losses import LOSSES, LabelKind, LossFunction, find_loss
from edgeprune.keras_bridge.training.metrics import METRICS, Metric, find_metric

Array = NDArray[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What the model is trained and judged by.

    Attributes:
        loss: `(labels, predictions) → (batch, ...)`, one loss per sample, on Keras tensors. Takes labels as
            they stand in `Data`. Without labels: the squared difference from the original's outputs.
        loss_name: as in `LOSSES`, or the name of a function of the user's own.
        metric: as in `METRICS`.
        higher_is_better: whether the metric is a score (True) or an error (False).
        label_kind: "sparse" class numbers; "one_hot"; "binary" 0 or 1 per output; "regression" values;
            "reconstruction": the input is the label; "none": the original's outputs are.
        output_kind: "classes": a distribution over the last axis; "binary": each output decides for itself;
            "values": numbers.
        from_logits: outputs of "classes" or "binary" have not been through softmax or sigmoid.
        origin: a sentence that says where this comes from.
    """

    loss: LossFunction
    loss_name: str
    metric: str
    higher_is_better: bool
    label_kind: LabelKind
    output_kind: OutputKind
    from_logits: bool
    origin: str

    def choose_labels(self, inputs: Sequence[Array], labels: Array | None) -> Array | None:
        """What outputs are compared with: the labels, or the input itself for a reconstruction, or None."""
        return inputs[0] if self.label_kind == "reconstruction" else labels

    def score(self, predictions: Array | Sequence[Array], labels: Array | Sequence[Array]) -> float:
        """The metric.

        Args:
            predictions: (samples, ...) float outputs, dequantised where they were integers; one array, or one
                per output (then the mean over the outputs is given).
            labels: as in `Data`; the inputs for "reconstruction"; the original's outputs for "none", and
                for samples without labels.
        """
        if not isinstance(predictions, np.ndarray):
            paired = zip(predictions, [labels] if isinstance(labels, np.ndarray) else labels, strict=True)
            return float(np.mean([self.score(np.asarray(p), np.asarray(y)) for p, y in paired]))
        metric, y = METRICS[self.metric], np.asarray(labels)
        if metric.takes == "values":
            values = predictions.astype(np.float64)
            return metric.score(values, y.astype(np.float64).reshape(values.shape))
        true = y.reshape(-1) if self._are_classes(y, predictions) else self._classes(y)
        if metric.takes == "classes":
            return metric.score(self._classes(predictions), true)
        scores = (
            predictions.reshape(-1, predictions.shape[-1]) if self.output_kind == "classes" else predictions
        )
        return metric.score(scores if self.output_kind == "classes" else scores.reshape(-1), true)

    def drop(self, *, before: float, after: float) -> float:
        """How much worse `after` is: the absolute drop of a score, the relative increase of an error.

        This is what `--max-drop` limits: 0.02 allows 0.93 → 0.91 accuracy, or an error of 0.50 → 0.51.
        """
        if self.higher_is_better:
            return before - after
        if before == 0:
            return 0.0 if after <= 0 else float("inf")
        return after / before - 1

    def worst_allowed(self, before: float, *, max_drop: float) -> float:
        """The value of the metric at which `drop` reaches `max_drop`."""
        return before - max_drop if self.higher_is_better else before * (1 + max_drop)

    def _are_classes(self, y: Array, predictions: Array) -> bool:
        """Whether labels are class numbers, 0 and 1 included, not one-hot rows or outputs of the original."""
        if self.output_kind == "classes":
            return self.label_kind == "sparse" and y.shape != predictions.shape
        return self.label_kind == "binary" and bool(np.isin(y, (0, 1)).all())

    def _classes(self, outputs: NDArray[Any]) -> NDArray[Any]:
        if self.output_kind == "classes":
            best: Array = np.argmax(outputs, axis=-1)
            return best.reshape(-1)
        threshold = 0.0 if self.from_logits else 0.5
        return (outputs > threshold).astype(np.int64).reshape(-1)


def resolve_task(
    model: keras.Model, data: Data, *, loss: str | None = None, metric: str | None = None
) -> Task:
    """What the model is for: from the flags, else from how it was compiled, else from output and labels.

    Args:
        model: Functional or Sequential.
        data: checked against the model.
        loss: value of --loss, a name in `LOSSES` or Keras's name for it.
        metric: value of --metric, likewise in `METRICS`.

    Raises:
        UnknownNameError: there is no such loss or metric.
        RecipeError: a flag does not fit model and labels, or there is none where nothing else settles it.
        DataError: labels that do not fit the compiled loss.
    """
    if loss is not None and find_loss(loss) is None:
        raise UnknownNameError("loss", loss, LOSSES)
    if metric is not None and find_metric(metric) is None:
        raise UnknownNameError("metric", metric, METRICS)
    compiled = read_compiled(model)
    labels = next((y for y in (data.y_train, data.y_val, data.y_test) if y is not None), None)
    activation = find_output_activation(model)
    if labels is None or len(model.outputs) > 1:
        fit = fit_without_labels(model, activation=activation, loss=loss or compiled.loss)
    else:
        fit = fit_labels(
            labels,
            shape=tuple(model.outputs[0].shape[1:]),
            activation=activation,
            flag=loss,
            compiled=compiled.loss,
            where=data.source,
        )
    name, metric_origin = _choose_metric(fit, flag=metric, compiled=compiled.metrics)
    return Task(
        loss=fit.loss,
        loss_name=fit.loss_name,
        metric=name,
        higher_is_better=METRICS[name].higher_is_better,
        label_kind=fit.label_kind,
        output_kind=fit.output_kind,
        from_logits=fit.from_logits,
        origin=f"{fit.origin} {metric_origin}",
    )


def _choose_metric(fit: Fit, *, flag: str | None, compiled: Sequence[str]) -> tuple[str, str]:
    """The metric's name, and the sentence that says where it comes from."""
    if flag is not None:
        name = find_metric(flag)
        assert name is not None  # resolve_task looked
        if not _applies(METRICS[name], fit) or (name == "agreement" and fit.label_kind != "none"):
            possible = [known for known, m in METRICS.items() if known != "agreement" and _applies(m, fit)]
            if fit.label_kind == "none":
                possible = [_default_metric(fit)]
            raise RecipeError(
                f"--metric {flag} cannot be computed from this model's outputs and labels",
                where="--metric",
                why=f"the labels are of the kind '{fit.label_kind}', the outputs are {fit.output_kind}",
                fix=f"use one of {', '.join(possible)}",
            )
        return name, f"The metric is {name}, from --metric."
    if fit.label_kind != "none":
        for name in compiled:
            if _applies(METRICS[name], fit):
                return name, f"The metric is {name}, as compiled."
    name = _default_metric(fit)
    if fit.label_kind == "none":
        return name, f"Without labels the metric is {name}, with the original model's outputs in their place."
    return name, f"The metric is {name}, which goes with that loss."


def _applies(metric: Metric, fit: Fit) -> bool:
    if metric.takes == "values":
        return fit.label_kind != "sparse"
    if metric.takes == "scores" and fit.label_kind == "none":
        return False
    return fit.output_kind != "values"


def _default_metric(fit: Fit) -> str:
    if fit.label_kind == "none":
        return "r2" if fit.output_kind == "values" else "agreement"
    if fit.output_kind != "values":
        return "accuracy"
    return (
        LOSSES[fit.loss_name].metric if fit.label_kind == "regression" and fit.loss_name in LOSSES else "mse"
    )
