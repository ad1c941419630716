"""Ranges of activations in a calibrated float file, from which a converter takes scales and zero points.

A calibrated file is what TensorFlow's converter has before it quantizes: floats, and the smallest and largest
value that each activation took on representative data.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edgeprune.errors import DataError
from edgeprune.graph.layergraph import Array
from edgeprune.tflite.model import Model
from edgeprune.tflite.strip import pack, unpack

Range = tuple[float, float]
BINS = 2048
TINY = 1e-30
"""Instead of a zero that something is divided by."""
LEVELS = 256
"""Of an 8-bit activation."""
LARGEST = 1e30
"""Of weights, data and activations: products and sums of larger ones overflow float32 (3.4e38)."""
SHRUNK = tuple(round(1 - 0.01 * i, 2) for i in range(81))
"""Fractions of the observed range that are looked at for the least squared error."""
SAME_SCALE = frozenset(
    {
        *(
            "RESHAPE",
            "MAX_POOL_2D",
            "AVERAGE_POOL_2D",
            "PAD",
            "TRANSPOSE",
            "STRIDED_SLICE",
            "SPLIT",
            "SQUEEZE",
        ),
        *("RESIZE_NEAREST_NEIGHBOR", "RESIZE_BILINEAR", "GATHER", "EXPAND_DIMS", "SLICE", "CONCATENATION"),
    }
)
"""Ops whose outputs have the scale of their inputs."""


def read_ranges(calibrated: bytes) -> dict[int, Range]:
    """Tensor of the main graph → (smallest, largest) value, for those that the file has ranges of."""
    found = {}
    for index, tensor in enumerate(unpack(calibrated, where="the calibrated model").subgraphs[0].tensors):
        quantization = tensor.quantization
        if quantization is not None and quantization.min is not None and quantization.max is not None:
            low, high = np.atleast_1d(quantization.min), np.atleast_1d(quantization.max)
            if low.size == high.size == 1:
                found[index] = (float(low[0]), float(high[0]))
    return found


def require_finite(ranges: Mapping[int, Range], model: Model) -> None:
    """Raises DataError where activations took values of which no scale can be made.

    Args:
        ranges: as `read_ranges` gives them.
        model: the calibrated file, read.
    """
    for index, (low, high) in ranges.items():
        # The comparison is false for NaN, too.
        if not max(-low, high) <= LARGEST:
            raise DataError(
                f"an activation takes values from {low:.3g} to {high:.3g} on the representative samples",
                where=f"{model.where}: tensor {index} '{model.tensors[index].name}'",
                why=f"beyond {LARGEST:g} there is no scale for them",
                fix="look for a layer that diverges, and for samples that are far from all others",
            )


def write_ranges(calibrated: bytes, ranges: Mapping[int, Range]) -> bytes:
    """The file with other ranges for some of its tensors."""
    packed = unpack(calibrated, where="the calibrated model")
    for index, (low, high) in ranges.items():
        quantization = packed.subgraphs[0].tensors[index].quantization
        quantization.min = np.array([low], np.float32)
        quantization.max = np.array([high], np.float32)
    return pack(packed)


@dataclass(slots=True)
class Histogram:
    """How often values occur.

    Attributes:
        low, high: of the first and the last bin's edge.
        counts: (BINS,) how many values were in each.
    """

    low: float
    high: float
    counts: npt.NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    def add(self, values: Array) -> None:
        """Counts more values; what is outside counts to the ends."""
        width = max(self.high - self.low, TINY) / BINS
        bins = np.clip((values.ravel() - self.low) / width, 0, BINS - 1).astype(np.int64)
        self.counts += np.bincount(bins, minlength=BINS)

    @property
    def centres(self) -> Array:
        """(BINS,) the middle of each bin."""
        return self.low + (np.arange(BINS) + 0.5) * (self.high - self.low) / BINS


def clip_to_percentile(histogram: Histogram, *, kept: float) -> Range:
    """The range without as many values at either end as leave a fraction `kept` inside; 0 stays inside."""
    shares = np.cumsum(histogram.counts) / max(int(histogram.counts.sum()), 1)
    width = (histogram.high - histogram.low) / BINS
    outside = (1 - kept) / 2
    first = int(np.searchsorted(shares, outside, side="right"))
    last = min(int(np.searchsorted(shares, 1 - outside, side="left")), BINS - 1)
    low, high = histogram.low + first * width, histogram.low + (last + 1) * width
    return min(low, 0.0), max(high, 0.0)


def clip_to_least_error(histogram: Histogram) -> Range:
    """The range, from the observed one to a fifth of it, with the least squared error of 8 bits.

    What is outside is off by its distance, what is inside by a twelfth of the step's square on average.
    """
    low, high = min(histogram.low, 0.0), max(histogram.high, 0.0)
    centres, counts = histogram.centres, histogram.counts
    best, least = (low, high), np.inf
    for share in SHRUNK:
        bottom, top = low * share, high * share
        beyond = np.maximum(bottom - centres, 0) + np.maximum(centres - top, 0)
        step = (top - bottom) / (LEVELS - 1)
        error = float(np.sum(counts * np.where(beyond > 0, beyond**2, step**2 / 12)))
        if error < least:
            best, least = (bottom, top), error
    return best


def share_ranges(model: Model, ranges: Mapping[int, Range]) -> dict[int, Range]:
    """The ranges, with one and the same for tensors that must have one scale: the widest of theirs.

    Outputs of the model and results of ops with a fixed scale (softmax, for example) are left out.
    """
    parent = {index: index for index in ranges}

    def find(index: int) -> int:
        while parent[index] != index:
            index = parent[index]
        return index

    fixed = {tensor.index for tensor in model.outputs}
    for op in model.ops:
        if op.name in ("SOFTMAX", "LOGISTIC", "TANH", "LOG_SOFTMAX", "L2_NORMALIZATION"):
            fixed.update(op.outputs)
        if op.name in SAME_SCALE:
            together = [find(index) for index in (*op.inputs, *op.outputs) if index in parent]
            for other in together[1:]:
                parent[find(other)] = find(together[0])
    groups: dict[int, list[int]] = {}
    for index in ranges:
        groups.setdefault(find(index), []).append(index)
    shared = {}
    for members in groups.values():
        if fixed.isdisjoint(members):
            widest = min(ranges[i][0] for i in members), max(ranges[i][1] for i in members)
            shared.update(dict.fromkeys(members, widest))
    return shared
