import numpy as np
import pytest
from graph.hand_made import Made, conv, dense, graph_of
from hypothesis import given, settings
from hypothesis import strategies as st
from prune.priced_graphs import chain, long_chain, macs, tangled, weights

from edgeprune.errors import InfeasibleError
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.liveness import peak_activation_bytes
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.graph.opshape import OpShape
from edgeprune.graph.surgery import remove_channels, resize_shapes
from edgeprune.prune.costs import Costs, fit_costs
from edgeprune.prune.families import count_kept, cut_blocks, family_widths
from edgeprune.prune.limits import Limits
from edgeprune.prune.ratio import remove_ratio
from edgeprune.prune.solve import solve

MACS = Costs(per_op={"latency": macs})


def width_of(channels: ChannelMap, kept: np.ndarray, tensor: str) -> int:
    return int(kept[channels.tensors[tensor]].sum())


def rising(channels: ChannelMap) -> np.ndarray:
    """Scores 0, 1, 2 … within each family."""
    scores = np.zeros(channels.groups)
    for family in np.unique(channels.family):
        groups = np.flatnonzero(channels.family == family)
        scores[groups] = np.arange(len(groups))
    return scores


def test_nothing_goes_when_the_budget_holds() -> None:
    graph, channels = chain()
    solution = solve(
        graph,
        channels,
        scores=rising(channels),
        costs=MACS,
        budgets={"latency": 16 * (16 + 64 + 24)},
        limits=Limits(),
    )
    assert solution.kept.all()
    assert solution.feasible
    assert solution.costs == {"latency": 16 * (16 + 64 + 24)}


def test_the_least_important_channels_go_first() -> None:
    graph, channels = chain()
    scores = np.ones(channels.groups) * 100
    a = channels.tensors["a"]
    scores[a[[5, 2]]] = 1, 2
    # Without 5 and 2 the middle has 6: 16·(2·6 + 6·8 + 3·8) MACs.
    solution = solve(
        graph, channels, scores=scores, costs=MACS, budgets={"latency": 16 * 84}, limits=Limits()
    )
    assert np.flatnonzero(~solution.kept).tolist() == sorted(a[[5, 2]].tolist())
    assert solution.costs["latency"] == 16 * 84


def test_widths_are_multiples_of_the_alignment() -> None:
    graph, channels = chain(10)
    solution = solve(
        graph,
        channels,
        scores=rising(channels),
        costs=MACS,
        budgets={"latency": 16 * 60},
        limits=Limits(round_to=4),
    )
    assert solution.feasible
    assert {width_of(channels, solution.kept, t) % 4 for t in "ab"} <= {0, 2}  # 10 is where they started
    assert min(width_of(channels, solution.kept, t) for t in "ab") % 4 == 0


def test_no_family_gets_narrower_than_the_least_width() -> None:
    graph, channels = chain()
    solution = solve(
        graph,
        channels,
        scores=rising(channels),
        costs=MACS,
        budgets={"latency": 1.0},
        limits=Limits(min_channels=3),
    )
    assert not solution.feasible
    assert [width_of(channels, solution.kept, t) for t in "abc"] == [3, 3, 3]
    assert solution.costs["latency"] == 16 * (6 + 9 + 9)


def test_no_family_loses_more_than_the_largest_ratio() -> None:
    graph, channels = chain()
    solution = solve(
        graph,
        channels,
        scores=rising(channels),
        costs=MACS,
        budgets={"latency": 1.0},
        limits=Limits(max_ratio=0.25),
    )
    assert [width_of(channels, solution.kept, t) for t in "ab"] == [6, 6]


def test_local_scope_takes_the_same_share_of_each_family() -> None:
    graph, channels = chain()
    scores = rising(channels)
    scores[channels.tensors["a"]] += 1000  # the global scope would leave "a" alone
    solution = solve(
        graph,
        channels,
        scores=scores,
        costs=MACS,
        budgets={"latency": 16 * (8 + 16 + 12)},
        limits=Limits(scope="local"),
    )
    assert [width_of(channels, solution.kept, t) for t in "ab"] == [4, 4]
    assert solution.feasible


