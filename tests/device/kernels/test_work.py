import dataclasses

import pytest

from edgeprune.device.kernels.work import WORK, count_work
from edgeprune.graph.opshape import OpShape

CONV = OpShape(op="CONV_2D", inputs=((1, 4, 4, 8),), output=(1, 4, 4, 6), filter=(6, 3, 3, 8))


@pytest.mark.parametrize(
    ("op", "kind", "macs"),
    [
        (CONV, "conv", 16 * 6 * 72),
        (dataclasses.replace(CONV, filter=(6, 1, 1, 8)), "conv_1x1", 16 * 6 * 8),
        (dataclasses.replace(CONV, filter=(6, 3, 3, 4)), "grouped", 16 * 6 * 36),
        (
            OpShape(op="DEPTHWISE_CONV_2D", inputs=((1, 4, 4, 8),), output=(1, 4, 4, 8), filter=(1, 3, 3, 8)),
            "depthwise",
            16 * 8 * 9,
        ),
        (
            OpShape(op="FULLY_CONNECTED", inputs=((1, 8),), output=(1, 6), filter=(6, 8)),
            "fully_connected",
            48,
        ),
        (
            OpShape(op="FULLY_CONNECTED", inputs=((1, 5, 8),), output=(1, 5, 6), filter=(6, 8)),
            "conv_1x1",
            240,
        ),
        (OpShape(op="BATCH_MATMUL", inputs=((1, 5, 8), (1, 8, 3)), output=(1, 5, 3)), "conv_1x1", 120),
    ],
)
def test_multiply_accumulates_are_counted_by_what_reads_the_weights(op, kind, macs):
    work = count_work(op)
    assert work[kind] == macs
    assert set(work) == {kind, "elements", "ops"}


def test_each_value_that_is_read_or_written_counts():
    add = OpShape(op="ADD", inputs=((1, 4), (1, 4)), output=(1, 4))
    assert count_work(add) == {"elements": 12.0, "ops": 1.0}


def test_what_moves_nothing_and_what_unpacks_constants_costs_nothing():
    assert count_work(OpShape(op="RESHAPE", inputs=((1, 4),), output=(4,))) == {}
    assert count_work(OpShape(op="DEQUANTIZE", inputs=(), output=(3, 3, 8, 8))) == {}


def test_every_kind_that_is_counted_is_explained():
    assert set(count_work(CONV)) <= set(WORK)


def test_values_through_a_function_count_beside_being_read_and_written():
    softmax = OpShape(op="SOFTMAX", inputs=((1, 10),), output=(1, 10))
    assert count_work(softmax) == {"elements": 20.0, "functions": 10.0, "ops": 1.0}
    assert count_work(dataclasses.replace(softmax, op="GELU"))["functions"] == 30.0
