"""One look at all data of a part: they are checked, measured and prepared as they go by."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from edgeprune.keras_bridge.data.batches import Array, Batch, Rows
from edgeprune.keras_bridge.data.checks import check_inputs, check_labels, check_weights, flatten_labels
from edgeprune.keras_bridge.data.label_facts import LabelFacts, look_at
from edgeprune.keras_bridge.data.parts import Interface

_CHUNK_BYTES = 64 * 2**20
_COSTLY_SAMPLES = 256
"""How many samples of those that have to be decoded are looked at."""


class Inspection:
    """What was seen of one part.

    Attributes:
        spans: smallest and largest value of each input.
        dtypes: of the inputs, as stored.
        facts: what the labels of each output look like; None where there are none.
    """

    def __init__(
        self, interface: Interface, *, part: str, where: str, class_weights: Mapping[int, float] | None = None
    ) -> None:
        """Get ready.

        Args:
            interface: of the model.
            part: "train", "val" or "test".
            where: the source, for messages.
            class_weights: what a sample of each class counts, or None.
        """
        self.spans: list[tuple[float, float]] = []
        self.dtypes: list[str] = []
        self.facts: tuple[LabelFacts, ...] | None = None
        self._interface, self._part, self._where = interface, part, where
        self._class_weights = None if class_weights is None else dict(class_weights)
        self._seen = 0

    def look(self, batch: Batch) -> Batch:
        """The batch, checked and prepared. Raises DataError."""
        outputs, part, where = self._interface.outputs, self._part, self._where
        single = tuple(map(_single, batch.x))  # a double may be finite, and the float of it not
        check_inputs(single, inputs=self._interface.inputs, part=part, where=where, start=self._seen)
        if not self.dtypes:
            self.dtypes = [str(x.dtype) for x in batch.x]
        prepared = self.prepare(replace(batch, x=single))
        for y, output in zip(prepared.y or (), outputs, strict=prepared.y is not None):
            check_labels(
                y,
                samples=len(batch),
                output=output,
                part=part,
                where=where,
                outputs=outputs,
                start=self._seen,
            )
        for weights in batch.weights or ():
            check_weights(weights, samples=len(batch), part=part, where=where)
        self._measure(prepared)
        self._seen += len(batch)
        return prepared

    def look_at_rows(self, rows: Rows) -> Rows:
        """The rows, checked and prepared when they are fetched. Raises DataError."""
        if rows.whole is not None:
            self._check_lengths(rows.whole)
        if rows.is_costly:
            count = min(rows.samples, _COSTLY_SAMPLES)
            self.look(rows.take(np.linspace(0, rows.samples - 1, count).astype(int)))
        else:
            size = max(1, _CHUNK_BYTES // max(1, rows.take(np.arange(1)).size_bytes))
            for batch in rows.read(size):
                self.look(batch)
        fetch = rows.fetch
        return Rows(
            count=rows.count,
            fetch=lambda numbers: self.prepare(fetch(numbers)),
            all_classes=self.confirm_classes(rows.all_classes),
            origin=rows.origin,
            chosen=rows.chosen,
            whole=rows.whole,
            is_costly=rows.is_costly,
        )

    def confirm_classes(self, classes: Array | None) -> Array | None:
        """Integers among the labels, (samples,), if they are classes of the one output; None if values.

        One number that is put out decides between two classes; more integers than that (ages, counts) are
        values. So are integers that an output of several numbers has no place for.
        """
        if classes is None or len(self._interface.outputs) != 1:
            return None
        output = self._interface.outputs[0]
        width = output.shape[-1] if len(output.shape) > 1 else 1
        found = [number for number in np.unique(classes) if number not in output.ignored]
        if width == 1:
            return classes if len(found) <= 2 else None
        return classes if width is None or not found or 0 <= min(found) <= max(found) < width else None

    def prepare(self, batch: Batch) -> Batch:
        """Doubles as floats, class numbers as flat integers, class weights among the sample weights."""
        y = batch.y
        if y is not None:
            y = tuple(
                flatten_labels(labels, output=output)
                for labels, output in zip(y, self._interface.outputs, strict=True)
            )
        return Batch(
            x=tuple(map(_single, batch.x)),
            y=y,
            weights=self._weigh(batch, y),
        )

    def _weigh(self, batch: Batch, y: tuple[Array, ...] | None) -> tuple[Array, ...] | None:
        if self._class_weights is None or y is None or len(y) != 1:
            return batch.weights
        labels, shape = y[0], self._interface.outputs[0].shape[1:]
        is_one_hot = labels.shape[1:] == shape and labels.ndim > 1 and labels.shape[-1] > 1
        classes = labels.argmax(axis=-1) if is_one_hot else labels
        known = self._class_weights
        largest = max(int(classes.max()), *known) + 1
        table = np.array([known.get(number, 1.0) for number in range(largest)], np.float32)
        weights = table[np.maximum(classes.astype(np.int64), 0)]
        weights = weights.reshape(len(batch)) if weights.size == len(batch) else weights
        return (weights if batch.weights is None else weights * batch.weights[0],)

    def _check_lengths(self, whole: Batch) -> None:
        interface, first = self._interface, whole.take(slice(0, 1))
        check_inputs(first.x, inputs=interface.inputs, part=self._part, where=self._where)
        lengths = [np.broadcast_to(np.float32(0), (len(x), *x.shape[1:])) for x in whole.x]
        check_inputs(lengths, inputs=interface.inputs, part=self._part, where=self._where)
        for y, output in zip(whole.y or (), interface.outputs, strict=whole.y is not None):
            if y.ndim == 0 or len(y) != len(whole):
                check_labels(
                    y,
                    samples=len(whole),
                    output=output,
                    part=self._part,
                    where=self._where,
                    outputs=interface.outputs,
                )
        for weights in whole.weights or ():
            if weights.ndim == 0 or len(weights) != len(whole):
                check_weights(weights, samples=len(whole), part=self._part, where=self._where)

    def _measure(self, batch: Batch) -> None:
        spans = [(float(x.min()), float(x.max())) for x in batch.x]
        if self.spans:
            old = self.spans
            spans = [(min(a, c), max(b, d)) for (a, b), (c, d) in zip(old, spans, strict=True)]
        self.spans = spans
        if batch.y is not None:
            facts = tuple(map(look_at, batch.y))
            self.facts = (
                facts
                if self.facts is None
                else tuple(before.merge(now) for before, now in zip(self.facts, facts, strict=True))
            )


def _single(array: Array) -> Array:
    """Doubles as floats, too large ones as infinity; everything else as it is."""
    if array.dtype != np.float64:
        return array
    with np.errstate(over="ignore"):
        return array.astype(np.float32)