def test_a_model_without_channels_that_may_go_is_an_error_with_the_reason() -> None:
    graph = graph_of({"x": (4,)}, dense("a", "x", cin=4, cout=3))
    channels = name_channels(graph)
    with pytest.raises(InfeasibleError, match="model output"):
        solve(
            graph,
            channels,
            scores=np.ones(channels.groups),
            costs=MACS,
            budgets={"latency": 1.0},
            limits=Limits(),
        )
    with pytest.raises(InfeasibleError, match="model output"):
        remove_ratio(channels, scores=np.ones(channels.groups), ratio=0.5, limits=Limits())


def test_what_a_later_block_made_needless_is_put_back() -> None:
    """Per pixel 3·p + 7·q MACs: 4 of p save 12, which is too little; 4 of q then save 28, which is enough."""
    graph = graph_of(
        {"x": (4, 4, 2)},
        conv("p", "x", cin=2, cout=8),
        conv("q", "x", cin=2, cout=16),
        conv("after_p", "p", cin=8, cout=1),
        conv("after_q", "q", cin=16, cout=5),
        outputs=["after_p", "after_q"],
    )
    channels = name_channels(graph)
    scores = np.ones(channels.groups)
    scores[channels.tensors["p"][:4]] = 0.001  # half of p goes first, for it matters least
    budget = 16 * (3 * 8 + 7 * 16 - 20)
    limits = Limits(round_to=4)
    found = solve(graph, channels, scores=scores, costs=MACS, budgets={"latency": budget}, limits=limits)
    assert [width_of(channels, found.kept, t) for t in "pq"] == [8, 12]
    assert found.costs["latency"] == 16 * (3 * 8 + 7 * 12) <= budget
    tighter = {"latency": 16 * (3 * 8 + 7 * 16 - 29)}
    both = solve(graph, channels, scores=scores, costs=MACS, budgets=tighter, limits=limits)
    assert [width_of(channels, both.kept, t) for t in "pq"] == [4, 12]


def test_in_local_scope_needless_blocks_are_put_back_too() -> None:
    """Per pixel 3·p + 7·q MACs: 4 of q, 4 of p and 4 of q save 28 + 12 + 28, where 50 are asked."""
    graph = graph_of(
        {"x": (4, 4, 2)},
        conv("p", "x", cin=2, cout=8),
        conv("q", "x", cin=2, cout=16),
        conv("after_p", "p", cin=8, cout=1),
        conv("after_q", "q", cin=16, cout=5),
        outputs=["after_p", "after_q"],
    )
    channels = name_channels(graph)
    found = solve(
        graph,
        channels,
        scores=np.ones(channels.groups),
        costs=MACS,
        budgets={"latency": 16 * (3 * 8 + 7 * 16 - 50)},
        limits=Limits(round_to=4, scope="local"),
    )
    assert [width_of(channels, found.kept, t) for t in "pq"] == [8, 8]


def fork() -> tuple[LayerGraph, ChannelMap]:
    """x(2) → big(16) → small(2), all alive only in pairs: the peak is big + its neighbour."""
    graph = graph_of(
        {"x": (4, 4, 2)},
        conv("big", "x", cin=2, cout=16),
        conv("small", "big", cin=16, cout=4),
        conv("end", "small", cin=4, cout=2),
    )
    return graph, name_channels(graph)


def test_a_ram_budget_takes_channels_where_the_peak_is() -> None:
    graph, channels = fork()
    # "small" has the least important channels, but the peak, 16·(16 + 4) bytes, stands at "big".
    scores = np.ones(channels.groups)
    scores[channels.tensors["small"]] = 0.5
    costs = Costs(per_op={}, peak="ram")
    solution = solve(
        graph, channels, scores=scores, costs=costs, budgets={"ram": 16 * 12}, limits=Limits(min_channels=4)
    )
    assert solution.feasible
    assert width_of(channels, solution.kept, "big") == 8
    assert width_of(channels, solution.kept, "small") == 4
    assert solution.costs["ram"] == 16 * 12
    shapes = resize_shapes(graph, channels, kept=solution.kept)
    assert peak_activation_bytes(graph, shapes) == 16 * 12


