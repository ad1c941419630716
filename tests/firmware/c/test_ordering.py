import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import model

from edgeprune.firmware.c.emulator import run_host_program
from edgeprune.firmware.c.engine import write_engine
from edgeprune.firmware.c.graph import compile_model
from edgeprune.firmware.c.image import build_host_program
from edgeprune.firmware.c.ordering import Task, find_order
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.read import read_model
from tests.firmware.c.example import int8, options_of, random_inputs
from tests.firmware.c.test_ops import SANITIZERS, needs_gcc


def task(reads, writes, **more):
    return Task(reads=tuple(reads), writes=tuple(writes), **more)


# Two branches that swell to 100 bytes and shrink to 10, side by side in the file.
BRANCHES = [task([0], [1]), task([0], [2]), task([1], [3]), task([2], [4]), task([3, 4], [5])]
SIZES = {1: 100, 2: 100, 3: 10, 4: 10, 5: 20}


def test_a_branch_ends_before_the_next_one_begins():
    assert find_order(BRANCHES, sizes=SIZES) == (0, 2, 1, 3, 4)


def test_an_order_that_is_as_good_as_any_stays():
    assert find_order(BRANCHES, sizes={1: 10, 2: 10, 3: 10, 4: 10, 5: 20}) == (0, 1, 2, 3, 4)


def test_a_task_waits_for_those_it_must_come_after():
    tasks = [*BRANCHES[:2], task([1], [3], after=(1,)), *BRANCHES[3:]]
    assert find_order(tasks, sizes=SIZES) == (1, 3, 0, 2, 4)


def peak_bytes(tasks, order, sizes):
    held, peak = set(), 0
    for now, place in enumerate(order):
        held |= {*tasks[place].writes}
        peak = max(peak, sum(sizes[each] for each in held))
        held = {each for each in held if any(each in tasks[later].reads for later in order[now + 1 :])}
    return peak


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 50), st.sets(st.integers(1, 9), max_size=2)), max_size=10))
def test_every_order_works_and_none_is_worse(made):
    tasks = [
        task([now - back for back in backs if back <= now], [now]) for now, (_, backs) in enumerate(made)
    ]
    sizes = {now: size for now, (size, _) in enumerate(made)}
    order = find_order(tasks, sizes=sizes)
    places = {place: now for now, place in enumerate(order)}
    assert sorted(order) == list(range(len(tasks)))
    assert all(places[source] < places[now] for now, each in enumerate(tasks) for source in each.reads)
    assert peak_bytes(tasks, order, sizes) <= peak_bytes(tasks, range(len(tasks)), sizes)


def two_branches():
    """A small input that two branches average over after both have made copies of it side by side."""
    shape, wide, out = (1, 8, 8, 4), (1, 8, 8, 32), (1, 1, 1, 32)
    tensors = [int8(each) for each in (shape, wide, wide, out, out, out)]
    join = options_of("Concatenation", axis=3)
    pool = options_of("Pool2D", padding=1, stride_h=8, stride_w=8, filter_height=8, filter_width=8)
    ops = [
        ("CONCATENATION", [0] * 8, [1], join),
        ("CONCATENATION", [0] * 8, [2], join),
        ("AVERAGE_POOL_2D", [1], [3], pool),
        ("MAX_POOL_2D", [2], [4], pool),
        ("ADD", [3, 4], [5], options_of("Add")),
    ]
    return model(tensors, ops, inputs=[0], outputs=[5])


def test_the_arena_holds_one_branch_at_a_time():
    program = compile_model(read_model(two_branches(), where="test"), prefix="model", instructions="plain")
    assert [step.op.index for step in program.steps] == [0, 2, 1, 3, 4]
    assert program.plan.total_bytes < 2 * 8 * 8 * 32


@needs_gcc
@pytest.mark.parametrize("core", ["Cortex-M0+", "Cortex-M55"])
def test_outputs_are_the_same_in_another_order(core, tmp_path):
    data = two_branches()
    inputs = random_inputs(read_model(data, where="test"))
    engine = write_engine(data, directory=tmp_path, core=core)
    program = build_host_program(engine, directory=tmp_path / "host", flags=SANITIZERS)
    (output,) = run_host_program(program, inputs, model=engine.program.model)
    np.testing.assert_array_equal(output, run_tflm(data, inputs).outputs[0].raw.reshape(output.shape))
