import copy
import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_models import model, tensor

from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.arena import Buffer, list_buffers, list_planned, plan_arena
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema
from edgeprune.tflite.strip import pack, unpack

MODELS = Path(__file__).parents[2] / ".." / "shared" / "models"

# Heads that TFLM's RecordingMicroAllocator reported for these files (reference kernels, x86-64). None of
# their kernels asks for scratch buffers there.
HOST_HEADS = {
    "mlperf_tiny/anomaly_detection/ad01_int8.tflite": 768,
    "mlperf_tiny/image_classification/pretrainedResnet_quant.tflite": 49152,
    "mlperf_tiny/keyword_spotting/kws_ref_model.tflite": 16000,
    "tflm/hello_world_int8.tflite": 32,
    "tflm/micro_speech_quantized.tflite": 5968,
    "tflm/person_detect.tflite": 55296,
}


def buffer(size, first, last):
    return Buffer(size_bytes=size, first_op=first, last_op=last)


def test_buffers_that_live_at_different_times_share_their_place():
    plan = plan_arena([buffer(32, 0, 1), buffer(32, 2, 3)])
    assert plan.offsets == (0, 0)
    assert plan.total_bytes == 32


def test_sizes_are_rounded_up_to_sixteen_bytes():
    assert plan_arena([buffer(17, 0, 1), buffer(1, 1, 1)]).total_bytes == 48


def test_the_largest_goes_first_and_gaps_are_filled_from_below():
    # 64 is placed at 0, then 48 beside it; 16 fits under 48 once 64 is gone.
    plan = plan_arena([buffer(64, 0, 1), buffer(48, 1, 2), buffer(16, 2, 3)])
    assert plan.offsets == (0, 64, 0)
    assert plan.total_bytes == 112


def test_of_equal_sizes_the_last_is_placed_first_as_in_tflm():
    assert plan_arena([buffer(16, 0, 1), buffer(16, 1, 2)]).offsets == (16, 0)


def test_no_buffers_need_no_memory():
    assert plan_arena([]).total_bytes == 0


spans = st.tuples(st.integers(1, 400), st.integers(0, 12), st.integers(0, 5))


@given(st.lists(spans, max_size=30))
@settings(max_examples=200, deadline=None)
def test_no_two_live_buffers_overlap(drawn):
    buffers = [buffer(size, first, first + life) for size, first, life in drawn]
    plan = plan_arena(buffers)
    for i, (a, start_a) in enumerate(zip(buffers, plan.offsets, strict=True)):
        assert start_a % 16 == 0
        assert start_a + a.size_bytes <= plan.total_bytes
        for b, start_b in zip(buffers[:i], plan.offsets[:i], strict=True):
            if a.first_op <= b.last_op and b.first_op <= a.last_op:
                assert start_a + a.size_bytes <= start_b or start_b + b.size_bytes <= start_a


def test_planning_sixty_ops_takes_less_than_a_few_milliseconds():
    buffers = [buffer(1000 + 37 * i % 900, i, i + 2) for i in range(120)]
    start = time.perf_counter()
    plan_arena(buffers)
    assert time.perf_counter() - start < 0.02


@pytest.mark.parametrize("name", HOST_HEADS)
def test_the_plan_is_the_one_tflm_makes(name):
    path = MODELS / name
    if not path.exists():
        pytest.skip("../shared/models is not there")
    model = read_model(path.read_bytes(), where=name)
    assert plan_arena(list_buffers(model)).total_bytes == HOST_HEADS[name]


def test_scratch_lives_while_its_op_runs():
    path = MODELS / "tflm/hello_world_int8.tflite"
    if not path.exists():
        pytest.skip("../shared/models is not there")
    model = read_model(path.read_bytes(), where=path.name)
    scratch = list_buffers(model, scratch={1: [100]})[-1]
    assert (scratch.size_bytes, scratch.first_op, scratch.last_op) == (100, 2, 2)


