"""Whole models: exact, never more memory than TFLM, and fast enough."""

import numpy as np
import pytest
from small_models import REAL_MODELS, real_model
from sparse_models import sparsify

from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.emulator import run_image
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.image import build_image
from edgeprune.runtimes.golden import draw_inputs
from edgeprune.runtimes.tflm_host import run_tflm
from tests.firmware.c.test_ops import needs_qemu

# Instructions of TFLM with CMSIS-NN by core, and its arena on 32-bit cores.
TFLM_INSTRUCTIONS = {
    "Cortex-M0+": {"resnet8": 97.55e6, "kws": 29.0e6, "ad01": 1.763e6, "micro_speech": 2.598e6},
    "Cortex-M4": {"resnet8": 29.87e6, "kws": 7.85e6, "ad01": 0.583e6, "micro_speech": 1.495e6},
    "Cortex-M7": {"resnet8": 29.94e6, "kws": 7.76e6, "ad01": 0.584e6, "micro_speech": 1.488e6},
    "Cortex-M55": {"resnet8": 4.81e6, "kws": 1.79e6, "ad01": 0.150e6, "micro_speech": 1.008e6},
}
TFLM_ARENA_BYTES = {"resnet8": 55_092, "kws": 22_916, "ad01": 2_676, "micro_speech": 6_836}
MOST = {
    ("Cortex-M4", "kws"): 0.40,
    ("Cortex-M7", "kws"): 0.40,
    ("Cortex-M7", "resnet8"): 0.36,
    ("Cortex-M4", "ad01"): 0.50,
    ("Cortex-M4", "micro_speech"): 0.38,
    ("Cortex-M7", "micro_speech"): 0.38,
    ("Cortex-M7", "ad01"): 0.50,
    ("Cortex-M55", "resnet8"): 0.52,
    ("Cortex-M55", "kws"): 0.45,
    ("Cortex-M55", "ad01"): 0.61,
}
"""Of TFLM's instructions; 0.6 where nothing is said."""

LARGE = ("vww", "person_detect")


def run(data, core, directory, *, samples=2):
    engine = write_engine(data, directory=directory, core=core)
    board = find_board(core)
    elf, sizes = build_image(engine, directory=directory / "image", board=board)
    inputs = draw_inputs(engine.program.model, samples=samples, seed=0)
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
@pytest.mark.parametrize(
    "core",
    [
        pytest.param(core, marks=[pytest.mark.nightly] if core == "Cortex-M4" else [])  # as on M7
        for core in TFLM_INSTRUCTIONS
    ],
)
@pytest.mark.parametrize("name", list(TFLM_ARENA_BYTES))
def test_the_engine_takes_at_most_so_much_of_tflms_instructions(name, core, tmp_path):
    engine, sizes, _, ours = run(real_model(name), core, tmp_path, samples=1)
    assert ours.instructions[0] <= MOST.get((core, name), 0.6) * TFLM_INSTRUCTIONS[core][name]
    assert engine.program.plan.total_bytes <= 0.85 * TFLM_ARENA_BYTES[name]
    assert sizes.code <= 12 * 1024
    if name == "resnet8":
        by_winograd = core in ("Cortex-M4", "Cortex-M7")  # which takes 3.6 times the flash
        assert sizes.flash <= (220 if by_winograd else 96) * 1024


@needs_qemu
@pytest.mark.nightly
def test_a_model_of_half_a_megabyte_runs_on_a_cortex_m55(tmp_path):
    data = real_model("vww")
    _, sizes, inputs, ours = run(data, "Cortex-M55", tmp_path)
    theirs = run_tflm(data, inputs).outputs[0].raw
    assert sizes.weights > 512 * 1024
    np.testing.assert_array_equal(ours.outputs[0].reshape(-1), theirs.reshape(-1))


@needs_qemu
@pytest.mark.parametrize("core", ["Cortex-M0+", "Cortex-M7"])
def test_four_fifths_of_zeros_save_instructions_and_flash(core, tmp_path):
    data = sparsify(real_model("resnet8"), 0.8)
    _, dense_sizes, _, _ = run(real_model("resnet8"), core, tmp_path / "dense", samples=1)
    _, sizes, inputs, ours = run(data, core, tmp_path / "sparse", samples=1)
    np.testing.assert_array_equal(
        ours.outputs[0].reshape(-1), run_tflm(data, inputs).outputs[0].raw.reshape(-1)
    )
    assert ours.instructions[0] <= 0.4 * TFLM_INSTRUCTIONS[core]["resnet8"]
    assert sizes.flash <= 0.6 * dense_sizes.flash


@needs_qemu
@pytest.mark.nightly
@pytest.mark.parametrize("core", ["Cortex-M0+", "Cortex-M3", "Cortex-M4", "Cortex-M33", "Cortex-M55"])
@pytest.mark.parametrize("name", ["resnet8", "kws", "ad01", "lstm"])
def test_a_real_model_is_exact_on_other_cores(name, core, tmp_path):
    data = real_model(name)
    _, _, inputs, ours = run(data, core, tmp_path)
    for mine, other in zip(ours.outputs, run_tflm(data, inputs).outputs, strict=True):
        np.testing.assert_array_equal(mine.reshape(-1), other.raw.reshape(-1))
