"""The law of structured pruning on models of sequences."""

import pytest
from keras_bridge.law import check_law
from keras_bridge.random_sequences import KINDS, build_model

GRAPHS = 60
GRAPHS_NIGHTLY = 300


def test_removed_equals_masked_on_random_models_of_sequences() -> None:
    tried = check_law(build_model, graphs=GRAPHS, kinds=KINDS)
    assert tried.graphs >= 0.95 * GRAPHS
    assert tried.pruned >= 0.95 * tried.graphs
    assert tried.compared >= 0.9 * tried.graphs
    assert sorted(set(KINDS) - set(tried.kinds)) == []


@pytest.mark.nightly
def test_removed_equals_masked_on_hundreds_of_random_models_of_sequences() -> None:
    tried = check_law(build_model, graphs=GRAPHS_NIGHTLY, kinds=KINDS)
    assert tried.graphs >= 0.95 * GRAPHS_NIGHTLY
    assert min(tried.kinds[kind] for kind in KINDS) >= 10
