"""Every layer kind's example is pruned and proven equal; every rule that is broken on purpose is caught."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from graph.examples import CONVOLUTIONS, EXAMPLES, MERGING, NORMALIZATIONS, WITHOUT_WEIGHTS, kind_of_example
from graph.examples_kept import KEPT, UNCALLED
from keras import layers
from random_pruning import prune_at_random, random_inputs, randomise

from edgeprune.errors import InfeasibleError
from edgeprune.graph.channel_ids import Ids
from edgeprune.graph.channels import name_channels
from edgeprune.graph.layers.rules import RULES, Call, Flow
from edgeprune.keras_bridge.model.rebuild import TOLERANCE, compact
from edgeprune.keras_bridge.model.trace import kind_of, trace

pytestmark = pytest.mark.filterwarnings("ignore:You passed `rms_scaling=True`:UserWarning")  # deprecated

Mutation = Callable[[Flow, Call], Flow]


def test_every_layer_kind_with_a_rule_has_an_example() -> None:
    shown = {kind_of_example(name) for name in EXAMPLES}
    missing = sorted(set(RULES) - shown - set(UNCALLED))
    assert not missing, f"add examples of {', '.join(missing)} to tests/graph/examples.py"
    assert not sorted(shown - set(RULES))


def test_every_layer_that_keras_exports_has_a_rule() -> None:
    exported = {
        cls for cls in vars(layers).values() if isinstance(cls, type) and issubclass(cls, layers.Layer)
    }
    missing = sorted({kind_of(cls) for cls in exported} - set(RULES))
    assert not missing, f"add rules for {', '.join(missing)} to edgeprune/graph/layers"


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_holds_the_layer_it_is_named_after(name: str) -> None:
    graph = trace(EXAMPLES[name]()).graph
    assert kind_of_example(name) in {layer.kind for layer in graph.layers.values()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_pruned_example_equals_the_masked_one(name: str) -> None:
    compacted, traced, _, kept = prune_at_random(EXAMPLES[name](), seed=0)
    assert compacted.error <= TOLERANCE
    assert (compacted.graph.params < traced.graph.params) == (not kept.all())
    assert compacted.model.count_params() == compacted.graph.params


@pytest.mark.parametrize("name", KEPT)
def test_a_kept_layer_keeps_what_is_around_it_and_says_why(name: str) -> None:
    graph = trace(EXAMPLES[name]()).graph
    channels = name_channels(graph)
    for node in graph.nodes:
        if graph.layers[node.layer].kind == name:
            assert not any(
                channels.prunable[channels.tensors[t]].any() for t in (*node.inputs, *node.outputs)
            )
            assert name in channels.kept_layers[node.layer]


def _every_axis(flow: Flow, change: Callable[[Ids], Ids]) -> Flow:
    inner = flow.inner and tuple(
        tuple(None if ids is None else change(ids) for ids in along) for along in flow.inner
    )
    return replace(flow, outputs=tuple(change(ids) for ids in flow.outputs), inner=inner)


def reverse_outputs(flow: Flow, call: Call) -> Flow:
    return _every_axis(flow, lambda ids: ids[::-1])


def roll_outputs(flow: Flow, call: Call) -> Flow:
    return _every_axis(flow, lambda ids: np.roll(ids, 1))


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


FOLLOWED = [name for name in EXAMPLES if RULES[kind_of_example(name)].status != "kept"]
WEIGHTED = [*CONVOLUTIONS, *(name for name in NORMALIZATIONS if name not in WITHOUT_WEIGHTS), "PReLU"]
TYING = [*(name for name in MERGING if name != "Concatenate"), "Softmax", "Normalization"]


def is_caught(name: str) -> bool:
    """Whether it shows that a rule is wrong when a third of each family goes, another third in each."""
    model = EXAMPLES[name]()
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


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_proof_finds_nothing_wrong_with_the_rules_as_they_are(name: str) -> None:
    assert not is_caught(name)


def break_rule(monkeypatch: pytest.MonkeyPatch, name: str, mutate: Mutation) -> None:
    kind = kind_of_example(name)
    rule = RULES[kind]
    monkeypatch.setitem(
        RULES._definitions, kind, replace(rule, flow=lambda call: mutate(rule.flow(call), call))
    )


@pytest.mark.parametrize("mutate", [reverse_outputs, roll_outputs])
@pytest.mark.parametrize("name", FOLLOWED)
def test_a_rule_that_shuffles_its_outputs_is_caught(
    monkeypatch: pytest.MonkeyPatch, name: str, mutate: Mutation
) -> None:
    break_rule(monkeypatch, name, mutate)
    assert is_caught(name)


@pytest.mark.parametrize("mutate", [drop_axes, reverse_axes])
@pytest.mark.parametrize("name", WEIGHTED)
def test_a_rule_that_mislays_its_weights_is_caught(
    monkeypatch: pytest.MonkeyPatch, name: str, mutate: Mutation
) -> None:
    break_rule(monkeypatch, name, mutate)
    assert is_caught(name)


@pytest.mark.parametrize("name", TYING)
def test_a_rule_that_neither_ties_nor_freezes_is_caught(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    kind = kind_of_example(name)
    monkeypatch.setitem(RULES._definitions, kind, replace(RULES[kind], flow=pass_first))
    assert is_caught(name)
