import numpy as np
from graph.hand_made import conv, graph_of

from edgeprune.graph.channels import name_channels
from edgeprune.prune.sweeps import RATIOS, plan_sweeps


def test_a_sweep_takes_the_least_important_first_and_never_all() -> None:
    graph = graph_of(
        {"x": (4, 4, 1)},
        conv("a", "x", cin=1, cout=4),
        conv("b", "a", cin=4, cout=1),
        conv("end", "b", cin=1, cout=2),
    )
    channels = name_channels(graph)
    scores = np.zeros(channels.groups)
    scores[channels.tensors["a"]] = [3, 1, 2, 4]
    (sweep,) = plan_sweeps(channels, scores=scores)  # the one channel of "b" cannot go
    assert sweep.family == "a"
    assert [channels.tensors["a"].tolist().index(group) for group in sweep.order] == [1, 2, 0, 3]
    assert sweep.ratios == RATIOS == (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    assert sweep.count_of.tolist() == [0, 1, 1, 2, 2, 2, 3, 3, 3]
    assert sweep.counts.tolist() == [1, 2, 3]
