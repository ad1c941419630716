"""What a job is opened with."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np

from edgeprune.build.job import open_job
from edgeprune.build.request import BuildRequest
from edgeprune.progress import Silent


def test_the_profile_of_a_job_holds_the_budgets_that_were_asked_for(tmp_path: Path) -> None:
    """The C engine spends what is left of them on faster kernels; none, where flash is to become small."""
    data = tmp_path / "data.npz"
    x, y = np.zeros((40, 4), np.float32), np.arange(40) % 2
    np.savez(data, x_train=x, y_train=y, x_test=x, y_test=y)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    request = BuildRequest(model=model, device="cortex-m7", data=str(data), runtime="c", flash_kib=100)
    job = open_job(request, progress=Silent())
    assert (job.profile.budgets.flash_kib, job.profile.budgets.ram_kib) == (100, 128)
    assert (job.budgets.flash_bytes.value, job.budgets.flash_bytes.origin) == (102400, "flag")
    least = replace(request, flash_kib=None, minimize="flash")
    assert open_job(least, inputs=job.inputs, progress=Silent()).profile.budgets.flash_kib == 0
