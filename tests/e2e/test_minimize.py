"""`--minimize`: the least of a budget within a drop."""

from pathlib import Path
from typing import Any

import pytest

import edgeprune
from edgeprune.errors import RecipeError
from edgeprune.methods.minimize import Numbered
from tests.e2e.conftest import DIGITS


def minimize(place: Path, what: str, **how: Any) -> Any:
    return edgeprune.build(
        place / "small.keras", str(DIGITS), device="cortex-m7", minimize=what, epochs=4, progress=False, **how
    )


def test_the_least_latency_is_found_and_its_trials_are_in_the_report(place: Path, tmp_path: Path) -> None:
    result = minimize(place, "latency", max_drop=0.1, output=tmp_path / "out")
    report = result.report
    good = [trial for trial in report.trials if trial["good"]]
    assert len([trial for trial in report.trials if trial["cost"] is not None]) <= 6
    assert good
    assert report.pruned["latency_ms"] < report.dense["latency_ms"]
    assert report.pruned["latency_ms"] <= min(trial["budget"] for trial in good) * 1.0001
    assert all(trial["drop"] <= 0.1 for trial in good)
    latency = next(check for check in report.checks if check["name"] == "latency")
    assert latency["note"] == "the least that was found"
    assert report.settings["minimize"] == "latency"
    assert "<h3>The least latency</h3>" in (tmp_path / "out" / "report.html").read_text()
    epochs = [trial["epochs"] for trial in report.trials if trial["cost"] is not None]
    assert epochs[0] == 4
    assert all(taken == 2 for taken in epochs[1:])
    assert sum(epochs) <= 4 * 4


@pytest.mark.nightly
def test_where_nothing_may_be_lost_the_file_still_holds_all_that_is_checked(place: Path) -> None:
    result = minimize(place, "latency", max_drop=0.0)
    assert result.fits
    assert result.report.pruned["accuracy"] >= result.report.dense["float_accuracy"]
    assert result.report.pruned["latency_ms"] <= result.report.dense["latency_ms"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"latency_ms": 3.0}, "has a budget"),
        ({"clusters": 16}, "channels and whole layers alone"),
        ({"only_fine_tune": True}, "channels and whole layers alone"),
    ],
)
def test_what_contradicts_it_is_refused(asked: dict[str, Any], said: str) -> None:
    with pytest.raises(RecipeError, match=said):
        edgeprune.build(device="cortex-m7", minimize="latency", **asked)


@pytest.mark.nightly
def test_an_interrupted_search_goes_on_and_ends_in_the_same_file(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = minimize(place, "latency", max_drop=0.1, output=tmp_path / "whole")
    finished, finish = [], Numbered.finish

    def stop_in_the_second(self: Any, stage: str, state: dict[str, Any]) -> Any:
        finished.append(self._prefix)
        if self._prefix == "trial-2-":
            raise KeyboardInterrupt
        return finish(self, stage, state)

    monkeypatch.setattr(Numbered, "finish", stop_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        minimize(place, "latency", max_drop=0.1, output=tmp_path / "out")
    monkeypatch.undo()
    monkeypatch.setattr(
        Numbered, "finish", lambda self, *rest: finished.append(self._prefix) or finish(self, *rest)
    )
    del finished[:]
    resumed = minimize(place, "latency", max_drop=0.1, output=tmp_path / "out", resume=True)
    assert "trial-1-" not in finished, "it was done before"
    assert resumed.tflite == whole.tflite
    assert resumed.report.trials == whole.report.trials
