"""Every layer kind's example is pruned and proven equal; every rule that is broken on purpose is caught."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from graph.examples import EXAMPLES
from random_pruning import prune_at_random, random_inputs, randomise

import edgeprune.graph.layers  # noqa: F401  (fills the registry)
from edgeprune.errors import InfeasibleError
from edgeprune.graph.channels import Call, Flow, name_channels
from edgeprune.graph.rules import RULES
from edgeprune.keras_bridge.rebuild import TOLERANCE, compact
from edgeprune.keras_bridge.trace import trace

Mutation = Callable[[Flow, Call], Flow]


def test_every_layer_kind_with_a_rule_has_an_example() -> None:
    missing = sorted(set(RULES) - set(EXAMPLES))
    assert not missing, f"add examples of {', '.join(missing)} to tests/graph/examples.py"
    assert not sorted(set(EXAMPLES) - set(RULES))


@pytest.mark.parametrize("kind", EXAMPLES)
def test_an_example_holds_the_layer_it_is_named_after(kind: str) -> None:
    graph = trace(EXAMPLES[kind]()).graph
    assert kind in {layer.kind for layer in graph.layers.values()}


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_pruned_example_equals_the_masked_one(kind: str) -> None:
    for seed in range(3):
        model = EXAMPLES[kind]()
        compacted, traced, _, kept = prune_at_random(model, seed)
        assert compacted.error <= TOLERANCE
        assert (compacted.graph.params < traced.graph.params) == (not kept.all())
        assert compacted.model.count_params() == compacted.graph.params


def reverse_outputs(flow: Flow, call: Call) -> Flow:
    return replace(flow, outputs=tuple(ids[::-1] for ids in flow.outputs))


def roll_outputs(flow: Flow, call: Call) -> Flow:
    return replace(flow, outputs=tuple(np.roll(ids, 1) for ids in flow.outputs))


def drop_axes(flow: Flow, call: Call) -> Flow:
    return replace(flow, axes={name: (None,) * np.ndim(array) for name, array in call.layer.weights.items()})


def reverse_axes(flow: Flow, call: Call) -> Flow:
    axes = {
        w: tuple(None if ids is None else ids[::-1] for ids in by_axis) for w, by_axis in flow.axes.items()
    }
    return replace(flow, axes=axes)


def pass_first(call: Call) -> Flow:
    """Neither ties nor freezes anything."""
    return Flow(outputs=(call.inputs[0],), axes={w: (None,) * a.ndim for w, a in call.layer.weights.items()})


CONVOLUTIONS = ("Conv2D", "SeparableConv2D", "Dense")
MERGES = ("Add", "Subtract", "Multiply", "Maximum", "Minimum", "Average")
KEPT = ("Softmax", "Normalization")
WEIGHTED = (*CONVOLUTIONS, "DepthwiseConv2D", "BatchNormalization", "LayerNormalization", "PReLU")


def is_caught(kind: str) -> bool:
    """Whether it shows that a rule is wrong when a third of each family goes, another third in each."""
    model = EXAMPLES[kind]()
    rng = np.random.default_rng(0)
    randomise(model, rng)
    traced = trace(model)
    try:
        channels = name_channels(traced.graph)
        kept = channels.everything
        for family in np.unique(channels.family):
            groups = np.flatnonzero((channels.family == family) & channels.prunable)
            if len(groups) > 1:
                kept[np.roll(groups, -family)[: max(len(groups) // 3, 1)]] = False
        compact(model, traced, channels=channels, kept=kept, probe=random_inputs(model, rng))
    except (InfeasibleError, ValueError):
        return True
    return False


@pytest.mark.parametrize("kind", EXAMPLES)
def test_the_proof_finds_nothing_wrong_with_the_rules_as_they_are(kind: str) -> None:
    assert not is_caught(kind)


def break_rule(
    monkeypatch: pytest.MonkeyPatch, kind: str, mutate: Mutation, *, ask_first: bool = True
) -> None:
    rule = RULES[kind]

    def flow(call: Call) -> Flow:
        return mutate(rule.flow(call) if ask_first else Flow(outputs=(), axes={}), call)

    monkeypatch.setitem(RULES._definitions, kind, replace(rule, flow=flow))


@pytest.mark.parametrize("mutate", [reverse_outputs, roll_outputs])
@pytest.mark.parametrize("kind", [kind for kind in EXAMPLES if kind not in KEPT])
def test_a_rule_that_shuffles_its_outputs_is_caught(
    monkeypatch: pytest.MonkeyPatch, kind: str, mutate: Mutation
) -> None:
    break_rule(monkeypatch, kind, mutate)
    assert is_caught(kind)


@pytest.mark.parametrize("mutate", [drop_axes, reverse_axes])
@pytest.mark.parametrize("kind", WEIGHTED)
def test_a_rule_that_mislays_its_weights_is_caught(
    monkeypatch: pytest.MonkeyPatch, kind: str, mutate: Mutation
) -> None:
    break_rule(monkeypatch, kind, mutate)
    assert is_caught(kind)


@pytest.mark.parametrize("kind", [*MERGES, *KEPT])
def test_a_rule_that_neither_ties_nor_freezes_is_caught(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setitem(RULES._definitions, kind, replace(RULES[kind], flow=pass_first))
    assert is_caught(kind)
