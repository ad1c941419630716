"""Whether data have the range that a model was trained on: the commonest cause of dead int8 models.

A model does not say what it expects, so it is asked: where there are labels, by its score on the data as
given and on the data scaled as people scale data; else by the statistics that its layers kept from training.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np

from edgeprune.errors import DataError
from edgeprune.keras_bridge.data.batches import Arrays, Batch
from edgeprune.keras_bridge.data.calibrated_layers import find_scale
from edgeprune.keras_bridge.data.representative import Representative
from edgeprune.keras_bridge.training.choose_score import applies
from edgeprune.keras_bridge.training.inference import predict
from edgeprune.keras_bridge.training.metrics import METRICS
from edgeprune.keras_bridge.training.task import Task

_USUAL = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0), (-128.0, 127.0), (-32768.0, 32767.0))
_FARTHEST = 1.2
"""From 0 that a Rescaling layer brings the range that it was made for."""
_COVERED = 0.4
"""Data are of a usual range if they lie in it and span this fraction of it; of 0..1, too, when rescaled."""
_BETTER = 0.1
"""A scaling must raise the score by this, and double it or halve what is missing to 1."""
_ABOUT_AS_GOOD = 0.05
_NO_WORSE = 0.02
_SCALE_TOLERATED = 8.0
"""Layers may see values this many times larger or smaller than in training; domains differ, too."""
_SAME_SCALE = 1.6
_ROUGHLY = 5.0
"""How far statistics may be from a usual scaling that is worth naming: they see the data through filters."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaling:
    """x · factor + offset, and what range the data then have, for messages.

    Not every scaling is a usual one: the last is only what a layer's statistics say.
    """

    factor: float
    offset: float
    range: str
    is_usual: bool = True

    def apply(self, inputs: Arrays) -> Arrays:
        """The scaled inputs, as float32."""
        return tuple((x.astype(np.float32) * self.factor + self.offset).astype(np.float32) for x in inputs)

    def describe(self) -> str:
        """For example "times 255", "divided by 127.5 less 1", "divided by about 70"."""
        number = max(self.factor, 1 / self.factor)
        size = f"{number:g}" if self.is_usual else f"about {_round(number):g}"
        said = f"times {size}" if self.factor >= 1 else f"divided by {size}"
        if self.offset:
            said += f" {'plus' if self.offset > 0 else 'less'} {abs(self.offset):g}"
        return said


def require_input_range(
    model: keras.Model, samples: Representative, *, task: Task | None, where: str
) -> None:
    """Refuses data of another range than the model expects.

    Args:
        model: the original.
        samples: training samples with their labels.
        task: says how outputs are scored; None where that is not known.
        where: the data's source, for messages.

    Raises:
        DataError: there is evidence that the model expects another range.
    """
    if any(isinstance(layer, keras.layers.Embedding) for layer in model._flatten_layers()):
        return  # inputs are numbers of rows; there is nothing to scale
    low, high = (float(f(list(map(f, samples.inputs)))) for f in (np.min, np.max))
    if low == high or _is_rescaled(model, low, high):
        return
    layer, scale = find_scale(model, samples.inputs)
    scalings = _list_scalings(low, high, scale=scale, rescaling=_find_rescaling(model))
    given, scores = _score(model, samples, task), [0.0] * len(scalings)
    if given is not None:
        scores = [_score(model, samples, task, scaling) or 0.0 for scaling in scalings]
    # The usual ranges come first, and are likelier than what is a little better on these samples.
    good = [i for i, score in enumerate(scores) if score >= max(scores) - _ABOUT_AS_GOOD]
    best = next((i for i in good if _matches(scalings[i], scale)), int(np.argmax(scores)))
    reasons = []
    if given is None or not _is_better(scores[best], given, samples=samples.samples):
        if scale is None or 1 / _SCALE_TOLERATED < scale < _SCALE_TOLERATED:
            return
        best = next(i for i, scaling in enumerate(scalings) if _matches(scaling, scale))
        if given is not None and scores[best] < given - _NO_WORSE:
            return  # whatever its layers kept, the model does better on the data as they are
        reasons.append(f"layer '{layer}' sees values {1 / scale:.2g} times as spread as in training")
    if given is not None:
        reasons.append(
            f"its {_metric(task)} on {samples.samples} training samples is {given:.2f} as given and "
            f"{scores[best]:.2f} {scalings[best].describe()}"
        )
    raise DataError(
        f"the data's values lie in {low:g}..{high:g}, but the model seems to expect {scalings[best].range}",
        where=where,
        why="; ".join(reasons),
        fix=f"scale the data as for the model's training (here: {_advise(scalings, best)}), or pass "
        "--accept input-range if they are meant to be so",
    )


