"""The representative set: the training samples that activation ranges are measured on."""

from dataclasses import dataclass

import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.keras_bridge.data.dataset import Arrays, Data

REPRESENTATIVE_SAMPLES = 200


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Representative:
    """Calibration samples, and where they come from.

    Attributes:
        inputs: one array per model input, (samples, ...).
        labels: of these samples, as in `Data`; None where there are none.
        seed: of the draw.
        selection: how they were chosen, a clause.
        warnings: what speaks against them, one sentence each.
    """

    inputs: Arrays
    labels: Array | None
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
    count = len(data.x_train[0])
    wanted = min(samples, count)
    rng = np.random.default_rng([seed, 7])
    classes = _find_classes(data.y_train)
    if classes is None:
        rows = rng.choice(count, size=wanted, replace=False)
        selection = f"drawn from the {count} training samples with seed {seed}"
    else:
        rows = _draw_by_class(classes, samples=wanted, rng=rng)
        selection = f"drawn from the {count} training samples by class with seed {seed}"
    rows = np.sort(rows)
    inputs = tuple(x[rows] for x in data.x_train)
    missing = () if classes is None else _name_missing(data, classes[rows])
    return Representative(
        inputs=inputs,
        labels=None if data.y_train is None else data.y_train[rows],
        seed=seed,
        selection=selection,
        warnings=(*missing, *_name_constant_channels(inputs, data)),
    )


def _find_classes(labels: Array | None) -> Array | None:
    """(samples,) class numbers, None where the labels are something else."""
    if labels is None:
        return None
    if labels.ndim == 1 and labels.dtype.kind in "iub":
        return labels
    one_hot = labels.ndim == 2 and labels.shape[1] > 1 and np.isin(labels, (0, 1)).all()
    return labels.argmax(axis=1) if one_hot and (labels.sum(axis=1) == 1).all() else None


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
    known = {int(c) for y in (data.y_train, data.y_val, data.y_test) for c in _known_classes(y)}
    known |= set(range(len(data.class_names or ())))
    missing = sorted(known - {int(c) for c in drawn})
    if not missing:
        return ()
    few = ", ".join(map(str, missing[:5])) + (", …" if len(missing) > 5 else "")
    return (
        f"{len(missing)} of {len(known)} classes have no sample in the representative set ({few}): "
        "activations that only they cause are not calibrated.",
    )


def _known_classes(labels: Array | None) -> Array:
    classes = _find_classes(labels)
    return np.array([], dtype=np.int64) if classes is None else np.unique(classes)


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
