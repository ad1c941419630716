"""IF, WHILE and variables: as TFLM runs them, bit for bit, from the first sample to the last."""

from functools import partial

import numpy as np
import pytest
from shared_cases import case_file
from small_models import tensor, unary, with_subgraphs

from edgeprune.errors import OpError
from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.emulator import run_host_program, run_image
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.image import build_host_program, build_image
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.read import read_model
from tests.firmware.c.example import int8, options_of, random_inputs
from tests.firmware.c.examples_matrices import svdf
from tests.firmware.c.test_ops import DIFFERENT, SANITIZERS, needs_gcc, needs_qemu

IF = options_of("If", then_subgraph_index=1, else_subgraph_index=2)
WHILE = options_of("While", cond_subgraph_index=1, body_subgraph_index=2)
ONCE = options_of("CallOnce", init_subgraph_index=3)
COUNTER = options_of("VarHandle", container="", shared_name="counter")
FLOATS = ((1, 4), "FLOAT32")


def number(value, dtype=np.int32):
    return tensor((1,), np.dtype(dtype).name.upper(), data=np.array([value], dtype))


def dense(seed):
    """Tensors from 1 on: weights, bias, what is made of tensor 0."""
    rng = np.random.default_rng(seed)
    weights = rng.integers(-127, 128, (8, 8)).astype(np.int8)
    bias = tensor((8,), "INT32", scale=0.0002, data=rng.integers(-3000, 3000, 8).astype(np.int32))
    return [int8((8, 8), scale=0.004, data=weights), bias, int8((1, 8), zero_point=3)]


DENSE = ("FULLY_CONNECTED", (0, 1, 2), (3,), options_of("FullyConnected"))


def looping():
    """A dense layer on int8, until a counter reaches the second input; it may be there from the start."""
    ends = [int8((1, 8), zero_point=3), tensor((1,), "INT32")]
    main = (
        [*ends, number(2), *ends, tensor((1,), "INT32")],
        [("WHILE", (0, 1, 2), (3, 4, 5), WHILE)],
        ([0, 1], [3, 5]),
    )
    condition = (
        [*ends, tensor((1,), "INT32"), tensor((1,), "BOOL")],
        [("LESS", (2, 1), (3,), None)],
        ([0, 1, 2], [3]),
    )
    body = (
        [ends[0], *dense(1), tensor((1,), "INT32"), tensor((1,), "INT32"), number(3), tensor((1,), "INT32")],
        [DENSE, ("ADD", (5, 6), (7,), options_of("Add"))],
        ([0, 4, 5], [3, 4, 7]),
    )
    return with_subgraphs(main, condition, body)


def branching():
    """Two branches: one gives a constant and its own input; the other computes, and gives that twice."""
    ends = [int8((1, 8), zero_point=3)] * 2
    constant = int8((1, 8), zero_point=3, data=np.arange(8, dtype=np.int8).reshape(1, 8))
    main = ([tensor((1,), "BOOL"), ends[0], *ends], [("IF", (0, 1), (2, 3), IF)], ([0, 1], [2, 3]))
    then = ([ends[0], constant], [], ([0], [1, 0]))
    otherwise = ([ends[0], *dense(2)], [DENSE], ([0], [3, 3]))
    return with_subgraphs(main, then, otherwise)


def counting():
    """A variable that begins with 1, 2, 3, 4: read, then assigned in one branch of two, then read again."""
    handle = tensor((), "RESOURCE")
    start = tensor((1, 4), "FLOAT32", data=np.arange(1, 5, dtype=np.float32))
    main = (
        [tensor((1,), "BOOL"), *[tensor(*FLOATS)] * 4, handle],
        [
            ("CALL_ONCE", (), (), ONCE),
            ("VAR_HANDLE", (), (5,), COUNTER),
            ("READ_VARIABLE", (5,), (2,), None),
            ("IF", (0, 5, 1), (3,), IF),
            ("READ_VARIABLE", (5,), (4,), None),
        ],
        ([0, 1], [2, 3, 4]),
    )
    adds = (
        [handle, *[tensor(*FLOATS)] * 3],
        [
            ("READ_VARIABLE", (0,), (2,), None),
            ("ADD", (1, 2), (3,), options_of("Add")),
            ("ASSIGN_VARIABLE", (0, 3), (), None),
        ],
        ([0, 1], [3]),
    )
    reads = ([handle, *[tensor(*FLOATS)] * 2], [("READ_VARIABLE", (0,), (2,), None)], ([0, 1], [2]))
    begin = (
        [handle, start],
        [("VAR_HANDLE", (), (0,), COUNTER), ("ASSIGN_VARIABLE", (0, 1), (), None)],
        ([], []),
    )
    return with_subgraphs(main, adds, reads, begin)


