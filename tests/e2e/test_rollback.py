"""A collapse is rolled back and reached again in smaller steps, and recovery stays as long as was asked."""

from dataclasses import replace
from pathlib import Path

import pytest
from e2e.conftest import DIGITS

from edgeprune.build.artefact import make_artefact
from edgeprune.build.job import make_trainer, open_job
from edgeprune.build.pricing import ask_methods
from edgeprune.build.request import BuildRequest
from edgeprune.build.start import find_start
from edgeprune.build.workdir import WorkDirectory
from edgeprune.keras_bridge.training.train import steps_per_epoch
from edgeprune.methods import loop
from edgeprune.methods.channels import ChannelsMethod, ToBudgets
from edgeprune.progress import Silent

EPOCHS = 4


def test_a_collapse_is_rolled_back_twice_and_then_accepted(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing counts as good enough, so every pruning step is a collapse until it has been halved twice.
    monkeypatch.setattr(loop, "COLLAPSE_DROP", -2.0)
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

    trainer = make_trainer(job, progress=Silent(), work=work)
    start, _ = find_start(job, dense, trainer=trainer)
    setting = ToBudgets(asked=ask_methods(job, start=start))
    applied = ChannelsMethod().apply(start.model, setting, trainer=trainer)

    kinds = [step["kind"] for step in applied.steps]
    assert kinds.count("rollback") >= 2
    assert kinds[-1] == "final"
    assert (make_artefact(applied.model, job).figures["latency_ms"].value or 0.0) <= limit
    epoch = steps_per_epoch(job.inputs.training, trainer.plan_recovery())
    assert round(applied.steps[-1]["epochs"] * epoch) == EPOCHS * epoch
