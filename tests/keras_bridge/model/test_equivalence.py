"""The law of structured pruning: a model without some channels equals the one with them zeroed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from keras_bridge.law import check_law
from keras_bridge.random_models import KINDS, build_model
from random_pruning import draw_plan

from edgeprune.graph.channels import name_channels
from edgeprune.keras_bridge.loading.load import load_model
from edgeprune.keras_bridge.model.rebuild import TOLERANCE, compact
from edgeprune.keras_bridge.model.trace import trace

ROOT = Path(__file__).parents[3]
RESNET8 = ROOT / "../shared/models/mlperf_tiny/image_classification/pretrainedResnet.h5"
GRAPHS = 220
GRAPHS_NIGHTLY = 1100


@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")  # of size 1, drawn so
def test_removed_equals_masked_on_random_graphs() -> None:
    tried = check_law(build_model, graphs=GRAPHS, kinds=KINDS)
    assert tried.graphs >= 0.95 * GRAPHS
    assert tried.pruned >= 0.95 * tried.graphs
    assert tried.compared >= 0.9 * tried.graphs
    assert sorted(set(KINDS) - set(tried.kinds)) == []


@pytest.mark.nightly
@pytest.mark.filterwarnings("ignore:You are using a softmax over axis:UserWarning")
def test_removed_equals_masked_on_a_thousand_random_graphs() -> None:
    tried = check_law(build_model, graphs=GRAPHS_NIGHTLY, kinds=KINDS)
    assert tried.graphs >= 1000
    assert tried.pruned >= 0.95 * tried.graphs
    assert min(tried.kinds[kind] for kind in KINDS) >= 5


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
from edgeprune.keras_bridge.model.rebuild import compact
from edgeprune.keras_bridge.model.trace import trace
from edgeprune.prune.criteria import CRITERIA, Evidence, score_groups
from edgeprune.prune.limits import Limits
from edgeprune.prune.ratio import remove_ratio

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
