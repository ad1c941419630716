"""What a plan costs while it is being made, brought up to date block by block."""

from collections.abc import Mapping, Sequence
from itertools import accumulate

import numpy as np

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.surgery import Kept
from edgeprune.prune.costs import Costs
from edgeprune.prune.families import Block
from edgeprune.prune.live_bytes import Bytes, LiveBytes
from edgeprune.prune.op_sums import OpSums

_ROUNDING = 1e-9


class Ledger:
    """Which blocks are gone, what the rest costs, and what the next change of each family would do.

    A block that goes changes the nodes and tensors around its family. Only what they, and the next changes of
    the families around them, cost is worked out anew.

    Attributes:
        kept: (groups,) True for each group that stays.
        gone: family → how many of its blocks are gone.
    """

    def __init__(
        self,
        graph: LayerGraph,
        channels: ChannelMap,
        *,
        costs: Costs,
        budgets: Mapping[str, float],
        blocks: Mapping[int, Sequence[Block]],
    ) -> None:
        """Start with everything kept.

        Args:
            graph: the model.
            channels: its groups.
            costs: the device's cost model.
            budgets: budget name → largest cost allowed.
            blocks: family → its blocks, in the order in which they go.
        """
        self._costs, self._budgets, self._blocks = costs, budgets, blocks
        self.kept: Kept = channels.everything
        self.gone = dict.fromkeys(blocks, 0)
        families = tuple(blocks)
        self._ops = OpSums(graph, channels, per_op=costs.per_op, families=families, kept=self.kept)
        self._memory = LiveBytes(graph, channels, families=families, kept=self.kept)
        self._losses = {f: list(accumulate((b.loss for b in cut), initial=0.0)) for f, cut in blocks.items()}
        self._neighbours = self._meet(len(graph.nodes))
        self._over = self._overrun(self._memory.alive)
        self._falls: dict[tuple[int, int], Mapping[str, float]] = {}

    @property
    def loss(self) -> float:
        """The sum of the scores of all that is gone."""
        return sum(self._losses[f][gone] for f, gone in self.gone.items())

    def next_block(self, family: int) -> Block | None:
        """The block of a family that goes next; None if no more may go."""
        blocks, gone = self._blocks[family], self.gone[family]
        return blocks[gone] if gone < len(blocks) else None

    def last_block(self, family: int) -> Block | None:
        """The block of a family that went last; None if none has."""
        gone = self.gone[family]
        return self._blocks[family][gone - 1] if gone else None

    def count_blocks(self, family: int) -> int:
        """How many blocks of a family may go in all."""
        return len(self._blocks[family])

    def move(self, gone: Mapping[int, int]) -> None:
        """Removes or puts back blocks until that many of each of these families are gone."""
        for family, count in gone.items():
            if count == self.gone[family]:
                continue
            for block in self._blocks[family][self.gone[family] : count]:
                self.kept[block.groups] = False
            for block in self._blocks[family][count : self.gone[family]]:
                self.kept[block.groups] = True
            self.gone[family] = count
            self._ops.update(family, self.gone, self.kept)
            self._memory.update(family, self.gone, self.kept)
            for neighbour in self._neighbours[family]:
                self._falls.pop((neighbour, 1), None)
                self._falls.pop((neighbour, -1), None)
        self._over = self._overrun(self._memory.alive)

    def costs(self) -> dict[str, float]:
        """Predicted cost by budget name."""
        raw = self._ops.totals()
        if self._costs.peak:
            raw[self._costs.peak] = float(self._memory.alive.max(initial=0))
        return {name: self._costs.of(name, value) for name, value in raw.items()}

    def excess(self) -> dict[str, float]:
        """Budget name → by how much it is exceeded, for those that are.

        Of the peak it is the sum over all nodes at which too much is alive, so that a block counts that
        relieves one of several peaks of equal height.
        """
        costs = self.costs()
        over = {name: costs[name] - limit for name, limit in self._budgets.items() if costs[name] > limit}
        if self._costs.peak in over:
            over[self._costs.peak] = self._over
        return over

    def relief(self, family: int, excess: Mapping[str, float]) -> float:
        """What fraction of each excess the next block of a family takes away, summed over the budgets.

        Args:
            family: one that has a next block.
            excess: what `excess` gives now.
        """
        falls = self._fall(family, 1)
        return sum(min(falls[name], over) / over for name, over in excess.items())

    def may_fit_back(self, family: int) -> bool:
        """Whether the budgets, which hold now, may still hold with a family's last block back.

        Costs are added up in another order here than in `costs`, so what is just within them must be tried.
        """
        falls, sums = self._fall(family, -1), self._ops.totals()
        for name, limit in self._budgets.items():
            now = 0.0 if name == self._costs.peak else self._costs.of(name, sums[name]) - limit
            if now - falls[name] > _ROUNDING * abs(limit):
                return False
        return True

    def _fall(self, family: int, step: int) -> Mapping[str, float]:
        """By how much each cost falls, and the excess of the peak, if a family changes by one block."""
        if (family, step) not in self._falls:
            gone = self.gone[family]
            block = self._blocks[family][gone if step > 0 else gone - 1].groups
            self.kept[block], self.gone[family] = step < 0, gone + step
            sums = self._ops.fall(family, self.gone, self.kept)
            falls = {name: self._costs.factors.get(name, 1.0) * fall for name, fall in sums.items()}
            if self._costs.peak:
                after = self._memory.alive_after(family, self.gone, self.kept)
                falls[self._costs.peak] = self._over - self._overrun(after)
            self.kept[block], self.gone[family] = step > 0, gone
            self._falls[family, step] = falls
        return self._falls[family, step]

    def _overrun(self, alive: Bytes) -> float:
        """By how much the peak's budget is exceeded, summed over all nodes."""
        peak = self._costs.peak
        if peak not in self._budgets:
            return 0.0
        costs = self._costs.factors.get(peak, 1.0) * alive + self._costs.offsets.get(peak, 0.0)
        return float(np.maximum(costs - self._budgets[peak], 0.0).sum())

    def _meet(self, nodes: int) -> dict[int, list[int]]:
        """Family → the families whose next change costs something else once it has changed."""
        touched = np.zeros((len(self._blocks), nodes), dtype=np.float32)
        for row, family in enumerate(self._blocks):
            touched[row, [*self._ops.nodes_of[family], *self._memory.nodes_of[family]]] = 1
        families = np.array(list(self._blocks))
        met = touched @ touched.T > 0
        return {int(f): families[met[row]].tolist() for row, f in enumerate(families)}
