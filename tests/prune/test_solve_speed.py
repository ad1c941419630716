"""How the solver's time grows with the depth of the model."""

import time

import numpy as np
from prune.priced_graphs import long_chain

from edgeprune.prune.costs import Costs
from edgeprune.prune.limits import Limits
from edgeprune.prune.solve import solve

WIDTH = 16
HALF = 16 * WIDTH  # of the 2 · 16 · 16 bytes that are alive wherever one layer reads another


def cpu_seconds(layers: int) -> float:
    """The processor time that a chain takes to come down to half its RAM."""
    graph, channels = long_chain(layers, width=WIDTH)
    scores = np.random.default_rng(0).random(channels.groups)
    start = time.process_time()
    solution = solve(
        graph,
        channels,
        scores=scores,
        costs=Costs(per_op={}, peak="ram"),
        budgets={"ram": HALF},
        limits=Limits(),
    )
    assert solution.feasible
    return time.process_time() - start


def test_a_chain_of_eighty_layers_under_a_ram_budget_takes_less_than_a_second() -> None:
    # Of two runs the faster: what else the machine does can only slow one down.
    forty, eighty = (min(cpu_seconds(layers) for _ in range(2)) for layers in (40, 80))
    assert eighty < 1
    # Four times where each step looks at each family; eight times where it walks the whole graph for each.
    assert eighty < 6 * forty
