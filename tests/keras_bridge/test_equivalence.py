"""The law of structured pruning: a model without some channels equals the one with them zeroed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from keras_bridge.random_models import build_model
from random_pruning import draw_plan, random_inputs, randomise

import edgeprune.graph.layers  # noqa: F401  (fills the registry)
from edgeprune.graph.channels import name_channels
from edgeprune.graph.rules import RULES
from edgeprune.keras_bridge.calling import call
from edgeprune.keras_bridge.load import load_model
from edgeprune.keras_bridge.rebuild import TOLERANCE, compact, rebuild
from edgeprune.keras_bridge.trace import trace

ROOT = Path(__file__).parents[2]
RESNET8 = ROOT / "../shared/models/mlperf_tiny/image_classification/pretrainedResnet.h5"
GRAPHS = 320


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")  # of size 1, drawn so
def test_removed_equals_masked_on_random_graphs_of_all_rules() -> None:
    seen: set[str] = set()
    counts = {"graphs": 0, "pruned": 0, "compared": 0}

    @settings(
        max_examples=GRAPHS,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # shrinking a Keras model takes minutes; the draws are printed all the same
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(data=st.data(), seed=st.integers(0, 2**16))
    def law(data: st.DataObject, seed: int) -> None:
        model, kinds = build_model(data.draw)
        rng = np.random.default_rng(seed)
        randomise(model, rng)
        before = [np.array(w) for w in model.get_weights()]
        probe = random_inputs(model, rng)
        traced = trace(model)
        channels = name_channels(traced.graph)

        dense = [np.asarray(y) for y in call(model, probe, training=False)]
        if seed % 2:
            same = rebuild(model, traced, graph=traced.graph)
            for a, b in zip(dense, call(same, probe, training=False), strict=True):
                np.testing.assert_array_equal(a, np.asarray(b), err_msg="the empty plan is the identity")

        kept = draw_plan(channels, rng)
        compacted = compact(model, traced, channels=channels, kept=kept, probe=probe)
        for a, b in zip(before, model.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b, err_msg="the original is as it was")
        assert compacted.error <= TOLERANCE
        assert compacted.model.output_shape == model.output_shape
        assert compacted.model.count_params() == compacted.graph.params
        for name in channels.kept_layers:
            for weight, array in traced.graph.layers[name].weights.items():
                if all(ids is None for ids in channels.axes[name][weight]):
                    np.testing.assert_array_equal(compacted.graph.layers[name].weights[weight], array)
        for name in channels.tensors:
            if not any(channels.prunable[ids].any() for ids in channels.along(name) if ids is not None):
                assert compacted.graph.shapes[name] == traced.graph.shapes[name]
        seen.update(kinds)
        counts["graphs"] += 1
        counts["pruned"] += not kept.all()
        counts["compared"] += any(y.std() > 0 for y in dense)

    law()
    assert counts["graphs"] >= 300
    assert counts["pruned"] >= 300, "a graph that lost nothing proves nothing"
    assert counts["compared"] >= 290, "outputs that are constant prove little"
    assert sorted(set(RULES) - seen) == []


def test_the_mlperf_tiny_resnet_equals_its_masked_self() -> None:
    if not RESNET8.exists():
        pytest.skip("../shared is not here")
    model = load_model(RESNET8)
    traced = trace(model)
    channels = name_channels(traced.graph)
    rng = np.random.default_rng(0)
    probe = [rng.uniform(0, 255, (8, 32, 32, 3)).astype(np.float32)]
    for _ in range(3):
        kept = draw_plan(channels, rng)
        compacted = compact(model, traced, channels=channels, kept=kept, probe=probe)
        assert not kept.all()
        assert compacted.error <= TOLERANCE
        assert compacted.graph.params < traced.graph.params


MOBILENET = """
import json, resource, sys, time
import tensorflow as tf
import keras
import numpy as np
from random_pruning import randomise
from edgeprune.graph.channels import name_channels
from edgeprune.keras_bridge.rebuild import compact
from edgeprune.keras_bridge.trace import trace
from edgeprune.prune.criteria import CRITERIA, Evidence, score_groups
from edgeprune.prune.solve import Limits, remove_ratio

def peak_mib():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

imported = peak_mib()
model = keras.applications.MobileNetV2(weights=None)
randomise(model, np.random.default_rng(0))
start = time.perf_counter()
traced = trace(model)
channels = name_channels(traced.graph)
scores = score_groups(CRITERIA["l2"], Evidence(graph=traced.graph, channels=channels))
kept = remove_ratio(channels, scores=scores, ratio=0.5, limits=Limits())
planned = time.perf_counter() - start
probe = [np.random.default_rng(1).standard_normal((2, 224, 224, 3)).astype(np.float32)]
compacted = compact(model, traced, channels=channels, kept=kept, probe=probe)
print(json.dumps({
    "seconds": time.perf_counter() - start, "planned": planned, "mib": peak_mib() - imported,
    "error": compacted.error, "before": traced.graph.params, "after": compacted.graph.params,
    "widths": [int(kept[channels.tensors[t]].sum()) for t in channels.tensors],
}))
"""


def test_mobilenet_is_pruned_by_half_in_ten_seconds_and_two_gigabytes() -> None:
    run = subprocess.run(
        [sys.executable, "-c", MOBILENET],
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}", "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    found = json.loads(run.stdout.splitlines()[-1])
    assert found["error"] <= TOLERANCE
    assert found["after"] < 0.6 * found["before"]
    assert min(found["widths"]) >= 1
    assert found["seconds"] <= 10
    assert found["mib"] <= 2048
