"""Every op, example by example, bit for bit as TFLM's reference kernels compute it."""

import shutil
from functools import partial

import numpy as np
import pytest
from small_models import unary

from edgeprune.errors import OpError
from edgeprune.firmware.c.boards import BOARDS, find_board
from edgeprune.firmware.c.emulator import run_host_program, run_image
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.image import build_host_program, build_image
from edgeprune.firmware.c.layer import EMITTERS
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.read import read_model
from edgeprune.tflite.strip import pack, unpack
from tests.firmware.c.example import Example, binary, int8, join, mover, options_of, random_inputs
from tests.firmware.c.example import unary as element
from tests.firmware.c.examples import all_examples
from tests.firmware.c.examples_windows import conv_2d, depthwise

SANITIZERS = ("-O0", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
CONTROL = ("IF", "WHILE", "READ_VARIABLE", "ASSIGN_VARIABLE")
"""Ops that need more than one op around them; see test_control.py."""

# The cores whose kernels differ; the others run the same sources.
DIFFERENT = ("Cortex-M0+", "Cortex-M7", "Cortex-M55")

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")
needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
    reason="no qemu-system-arm or no arm-none-eabi-gcc here",
)


@pytest.fixture(scope="session")
def reference():
    data, names = join(all_examples())
    inputs = random_inputs(read_model(data, where="examples"))
    return data, names, inputs, [output.raw for output in run_tflm(data, inputs).outputs]


def wrong_outputs(names, outputs, expected, *, same=np.array_equal):
    """Example → how many elements differ."""
    pairs = [(ours, theirs.reshape(ours.shape)) for ours, theirs in zip(outputs, expected, strict=True)]
    return {
        name: int((ours != theirs).sum())
        for name, (ours, theirs) in zip(names, pairs, strict=True)
        if not (same if ours.dtype == np.float32 else np.array_equal)(ours, theirs, equal_nan=True)
    }


@needs_gcc
@pytest.mark.parametrize("core", DIFFERENT)
def test_every_example_is_as_tflm_computes_it(reference, core, tmp_path):
    data, names, inputs, expected = reference
    engine = write_engine(data, directory=tmp_path, core=core)
    program = build_host_program(engine, directory=tmp_path / "host", flags=SANITIZERS)
    outputs = run_host_program(program, inputs, model=engine.program.model)
    assert not wrong_outputs(names, outputs, expected)


@needs_qemu
@pytest.mark.parametrize(
    "core",
    [
        pytest.param(board.core, marks=() if board.core in DIFFERENT else pytest.mark.nightly)
        for board in BOARDS
    ],
)
def test_every_example_is_as_tflm_computes_it_on_the_core_itself(reference, core, tmp_path):
    data, names, inputs, expected = reference
    engine = write_engine(data, directory=tmp_path, core=core)
    board = find_board(core)
    elf, _ = build_image(engine, directory=tmp_path / "image", board=board)
    run = run_image(elf, inputs, model=engine.program.model, board=board)
    # Functions of real numbers are those of another C library.
    close = partial(np.allclose, rtol=1e-5, atol=1e-6)
    assert not wrong_outputs(names, run.outputs, expected, same=close)


def test_every_op_has_an_example():
    assert {example.op for example in all_examples()} | {"TILE", *CONTROL} == set(EMITTERS)


@needs_gcc
def test_a_tile_repeats_its_input(tmp_path):
    """TFLM has no kernel for it."""
    data, _ = join([mover("tile", "TILE", (2, 3), [(4, 9)], constants=[[2, 3]])])
    inputs = random_inputs(read_model(data, where="tile"))
    engine = write_engine(data, directory=tmp_path)
    program = build_host_program(engine, directory=tmp_path / "host", flags=SANITIZERS)
    (ours,) = run_host_program(program, inputs, model=engine.program.model)
    assert np.array_equal(ours, np.tile(inputs[0], (1, 2, 3)))


@needs_gcc
def test_a_wrong_constant_is_noticed(tmp_path):
    data, names = join([conv_2d("right", seed=1)])
    other, _ = join([conv_2d("wrong", seed=2)])
    inputs = random_inputs(read_model(data, where="right"))
    engine = write_engine(other, directory=tmp_path)
    program = build_host_program(engine, directory=tmp_path / "host")
    outputs = run_host_program(program, inputs, model=engine.program.model)
    expected = [output.raw for output in run_tflm(data, inputs).outputs]
    assert wrong_outputs(names, outputs, expected)


def test_an_op_without_an_emitter_is_refused_with_the_way_out(tmp_path):
    with pytest.raises(OpError, match=r"the C engine has no GELU.*--runtime tflm"):
        write_engine(unary("GELU"), directory=tmp_path)


def test_a_shape_that_needs_too_many_loops_is_refused(tmp_path):
    shape = (2, 1, 2, 1, 2, 1)
    data, _ = join([binary("deep", "ADD", left=shape, right=shape[::-1])])
    with pytest.raises(OpError, match="nested loops"):
        write_engine(data, directory=tmp_path)


