"""What a plan costs while it is being made, brought up to date block by block."""

from collections.abc import Collection, Mapping, Sequence

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.surgery import Kept
from edgeprune.prune.costs import Costs
from edgeprune.prune.families import Block
from edgeprune.prune.live_bytes import LiveBytes, Shrinkage
from edgeprune.prune.op_sums import OpSums


class Ledger:
    """Which blocks are gone, what the rest costs, and what each family's next block would save.

    A block that goes changes the nodes and tensors around its family. Only what they, and the next blocks of
    the families that share them, cost and save is worked out anew.
    """

    def __init__(
        self, graph: LayerGraph, channels: ChannelMap, *, costs: Costs, blocks: Mapping[int, Sequence[Block]]
    ) -> None:
        """Start with everything kept.

        Args:
            graph: the model.
            channels: its groups.
            costs: the device's cost model.
            blocks: family → its blocks, in the order in which they go.
        """
        self._costs, self._blocks = costs, blocks
        self.kept: Kept = channels.everything
        self.gone = dict.fromkeys(blocks, 0)
        self._ops = OpSums(graph, channels, per_op=costs.per_op, families=tuple(blocks), kept=self.kept)
        self._memory = (
            LiveBytes(graph, channels, families=tuple(blocks), kept=self.kept) if costs.peak else None
        )
        nodes_of = self._ops.nodes_of
        self._neighbours = {
            f: [g for g in blocks if not nodes_of[f].isdisjoint(nodes_of[g]) or g == f] for f in blocks
        }
        self._saved: dict[int, tuple[Mapping[str, float], Shrinkage]] = {}

    def next_block(self, family: int) -> Block | None:
        """The block of a family that goes next; None if no more may go."""
        blocks, gone = self._blocks[family], self.gone[family]
        return blocks[gone] if gone < len(blocks) else None

    def last_block(self, family: int) -> Block:
        """The block of a family that went last."""
        return self._blocks[family][self.gone[family] - 1]

    def remove(self, family: int) -> None:
        """Removes the next block of a family."""
        self.kept[self._blocks[family][self.gone[family]].groups] = False
        self.gone[family] += 1
        self._update(family)

    def put_back(self, family: int) -> None:
        """Puts the block of a family that went last back."""
        self.gone[family] -= 1
        self.kept[self._blocks[family][self.gone[family]].groups] = True
        self._update(family)

    def costs(self) -> dict[str, float]:
        """Predicted cost by budget name."""
        raw = self._ops.totals()
        if self._memory:
            raw[self._costs.peak] = float(self._memory.peak)
        return {name: self._costs.of(name, value) for name, value in raw.items()}

    def savings(self, family: int, *, of: Collection[str]) -> Mapping[str, float]:
        """Budget name → what the cost falls by once the next block of a family goes.

        Args:
            family: one that has a next block.
            of: names of the budgets that matter.
        """
        if family not in self._saved:
            self._saved[family] = self._look_ahead(family)
        saved, shrinkage = self._saved[family]
        if not (self._memory and self._costs.peak in of):
            return saved
        return {**saved, self._costs.peak: float(self._memory.fall(shrinkage))}

    def _look_ahead(self, family: int) -> tuple[Mapping[str, float], Shrinkage]:
        block = self._blocks[family][self.gone[family]].groups
        self.kept[block] = False
        falls = self._ops.fall(family, {**self.gone, family: self.gone[family] + 1}, self.kept)
        shrinkage = self._memory.shrinkage(family, self.kept) if self._memory else ()
        self.kept[block] = True
        return {name: self._costs.factors.get(name, 1.0) * fall for name, fall in falls.items()}, shrinkage

    def _update(self, family: int) -> None:
        self._ops.update(family, self.gone, self.kept)
        if self._memory:
            self._memory.update(family, self.kept)
        for neighbour in self._neighbours[family]:
            self._saved.pop(neighbour, None)
