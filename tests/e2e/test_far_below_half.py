"""Budgets that take more than half of every layer's channels, and one that no plan meets."""

import math
from dataclasses import replace
from pathlib import Path

import keras
import pytest
from e2e.conftest import DIGITS

import edgeprune
from edgeprune.build.artefact import make_artefact
from edgeprune.build.job import make_trainer, open_job
from edgeprune.build.pricing import ask_methods
from edgeprune.build.request import BuildRequest
from edgeprune.build.start import find_start
from edgeprune.errors import InfeasibleError
from edgeprune.keras_bridge.training.determinism import fix_seeds
from edgeprune.methods.channels import ChannelsMethod, ToBudgets
from edgeprune.progress import Silent


def test_every_layer_may_become_narrower_than_half() -> None:
    fix_seeds(0)
    image = x = keras.Input((8, 8, 1))
    for _ in range(3):
        x = keras.layers.Conv2D(32, 3, padding="same", activation="relu")(x)
    x = keras.layers.Dense(10, activation="softmax")(keras.layers.Flatten()(keras.layers.MaxPooling2D(4)(x)))
    model = keras.Model(image, x)
    request = BuildRequest(model=model, device="cortex-m7", data=str(DIGITS), epochs=2, whole_layers=False)
    job = open_job(request, progress=Silent())
    dense = make_artefact(job.inputs.model, job)
    limit = 0.2 * (dense.figures["latency_ms"].value or 0.0)
    job = open_job(replace(request, latency_ms=limit), progress=Silent())
    trainer = make_trainer(job, progress=Silent())
    start, _ = find_start(job, dense, trainer=trainer)

    setting = ToBudgets(asked=ask_methods(job, start=start))
    applied = ChannelsMethod().apply(start.model, setting, trainer=trainer)

    assert (make_artefact(applied.model, job).figures["latency_ms"].value or 0.0) <= limit
    widths = [layer.filters for layer in applied.model.layers if isinstance(layer, keras.layers.Conv2D)]
    assert min(widths) < 16


def test_where_no_plan_is_feasible_the_nearest_is_named_and_kept(place: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with pytest.raises(InfeasibleError) as error:
        edgeprune.build(
            place / "small.keras",
            data=str(DIGITS),
            device="cortex-m7",
            latency_ms=0.01,
            learning_rate=5e-3,
            output=output,
        )

    refused, best = error.value, error.value.best
    latency = best.figures["latency_ms"].value
    kept = output.with_name("out.edgeprune-work") / "best"
    assert "no pruned model meets the budgets" in refused.message
    assert f"the best found needs --latency-ms {math.ceil(latency * 100) / 100:g}" in refused.message
    assert str(kept) in refused.message
    assert (kept / "model.tflite").read_bytes() == best.tflite
    assert latency < 0.5 * best.outcome.dense.figures["latency_ms"].value
    assert not output.exists()
    assert best.to_json()["steps"][-1]["note"] == "all that may go, refitted, not trained"