def ordering(*, in_branch):
    """What is read first is wanted last: the arena would be smaller if it were read behind the detour."""
    handle, row, wide = tensor((), "RESOURCE"), tensor((1, 64), "FLOAT32"), tensor((1, 256), "FLOAT32")
    axis = tensor((1,), "INT32", data=np.array([1], np.int32))
    assign = ("IF", (7, 4, 0), (8,), IF) if in_branch else ("ASSIGN_VARIABLE", (4, 0), (), None)
    main = (
        [row, row, wide, tensor((1, 1), "FLOAT32"), handle, row, axis, tensor((1,), "BOOL"), row],
        [
            ("CALL_ONCE", (), (), ONCE),
            ("VAR_HANDLE", (), (4,), COUNTER),
            ("READ_VARIABLE", (4,), (1,), None),
            assign,
            ("CONCATENATION", (0, 0, 0, 0), (2,), options_of("Concatenation", axis=1)),
            ("SUM", (2, 6), (3,), options_of("Reducer", keep_dims=True)),
            ("ADD", (1, 3), (5,), options_of("Add")),
        ],
        ([0, 7], [5, 8] if in_branch else [5]),
    )
    then = (
        [handle, row, row],
        [("ASSIGN_VARIABLE", (0, 1), (), None), ("NEG", (1,), (2,), None)],
        ([0, 1], [2]),
    )
    otherwise = ([handle, row, row], [("NEG", (1,), (2,), None)], ([0, 1], [2]))
    start = tensor((1, 64), "FLOAT32", data=np.ones(64, np.float32))
    begin = (
        [handle, start],
        [("VAR_HANDLE", (), (0,), COUNTER), ("ASSIGN_VARIABLE", (0, 1), (), None)],
        ([], []),
    )
    return with_subgraphs(main, then, otherwise, begin)


def beginning(*values, is_read=True):
    """A variable to which CALL_ONCE assigns these, one after the other; or that is of no further use."""
    handle = tensor((), "RESOURCE")
    starts = [tensor((1, 4), "FLOAT32", data=np.full(4, value, np.float32)) for value in values]
    once = options_of("CallOnce", init_subgraph_index=1)
    reads = [("READ_VARIABLE", (2,), (1,), None), ("ADD", (0, 1), (3,), options_of("Add"))]
    main = (
        [*[tensor(*FLOATS)] * 2, handle, tensor(*FLOATS)],
        [
            ("CALL_ONCE", (), (), once),
            ("VAR_HANDLE", (), (2,), COUNTER),
            *(reads if is_read else [("NEG", (0,), (3,), None)]),
        ],
        ([0], [3]),
    )
    assigns = [("ASSIGN_VARIABLE", (0, place), (), None) for place in range(1, len(starts) + 1)]
    begin = ([handle, *starts], [("VAR_HANDLE", (), (0,), COUNTER), *assigns], ([], []))
    return with_subgraphs(main, begin)


FILES = {"a loop": looping, "two branches": branching, "a variable": counting}
FILES |= {
    "a variable assigned twice": partial(beginning, 1, 0),
    "a variable that nothing reads": partial(beginning, 1, is_read=False),
}
FILES |= {
    f"an order, {kind}": partial(ordering, in_branch=kind == "branch") for kind in ("assigned", "branch")
}
SHARED = ("loop_1", "while_simple", "nested_if", "running_sum", "accumulator", "ssd_post", "loop_no_input")


def make_inputs(data, *, samples=6):
    """Random, but loops of few turns, and both branches."""
    inputs = list(random_inputs(read_model(data, where="control"), samples=samples))
    for place, values in enumerate(inputs):
        if values.dtype == np.int32:
            inputs[place] = np.arange(samples, dtype=np.int32).reshape(values.shape) * 2
        if values.dtype == bool:
            inputs[place] = (np.arange(samples) % 3 != 1).reshape(values.shape)
    return tuple(inputs)


