"""The budget solver: which groups go so that the device's budgets hold, at the least loss of importance.

Greedy: as long as a budget is exceeded, remove the block of channels with the smallest score per unit of what
is still exceeded. A block is as many of a family's least important channels as bring its width to the next
multiple of the device's channel alignment, because kernels are no faster in between. The last block often
saves more than was asked, so blocks that still fit are put back afterwards, the most important first.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from edgeprune.errors import InfeasibleError
from edgeprune.graph.channels import ChannelMap, Ids
from edgeprune.graph.kept_layers import summarise_reasons
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.lower import Lowering, peak_activation_bytes
from edgeprune.graph.opshape import OpShape
from edgeprune.graph.surgery import Kept, resize_shapes
from edgeprune.prune.criteria import Scores

OpCost = Callable[[OpShape], float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Costs:
    """What a plan costs on the device, as the solver sees it.

    Attributes:
        per_op: budget name → cost of one op; a model costs the sum over its ops.
        peak: the budget name that is the peak of live activation bytes instead, "" for none.
        offsets, factors: budget name → what a model costs is factor × sum + offset; fitted on the last
            conversion, so that the solver's idea of the cost follows the converted file.
    """

    per_op: Mapping[str, OpCost]
    peak: str = ""
    factors: Mapping[str, float] = field(default_factory=dict)
    offsets: Mapping[str, float] = field(default_factory=dict)

    def of(self, name: str, raw: float) -> float:
        """The cost that corresponds to a raw sum or peak."""
        return self.factors.get(name, 1.0) * raw + self.offsets.get(name, 0.0)

    def refit(self, *, predicted: Mapping[str, float], measured: Mapping[str, float]) -> "Costs":
        """The same model, shifted so that it would have predicted what was measured."""
        offsets = {
            name: self.offsets.get(name, 0.0) + measured[name] - value for name, value in predicted.items()
        }
        return replace(self, offsets=offsets)


@dataclass(frozen=True, kw_only=True, slots=True)
class Solution:
    """A plan and what it is predicted to cost.

    Attributes:
        kept: (groups,) True for each group that stays.
        costs: budget name → predicted cost.
        feasible: whether all limits are predicted to hold.
    """

    kept: Kept
    costs: Mapping[str, float]
    feasible: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Floor:
    """How many of a layer's channels must stay.

    Attributes:
        layer: its name.
        family: name of the family the channels belong to.
        count: how many must stay.
    """

    layer: str
    family: str
    count: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What the solver must respect besides the budgets.

    Attributes:
        round_to: numbers of channels become multiples of this where they can; numbers of heads need not.
        min_channels: no family gets narrower than this (or than it was).
        max_ratio: largest fraction of a family's channels that goes in one call.
        least_widths: family name → prunable channels that must stay, on top of `min_channels`.
        floors: what single layers must keep.
        keep: patterns of layer names whose channels stay; see `keep_layers`.
        scope: "global": blocks go where they are least important; "local": every family gives up the same
            fraction of its channels.
    """

    round_to: int = 1
    min_channels: int = 1
    max_ratio: float = 1.0
    least_widths: Mapping[str, int] = field(default_factory=dict)
    floors: tuple[Floor, ...] = ()
    keep: tuple[str, ...] = ()
    scope: str = "global"


def solve(
    graph: LayerGraph,
    channels: ChannelMap,
    *,
    scores: Scores,
    costs: Costs,
    budgets: Mapping[str, float],
    limits: Limits,
) -> Solution:
    """A plan whose predicted costs are within the budgets, or the cheapest one if there is none.

    Args:
        graph: the model.
        channels: its groups.
        scores: (groups,) importance.
        costs: the device's cost model.
        budgets: budget name → largest cost allowed, in the unit of the cost; names as in `costs`.
        limits: alignment and least widths.

    Raises:
        InfeasibleError: the model has no channel that may go, though a budget is exceeded.
    """
    state = _State(graph, channels, scores=scores, costs=costs, limits=limits)
    while True:
        now = state.costs()
        excess = {name: now[name] - limit for name, limit in budgets.items() if now[name] > limit}
        if not excess:
            state.restore_what_fits(budgets)
            return Solution(kept=state.kept, costs=state.costs(), feasible=True)
        if not state.remove_best(excess):
            if state.kept.all():
                raise _nothing_left(channels, scores, limits=limits, exceeded=excess)
            return Solution(kept=state.kept, costs=now, feasible=False)


