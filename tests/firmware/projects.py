"""Projects for the tests, in memory."""

import numpy as np

from edgeprune.device.profile import load_profile
from edgeprune.firmware.golden import fit_golden
from edgeprune.firmware.project import PROJECTS, render_project
from edgeprune.runtimes.golden import Golden
from edgeprune.tflite.model import NUMPY_TYPES
from edgeprune.tflite.read import read_model


def golden_zeros(model, *, labels=()):
    """Two samples of zeros."""
    inputs, outputs = (
        tuple(np.zeros((2, *tensor.shape), NUMPY_TYPES[tensor.dtype]) for tensor in tensors)
        for tensors in (model.inputs, model.outputs)
    )
    return Golden(inputs=inputs, outputs=outputs, origin="made by a test", labels=labels)


def project(data, kind="cmake", *, labels=(), device="cortex-m7", image_bytes=100_000, room_bytes=None):
    """Path → text of a project with a model."""
    model = read_model(data, where="made")
    golden = fit_golden(golden_zeros(model, labels=labels), room_bytes=room_bytes, is_exact=True)
    return render_project(
        PROJECTS[kind],
        tflite=data,
        model=model,
        golden=golden,
        arena_bytes=1000,
        arena_size_bytes=1024,
        arena_evidence="a test",
        profile=load_profile(device),
        image_bytes=image_bytes,
    )
