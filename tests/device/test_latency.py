import dataclasses

import pytest

from edgeprune.device.instructions import InstructionTable, KindCost, load_instruction_table
from edgeprune.device.latency import (
    LatencyModel,
    cycles_of,
    fetched_bytes,
    find_latency_faults,
    is_beyond_cache,
    latency_reach,
    pace_of,
    slowdown_of,
    spread,
    weight_bytes,
)
from edgeprune.device.paces import NUMBERS, load_pace
from edgeprune.graph.opshape import OpShape

DENSE = OpShape(op="FULLY_CONNECTED", inputs=((1, 100),), output=(1, 10), filter=(10, 100))
LAW = LatencyModel(
    by="instructions",
    table="cortex-m7",
    cycles_per_instruction=2.0,
    cycles_by_kind={"fully_connected": 1.5},
    cycles_per_weight_byte=0.5,
    cycles_per_op=100.0,
    low=0.7,
    high=1.4,
    evidence="assumed",
    source="a test",
)
# Four instructions per step of four weights, 20 per output.
TABLE = InstructionTable(
    core="a test",
    kinds={
        "fully_connected": KindCost(coefficients=(8.0, 0.0, 40.0, *(0.0,) * 11), rows=1, low=1.0, high=1.0),
        "fully_connected_float32": KindCost(coefficients=(48.0, 0.0, 0.0, 0.0), rows=1, low=1.0, high=1.0),
        "other": KindCost(coefficients=(1.0, 0.0), rows=1, low=1.0, high=1.0),
    },
    median_error=0.0,
    p90_error=0.0,
    float_median_error=0.0,
    float_p90_error=0.0,
    source="",
)


def test_an_op_takes_the_pace_of_its_kind_its_weights_and_what_the_runtime_does():
    # 5 pairs of outputs x 25 steps x 8 + 5 x 40 = 1200 instructions, 1000 bytes of weights.
    assert cycles_of(DENSE, LAW, TABLE) == 1200 * 1.5 + 1000 * 0.5 + 100


def test_kinds_without_a_pace_of_their_own_share_one():
    softmax = OpShape(op="SOFTMAX", inputs=((1, 10),), output=(1, 10))
    assert pace_of(softmax) == "other"
    windows = OpShape(
        op="DEPTHWISE_CONV_2D", inputs=((1, 8, 8, 4),), output=(1, 8, 8, 4), filter=(1, 5, 5, 4)
    )
    assert pace_of(windows) == "depthwise"


def test_exp_on_floats_has_a_pace_of_its_own():
    softmax = OpShape(op="SOFTMAX", inputs=((1, 10),), output=(1, 10), dtype="float32")
    relu = OpShape(op="RELU", inputs=((1, 10),), output=(1, 10), dtype="float32")
    assert [pace_of(softmax), pace_of(relu)] == ["float32_exp", "float32"]


def test_floats_beyond_a_cache_wait_for_four_times_the_bytes_however_long_they_compute():
    law = dataclasses.replace(LAW, cached_weights_kib=0.5, cycles_per_fetched_byte=9.0)
    floats = dataclasses.replace(DENSE, dtype="float32")
    # 1000 bytes x 9 cycles beside 1200 instructions x 1.5.
    assert slowdown_of(DENSE, law, TABLE) == 6
    # 4000 bytes beside 10 outputs x 25 steps x 48 instructions x 2.
    assert slowdown_of(floats, law, TABLE) == 2.5
    small = dataclasses.replace(law, cached_weights_kib=5.0)
    assert slowdown_of(floats, small, TABLE) == 1


def test_errors_of_law_and_count_add_as_the_sides_of_a_right_angle():
    low, high = spread(10.0, LAW, down=0.4, up=0.3)
    assert low == pytest.approx(10.0 * (1 - 0.5))
    assert high == pytest.approx(10.0 * (1 + 0.5))


def test_an_interval_never_reaches_below_nothing():
    assert spread(10.0, LAW, down=2.0)[0] == 0.0


def test_faults_of_a_law_are_all_found():
    broken = LatencyModel(
        by="instructions", cycles_by_kind={"convolution": 1.0, "conv": -1.0}, evidence="assumed", source=""
    )
    assert [fault.key for fault in find_latency_faults(broken)] == [
        "latency.cycles_per_instruction",
        "latency.table",
        "latency.cycles_by_kind.convolution",
        "latency.cycles_by_kind.conv",
        "latency.source",
    ]


def test_weights_that_fill_the_cache_to_the_last_byte_are_beyond_it():
    wide = OpShape(op="FULLY_CONNECTED", inputs=((1, 128),), output=(1, 8), filter=(8, 128))
    law = dataclasses.replace(LAW, cached_weights_kib=1.0, cycles_per_fetched_byte=9.0)
    assert weight_bytes(wide) == 1024
    assert is_beyond_cache(wide, law)
    assert not is_beyond_cache(DENSE, law)  # 1000 bytes
    assert is_beyond_cache(dataclasses.replace(DENSE, dtype="float32"), law)  # 4000


def test_an_op_beyond_the_cache_waits_for_each_byte_on_top_of_all_that_it_took():
    law = dataclasses.replace(LAW, cached_weights_kib=0.5, cycles_per_fetched_byte=9.0)
    assert cycles_of(DENSE, law, TABLE) == 1200 * 1.5 + 1000 * 0.5 + 100 + 1000 * 9


def test_a_convolution_fetches_its_weights_once_for_as_many_pixels_as_its_kernel_takes_at_a_time():
    conv = OpShape(op="CONV_2D", inputs=((1, 3, 3, 64),), output=(1, 3, 3, 16), filter=(16, 1, 1, 64))
    assert fetched_bytes(conv, TABLE) == 1024 * 5  # two at a time, and the ninth
    assert fetched_bytes(conv, dataclasses.replace(TABLE, kernels="mve")) == 1024 * 3
    assert fetched_bytes(conv, dataclasses.replace(TABLE, kernels="reference")) == 1024 * 9
    assert fetched_bytes(dataclasses.replace(conv, dtype="float32"), TABLE) == 4096 * 9


def test_an_estimate_reaches_as_far_as_its_law_and_the_count_behind_it():
    macs = dataclasses.replace(LAW, by="macs", table="", ms_per_mac=1.0)
    assert latency_reach(macs) == 1.4
    work = dataclasses.replace(LAW, by="work", table="Cortex-A76", high=1.0)
    assert latency_reach(work) == max(load_pace("Cortex-A76", number).high for number in NUMBERS)
    # The P90 error of the counts of the shipped table, beside the law's 0.4.
    error = load_instruction_table("cortex-m7").p90_error
    assert error > 0.01
    assert latency_reach(LAW) == pytest.approx(1 + (error**2 + 0.4**2) ** 0.5)


@pytest.mark.parametrize(
    ("by", "missing"),
    [
        ("instructions", ["latency.cycles_per_instruction", "latency.table"]),
        ("vela", ["latency.cycles_per_instruction", "latency.table"]),
        ("macs", ["latency.ms_per_mac"]),
        ("none", []),
    ],
)
def test_each_kind_of_law_misses_what_it_cannot_do_without(by, missing):
    law = LatencyModel(by=by, evidence="assumed", source="a test")
    assert [fault.key for fault in find_latency_faults(law)] == missing


def test_a_kind_of_op_cannot_take_no_time():
    law = dataclasses.replace(LAW, cycles_by_kind={"conv": 0.0, "depthwise": 1e-9})
    assert [str(fault) for fault in find_latency_faults(law)] == [
        "latency.cycles_by_kind.conv: is 0; it takes a number above 0"
    ]
