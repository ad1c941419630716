import numpy as np
from prune.priced_graphs import long_chain, weights

from edgeprune.methods.channel_step import Pruner, solve_gently
from edgeprune.prune.costs import Costs
from edgeprune.prune.families import count_kept, family_widths
from edgeprune.prune.limits import Limits


def test_one_step_takes_more_of_each_layer_before_it_starves_one() -> None:
    """A sixth of the weights stays: half of each layer is too much, and a quarter of each must remain."""
    graph, channels = long_chain(5, width=32)
    costs = Costs(per_op={"flash": weights})
    dense = 2 * 32 + 4 * 32 * 32 + 32 * 3
    budgets = {"flash": dense / 6}
    pruner = Pruner(
        criterion="l2",
        limits=Limits(evenness=0),
        dense={"flash": dense},
        budgets=budgets,
        widths=family_widths(channels),
        costs=costs,
        measure=lambda model: {},
    )
    solution = solve_gently(
        graph,
        channels,
        scores=np.ones(channels.groups),
        costs=costs,
        targets=budgets,
        pruner=pruner,
    )
    assert solution.costs["flash"] <= dense / 6
    assert min(count_kept(channels, solution.kept).values()) == 8