def _advise(scalings: Sequence[Scaling], best: int) -> str:
    """The scaling, and where it is a rough one the usual ones near it."""
    chosen = scalings[best]
    near = [s for s in scalings if s.is_usual and 1 / _ROUGHLY < s.factor / chosen.factor < _ROUGHLY]
    if chosen.is_usual or not near:
        return chosen.describe()
    return f"{chosen.describe()}; usual are {' and '.join(scaling.describe() for scaling in near)}"


def _is_rescaled(model: keras.Model, low: float, high: float) -> bool:
    """Whether a Rescaling layer brings this very range to what networks work with: ends about 1 from 0."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Rescaling):
            ends = np.array([low, high])[:, None] * np.ravel(layer.scale) + np.ravel(layer.offset)
            if np.all(np.abs(ends) < _FARTHEST) and np.all(np.ptp(ends, axis=0) > _COVERED):
                return True
    return False


def _find_rescaling(model: keras.Model) -> tuple[float, float] | None:
    """Factor and offset of the model's Rescaling layer; None if there is none, or not one number above 0."""
    for layer in model._flatten_layers():
        if isinstance(layer, keras.layers.Rescaling) and np.size(layer.scale) == np.size(layer.offset) == 1:
            scale, offset = (np.ravel(each).item() for each in (layer.scale, layer.offset))
            return (scale, offset) if scale > 0 else None
    return None


def _list_scalings(
    low: float, high: float, *, scale: float | None, rescaling: tuple[float, float] | None
) -> list[Scaling]:
    """From the range the data seem to have to others.

    First to what a Rescaling layer makes this range of, then to the usual ones, last by a layer's statistics.
    """
    fitting = ((a, b) for a, b in _USUAL if a <= low and high <= b and high - low >= _COVERED * (b - a))
    largest = max(abs(low), abs(high))
    start, end = next(fitting, (0.0 if low >= 0 else -largest, largest))
    found = []
    if rescaling is not None:
        factor, offset = 1 / rescaling[0], -rescaling[1] / rescaling[0]
        least, most = (round(edge * factor + offset, 6) for edge in (start, end))
        if least in (0, -most):  # no data begin elsewhere
            found.append(Scaling(factor=factor, offset=offset, range=f"{least:g}..{most:g}"))
    for a, b in _USUAL:
        factor = (b - a) / (end - start)
        if (a, b) != (start, end):
            found.append(Scaling(factor=factor, offset=a - start * factor, range=f"{a:g}..{b:g}"))
    if scale is not None:
        about = f"about {_round(low * scale):g}..{_round(high * scale):g}"
        found.append(Scaling(factor=scale, offset=0.0, range=about, is_usual=False))
    return found


def _round(number: float) -> float:
    """To one digit: statistics know no more."""
    return float(f"{number:.1g}")


def _matches(scaling: Scaling, scale: float | None) -> bool:
    """Whether the scaling does what a layer's statistics say; so, too, if there are none."""
    return scale is None or 1 / _SAME_SCALE < scaling.factor / scale < _SAME_SCALE


def _score(
    model: keras.Model, samples: Representative, task: Task | None, scaling: Scaling | None = None
) -> float | None:
    """Accuracy, or R² of outputs that are values; None where there is nothing to compare with."""
    inputs = samples.inputs if scaling is None else scaling.apply(samples.inputs)
    if task is None or len(model.outputs) != 1:
        return None
    labels = task.complete(Batch(x=inputs, y=samples.labels)).y
    if labels is None or np.all(labels[0] == labels[0][:1]):
        return None  # labels that are all alike are met by any constant output
    if not applies(METRICS[_metric(task)], task.outputs[0]):
        return None
    return task.by_table(_metric(task)).score(predict(model, inputs), labels)


def _metric(task: Task | None) -> str:
    return "r2" if task is not None and task.output_kind == "values" else "accuracy"


def _is_better(score: float, given: float, *, samples: int) -> bool:
    """Whether it is by more than chance would have it on so many samples, of several scalings."""
    least = max(_BETTER, 2 / samples**0.5)
    return score - given >= least and (score >= 2 * given or 1 - score <= (1 - given) / 2)