def branching(*, adds_result):
    """IF over 64 floats, then ADD: one branch of three ops, one of one; every tensor takes 256 bytes.

    Args:
        adds_result: whether ADD adds the input to what IF made, or to itself.
    """
    schema = load_schema()

    def floats(count):
        return [tensor((1, 64), "FLOAT32") for _ in range(count)]

    then_ops = [
        ("NEG", (0,), (1,), None),
        ("ADD", (1, 0), (2,), schema.AddOptionsT()),
        ("MUL", (2, 1), (3,), schema.MulOptionsT()),
    ]
    options = schema.IfOptionsT()
    options.thenSubgraphIndex, options.elseSubgraphIndex = 1, 2
    main_ops = [
        ("IF", (0, 1), (2,), options),
        ("ADD", (2 if adds_result else 1, 1), (3,), schema.AddOptionsT()),
    ]
    graphs = [
        model([tensor((1,), "BOOL"), *floats(3)], main_ops, inputs=[0, 1], outputs=[3]),
        model(floats(4), then_ops, inputs=[0], outputs=[3]),
        model(floats(2), [("ABS", (0,), (1,), None)], inputs=[0], outputs=[1]),
    ]
    made, *others = (unpack(data, where="made") for data in graphs)
    for other in others:
        (graph,) = other.subgraphs
        for entry in graph.tensors:
            entry.buffer = 0
        for operator in graph.operators:
            operator.opcodeIndex += len(made.operatorCodes)
        made.operatorCodes += other.operatorCodes
        made.subgraphs.append(graph)
    return pack(made)


@pytest.mark.parametrize("adds_result", [True, False])
def test_what_a_branch_reads_and_makes_lives_while_both_branches_run(adds_result):
    buffers = list_buffers(read_model(branching(adds_result=adds_result), where="made"), scratch={0: [100]})
    assert [(entry.first_op, entry.last_op) for entry in buffers] == [
        # IF is op 1, its branches 2 to 5 and 6 to 7, ADD is op 8.
        (0, 7),  # the condition
        (0, 8),  # the input
        (1, 8 if adds_result else 7),  # what IF makes
        (8, 8),  # what ADD makes
        # A branch's own input is there from the op before its first one.
        *((2, 4), (3, 5), (4, 5), (5, 5)),
        *((6, 7), (7, 7)),
        (1, 7),  # what IF's kernel would ask for
    ]


@pytest.mark.skipif(find_spec("tflite_micro") is None, reason="tflite-micro is not installed")
@pytest.mark.parametrize("adds_result", [True, False])
def test_the_plan_of_branches_is_the_one_tflm_makes(adds_result):
    data = branching(adds_result=adds_result)
    inputs = (np.zeros((1, 1), bool), np.zeros((1, 1, 64), np.float32))
    planned = plan_arena(list_buffers(read_model(data, where="made"))).total_bytes
    # During ops 4 and 5: the condition, the input, what IF makes, and three tensors of the branch.
    assert planned == 16 + 5 * 256
    assert run_tflm(data, inputs).allocation.head_bytes == planned


def test_an_output_lives_to_the_end_however_early_it_is_made():
    tensors = [tensor((1, 4)) for _ in range(4)]
    ops = [("RELU", (index,), (index + 1,), None) for index in range(3)]
    data = model(tensors, ops, inputs=[0], outputs=[1, 3])
    buffers = list_buffers(read_model(data, where="made"))
    assert [(entry.first_op, entry.last_op) for entry in buffers] == [(0, 1), (1, 3), (2, 3), (3, 3)]


def test_constants_and_variables_are_not_planned():
    tensors = [
        tensor((1, 4), scale=1.0),
        tensor((1, 4), data=np.ones((1, 4), np.int8)),
        *(tensor((1, 4), scale=1.0) for _ in range(3)),
    ]
    tensors[2].isVariable = True
    ops = [("ADD", (0, 1), (3,), None), ("ADD", (3, 2), (4,), None)]
    planned = list_planned(read_model(model(tensors, ops, inputs=[0], outputs=[4]), where="made"))
    assert [entry.index for _, entry in planned] == [0, 3, 4]


def test_a_gap_that_is_just_large_enough_is_taken():
    # Under 64 at 80 there are 80 bytes free from op 2 on: room for 48 and, just so, for 32.
    plan = plan_arena([buffer(80, 0, 1), buffer(64, 1, 3), buffer(48, 2, 3), buffer(32, 3, 3)])
    assert plan.offsets == (0, 80, 0, 48)
    assert plan.total_bytes == 144


def test_an_op_before_a_branch_lives_as_if_there_were_none():
    made = unpack(branching(adds_result=True), where="made")
    (absolute,) = made.subgraphs[2].operators
    first = copy.copy(absolute)
    first.inputs, first.outputs = np.array([1], np.int32), np.array([4], np.int32)
    made.subgraphs[0].tensors.append(copy.copy(made.subgraphs[0].tensors[3]))
    made.subgraphs[0].operators.insert(0, first)
    buffers = list_buffers(read_model(pack(made), where="made"), scratch={0: [100], 1: [100]})
    assert [(entry.first_op, entry.last_op) for entry in buffers[-2:]] == [(1, 1), (2, 8)]