def require_as_tflm(data, inputs, outputs):
    for ours, theirs in zip(outputs, run_tflm(data, inputs).outputs, strict=True):
        np.testing.assert_array_equal(ours.reshape(-1), np.ascontiguousarray(theirs.raw).reshape(-1))


@needs_gcc
@pytest.mark.parametrize("core", DIFFERENT)
@pytest.mark.parametrize("name", [*FILES, *SHARED])
def test_subgraphs_and_variables_are_as_in_tflm(name, core, tmp_path):
    data = FILES[name]() if name in FILES else case_file(name).read_bytes()
    inputs = make_inputs(data)
    engine = write_engine(data, directory=tmp_path, core=core)
    program = build_host_program(engine, directory=tmp_path / "host", flags=SANITIZERS)
    require_as_tflm(data, inputs, run_host_program(program, inputs, model=engine.program.model))
    assert engine.program.plan.total_bytes <= run_tflm(data, inputs).allocation.total_bytes


@needs_qemu
@pytest.mark.parametrize("core", DIFFERENT)
@pytest.mark.parametrize("name", FILES)
def test_so_they_are_on_the_core_itself(name, core, tmp_path):
    data = FILES[name]()
    inputs = make_inputs(data)
    engine = write_engine(data, directory=tmp_path, core=core)
    board = find_board(core)
    elf, _ = build_image(engine, directory=tmp_path / "image", board=board)
    require_as_tflm(data, inputs, run_image(elf, inputs, model=engine.program.model, board=board).outputs)


def test_what_a_subgraph_works_in_is_part_of_the_arena(tmp_path):
    program = write_engine(looping(), directory=tmp_path).program
    assert program.plan.total_bytes >= 8 + 4 + 4  # what one turn makes of the three that it carries


def test_a_variable_begins_with_what_the_file_says(tmp_path):
    write_engine(counting(), directory=tmp_path)
    text = (tmp_path / "model.c").read_text()
    assert "1.0F, 2.0F, 3.0F, 4.0F," in text
    assert "void edgeprune_model_reset(void);" in (tmp_path / "model.h").read_text()


def test_a_variable_that_begins_with_what_is_computed_is_refused(tmp_path):
    handle, value = tensor((), "RESOURCE"), tensor(*FLOATS)
    start = tensor((1, 4), "FLOAT32", data=np.ones(4, np.float32))
    once = options_of("CallOnce", init_subgraph_index=1)
    main = (
        [value, handle, value],
        [("CALL_ONCE", (), (), once), ("VAR_HANDLE", (), (1,), COUNTER), ("READ_VARIABLE", (1,), (2,), None)],
        ([0], [2]),
    )
    begin = (
        [handle, start, value],
        [
            ("VAR_HANDLE", (), (0,), COUNTER),
            ("NEG", (1,), (2,), None),
            ("ASSIGN_VARIABLE", (0, 2), (), None),
        ],
        ([], []),
    )
    with pytest.raises(OpError, match=r"cannot compile NEG .*CALL_ONCE runs it"):
        write_engine(with_subgraphs(main, begin), directory=tmp_path)


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_variable_that_begins_with_what_c_cannot_write_is_refused(value, tmp_path):
    with pytest.raises(OpError, match=r"cannot compile ASSIGN_VARIABLE .*NaN or infinity"):
        write_engine(beginning(value), directory=tmp_path)


def test_a_branch_with_a_state_of_its_own_is_refused(tmp_path):
    """It would be that of the main subgraph's tensor of the same number."""
    memory = svdf("svdf", memory=3)
    step = ("SVDF", (0, 1, 2, 3, 4), (5,), memory.options)
    branch = (memory.tensors, [step], ([0], [5]))
    main = (
        [*memory.tensors, tensor((1,), "BOOL"), memory.tensors[5]],
        [step, ("IF", (6, 0), (7,), IF)],
        ([0, 6], [5, 7]),
    )
    with pytest.raises(OpError, match=r"IF \(subgraph 1 keeps a state of its own in tensor 4\)"):
        write_engine(with_subgraphs(main, branch, branch), directory=tmp_path)