def spanning() -> tuple[LayerGraph, ChannelMap]:
    """A concatenation of a(2) and b(6) is added to c(8): one family spans all three."""
    image = (4, 4)
    graph = graph_of(
        {"x": (4, 4, 2)},
        conv("a", "x", cin=2, cout=2),
        conv("b", "x", cin=2, cout=6),
        conv("c", "x", cin=2, cout=8),
        Made("both", "Concatenate", ["a", "b"], (*image, 8), {"axis": -1}),
        Made("sum", "Add", ["both", "c"], (*image, 8)),
        conv("end", "sum", cin=8, cout=2),
    )
    return graph, name_channels(graph)


@pytest.mark.parametrize("scope", ["global", "local"])
def test_no_tensor_of_a_family_that_spans_several_loses_all_its_channels(scope: str) -> None:
    graph, channels = spanning()
    assert len({channels.family_names[f] for f in channels.family[channels.tensors["sum"]]}) == 1
    scores = np.ones(channels.groups)
    scores[channels.tensors["a"]] = 0.1  # "a" would go first, and whole
    kept = remove_ratio(channels, scores=scores, ratio=0.9, limits=Limits(scope=scope))
    assert [width_of(channels, kept, t) for t in ("a", "b", "c")] == [1, 1, 2]
    solution = solve(
        graph,
        channels,
        scores=scores,
        costs=MACS,
        budgets={"latency": 1.0},
        limits=Limits(scope=scope),
    )
    assert [width_of(channels, solution.kept, t) for t in ("a", "b", "c")] == [1, 1, 2]


def test_a_ratio_takes_that_share_of_each_family_or_of_all() -> None:
    _, channels = chain()
    scores = rising(channels)
    scores[channels.tensors["b"]] += 100
    local = remove_ratio(channels, scores=scores, ratio=0.5, limits=Limits(scope="local"))
    assert [width_of(channels, local, t) for t in "ab"] == [4, 4]
    overall = remove_ratio(channels, scores=scores, ratio=0.375, limits=Limits(scope="global"))
    assert [width_of(channels, overall, t) for t in "ab"] == [2, 8]  # 6 of 16, all of the less important


def test_a_ratio_leaves_multiples_of_the_alignment() -> None:
    _, channels = chain(10)
    kept = remove_ratio(
        channels, scores=rising(channels), ratio=0.5, limits=Limits(scope="local", round_to=4)
    )
    assert [width_of(channels, kept, t) for t in "ab"] == [8, 8]  # 5 would be half


def test_a_ratio_that_alignment_undoes_is_an_error() -> None:
    _, channels = chain()
    with pytest.raises(InfeasibleError):
        remove_ratio(channels, scores=rising(channels), ratio=0.5, limits=Limits(scope="local", round_to=8))


