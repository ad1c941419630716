"""The representative set: the training samples that activation ranges are measured on."""

from dataclasses import dataclass

import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.data.batches import Arrays
from edgeprune.keras_bridge.data.dataset import Data
from edgeprune.keras_bridge.data.named_arrays import find_classes

REPRESENTATIVE_SAMPLES = 200
_LEAST_STEPS = 4
"""With fewer steps between its smallest and its largest value, a feature says hardly anything."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Representative:
    """Calibration samples, and where they come from.

    Attributes:
        inputs: one array per model input, (samples, ...).
        labels: of these samples, one array per output; None where there are none.
        seed: of the draw.
        selection: how they were chosen, a clause.
        warnings: what speaks against them, one sentence each.
    """

    inputs: Arrays
    labels: Arrays | None
    seed: int
    selection: str
    warnings: tuple[str, ...] = ()

    @property
    def samples(self) -> int:
        """How many there are."""
        return len(self.inputs[0])


def draw_representative(data: Data, *, samples: int = REPRESENTATIVE_SAMPLES, seed: int) -> Representative:
    """Training samples, of each class its share and at least one where the labels say classes.

    Args:
        data: only its training part is drawn from.
        samples: how many, or all there are.
        seed: of the draw; the same seed gives the same samples.
    """
    train, rng = data.train, np.random.default_rng([seed, 7])
    wanted = min(samples, train.drawable)
    if train.classes is None:
        rows = rng.choice(train.drawable, size=wanted, replace=False)
        selection = f"drawn from the {train.samples} training samples with seed {seed}"
    else:
        rows = _draw_by_class(train.classes, samples=wanted, rng=rng)
        selection = f"drawn from the {train.samples} training samples by class with seed {seed}"
    drawn = train.take(np.sort(rows))
    missing = () if train.classes is None else _name_missing(data, train.classes[rows])
    return Representative(
        inputs=drawn.x,
        labels=drawn.y,
        seed=seed,
        selection=selection,
        warnings=(*missing, *_name_constant_channels(drawn.x, data), *_name_small_features(drawn.x, data)),
    )


def _draw_by_class(classes: Array, *, samples: int, rng: np.random.Generator) -> Array:
    """Rows: one of each class while there is room, then every k-th of all, sorted by class."""
    order = rng.permutation(len(classes))
    order = order[np.argsort(classes[order], kind="stable")]
    _, first = np.unique(classes[order], return_index=True)
    if samples < len(first):
        first = rng.choice(first, size=samples, replace=False)
    rest = np.delete(order, first)
    extra = samples - len(first)
    places = ((np.arange(extra) + 0.5) * len(rest) / max(extra, 1)).astype(int)
    return np.concatenate([order[first], rest[places]])


def _name_missing(data: Data, drawn: Array) -> tuple[str, ...]:
    """A warning about classes that the data know of and the draw does not hold."""
    lists = [data.train.classes, find_classes(data.validation.y)]
    lists += [None if data.test is None else data.test.classes]
    known = {int(c) for classes in lists if classes is not None for c in np.unique(classes)}
    known |= set(range(len(data.class_names or ())))
    missing = sorted(known - {int(c) for c in drawn})
    if not missing:
        return ()
    few = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
    return (
        f"{len(missing)} of {len(known)} classes have no sample in the representative set ({few}): "
        "activations that only they cause are not calibrated.",
    )


def _name_small_features(inputs: Arrays, data: Data) -> tuple[str, ...]:
    """Warnings about features that the one scale of an 8-bit input leaves a few steps for."""
    found = []
    for x, seen in zip(inputs, data.ranges, strict=True):
        if x.ndim != 2 or x.dtype.kind != "f" or seen.minimum == seen.maximum:
            continue
        lows, highs = x.min(axis=0), x.max(axis=0)
        steps = 255 * (highs - lows) / (seen.maximum - seen.minimum)
        small = np.flatnonzero((steps < _LEAST_STEPS) & (highs > lows))
        if small.size:
            first = small[0]
            found.append(
                f"Of input '{seen.name}' {small.size} of {x.shape[1]} features span less than {_LEAST_STEPS} "
                f"of the 256 steps that 8 bits have for all of them (feature {first}: {lows[first]:g} to "
                f"{highs[first]:g}, the input: {seen.minimum:g} to {seen.maximum:g}): scale features alike "
                "before the model, not by a Normalization layer inside it, or use --scheme int16x8."
            )
    return tuple(found)


def _name_constant_channels(inputs: Arrays, data: Data) -> tuple[str, ...]:
    """Warnings about channels of images or series that never change."""
    found = []
    for x, seen in zip(inputs, data.ranges, strict=True):
        if x.ndim < 3 or seen.minimum == seen.maximum:  # the latter is said of the data
            continue
        flat = x.reshape(-1, x.shape[-1])
        constant = np.flatnonzero((flat == flat[0]).all(axis=0))
        if constant.size:
            found.append(
                f"Of input '{seen.name}' {constant.size} of {x.shape[-1]} channels are constant in the "
                f"representative set (first channel {constant[0]}): is that part of the data missing?"
            )
    return tuple(found)
