"""Depthwise convolutions by Helium's tiles of 2x2 outputs: exact, and when they are chosen."""

import numpy as np
import pytest

from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.emulator import run_host_program, run_image
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.image import build_host_program, build_image
from edgeprune.firmware.c.toolchain import COMPILER, WARNINGS, run_tool
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.read import read_model
from tests.firmware.c.example import join, random_inputs
from tests.firmware.c.examples_windows import conv_2d, depthwise, tile_examples
from tests.firmware.c.test_ops import SANITIZERS, needs_gcc, needs_qemu, wrong_outputs
from tests.firmware.c.test_sparse import kernels_of

CORE = "Cortex-M55"
AT_ONCE = 4


def groups():
    """The examples, as many at once as the emulated board has memory for."""
    examples = list(tile_examples())
    return [examples[start : start + AT_ONCE] for start in range(0, len(examples), AT_ONCE)]


@pytest.mark.parametrize("place", range(len(groups())))
def test_each_example_is_computed_in_tiles(place, tmp_path):
    for example in groups()[place]:
        assert "tiles_mve" in kernels_of(example, tmp_path, core=CORE), example.name


@needs_gcc
@needs_qemu
@pytest.mark.parametrize("place", range(len(groups())))
def test_tiles_are_as_tflm_computes_them_here_and_on_the_core_itself(place, tmp_path):
    data, names = join(groups()[place])
    inputs = random_inputs(read_model(data, where="tiles"), samples=6)
    expected = [output.raw for output in run_tflm(data, inputs).outputs]
    engine = write_engine(data, directory=tmp_path, core=CORE)
    program = build_host_program(engine, directory=tmp_path / "host", flags=SANITIZERS)
    outputs = run_host_program(program, inputs, model=engine.program.model)
    assert not wrong_outputs(names, outputs, expected)
    board = find_board(CORE)
    elf, _ = build_image(engine, directory=tmp_path / "image", board=board)
    assert not wrong_outputs(
        names, run_image(elf, inputs, model=engine.program.model, board=board).outputs, expected
    )


@needs_qemu
@pytest.mark.parametrize("level", [["-O0"], ["-Os"], ["-O2", "-fno-omit-frame-pointer"]])
def test_helium_kernels_find_registers_however_they_are_compiled(level, tmp_path):
    """Those in assembly name twelve of them, and debuggers want R7 for the frame."""
    data, _ = join([conv_2d("conv", outputs=9), depthwise("tiles", image=(26, 8, 16))])
    engine = write_engine(data, directory=tmp_path, core=CORE)
    source = next(path for path in engine.files if path.name == "model.c")
    flags = [*find_board(CORE).flags, "-mthumb", *level, *WARNINGS]
    run_tool(COMPILER, *flags, "-c", str(source), "-o", str(tmp_path / "model.o"))


@pytest.mark.parametrize(
    "other",
    [
        {"kernel": (5, 5)},
        {"stride": (2, 2)},
        {"stride": (1, 2)},
        {"dilation": (2, 2)},
        {"multiplier": 2},
        {"image": (200, 7, 3)},
        {"image": (3, 40, 16)},
        {"image": (1, 40, 600)},
        {"image": (600, 1, 40)},
    ],
)
def test_other_windows_and_images_are_not(other, tmp_path):
    example = depthwise("other", **{"image": (26, 8, 16), **other})
    assert "tiles_mve" not in kernels_of(example, tmp_path, core=CORE)


@pytest.mark.parametrize(("core", "optimize"), [("Cortex-M7", "speed"), (CORE, "size"), (CORE, "ram")])
def test_tiles_are_for_speed_on_helium(core, optimize, tmp_path):
    example = depthwise("tiles", image=(26, 8, 16))
    assert "tiles_mve" not in kernels_of(example, tmp_path, core=core, optimize=optimize)


@needs_qemu
def test_tiles_take_less_than_an_instruction_for_a_product(tmp_path):
    data, _ = join([depthwise("tiles", image=(25, 5, 64), zeros=(-128, -128), activation="RELU")])
    engine = write_engine(data, directory=tmp_path, core=CORE)
    elf, _ = build_image(engine, directory=tmp_path / "image", board=find_board(CORE))
    inputs = random_inputs(engine.program.model, samples=4)
    run = run_image(elf, inputs, model=engine.program.model, board=find_board(CORE))
    assert max(run.instructions) < 25 * 5 * 64 * 9


def test_weights_of_a_channel_are_three_columns_after_zeros(tmp_path):
    example = depthwise("tiles", image=(26, 8, 16))
    engine = write_engine(join([example])[0], directory=tmp_path, core=CORE)
    weights = np.frombuffer(example.tensors[1].content.tobytes(), np.int8).reshape(3, 3, 16)
    stored = engine.program.steps[0].layer.constants[0].values
    assert stored[:4].tolist() == stored[-4:].tolist() == [0, 0, 0, 0]
    channel = stored[4 + 16 * 5 :][:16].reshape(4, 4)
    assert channel[:, 3].tolist() == channel[0].tolist() == [0, 0, 0, 0]
    assert np.array_equal(channel[1:, :3], weights[:, :, 5].T)
