"""A collapse is rolled back and reached again in smaller steps, and recovery stays as long as was asked."""

from dataclasses import replace
from pathlib import Path

import pytest
from e2e.conftest import DIGITS

from edgeprune.build.artefact import make_artefact
from edgeprune.build.job import open_job, plan_recovery
from edgeprune.build.request import BuildRequest
from edgeprune.build.workdir import WorkDirectory
from edgeprune.keras_bridge.training.train import steps_per_epoch
from edgeprune.methods import loop as shrink
from edgeprune.methods.budget_loop import open_loop, shrink_to_budgets
from edgeprune.progress import Silent

EPOCHS = 4


def test_a_collapse_is_rolled_back_twice_and_then_accepted(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing counts as good enough, so every pruning step is a collapse until it has been halved twice.
    monkeypatch.setattr(shrink, "COLLAPSE_DROP", -2.0)
    request = BuildRequest(
        model=place / "small.keras",
        device="cortex-m7",
        data=str(DIGITS),
        output=tmp_path / "out",
        criterion="l2",
        schedule="constant_sparsity",
        epochs=EPOCHS,
    )
    job = open_job(request, progress=Silent())
    dense = make_artefact(job.inputs.model, job)
    limit = 0.6 * (dense.figures["latency_ms"].value or 0.0)
    job = open_job(replace(request, latency_ms=limit), progress=Silent())
    work = WorkDirectory(tmp_path / "out.work", key="rollback", resume=False)

    opening, start = open_loop(job, dense, progress=Silent())
    shrunk = shrink_to_budgets(job, start, opening=opening, work=work, progress=Silent())

    kinds = [step["kind"] for step in shrunk.steps]
    assert kinds.count("rollback") >= 2
    assert kinds[-1] == "final"
    assert (make_artefact(shrunk.model, job).figures["latency_ms"].value or 0.0) <= limit
    epoch = steps_per_epoch(job.inputs.training, plan_recovery(job))
    assert round(shrunk.steps[-1]["epochs"] * epoch) == EPOCHS * epoch