def test_a_cost_model_is_scaled_and_shifted_to_what_was_measured() -> None:
    graph, channels = chain()
    raw = 16 * (16 + 64 + 24)  # MACs; 104 weights
    costs = fit_costs(
        graph,
        channels,
        per_op={"latency": macs, "flash": weights},
        peak="ram",
        measured={"latency": 2.0 * raw, "flash": 1104.0, "ram": 16 * 16 + 50.0},
    )
    assert costs.of("latency", raw) == pytest.approx(2.0 * raw)
    assert costs.of("latency", raw / 2) == pytest.approx(raw)  # scaled
    assert costs.of("flash", 104) == pytest.approx(1104)
    assert costs.of("flash", 4) == pytest.approx(1004)  # shifted
    assert costs.of("ram", 16 * 16) == pytest.approx(16 * 16 + 50)
    again = costs.refit(predicted={"flash": 1004.0}, measured={"flash": 1010.0})
    assert again.of("flash", 4) == pytest.approx(1010)


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    seed=st.integers(0, 2**16),
    parts=st.tuples(st.floats(0.2, 1.1), st.floats(0.2, 1.1), st.floats(0.2, 1.1)),
    limits=st.builds(
        Limits,
        round_to=st.sampled_from([1, 2, 4]),
        min_channels=st.integers(1, 3),
        max_ratio=st.sampled_from([0.5, 1.0]),
        scope=st.sampled_from(["global", "local"]),
    ),
)
def test_predicted_costs_are_those_of_the_plan_and_within_budgets_where_feasible(
    seed: int, parts: tuple[float, float, float], limits: Limits
) -> None:
    graph = tangled()
    channels = name_channels(graph)
    costs = Costs(per_op={"latency": macs, "flash": weights}, peak="ram", offsets={"flash": 100.0})
    dense_macs = count_macs(Lowering(graph, channels).lower(channels.everything))
    dense_peak = peak_activation_bytes(graph, dict(graph.shapes))
    budgets = {
        "latency": parts[0] * dense_macs,
        "flash": 100 + parts[1] * 2400,
        "ram": parts[2] * dense_peak,
    }
    scores = np.random.default_rng(seed).random(channels.groups)
    solution = solve(graph, channels, scores=scores, costs=costs, budgets=budgets, limits=limits)
    ops = Lowering(graph, channels).lower(solution.kept)
    shapes = resize_shapes(graph, channels, kept=solution.kept)
    assert solution.costs["latency"] == pytest.approx(sum(map(macs, ops)))
    assert solution.costs["flash"] == pytest.approx(100 + sum(map(weights, ops)))
    assert solution.costs["ram"] == peak_activation_bytes(graph, shapes)
    assert solution.feasible == all(solution.costs[name] <= limit for name, limit in budgets.items())
    smaller = remove_channels(graph, channels, kept=solution.kept)
    again = Lowering(smaller, name_channels(smaller))
    assert count_macs(again.lower(name_channels(smaller).everything)) == solution.costs["latency"]
    for family in np.unique(channels.family):
        groups = np.flatnonzero((channels.family == family) & channels.prunable)
        if len(groups):
            left = int(solution.kept[groups].sum())
            assert left >= min(limits.min_channels, len(groups))
            assert left >= len(groups) * (1 - limits.max_ratio)


def test_a_family_keeps_its_least_width() -> None:
    """q would give up its 16 channels down to 4, but 12 of them must stay; p has to help."""
    graph = graph_of(
        {"x": (4, 4, 2)},
        conv("p", "x", cin=2, cout=8),
        conv("q", "x", cin=2, cout=16),
        conv("after_p", "p", cin=8, cout=1),
        conv("after_q", "q", cin=16, cout=1),
        outputs=["after_p", "after_q"],
    )
    channels = name_channels(graph)
    assert family_widths(channels) == {"p": 8, "q": 16}
    scores = np.ones(channels.groups)
    scores[channels.tensors["q"]] = 0.01
    budgets = {"latency": 16 * 3 * (8 + 16 - 8)}
    free, bound = (
        solve(graph, channels, scores=scores, costs=MACS, budgets=budgets, limits=limits)
        for limits in (Limits(round_to=4), Limits(round_to=4, least_widths={"q": 12}))
    )
    assert [width_of(channels, free.kept, t) for t in "pq"] == [8, 8]
    assert [width_of(channels, bound.kept, t) for t in "pq"] == [4, 12]


@pytest.mark.parametrize(("evenness", "narrowest"), [(0.0, 1), (1.0, 4), (2.0, 8)])
def test_a_layer_is_not_starved_for_the_sake_of_its_neighbours(evenness: float, narrowest: int) -> None:
    """A wide layer beside a narrow one is cheaper than two of medium width."""
    graph, channels = long_chain(5, width=16)
    found = solve(
        graph,
        channels,
        scores=np.ones(channels.groups),
        costs=Costs(per_op={"flash": weights}),
        budgets={"flash": 350},  # of 1,104
        limits=Limits(evenness=evenness),
    )
    assert min(count_kept(channels, found.kept).values()) == narrowest


