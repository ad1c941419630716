"""Which subgraphs run which: the branches of IF, the bodies of WHILE, what CALL_ONCE initialises."""

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter

from edgeprune.tflite.model import Op, Subgraph

MOST_CALLS, DEEPEST_CALLS = 100_000, 100
"""Beyond these, following all calls of a file takes longer than any real model is worth."""


def list_calls(op: Op) -> list[int]:
    """Indices of the subgraphs that an op runs, in the order of its options."""
    return [called for key, called in op.options.items() if key.endswith("subgraph_index")]


def find_call_problem(subgraphs: Sequence[Subgraph]) -> str:
    """Why the calls of a file's subgraphs cannot be followed to their end, as a clause; "" where they can."""
    calls: list[list[int]] = [[] for _ in subgraphs]
    for subgraph, called_here in zip(subgraphs, calls, strict=True):
        for op in subgraph.ops:
            for called in list_calls(op):
                if not 0 <= called < len(subgraphs):
                    return f"operator {op.index} {op.name} calls subgraph {called} of {len(subgraphs)}"
                called_here.append(called)
    runs, depths = [1] * len(subgraphs), [1] * len(subgraphs)
    try:
        for place in TopologicalSorter(dict(enumerate(calls))).static_order():
            runs[place] += sum(runs[called] for called in calls[place])
            depths[place] += max((depths[called] for called in calls[place]), default=0)
    except CycleError:
        return "a subgraph calls itself, directly or through others"
    if max(runs) > MOST_CALLS or max(depths) > DEEPEST_CALLS:
        return f"its subgraphs call one another {max(runs)} times, {max(depths)} deep"
    return ""
