import numpy as np
import pytest
from graph.hand_made import conv, graph_of

from edgeprune.config.build_options import LayerLimit
from edgeprune.errors import InfeasibleError, RecipeError
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.kept_layers import keep_layers
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.prune.costs import Costs
from edgeprune.prune.floors import set_floors
from edgeprune.prune.limits import Floor, Limits
from edgeprune.prune.ratio import remove_ratio
from edgeprune.prune.solve import solve


def chain() -> tuple[LayerGraph, ChannelMap]:
    """x → a(8) → b(8) → end."""
    graph = graph_of(
        {"x": (4, 4, 1)},
        conv("a", "x", cin=1, cout=8),
        conv("b", "a", cin=8, cout=8),
        conv("end", "b", cin=8, cout=2),
    )
    return graph, name_channels(graph)


def left(channels: ChannelMap, kept: np.ndarray, tensor: str) -> int:
    return int(kept[channels.tensors[tensor]].sum())


@pytest.mark.parametrize(
    ("limit", "count"),
    [
        (LayerLimit(min_channels=5), 5),
        (LayerLimit(min_channels=50), 8),  # all it has
        (LayerLimit(max_ratio=0.3), 6),  # 0.7 · 8 = 5.6
        (LayerLimit(max_ratio=0.25), 6),
        (LayerLimit(min_channels=7, max_ratio=0.5), 7),
        (LayerLimit(), 1),
    ],
)
def test_a_floor_is_the_larger_of_both_limits(limit: LayerLimit, count: int) -> None:
    _, channels = chain()
    assert set_floors(channels, {"a": limit}) == (Floor(layer="a", family="a", count=count),)


def test_a_ratio_stops_at_the_floor_and_keeps_the_most_important_there() -> None:
    _, channels = chain()
    floors = set_floors(channels, {"a": LayerLimit(min_channels=6)})
    scores = np.zeros(channels.groups)
    scores[channels.tensors["a"]] = np.arange(8)
    kept = remove_ratio(channels, scores=scores, ratio=0.75, limits=Limits(scope="local", floors=floors))
    assert kept[channels.tensors["a"]].tolist() == [False] * 2 + [True] * 6
    assert left(channels, kept, "b") == 2


def test_the_solver_takes_from_other_layers_what_a_floor_forbids() -> None:
    graph, channels = chain()
    costs = Costs(per_op={"latency": lambda op: float(op.macs)})
    scores = np.ones(channels.groups)
    scores[channels.tensors["a"]] = 0.001
    limits = Limits(floors=set_floors(channels, {"a": LayerLimit(max_ratio=0.0)}))
    found = solve(graph, channels, scores=scores, costs=costs, budgets={"latency": 16 * 50}, limits=limits)
    assert found.feasible
    assert left(channels, found.kept, "a") == 8
    assert left(channels, found.kept, "b") < 8


def test_the_least_width_and_the_largest_ratio_hold_for_a_ratio_too() -> None:
    _, channels = chain()
    scores = np.arange(channels.groups, dtype=float)
    for limits in (Limits(min_channels=6), Limits(max_ratio=0.25), Limits(least_widths={"a": 6, "b": 6})):
        kept = remove_ratio(channels, scores=scores, ratio=0.9, limits=limits)
        assert (left(channels, kept, "a"), left(channels, kept, "b")) == (6, 6)
    # More than there are: nothing may go.
    with pytest.raises(InfeasibleError):
        remove_ratio(channels, scores=scores, ratio=0.5, limits=Limits(least_widths={"a": 99, "b": 99}))


def test_a_limit_that_cannot_matter_is_refused() -> None:
    _, channels = chain()
    with pytest.raises(RecipeError, match=r'layers."conv\*": .* matches no layer'):
        set_floors(channels, {"conv*": LayerLimit(min_channels=2)})
    with pytest.raises(RecipeError, match="lose no channels anyway"):
        set_floors(channels, {"end": LayerLimit(min_channels=1)})


def test_everything_kept_is_an_error_that_says_why() -> None:
    graph, channels = chain()
    channels = keep_layers(channels, ["*"])
    scores = np.ones(channels.groups)
    with pytest.raises(InfeasibleError, match=r"kept by --keep \*"):
        remove_ratio(channels, scores=scores, ratio=0.5, limits=Limits())
    costs = Costs(per_op={"latency": lambda op: float(op.macs)})
    with pytest.raises(InfeasibleError, match=r"kept by --keep \*"):
        solve(graph, channels, scores=scores, costs=costs, budgets={"latency": 1}, limits=Limits())
