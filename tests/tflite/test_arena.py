import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeprune.tflite.arena import Buffer, list_buffers, plan_arena
from edgeprune.tflite.read import read_model

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
