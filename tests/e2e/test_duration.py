"""How long recovery takes where nobody says, and within minutes."""

import time
from pathlib import Path
from typing import Any

import pytest

import edgeprune
from edgeprune.methods import gains, loop
from tests.e2e.conftest import DIGITS


def build(place: Path, output: Path, **how: Any) -> list[Any]:
    result = edgeprune.build(
        place / "small.keras",
        str(DIGITS),
        device="cortex-m7",
        output=output,
        latency_ms=0.5,
        max_drop="100%",
        whole_layers=False,
        progress=False,
        **how,
    )
    assert result.report.budgets
    return result.report.steps


def test_recovery_goes_on_as_long_as_it_gains(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "MOST_EPOCHS", 12)
    few = build(place, tmp_path / "few")
    monkeypatch.setattr(gains, "LEAST_GAIN", -1.0)  # whatever comes counts as a gain
    many = build(place, tmp_path / "many")
    assert few[-1]["epochs"] <= many[-1]["epochs"]
    assert many[-1]["epochs"] >= 12
    recovered = [step for step in many if step["kind"] == "recover"]
    assert len(recovered) >= 4


def test_minutes_are_kept_to(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gains, "LEAST_GAIN", -1.0)
    monkeypatch.setattr(loop, "MOST_EPOCHS", 100_000)
    started = time.monotonic()
    steps = build(place, tmp_path / "out", max_minutes=0.25)
    assert time.monotonic() - started < 120
    assert steps[-1]["kind"] == "final"
