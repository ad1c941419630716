"""The search for a sparsity, and what is kept of a choice for --resume. Whole choices: e2e/test_zeros.py."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeprune.methods.choose import Choice, read_choice, write_choice
from edgeprune.methods.clustering import Clustering
from edgeprune.methods.low_rank import LowRank
from edgeprune.methods.method import find_first
from edgeprune.methods.sparsity import SPARSITIES, Zeroing
from edgeprune.prune.masks import parse_pattern


@given(st.integers(1, 30), st.integers(0, 31))
def test_the_first_value_that_holds_is_found(count: int, first: int) -> None:
    values = tuple(float(i) for i in range(count))
    asked: list[float] = []

    def holds(value: float) -> bool:
        asked.append(value)
        return value >= first

    assert find_first(values, holds) == (float(first) if first < count else None)
    assert len(asked) == len(set(asked)), "every value is a file that takes seconds to make"


def test_sparsities_go_up_to_nineteen_in_twenty() -> None:
    assert (SPARSITIES[0], SPARSITIES[-1]) == (0.3, 0.95)


@pytest.mark.parametrize(
    "choice",
    [
        Choice(epochs=3, note="Channels alone: why."),
        Choice(
            setting=Zeroing(final_sparsity=0.8, pattern=parse_pattern("4x1"), keep=("stem",)),
            epochs=12,
            note="Zeros: why.",
        ),
        Choice(setting=Clustering(values=16, keep=("stem",)), epochs=9, note="Clusters: why."),
        Choice(
            factors=LowRank(ranks={"fc": (8,), "conv": (4, 8)}, lost=0.01), epochs=9, note="Low rank: why."
        ),
    ],
)
def test_a_choice_survives_an_interruption(choice: Choice) -> None:
    assert read_choice(json.loads(json.dumps(write_choice(choice)))) == choice