def _nothing_left(
    channels: ChannelMap, scores: Scores, *, limits: Limits, exceeded: Mapping[str, float]
) -> InfeasibleError:
    """Why not one channel can go for budgets that are exceeded."""
    fix = "'edgeprune inspect MODEL' lists the reasons per layer"
    reasons = summarise_reasons(channels)
    if not rank_families(channels, scores, floors=limits.floors):
        return InfeasibleError("no channel of this model may be removed", why=reasons, fix=fix)
    return InfeasibleError(
        f"no further channel can be removed for the sake of {' and '.join(exceeded)}",
        why="groups are as narrow as min_channels and round_to let them become"
        + (f"; {reasons}" if reasons else ""),
        fix=f"{fix}; a wider budget, or round_to = 1 in a recipe, leaves more room",
    )


def fit_costs(
    graph: LayerGraph,
    channels: ChannelMap,
    *,
    per_op: Mapping[str, OpCost],
    peak: str,
    measured: Mapping[str, float],
) -> Costs:
    """A cost model that predicts for the whole graph what was measured for its conversion.

    Sums are scaled where the measured figure has no fixed part (latency), shifted otherwise (flash, peak).

    Args:
        graph: the model that was measured.
        channels: its groups.
        per_op: budget name → cost of one op.
        peak: the budget that follows the peak of live activations, "" for none.
        measured: budget name → what the conversion costs.
    """
    kept = np.ones(channels.groups, dtype=bool)
    ops = Lowering(graph, channels).lower(kept)
    raw = {name: sum(cost(op) for op in ops) for name, cost in per_op.items()}
    scaled = {name: measured[name] / raw[name] for name in ("latency",) if raw.get(name) and name in measured}
    if peak:
        raw[peak] = float(peak_activation_bytes(graph, resize_shapes(graph, channels, kept=kept)))
    unfitted = Costs(per_op=per_op, peak=peak, factors=scaled)
    predicted = {name: unfitted.of(name, value) for name, value in raw.items()}
    return unfitted.refit(predicted=predicted, measured={**predicted, **measured})


def family_widths(channels: ChannelMap) -> dict[str, int]:
    """Family name → number of its channels that may go."""
    counts = np.bincount(channels.family[channels.prunable], minlength=len(channels.family_names))
    return {name: int(count) for name, count in zip(channels.family_names, counts, strict=True) if count}


