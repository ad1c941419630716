"""What the ops of a graph cost in sum, node by node, while its channels go."""

from collections.abc import Mapping, Sequence

import numpy as np

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.lower import Lowering
from edgeprune.graph.surgery import Kept
from edgeprune.prune.costs import OpCost

Gone = Mapping[int, int]
"""Family → how many of its blocks are gone."""


class OpSums:
    """The cost of each node, by budget.

    It depends on the blocks that the families around the node have lost, and on nothing else, so that no case
    is priced twice.
    """

    def __init__(
        self,
        graph: LayerGraph,
        channels: ChannelMap,
        *,
        per_op: Mapping[str, OpCost],
        families: Sequence[int],
        kept: Kept,
    ) -> None:
        self._lowering, self._per_op = Lowering(graph, channels), per_op
        self._around = _families_around(graph, channels, families)
        self.nodes_of: Mapping[int, frozenset[int]] = {
            f: frozenset(i for i, around in enumerate(self._around) if f in around) for f in families
        }
        self._known: dict[tuple[int, ...], dict[str, float]] = {}
        everything = dict.fromkeys(families, 0)
        at_nodes = [self._price(i, everything, kept) for i in range(len(graph.nodes))]
        self._by_node = {name: [priced[name] for priced in at_nodes] for name in per_op}

    def totals(self) -> dict[str, float]:
        """Budget name → sum over all nodes."""
        return {name: sum(by_node) for name, by_node in self._by_node.items()}

    def update(self, family: int, gone: Gone, kept: Kept) -> None:
        """Takes over what the nodes around a family cost now that it has changed."""
        for i in self.nodes_of[family]:
            priced = self._price(i, gone, kept)
            for name, by_node in self._by_node.items():
                by_node[i] = priced[name]

    def fall(self, family: int, gone: Gone, kept: Kept) -> dict[str, float]:
        """Budget name → by how much the sum would fall if a family changed to this."""
        priced = [(i, self._price(i, gone, kept)) for i in self.nodes_of[family]]
        return {
            name: sum(by_node[i] - now[name] for i, now in priced) for name, by_node in self._by_node.items()
        }

    def _price(self, index: int, gone: Gone, kept: Kept) -> Mapping[str, float]:
        key = (index, *(gone[f] for f in self._around[index]))
        if key not in self._known:
            ops = self._lowering.lower_node(index, kept)
            self._known[key] = {name: sum(map(cost, ops)) for name, cost in self._per_op.items()}
        return self._known[key]


def _families_around(
    graph: LayerGraph, channels: ChannelMap, families: Sequence[int]
) -> list[tuple[int, ...]]:
    """For each node the families that have channels on its tensors or its weights."""
    found = []
    for node in graph.nodes:
        carriers = [channels.along(tensor) for tensor in (*node.inputs, *node.outputs)]
        carriers += channels.axes.get(node.layer, {}).values()
        groups = np.concatenate([ids for along in carriers for ids in along if ids is not None])
        found.append(tuple(f for f in np.unique(channels.family[groups]).tolist() if f in families))
    return found
