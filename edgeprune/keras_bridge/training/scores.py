"""What models and files are scored by: metrics of Keras and of edgeprune, fed batch by batch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import keras
import numpy as np

from edgeprune.keras_bridge.data.batches import Array, Arrays
from edgeprune.keras_bridge.training.losses import LOSSES, LabelKind, LossFunction
from edgeprune.keras_bridge.training.metrics import METRICS

Predictions = Sequence[Array]
Masks = Sequence[Array | None] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class OutputTask:
    """What one output is trained by, and how its labels look.

    Attributes:
        name: of the output.
        loss: `(labels, predictions, weights) → number` on Keras tensors; None where nothing is learnt of it
            but the original's outputs.
        weight: of that loss.
        loss_name: as in `LOSSES`, or the name of one's own.
        label_kind: "sparse" class numbers; "one_hot"; "binary" 0 or 1 per output; "regression" values;
            "reconstruction": the input is the label; "none": the original's outputs are.
        output_kind: "classes": a distribution over the last axis; "binary": each output decides for itself;
            "values": numbers.
        from_logits: outputs of "classes" or "binary" have not been through softmax or sigmoid.
        ignored: class numbers that stand for no label.
    """

    name: str
    loss: LossFunction | None
    weight: float
    loss_name: str
    label_kind: LabelKind
    output_kind: str
    from_logits: bool
    ignored: frozenset[int] = frozenset()

    @property
    def has_own_loss(self) -> bool:
        """Whether its loss is not one of `LOSSES`."""
        return self.loss is not None and self.loss_name not in LOSSES


class Tally(Protocol):
    """A score in the making."""

    def add(self, y: Arrays, predictions: Predictions, *, weights: Arrays | None, masks: Masks) -> None:
        """More samples.

        Args:
            y: labels, one array per output.
            predictions: one float array per output, dequantized where they were integers.
            weights: of the samples, one array per output.
            masks: which places of an output count, as the model's Masking and Embedding layers say it.
        """

    def result(self) -> float:
        """The score of all samples so far."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Score:
    """One thing that models are judged by.

    Attributes:
        name: for people.
        higher_is_better: whether it is a score (True) or an error (False).
        start: gives an empty tally.
        origin: a clause that says where it comes from.
    """

    name: str
    higher_is_better: bool
    start: Callable[[], Tally]
    origin: str

    def of(
        self,
        predictions: Predictions,
        y: Arrays,
        *,
        weights: Arrays | None = None,
        masks: Masks = None,
    ) -> float:
        """The score of samples that are in memory."""
        tally = self.start()
        tally.add(y, predictions, weights=weights, masks=masks)
        return tally.result()


@dataclass(slots=True)
class TableTally:
    """A metric of `METRICS`, of one output or averaged over several.

    Attributes:
        name: of the metric.
        outputs: which outputs.
        tasks: of all outputs.
    """

    name: str
    outputs: tuple[int, ...]
    tasks: tuple[OutputTask, ...]
    _parts: dict[int, list[tuple[Array, Array]]] = field(default_factory=dict)

    def add(self, y: Arrays, predictions: Predictions, *, weights: Arrays | None, masks: Masks) -> None:
        """More samples; weights do not count."""
        for output in self.outputs:
            mask = None if masks is None else masks[output]
            pair = pair_up(METRICS[self.name].takes, self.tasks[output], y[output], predictions[output], mask)
            self._parts.setdefault(output, []).append(pair)

    def result(self) -> float:
        """The mean over the outputs."""
        found = []
        for parts in self._parts.values():
            predicted, true = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
            found.append(METRICS[self.name].score(predicted, true))
        return float(np.mean(found))


