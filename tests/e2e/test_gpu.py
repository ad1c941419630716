"""A whole build for a phone's GPU."""

from pathlib import Path

import numpy as np
import pytest

import edgeprune
from edgeprune.errors import RecipeError
from edgeprune.tflite.read import read_model
from tests.e2e.conftest import DIGITS


def test_a_build_for_the_gpu_is_pruned_to_its_flash_in_float16(place: Path, tmp_path: Path) -> None:
    asked = {"data": str(DIGITS), "device": "galaxy-s10", "delegate": "gpu", "epochs": 2, "progress": False}
    built = edgeprune.build(
        place / "small.keras", **asked, flash_kib=9, max_drop=0.9, output=tmp_path / "out", criterion="l2"
    )
    assert built.fits
    checks = {check["name"]: check for check in built.report.checks}
    assert "Mali-G76" in checks["latency"]["evidence"]
    assert checks["ops"]["ok"]
    assert built.figures["flash_bytes"].value <= 9 * 1024
    file = read_model(built.tflite, where="built")
    kernels = [tensor for tensor in file.tensors if tensor.data is not None and np.size(tensor.data) > 100]
    assert kernels
    assert {tensor.dtype for tensor in kernels} == {"float16"}
    with pytest.raises(RecipeError, match="float16 or none"):
        edgeprune.build(place / "small.keras", **asked, scheme="int8")
