"""The model as it is, fine-tuned: what sweeps hold pruned ones against."""

from pathlib import Path
from typing import Any

import pytest

import edgeprune
from edgeprune.errors import RecipeError
from tests.e2e.conftest import DIGITS


@pytest.mark.parametrize("epochs", [2, "auto"])
def test_nothing_is_removed_and_all_epochs_are_taken(place: Path, tmp_path: Path, epochs: Any) -> None:
    result = edgeprune.build(
        place / "small.keras",
        str(DIGITS),
        device="cortex-m7",
        latency_ms=1000,
        max_drop="100%",
        epochs=epochs,
        only_fine_tune=True,
        progress=False,
    )
    report = result.report
    assert report.dense["params"] == report.pruned["params"]
    assert report.dense["latency_ms"] == report.pruned["latency_ms"]
    assert {step["kind"] for step in report.steps} == {"dense", "recover", "final"}
    assert report.steps[-1]["epochs"] == 2 if epochs == 2 else report.steps[-1]["epochs"] > 2
    assert report.steps[-1]["accuracy"] >= report.steps[0]["accuracy"]


def test_zeros_are_a_contradiction() -> None:
    with pytest.raises(RecipeError, match="only_fine_tune"):
        edgeprune.build(device="cortex-m7", only_fine_tune=True, final_sparsity=0.5)
