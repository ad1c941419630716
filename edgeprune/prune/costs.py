"""What a plan costs on the device, as the budget solver sees it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.liveness import peak_activation_bytes
from edgeprune.graph.lower import Lowering
from edgeprune.graph.opshape import OpShape
from edgeprune.graph.surgery import Kept, resize_shapes

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
    raw = sum_costs(graph, channels, kept=channels.everything, per_op=per_op, peak=peak)
    scaled = {name: measured[name] / raw[name] for name in ("latency",) if raw.get(name) and name in measured}
    unfitted = Costs(per_op=per_op, peak=peak, factors=scaled)
    predicted = {name: unfitted.of(name, value) for name, value in raw.items()}
    return unfitted.refit(predicted=predicted, measured={**predicted, **measured})


def sum_costs(
    graph: LayerGraph, channels: ChannelMap, *, kept: Kept, per_op: Mapping[str, OpCost], peak: str
) -> dict[str, float]:
    """Budget name → sum over the ops of the graph with only these groups, or its peak of live activations.

    Args:
        graph: the model.
        channels: its groups.
        kept: (groups,) True for each group that stays.
        per_op: budget name → cost of one op.
        peak: the budget that follows the peak, "" for none.
    """
    ops = Lowering(graph, channels).lower(kept)
    raw = {name: sum(cost(op) for op in ops) for name, cost in per_op.items()}
    if peak:
        raw[peak] = float(peak_activation_bytes(graph, resize_shapes(graph, channels, kept=kept)))
    return raw
