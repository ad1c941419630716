"""The bytes of activations that are alive at each node, while a graph's channels go."""

from collections.abc import Mapping, Sequence

import numpy as np

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.liveness import int8_bytes, live_ranges
from edgeprune.graph.surgery import Kept

Shrinkage = Sequence[tuple[slice, int]]
"""By how many bytes less lives at a range of nodes."""


class LiveBytes:
    """Which tensors live when never changes; how many bytes each has changes with the families on it."""

    def __init__(
        self, graph: LayerGraph, channels: ChannelMap, *, families: Sequence[int], kept: Kept
    ) -> None:
        self._graph, self._channels = graph, channels
        self._spans = {t: slice(r.start, r.stop) for t, r in live_ranges(graph).items()}
        self._tensors_of: Mapping[int, list[str]] = {f: [] for f in families}
        for tensor in self._spans:
            along = [ids for ids in channels.along(tensor) if ids is not None]
            for f in np.unique(channels.family[np.concatenate(along)]).tolist():
                if f in self._tensors_of:
                    self._tensors_of[f].append(tensor)
        self._sizes = {tensor: self._size(tensor, kept) for tensor in self._spans}
        self._alive = np.zeros(len(graph.nodes), dtype=np.int64)
        for tensor, span in self._spans.items():
            self._alive[span] += self._sizes[tensor]

    @property
    def peak(self) -> int:
        """The most bytes that are alive at once."""
        return int(self._alive.max(initial=0))

    def update(self, family: int, kept: Kept) -> None:
        """Takes over the sizes of a family's tensors now that it has changed."""
        for tensor in self._tensors_of[family]:
            size = self._size(tensor, kept)
            self._alive[self._spans[tensor]] += size - self._sizes[tensor]
            self._sizes[tensor] = size

    def shrinkage(self, family: int, kept: Kept) -> Shrinkage:
        """What would no longer live, and when, if a family changed to this."""
        return [(self._spans[t], self._sizes[t] - self._size(t, kept)) for t in self._tensors_of[family]]

    def fall(self, shrinkage: Shrinkage) -> int:
        """By how many bytes the peak would fall."""
        peak = int(self._alive.argmax())
        if not any(span.start <= peak < span.stop for span, _ in shrinkage):
            return 0
        left = self._alive.copy()
        for span, size in shrinkage:
            left[span] -= size
        return int(self._alive[peak] - left.max())

    def _size(self, tensor: str, kept: Kept) -> int:
        return int8_bytes(self._channels.resize(tensor, self._graph.shapes[tensor], kept=kept))