def pair_up(
    takes: str, task: OutputTask, y: Array, predictions: Array, mask: Array | None
) -> tuple[Array, Array]:
    """Predictions and labels as a metric of the table takes them, without the places that do not count.

    Args:
        takes: "classes" for numbers of the answers, "values" for outputs as they are, else scores of classes.
        task: of the output.
        y: labels of the output.
        predictions: the output, as floats.
        mask: which places count; None for all.
    """
    y = np.asarray(y)
    if takes == "values":
        values = predictions.astype(np.float64)
        true = y.astype(np.float64).reshape(values.shape)
        return (values, true) if mask is None else (values[_widen(mask, values)], true[_widen(mask, values)])
    true = y.reshape(-1) if _are_classes(task, y, predictions) else _classes(task, y)
    per_class = task.output_kind == "classes"
    if takes == "classes":
        given = _classes(task, predictions)
    else:
        given = predictions.reshape(-1, predictions.shape[-1]) if per_class else predictions.reshape(-1)
    counts = np.ones(len(true), bool)
    if mask is not None:
        counts &= (np.asarray(mask, bool) if mask.size == len(true) else _widen(mask, predictions)).reshape(
            -1
        )
    for ignored in task.ignored:
        counts &= true != ignored
    return given[counts], true[counts]


def _widen(mask: Array, values: Array) -> Array:
    """The mask of the places of an array, for each of its values."""
    mask = np.asarray(mask, bool)
    return np.broadcast_to(mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim)), values.shape)


def _are_classes(task: OutputTask, y: Array, predictions: Array) -> bool:
    """Whether labels are class numbers, 0 and 1 included, not one-hot rows or outputs of the original."""
    if task.output_kind == "classes":
        return task.label_kind == "sparse" and y.shape != predictions.shape
    return task.label_kind == "binary" and bool(np.isin(y, (0, 1)).all())


def _classes(task: OutputTask, outputs: Array) -> Array:
    if task.output_kind == "classes":
        best: Array = np.argmax(outputs, axis=-1)
        return best.reshape(-1)
    threshold = 0.0 if task.from_logits else 0.5
    return np.asarray(outputs > threshold).astype(np.int64).reshape(-1)


@dataclass(slots=True)
class KerasTally:
    """A metric object of Keras, of one output.

    Attributes:
        metric: the object; whatever it held is forgotten.
        output: number of the output.
        labels: brings labels into the form that the metric takes.
        is_weighted: whether sample weights count.
    """

    metric: keras.metrics.Metric
    output: int
    labels: Callable[[Array, Array], Array]
    is_weighted: bool

    def __post_init__(self) -> None:
        """Forgets what the metric held."""
        self.metric.reset_state()

    def add(self, y: Arrays, predictions: Predictions, *, weights: Arrays | None, masks: Masks) -> None:
        """More samples."""
        predicted = keras.ops.convert_to_tensor(predictions[self.output])
        mask = None if masks is None else masks[self.output]
        if mask is not None:
            # As the model's own layers hand it to losses and metrics; Keras has no public name for it.
            predicted._keras_mask = keras.ops.convert_to_tensor(mask)
        true = keras.ops.convert_to_tensor(self.labels(y[self.output], predictions[self.output]))
        weight = weights[self.output] if weights is not None and self.is_weighted else None
        if weight is None:
            self.metric.update_state(true, predicted)
        else:
            self.metric.update_state(true, predicted, sample_weight=weight)

    def result(self) -> float:
        """The metric, as short a decimal as tells its float32 apart; of several numbers the mean."""
        value = np.mean(np.asarray(self.metric.result(), np.float32))
        return float(np.format_float_positional(np.float32(value)))


@dataclass(slots=True)
class LossTally:
    """The model's loss over all outputs, with the losses' weights."""

    tasks: tuple[OutputTask, ...]
    _sum: float = 0.0
    _samples: int = 0

    def add(self, y: Arrays, predictions: Predictions, *, weights: Arrays | None, masks: Masks) -> None:
        """More samples: a mean weighted by their number, as `Model.evaluate` takes it."""
        total = 0.0
        for i, (task, labels) in enumerate(zip(self.tasks, y, strict=True)):
            predicted = keras.ops.convert_to_tensor(np.asarray(predictions[i], np.float32))
            if masks is not None and masks[i] is not None:
                predicted._keras_mask = keras.ops.convert_to_tensor(masks[i])
            if task.loss is not None:
                weight = None if weights is None else weights[i]
                total += task.weight * float(task.loss(labels, predicted, weight))
        self._sum += total * len(predictions[0])
        self._samples += len(predictions[0])

    def result(self) -> float:
        """The mean loss."""
        return self._sum / max(self._samples, 1)