@needs_gcc
def test_a_state_of_a_subgraph_that_nothing_runs_is_none(tmp_path):
    memory = svdf("svdf", memory=3)
    ends = [int8((1, 4)), int8((1, 4))]
    main = (ends, [("RELU", (0,), (1,), None)], ([0], [1]))
    aside = (memory.tensors, [("SVDF", (0, 1, 2, 3, 4), (5,), memory.options)], ([0], [5]))
    engine = write_engine(with_subgraphs(main, aside), directory=tmp_path)
    assert "reset" not in (tmp_path / "model.h").read_text()
    build_host_program(engine, directory=tmp_path / "host", flags=SANITIZERS)


def test_an_output_of_a_type_that_c_has_not_is_named(tmp_path):
    ends = [int8((1, 4)), int8((1, 4)), tensor((2,), "INT64", data=np.ones(2, np.int64))]
    main = (ends, [("RELU", (0,), (1,), None)], ([0], [1, 2]))
    with pytest.raises(OpError, match=r"tensor 2: the C engine has no tensors of type int64"):
        write_engine(with_subgraphs(main), directory=tmp_path)


def test_a_variable_of_two_sizes_is_refused(tmp_path):
    handle, value = tensor((), "RESOURCE"), tensor(*FLOATS)
    main = (
        [value, handle, tensor((1, 8), "FLOAT32")],
        [
            ("VAR_HANDLE", (), (1,), COUNTER),
            ("ASSIGN_VARIABLE", (1, 0), (), None),
            ("READ_VARIABLE", (1,), (2,), None),
        ],
        ([0], [2]),
    )
    with pytest.raises(OpError, match="4 elements of float32, and here 8 elements"):
        write_engine(with_subgraphs(main), directory=tmp_path)


def test_a_subgraph_that_is_given_a_variable_here_and_a_value_there_is_refused(tmp_path):
    handle, value = tensor((), "RESOURCE"), tensor(*FLOATS)
    twice = options_of("If", then_subgraph_index=1, else_subgraph_index=1)
    main = (
        [value, tensor((1,), "BOOL"), handle, value, value],
        [
            ("VAR_HANDLE", (), (2,), COUNTER),
            ("IF", (1, 2, 0), (3,), twice),
            ("IF", (1, 0, 0), (4,), twice),
        ],
        ([0, 1], [3, 4]),
    )
    branch = ([handle, value, value], [("READ_VARIABLE", (0,), (2,), None)], ([0, 1], [2]))
    with pytest.raises(OpError, match="subgraph 1 has 1 inputs and 1 outputs"):
        write_engine(with_subgraphs(main, branch), directory=tmp_path)


def test_a_variable_without_a_handle_is_refused(tmp_path):
    handle, value = tensor((), "RESOURCE"), tensor(*FLOATS)
    main = ([value, handle, value], [("READ_VARIABLE", (1,), (2,), None)], ([0, 1], [2]))
    with pytest.raises(OpError, match="its variable comes from outside the model"):
        write_engine(with_subgraphs(main), directory=tmp_path)


def test_ends_that_do_not_go_together_are_refused(tmp_path):
    ends = [tensor(*FLOATS), tensor(*FLOATS)]
    main = ([tensor((1,), "BOOL"), *ends], [("IF", (0, 1), (2,), IF)], ([0, 1], [2]))
    same = (ends, [("NEG", (0,), (1,), None)], ([0], [1]))
    longer = ([tensor((1, 8), "FLOAT32")] * 2, [("NEG", (0,), (1,), None)], ([0], [1]))
    with pytest.raises(OpError, match="a subgraph has 8 elements of float32 for 4 of float32"):
        write_engine(with_subgraphs(main, same, longer), directory=tmp_path)


def test_an_op_that_the_engine_lacks_is_named_in_its_subgraph(tmp_path):
    ends = [int8((1, 4)), int8((1, 4))]
    main = ([tensor((1,), "BOOL"), *ends], [("IF", (0, 1), (2,), IF)], ([0, 1], [2]))
    known = (ends, [("RELU", (0,), (1,), None)], ([0], [1]))
    unknown = (ends, [("GELU", (0,), (1,), None)], ([0], [1]))
    with pytest.raises(OpError, match=r"subgraph 2: op 0.*has no GELU"):
        write_engine(with_subgraphs(main, known, unknown), directory=tmp_path)


def test_a_model_without_subgraphs_has_none_in_c(tmp_path):
    write_engine(unary("RELU"), directory=tmp_path)
    assert "_graph_" not in (tmp_path / "model.c").read_text()
