"""Bounds hold: whatever a real model computes lies within them, for every layer kind."""

from typing import Any

import keras
import numpy as np
import pytest
from graph.examples import EXAMPLES
from random_pruning import random_inputs, randomise

from edgeprune.graph import interval_rules
from edgeprune.graph.interval_functions import CURVES, activate
from edgeprune.graph.interval_trace import trace_intervals
from edgeprune.graph.intervals import Interval
from edgeprune.keras_bridge.model.observe import measure_inputs, observe
from edgeprune.keras_bridge.model.trace import trace


def find_violation(model: keras.Model, *, seed: int) -> str:
    """The first tensor with a value outside its bounds, "" if there is none."""
    rng = np.random.default_rng(seed)
    randomise(model, rng)
    traced = trace(model)
    inputs = random_inputs(model, rng)
    bounds = trace_intervals(traced.graph, inputs=measure_inputs(traced, inputs=inputs))
    for tensor, seen in observe(model, traced, inputs=inputs).items():
        if not np.isfinite([seen.low, seen.high]).all():
            continue
        known = bounds[tensor].by_channel(seen.low.shape[-1] if seen.low.ndim else 1)
        slack = 1e-4 * (1 + np.maximum(np.abs(seen.low), np.abs(seen.high)))
        if (seen.low < known.low - slack).any() or (seen.high > known.high + slack).any():
            return tensor
    return ""


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")
@pytest.mark.filterwarnings("ignore:You passed `rms_scaling:UserWarning")
@pytest.mark.parametrize("kind", EXAMPLES)
def test_what_an_example_computes_lies_within_its_bounds(kind: str) -> None:
    assert find_violation(EXAMPLES[kind](), seed=0) == ""


def test_bounds_that_are_too_narrow_are_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def narrow(call: Any) -> Interval:
        return Interval(low=call.inputs[0].high, high=call.inputs[0].high)

    monkeypatch.setitem(interval_rules.INTERVAL_RULES, "Dropout", narrow)
    assert find_violation(EXAMPLES["Dropout"](), seed=0) != ""


@pytest.mark.parametrize("name", CURVES)
def test_an_activation_is_that_of_keras_and_its_bounds_hold(name: str) -> None:
    x = np.linspace(-12, 12, 4801)
    expected = np.asarray(getattr(keras.activations, name)(x.astype(np.float32)), np.float64)
    points = activate(Interval(low=x, high=x), name)
    np.testing.assert_allclose(points.constants(len(x)), expected, rtol=2e-5, atol=2e-6)
    rng = np.random.default_rng(0)
    for _ in range(200):
        low, high = np.sort(rng.choice(len(x), 2, replace=False))
        found = activate(Interval(low=x[[low]], high=x[[high]]), name)
        inside = expected[low : high + 1]
        assert found.low[0] <= inside.min() + 1e-5 * (1 + abs(inside.min()))
        assert found.high[0] >= inside.max() - 1e-5 * (1 + abs(inside.max()))
    open_ended = activate(Interval(low=np.array([-np.inf]), high=np.array([np.inf])), name)
    assert open_ended.low[0] <= expected.min() + 1e-6
    assert open_ended.high[0] >= expected.max() - 1e-6
