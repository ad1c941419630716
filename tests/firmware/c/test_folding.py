"""Shapes that are computed in the file are constants in the generated C."""

import shutil

import numpy as np
import pytest
from small_models import model, tensor

from edgeprune.errors import ModelError
from edgeprune.firmware.c.emulator import run_host_program
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.folding import fold_shapes
from edgeprune.firmware.c.image import build_host_program
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.model import constant_values
from edgeprune.tflite.read import read_model
from tests.firmware.c.example import int8, options_of, random_inputs
from tests.firmware.c.test_ops import SANITIZERS

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")


def numbers(*values):
    return tensor((len(values),), "INT32", data=np.array(values, np.int32))


def flatten(*, last=12, shape=(1, 4, 3)):
    """Flatten as Keras 3 converts it: the batch of the input, and how many elements are left."""
    tensors = [
        int8(shape),
        tensor((3,), "INT32"),
        numbers(0),
        numbers(1),
        numbers(1),
        tensor((), "INT32"),
        tensor((), "INT32", data=np.array(last, np.int32)),
        tensor((2,), "INT32"),
        int8((1, 12)),
    ]
    slicing = options_of("StridedSlice", shrink_axis_mask=1)
    ops = [
        ("SHAPE", [0], [1], options_of("Shape")),
        ("STRIDED_SLICE", [1, 2, 3, 4], [5], slicing),
        ("PACK", [5, 6], [7], options_of("Pack", values_count=2)),
        ("RESHAPE", [0, 7], [8], None),
    ]
    return model(tensors, ops, inputs=[0], outputs=[8])


def padded(*, top):
    """A PAD whose margins are computed from shapes."""
    tensors = [
        int8((1, 2, 3)),
        numbers(top, 0, 0, 0),
        numbers(0, 0, 0, 1),
        tensor((4,), "INT32"),
        tensor((3, 2), "INT32"),
        numbers(0, 0),
        tensor((6,), "INT32"),
        int8((1, 3, 4)),
    ]
    ops = [
        ("ADD", [1, 2], [3], options_of("Add")),
        ("CONCATENATION", [5, 3], [6], options_of("Concatenation", axis=0)),
        ("RESHAPE", [6, 5], [4], None),
        ("PAD", [0, 4], [7], None),
    ]
    return model(tensors, ops, inputs=[0], outputs=[7])


def test_a_shape_and_what_comes_of_it_are_folded():
    folded = fold_shapes(read_model(flatten(), where="flatten"))
    assert [op.name for op in folded.ops] == ["RESHAPE"]
    assert constant_values(folded.tensors[7]).tolist() == [1, 12]


def test_what_depends_on_the_input_is_left():
    tensors = [tensor((2,), "INT32"), numbers(1, 2), tensor((2,), "INT32")]
    file = model(tensors, [("ADD", [0, 1], [2], options_of("Add"))], inputs=[0], outputs=[2])
    read = read_model(file, where="sum")
    assert fold_shapes(read) is read


def test_an_op_that_does_not_give_what_its_output_says_is_left():
    tensors = [int8((1, 4, 3)), tensor((2,), "INT32")]
    file = model(tensors, [("SHAPE", [0], [1], options_of("Shape"))], inputs=[0], outputs=[1])
    assert [op.name for op in fold_shapes(read_model(file, where="shape")).ops] == ["SHAPE"]


def run_here(file, inputs, directory):
    engine = write_engine(file, directory=directory)
    program = build_host_program(engine, directory=directory / "host", flags=SANITIZERS)
    return run_host_program(program, inputs, model=engine.program.model)[0]


@needs_gcc
def test_a_folded_model_is_as_tflm_computes_it(tmp_path):
    inputs = random_inputs(read_model(flatten(), where="folded"))
    ours = run_here(flatten(), inputs, tmp_path)
    assert np.array_equal(ours, run_tflm(flatten(), inputs).outputs[0].raw.reshape(ours.shape))


@needs_gcc
def test_margins_that_are_computed_are_margins(tmp_path):
    inputs = random_inputs(read_model(padded(top=1), where="folded"))
    expected = np.pad(inputs[0], ((0, 0), (0, 0), (1, 0), (0, 1)))
    assert np.array_equal(run_here(padded(top=1), inputs, tmp_path), expected)


def test_what_was_computed_is_judged_as_a_constant_is(tmp_path):
    with pytest.raises(ModelError, match="of the shape"):
        write_engine(padded(top=2), directory=tmp_path)


@pytest.mark.parametrize(
    ("begin", "end", "step", "masks", "expected"),
    [
        (1, 4, 1, {}, [11, 12, 13]),
        (2, 4, 1, {"begin_mask": 1}, [10, 11, 12, 13]),
        (2, 3, 1, {"end_mask": 1}, [12, 13, 14]),
        (-1, 0, -2, {}, [14, 12]),
        (-2, 0, 1, {"shrink_axis_mask": 1}, [13]),
    ],
)
def test_slices_of_constants_are_folded_as_numpy_takes_them(begin, end, step, masks, expected):
    shape = () if "shrink_axis_mask" in masks else (len(expected),)
    tensors = [
        numbers(10, 11, 12, 13, 14),
        numbers(begin),
        numbers(end),
        numbers(step),
        tensor(shape, "INT32"),
    ]
    slicing = ("STRIDED_SLICE", [0, 1, 2, 3], [4], options_of("StridedSlice", **masks))
    folded = fold_shapes(read_model(model(tensors, [slicing], inputs=[], outputs=[4]), where="slice"))
    assert constant_values(folded.tensors[4]).reshape(-1).tolist() == expected