def remove_ratio(channels: ChannelMap, *, scores: Scores, ratio: float, limits: Limits) -> Kept:
    """A plan that removes a fraction of all prunable channels, budgets aside.

    Args:
        channels: the groups.
        scores: (groups,) importance.
        ratio: fraction of channels that go, in [0, 1).
        limits: alignment, least widths and scope.

    Raises:
        InfeasibleError: nothing can be removed.
    """
    kept = np.ones(channels.groups, dtype=bool)
    families = rank_families(channels, scores, floors=limits.floors)
    if limits.scope == "global" and families:
        everyone = np.concatenate([family.order for family in families.values()])
        ranked = everyone[np.argsort(scores[everyone], kind="stable")]
        going = np.zeros(channels.groups, dtype=bool)
        going[ranked[: round(ratio * len(everyone))]] = True
        wanted = {f: np.count_nonzero(going[family.order]) for f, family in families.items()}
    else:
        wanted = {f: round(ratio * len(family.order)) for f, family in families.items()}
    for f, family in families.items():
        width = len(family.order)
        least = _least_width(channels, f, family=family, limits=limits, width=width)
        left = min(width, max(width - wanted[f], least))
        if channels.units[f] == "channels":
            left = min(width, -(-left // limits.round_to) * limits.round_to)
        kept[family.order[: width - left]] = False
    if ratio > 0 and kept.all():
        raise InfeasibleError(
            "no channel of this model may be removed",
            why=summarise_reasons(channels) or "its layers are too narrow",
            fix="'edgeprune inspect MODEL' lists the reasons per layer",
        )
    return kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Family:
    """The groups of a family that may go, in their order.

    Attributes:
        order: the groups in the order in which they go.
        needed: how many at the end of it must stay.
    """

    order: Ids
    needed: int


def rank_families(
    channels: ChannelMap, scores: Scores, *, floors: tuple[Floor, ...] = ()
) -> dict[int, Family]:
    """The families that have groups which may go, the least important groups first.

    No tensor may lose all its channels, so the most important one of each stays. One per family would not do:
    where a concatenation of two layers is added to a third, one family spans all three. Floors of layers are
    held in the same way.
    """
    prunable, needed = channels.prunable, np.zeros(channels.groups, dtype=bool)
    for floor in floors:
        groups = channels.made.get(floor.layer, np.zeros(0, np.int64))
        groups = groups[[channels.family_names[f] == floor.family for f in channels.family[groups]]]
        # What cannot go anyway counts first.
        ranked = groups[np.lexsort((scores[groups], ~prunable[groups]))]
        needed[ranked[max(0, len(ranked) - floor.count) :]] = True
    for groups in channels.carriers():
        if prunable[groups].all():
            needed[groups[np.argmax(scores[groups])]] = True
    going = np.flatnonzero(prunable)
    going = going[np.lexsort((scores[going], needed[going]))]
    by_family = {int(f): going[channels.family[going] == f] for f in np.unique(channels.family[going])}
    return {f: Family(order=order, needed=int(needed[order].sum())) for f, order in by_family.items()}


def _least_width(channels: ChannelMap, f: int, *, family: Family, limits: Limits, width: int) -> int:
    """How many of the groups of a family that may go must stay; `width` of them are left."""
    least = limits.min_channels if channels.units[f] == "channels" else 1
    return max(
        min(least, width),
        family.needed,
        int(np.ceil(len(family.order) * (1 - limits.max_ratio))),
        limits.least_widths.get(channels.family_names[f], 0),
    )


class _State:
    """The plan while it is being made: what is kept, what each family's next block would gain."""

    def __init__(
        self, graph: LayerGraph, channels: ChannelMap, *, scores: Scores, costs: Costs, limits: Limits
    ) -> None:
        self._graph, self._channels = graph, channels
        self._scores, self._model, self._limits = scores, costs, limits
        self._lowering = Lowering(graph, channels)
        self.kept: Kept = np.ones(channels.groups, dtype=bool)
        self._families = rank_families(channels, scores, floors=limits.floors)
        self._nodes_of = self._touched_nodes()
        self._op_costs: dict[tuple[str, OpShape], float] = {}
        self._node_costs = {
            name: [self._node_cost(name, i) for i in range(len(graph.nodes))] for name in costs.per_op
        }
        self._saved: dict[int, dict[str, float]] = {}
        self._removed: list[tuple[int, Ids]] = []

    def costs(self) -> dict[str, float]:
        """Predicted cost by budget name."""
        raw = {name: sum(by_node) for name, by_node in self._node_costs.items()}
        if self._model.peak:
            raw[self._model.peak] = float(self._peak(self.kept))
        return {name: self._model.of(name, value) for name, value in raw.items()}

    def remove_best(self, excess: Mapping[str, float]) -> bool:
        """Removes the block with the least score per excess it takes away; False if there is none."""
        best, best_price = -1, np.inf
        for family in self._families:
            block = self._block(family)
            if len(block) == 0:
                continue
            saved = self._savings(family, block, with_peak=self._model.peak in excess)
            gain = sum(min(saved.get(name, 0.0), over) / over for name, over in excess.items())
            if gain <= 0:
                # A block that saves nothing by itself may open the way: rank it last, not never.
                gain = 1e-9
            price = float(self._scores[block].sum()) / gain
            if self._limits.scope == "local":
                order = self._families[family].order
                price = 1 - (np.count_nonzero(self.kept[order]) - len(block)) / len(order)
            if price < best_price:
                best, best_price = family, price
        if best < 0:
            return False
        block = self._block(best)
        self._removed.append((best, block))
        self._set(best, block, kept=False)
        return True

    def restore_what_fits(self, budgets: Mapping[str, float]) -> None:
        """Puts removed blocks back, the most important first, as long as all budgets hold.

        Within a family the block that was removed last is the most important, so it comes back first.
        """
        blocked: set[int] = set()
        while True:
            last = {family: block for family, block in self._removed if family not in blocked}
            if not last:
                return
            family = max(last, key=lambda f: float(self._scores[last[f]].sum()))
            self._set(family, last[family], kept=True)
            now = self.costs()
            if any(now[name] > limit for name, limit in budgets.items()):
                self._set(family, last[family], kept=False)
                blocked.add(family)
            else:
                self._removed = [(f, b) for f, b in self._removed if b is not last[family]]

    def _set(self, family: int, block: Ids, *, kept: bool) -> None:
        """Removes a block or puts it back, and brings the costs of the nodes it touches up to date."""
        self.kept[block] = kept
        touched = self._nodes_of[family]
        for i in touched:
            for name, by_node in self._node_costs.items():
                by_node[i] = self._node_cost(name, i)
        for other in [f for f in self._saved if f == family or not touched.isdisjoint(self._nodes_of[f])]:
            del self._saved[other]

    def _block(self, family: int) -> Ids:
        order = self._families[family].order
        left: Ids = order[self.kept[order]]
        width = len(left)
        counted = self._channels.units[family] == "channels"
        align = self._limits.round_to if counted else 1
        floor = _least_width(
            self._channels, family, family=self._families[family], limits=self._limits, width=width
        )
        target = (width - 1) // align * align
        if target < floor:
            return left[:0]
        return left[: width - target]

    def _savings(self, family: int, block: Ids, *, with_peak: bool) -> dict[str, float]:
        if family not in self._saved:
            self.kept[block] = False
            self._saved[family] = {
                name: self._model.factors.get(name, 1.0)
                * sum(by_node[i] - self._node_cost(name, i) for i in self._nodes_of[family])
                for name, by_node in self._node_costs.items()
            }
            self.kept[block] = True
        saved = dict(self._saved[family])
        if with_peak:
            before = self._peak(self.kept)
            self.kept[block] = False
            saved[self._model.peak] = float(before - self._peak(self.kept))
            self.kept[block] = True
        return saved

    def _node_cost(self, name: str, index: int) -> float:
        total = 0.0
        for op in self._lowering.lower_node(index, self.kept):
            key = (name, op)
            if key not in self._op_costs:
                self._op_costs[key] = self._model.per_op[name](op)
            total += self._op_costs[key]
        return total

    def _peak(self, kept: Kept) -> int:
        return peak_activation_bytes(self._graph, resize_shapes(self._graph, self._channels, kept=kept))

    def _touched_nodes(self) -> dict[int, frozenset[int]]:
        nodes: dict[int, set[int]] = {f: set() for f in self._families}
        for i, node in enumerate(self._graph.nodes):
            carriers = [self._channels.along(tensor) for tensor in (*node.inputs, *node.outputs)]
            carriers += self._channels.axes.get(node.layer, {}).values()
            groups = np.unique(
                np.concatenate([ids for along in carriers for ids in along if ids is not None])
            )
            for family in np.unique(self._channels.family[groups]).tolist():
                if family in nodes:
                    nodes[family].add(i)
        return {f: frozenset(found) for f, found in nodes.items()}