def test_a_channel_counts_by_what_is_left_of_the_dense_model() -> None:
    _, channels = long_chain(1, width=4)
    scores = np.ones(channels.groups)
    (fresh,), (halved,) = (
        cut_blocks(channels, scores, limits=Limits(dense_widths=dense)).values()
        for dense in ({}, {"layer0": 8})
    )
    assert [block.loss for block in fresh] == pytest.approx([4 / 3, 4 / 2, 4 / 1])
    assert [block.loss for block in halved] == pytest.approx([8 / 3, 8 / 2, 8 / 1])


def test_where_all_groups_are_at_their_least_width_it_says_that_and_for_which_budget() -> None:
    graph, channels = chain()
    with pytest.raises(
        InfeasibleError, match="no further channel can be removed for the sake of latency"
    ) as error:
        solve(
            graph,
            channels,
            scores=rising(channels),
            costs=MACS,
            budgets={"latency": 1.0},
            limits=Limits(min_channels=8),
        )
    assert "min_channels" in error.value.why


def test_a_block_that_saves_nothing_by_itself_still_opens_the_way() -> None:
    """Kernels that take channels by fours: 8 of a and 8 of b cost 4; four channels less of one save 1."""
    graph, channels = chain()
    by_fours = Costs(per_op={"latency": lambda op: 0.0 if op.name == "c" else float(-(-op.output[-1] // 4))})
    solution = solve(
        graph,
        channels,
        scores=rising(channels),
        costs=by_fours,
        budgets={"latency": 3.0},
        limits=Limits(),
    )
    assert solution.feasible
    assert sorted(width_of(channels, solution.kept, t) for t in "ab") == [4, 8]


def test_in_local_scope_nothing_is_exchanged_between_families() -> None:
    """Whoever looks at scores takes all from a, which matters least."""
    graph, channels = chain()
    scores = rising(channels)
    scores[channels.tensors["b"]] += 1000
    widths = {}
    for scope in ("global", "local"):
        found = solve(
            graph,
            channels,
            scores=scores,
            costs=MACS,
            budgets={"latency": 16 * (8 + 16 + 12)},
            limits=Limits(scope=scope),
        )
        widths[scope] = [width_of(channels, found.kept, t) for t in "ab"]
    assert widths == {"global": [1, 8], "local": [4, 4]}


def test_a_budget_that_is_missed_by_a_hair_is_missed() -> None:
    """Without two channels of a it is 16·84 MACs, a hair too many; a third one has to go and stay gone."""
    graph, channels = chain()
    scores = np.ones(channels.groups) * 100
    scores[channels.tensors["a"]] = 1
    budget = 16 * 84 - 1e-6
    found = solve(graph, channels, scores=scores, costs=MACS, budgets={"latency": budget}, limits=Limits())
    assert found.feasible
    assert found.costs["latency"] <= budget
    assert [width_of(channels, found.kept, t) for t in "ab"] == [5, 8]


@pytest.mark.parametrize("sign", [1, -1])  # the more goes, the less is lost: of scores below zero
def test_a_plan_is_found_where_the_narrowest_model_would_be_too_slow(sign: int) -> None:
    """A kernel that is slow for single channels: a ms per channel, but 100 with one channel left."""
    graph, channels = chain()

    def slow_alone(op: OpShape) -> float:
        return 0.0 if op.name != "a" else 100.0 if op.output[-1] == 1 else float(op.output[-1])

    found = solve(
        graph,
        channels,
        scores=sign * (1 + rising(channels)),
        costs=Costs(per_op={"latency": slow_alone}),
        budgets={"latency": 6.0},
        limits=Limits(),
    )
    assert found.feasible
    assert found.costs["latency"] == 6
    assert [width_of(channels, found.kept, t) for t in "ab"] == [6, 8]