@needs_gcc
def test_sums_that_wrap_around_do_so_as_in_tflm(tmp_path):
    """In C a sum of signed integers that is too large may be anything; a file may ask for one by its bias."""
    data, _ = join([depthwise("wraps")])
    packed = unpack(data, where="wraps")
    bias = packed.subgraphs[0].operators[0].inputs[2]
    stored = packed.buffers[packed.subgraphs[0].tensors[bias].buffer]
    stored.data = np.full(len(stored.data) // 4, 2**31 - 1, np.int32).view(np.uint8)
    data = pack(packed)
    inputs = random_inputs(read_model(data, where="wraps"))
    engine = write_engine(data, directory=tmp_path)
    program = build_host_program(engine, directory=tmp_path / "host", flags=SANITIZERS)
    (ours,) = run_host_program(program, inputs, model=engine.program.model)
    assert np.array_equal(ours, run_tflm(data, inputs).outputs[0].raw.reshape(ours.shape))


@needs_gcc
def test_an_input_that_nobody_reads_is_no_fault_of_the_sources(tmp_path):
    """They are compiled with -Werror, by users, too."""
    data, _ = join([binary("twice", "MINIMUM", scales=(0.05, 0.05, 0.05), zeros=(3, 3, 3))])
    packed = unpack(data, where="twice")
    packed.subgraphs[0].operators[0].inputs = packed.subgraphs[0].operators[0].inputs[[1, 1]]
    engine = write_engine(pack(packed), directory=tmp_path)
    build_host_program(engine, directory=tmp_path / "host")


def test_a_tensor_that_no_memory_holds_is_refused(tmp_path):
    data, _ = join([binary("huge", "ADD", left=(1, 1 << 15, 1 << 14), right=(1, 1, 1))])
    with pytest.raises(OpError, match="tensor 0 takes 536870912 bytes"):
        write_engine(data, directory=tmp_path)


def test_a_scale_without_a_zero_point_is_one_with_0(tmp_path):
    example = binary("bare", "MAXIMUM", scales=(0.05, 0.05, 0.05), zeros=(0, 0, 0))
    for each in example.tensors:
        each.quantization.zeroPoint = None
    write_engine(join([example])[0], directory=tmp_path)
    assert "INPUT_0_ZERO_POINT (0)" in (tmp_path / "model.h").read_text()


@pytest.mark.parametrize("op", ["SOFTMAX", "LOG_SOFTMAX", "L2_NORMALIZATION"])
def test_rows_of_a_number_alone_are_refused(op, tmp_path):
    options = options_of("Softmax", beta=1.0) if op == "SOFTMAX" else None
    scales = {"SOFTMAX": (1 / 256, -128), "LOG_SOFTMAX": (1 / 16, 127)}.get(op, (1 / 128, 0))
    example = element("alone", op, shape=(), out_scale=scales[0], out_zero=scales[1], options=options)
    with pytest.raises(OpError, match="its input has no dimensions"):
        write_engine(join([example])[0], directory=tmp_path)


def test_a_layer_is_found_by_what_the_file_calls_it(tmp_path):
    example = binary("named", "ADD")
    example.tensors[2].name = "model/first*/ int main(void);Identity"
    write_engine(join([example])[0], directory=tmp_path)
    assert "/* ADD 4x5x3 to 4x5x3, model/first_/_int_main_void_ */" in (tmp_path / "model.c").read_text()


@needs_gcc
def test_a_model_without_inputs_has_one_sample(tmp_path):
    zeros = Example(
        name="zeros",
        op="ZEROS_LIKE",
        tensors=(int8((2, 3), data=np.ones((2, 3), np.int8)), int8((2, 3))),
        inputs=(0,),
        outputs=(1,),
    )
    data = join([zeros])[0]
    engine = write_engine(data, directory=tmp_path)
    program = build_host_program(engine, directory=tmp_path / "host", flags=SANITIZERS)
    (ours,) = run_host_program(program, (), model=engine.program.model)
    assert np.array_equal(ours, run_tflm(data, ()).outputs[0].raw.reshape(ours.shape))


def test_an_empty_tensor_is_refused(tmp_path):
    data, _ = join([binary("empty", "ADD", left=(0, 3), right=(0, 3))])
    with pytest.raises(OpError, match="tensor 0 has no elements"):
        write_engine(data, directory=tmp_path)


def test_the_same_model_gives_the_same_files(tmp_path):
    data, _ = join([conv_2d("one"), binary("two", "ADD")])
    for place in ("first", "second"):
        write_engine(data, directory=tmp_path / place, core="Cortex-M7")
    for file in ("model.h", "model.c", "weights.h", "weights.c"):
        assert (tmp_path / "first" / file).read_bytes() == (tmp_path / "second" / file).read_bytes()
