"""What a job is opened with."""

from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from edgeprune.build.job import describe_settings, open_job
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


def test_settings_number_outputs_in_the_files_order_and_leave_a_stream_its_batches() -> None:
    x = keras.Input((4,))
    outputs = {"shape": keras.layers.Dense(3)(x), "centre": keras.layers.Dense(2)(x)}
    model = keras.Model(x, outputs)
    model.compile(loss={"shape": "mse", "centre": "mse"})
    labels = {"shape": np.random.rand(64, 3), "centre": np.random.rand(64, 2)}
    stream = tf.data.Dataset.from_tensor_slices((np.random.rand(64, 4), labels)).batch(16)
    request = BuildRequest(model=model, device="cortex-m7", data=(stream, stream))
    settings = describe_settings(open_job(request, progress=Silent()))
    assert settings["outputs"] == "0 is centre, 1 is shape"
    assert settings["batch_size"] == "the stream's own"
