"""Whole models: exact, never more memory than TFLM, and fast enough."""

import numpy as np
import pytest
from small_models import REAL_MODELS, real_model

from edgeprune.engine_run import draw_inputs
from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.emulator import run_image
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.image import build_image
from edgeprune.runtimes.tflm_host import run_tflm
from tests.firmware.c.test_ops import needs_qemu

# Instructions of TFLM with CMSIS-NN on a Cortex-M7, and its arena on 32-bit cores.
TFLM_M7 = {"resnet8": (29.94e6, 55_092), "kws": (7.76e6, 22_916), "ad01": (0.584e6, 2_676)}

LARGE = ("vww", "person_detect")


def run(data, core, directory, *, samples=2):
    engine = write_engine(data, directory=directory, core=core)
    board = find_board(core)
    elf, sizes = build_image(engine, directory=directory / "image", board=board)
    inputs = draw_inputs(engine.program.model, samples=samples)
    return engine, sizes, inputs, run_image(elf, inputs, model=engine.program.model, board=board)


@needs_qemu
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.nightly] if name in LARGE else []) for name in REAL_MODELS],
)
def test_a_real_model_is_exact_on_a_cortex_m7(name, tmp_path):
    data = real_model(name)
    engine, _, inputs, ours = run(data, "Cortex-M7", tmp_path)
    theirs = run_tflm(data, inputs)
    for mine, other in zip(ours.outputs, theirs.outputs, strict=True):
        np.testing.assert_array_equal(mine.reshape(-1), other.raw.reshape(-1))
    assert engine.program.plan.total_bytes < theirs.allocation.total_bytes
    assert ours.stack_bytes < 1024


@needs_qemu
@pytest.mark.parametrize("name", list(TFLM_M7))
def test_the_engine_takes_at_most_six_tenths_of_tflms_instructions(name, tmp_path):
    instructions, arena_bytes = TFLM_M7[name]
    engine, sizes, _, ours = run(real_model(name), "Cortex-M7", tmp_path, samples=1)
    assert ours.instructions[0] <= 0.6 * instructions
    assert engine.program.plan.total_bytes <= 0.85 * arena_bytes
    assert sizes.code <= 12 * 1024
    if name == "resnet8":
        assert sizes.flash <= 96 * 1024


@needs_qemu
@pytest.mark.nightly
@pytest.mark.parametrize("core", ["Cortex-M0+", "Cortex-M3", "Cortex-M4", "Cortex-M33", "Cortex-M55"])
@pytest.mark.parametrize("name", ["resnet8", "kws", "ad01", "lstm"])
def test_a_real_model_is_exact_on_other_cores(name, core, tmp_path):
    data = real_model(name)
    _, _, inputs, ours = run(data, core, tmp_path)
    for mine, other in zip(ours.outputs, run_tflm(data, inputs).outputs, strict=True):
        np.testing.assert_array_equal(mine.reshape(-1), other.raw.reshape(-1))
