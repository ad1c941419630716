"""How far a quantized file's activations are from the float file's, tensor by tensor.

Noise is what quantization adds to a tensor, from all that was rounded before it, as a signal-to-noise ratio;
saturation is what does not fit into its range; range use is how much of that range values make use of.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.tflite.covering import find_limits
from edgeprune.tflite.model import Model
from edgeprune.tflite.pairing import pair_tensors
from edgeprune.tflite.ranges import TINY, Histogram, clip_to_percentile

CENTRAL = 0.998
"""Fraction of values whose span is set against the range: a few outliers alone use no range."""
_EXACT_DB = 150.0
"""Where no noise is left, or as little as floats have."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TensorError:
    """What quantization does to one activation.

    Attributes:
        tensor: its index in the quantized file.
        name: as in the file before it is stripped.
        op: what makes it; "INPUT" for the model's inputs.
        layer: the Keras layer it belongs to, "" where that is not known.
        sqnr_db: signal-to-quantization-noise ratio against the float file, in dB.
        saturated: fraction of the float values beyond its range.
        range_used: span of the central 99.8 % of the float values over its range.
        scale: of one step.
        low, high: its range, as real numbers.
    """

    tensor: int
    name: str
    op: str
    sqnr_db: float
    saturated: float
    range_used: float
    scale: float
    low: float
    high: float
    layer: str = ""

    def to_json(self) -> dict[str, Any]:
        """As JSON takes it."""
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


class ErrorMeter:
    """Sums up errors, sample by sample."""

    def __init__(self, plain: Model, quantized: Model) -> None:
        """Get ready.

        Args:
            plain: the float file, not stripped.
            quantized: the quantized file, not stripped; see `pairing.pair_tensors`.
        """
        self._quantized = quantized
        self.pairs = pair_tensors(plain, quantized)
        self._signal = dict.fromkeys(self.pairs, 0.0)
        self._noise = dict.fromkeys(self.pairs, 0.0)
        self._beyond = dict.fromkeys(self.pairs, 0)
        self._count = dict.fromkeys(self.pairs, 0)
        self._histograms: dict[int, Histogram] = {}

    def add(self, plain: Mapping[int, Array], quantized: Mapping[int, Array]) -> None:
        """One sample: tensor → real values, of both files."""
        for index, other in self.pairs.items():
            values, rounded = plain[other].astype(np.float64), quantized[index].astype(np.float64)
            low, high = find_limits(self._quantized.tensors[index])
            half = float(self._quantized.tensors[index].scales[0]) / 2
            self._signal[index] += float(np.sum(values**2))
            self._noise[index] += float(np.sum((values - rounded) ** 2))
            self._beyond[index] += int(np.sum((values < low - half) | (values > high + half)))
            self._count[index] += values.size
            span = high - low
            self._histograms.setdefault(index, Histogram(low=low - span / 2, high=high + span / 2)).add(
                values
            )

    def report(self) -> tuple[TensorError, ...]:
        """One entry per tensor, in order of execution."""
        makers = {i: op.name for op in self._quantized.ops for i in op.outputs}
        found = []
        for index in self.pairs:
            tensor = self._quantized.tensors[index]
            low, high = find_limits(tensor)
            used = clip_to_percentile(self._histograms[index], kept=CENTRAL)
            found.append(
                TensorError(
                    tensor=index,
                    name=tensor.name,
                    op=makers.get(index, "INPUT"),
                    sqnr_db=_decibels(self._signal[index], self._noise[index]),
                    saturated=self._beyond[index] / max(self._count[index], 1),
                    range_used=(used[1] - used[0]) / max(high - low, TINY),
                    scale=float(tensor.scales[0]),
                    low=low,
                    high=high,
                )
            )
        return tuple(found)


def _decibels(signal: float, noise: float) -> float:
    if noise <= signal * 10 ** (-_EXACT_DB / 10):
        return _EXACT_DB
    return 10 * float(np.log10(max(signal, TINY) / noise))
