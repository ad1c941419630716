"""The bytes of activations that are alive at each node, while a graph's channels go."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.liveness import int8_bytes, live_ranges
from edgeprune.graph.surgery import Kept
from edgeprune.prune.op_sums import Gone

Bytes = npt.NDArray[np.int64]


class LiveBytes:
    """Which tensors live when never changes; how many bytes each has changes with the families on it.

    Attributes:
        alive: (nodes,) the bytes that are alive at each node.
        nodes_of: family → the nodes at which a tensor with channels of it is alive.
    """

    def __init__(
        self, graph: LayerGraph, channels: ChannelMap, *, families: Sequence[int], kept: Kept
    ) -> None:
        self._graph, self._channels = graph, channels
        self._spans = {t: slice(r.start, r.stop) for t, r in live_ranges(graph).items()}
        self._around = {tensor: _families_on(tensor, channels, families) for tensor in self._spans}
        self._tensors_of = {f: [t for t, around in self._around.items() if f in around] for f in families}
        self._known: dict[tuple[str, tuple[int, ...]], int] = {}
        everything = dict.fromkeys(families, 0)
        self._sizes = {tensor: self._size(tensor, everything, kept) for tensor in self._spans}
        self.alive: Bytes = np.zeros(len(graph.nodes), dtype=np.int64)
        for tensor, span in self._spans.items():
            self.alive[span] += self._sizes[tensor]
        self.nodes_of: Mapping[int, frozenset[int]] = {
            f: frozenset(i for t in tensors for i in range(self._spans[t].start, self._spans[t].stop))
            for f, tensors in self._tensors_of.items()
        }

    def update(self, family: int, gone: Gone, kept: Kept) -> None:
        """Takes over the sizes of a family's tensors now that it has changed."""
        self.alive = self.alive_after(family, gone, kept)
        self._sizes.update((tensor, self._size(tensor, gone, kept)) for tensor in self._tensors_of[family])

    def alive_after(self, family: int, gone: Gone, kept: Kept) -> Bytes:
        """What would be alive at each node if a family changed to this."""
        alive = self.alive.copy()
        for tensor in self._tensors_of[family]:
            alive[self._spans[tensor]] += self._size(tensor, gone, kept) - self._sizes[tensor]
        return alive

    def _size(self, tensor: str, gone: Gone, kept: Kept) -> int:
        key = (tensor, tuple(gone[f] for f in self._around[tensor]))
        if key not in self._known:
            shape = self._channels.resize(tensor, self._graph.shapes[tensor], kept=kept)
            self._known[key] = int8_bytes(shape)
        return self._known[key]


def _families_on(tensor: str, channels: ChannelMap, families: Sequence[int]) -> tuple[int, ...]:
    groups = np.concatenate([ids for ids in channels.along(tensor) if ids is not None])
    return tuple(f for f in np.unique(channels.family[groups]).tolist() if f in families)
