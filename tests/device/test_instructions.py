import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgeprune.device.instructions import (
    LEAST_INSTRUCTIONS,
    InstructionTable,
    KindCost,
    estimate_instructions,
    instructions_of,
    load_instruction_table,
)
from edgeprune.device.laws import FEATURES, count_features
from edgeprune.errors import UnknownNameError
from edgeprune.graph.opshape import OpShape

ROOT = Path(__file__).parents[2]
DATA = ROOT / ".." / "shared" / "data"
CORES = ("cortex-m7", "cortex-m4", "cortex-m33", "cortex-m0plus", "cortex-m55")


def conv(channels, *, depth=8, size=8, kernel=3, stride=1):
    return OpShape(
        op="CONV_2D",
        inputs=((1, size, size, depth),),
        output=(1, -(-size // stride), -(-size // stride), channels),
        filter=(channels, kernel, kernel, depth),
        stride=(stride, stride),
    )


def softmax():
    return OpShape(op="SOFTMAX", inputs=((1, 10),), output=(1, 10))


def test_no_op_is_free():
    nothing = KindCost(coefficients=(0.0, 0.0, 0.0), rows=1, low=1, high=1)
    table = InstructionTable(
        core="x", kinds={"softmax": nothing, "other": nothing}, median_error=0, p90_error=0, source=""
    )
    assert instructions_of(softmax(), table) == LEAST_INSTRUCTIONS


def test_an_op_costs_its_counts_times_the_table():
    other = KindCost(coefficients=(62.0, 2000.0), rows=0, low=0.1, high=10)
    cost = KindCost(coefficients=(30.0, 50.0, 70.0), rows=1, low=1, high=1)
    table = InstructionTable(
        core="x", kinds={"softmax": cost, "other": other}, median_error=0, p90_error=0, source=""
    )
    # 10 elements in 1 row: 30 x 10 + 50 x 1 + 70.
    assert instructions_of(softmax(), table) == 420
    # MUL is not in this table: 62 x 4 elements + 2000.
    assert instructions_of(OpShape(op="MUL", inputs=((1, 4),), output=(1, 4)), table) == 2248


def test_a_depthwise_convolution_skips_the_padding():
    op = OpShape(op="DEPTHWISE_CONV_2D", inputs=((1, 2, 2, 4),), output=(1, 2, 2, 4), filter=(1, 3, 3, 4))
    kind, counts = count_features(op)
    # SAME padding on 2 x 2: each output sees 2 x 2 of its 3 x 3 taps; one group of four channels.
    assert (kind, counts[0]) == ("depthwise", 16)


def test_kernels_are_told_apart():
    wide = OpShape(op="DEPTHWISE_CONV_2D", inputs=((1, 8, 8, 4),), output=(1, 8, 8, 4), filter=(1, 5, 5, 4))
    eight = OpShape(op="DEPTHWISE_CONV_2D", inputs=((1, 8, 8, 1),), output=(1, 8, 8, 8), filter=(1, 3, 3, 8))
    three = OpShape(op="DEPTHWISE_CONV_2D", inputs=((1, 8, 8, 1),), output=(1, 8, 8, 3), filter=(1, 3, 3, 3))
    bias = OpShape(op="ADD", inputs=((1, 4),), output=(1, 4))
    both = OpShape(op="ADD", inputs=((1, 4), (1, 4)), output=(1, 4))
    kinds = [count_features(op)[0] for op in (conv(4, kernel=1), conv(4), wide, eight, three, bias, both)]
    assert kinds == [
        "conv_1x1",
        "conv",
        "depthwise_window",
        "depthwise_by_four",
        "depthwise_plain",
        "add_broadcast",
        "add",
    ]


@pytest.mark.parametrize("core", CORES)
def test_every_core_prices_every_kind_and_nothing_is_negative(core):
    table = load_instruction_table(core)
    assert set(table.kinds) == set(FEATURES)
    assert all(coefficient >= 0 for kind in table.kinds.values() for coefficient in kind.coefficients)


@pytest.mark.parametrize("core", CORES)
@given(
    channels=st.integers(1, 128),
    depth=st.integers(1, 128),
    size=st.integers(1, 40),
    kernel=st.sampled_from([1, 3, 5]),
)
@settings(max_examples=60, deadline=None)
def test_eight_more_channels_never_cost_less(core, channels, depth, size, kernel):
    table = load_instruction_table(core)
    now = instructions_of(conv(channels, depth=depth, size=size, kernel=kernel), table)
    assert 0 < now <= instructions_of(conv(channels + 8, depth=depth, size=size, kernel=kernel), table)
    assert now <= instructions_of(conv(channels, depth=depth + 16, size=size, kernel=kernel), table)


def test_an_op_that_was_never_counted_is_named_and_widens_the_interval():
    table = load_instruction_table("cortex-m7")
    known = estimate_instructions([conv(8)], table)
    strange = estimate_instructions(
        [conv(8), OpShape(op="CUMSUM", inputs=((1, 900),), output=(1, 900))], table
    )
    assert known.unseen == ()
    assert strange.unseen == ("CUMSUM",)
    assert "CUMSUM" in strange.figure.evidence
    assert strange.figure.high / strange.figure.value > known.figure.high / known.figure.value


def test_float_models_are_not_priced_by_int8_kernels():
    op = OpShape(op="FULLY_CONNECTED", inputs=((1, 8),), output=(1, 4), filter=(4, 8), dtype="float32")
    figure = estimate_instructions([op], load_instruction_table("cortex-m7")).figure
    assert figure.value is None
    assert "float32" in figure.evidence


def test_a_core_without_a_table_is_refused_by_name():
    with pytest.raises(UnknownNameError, match="cortex-m7"):
        load_instruction_table("cortex-m8")


@pytest.fixture(scope="module")
def fit():
    if not DATA.exists():
        pytest.skip("../shared/data is not there")
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        import fit_instructions
    finally:
        sys.path.pop(0)
    return fit_instructions


def test_models_held_out_of_the_fit_are_predicted_within_three_and_eight_percent(fit):
    for core in ("cortex-m7", "cortex-m4"):
        rows = fit.read_rows(DATA / "tflm_cmsis_nn_op_instructions.csv", core)
        median, p90 = fit.score(fit.hold_out(rows).values())
        assert median <= 0.03
        assert p90 <= 0.08


def test_the_committed_tables_are_those_of_the_fit(fit):
    for core, table in fit.build_tables(DATA).items():
        committed = load_instruction_table(core)
        assert committed.p90_error == pytest.approx(table["p90_error"], rel=1e-3)
        for kind, cost in table["kinds"].items():
            assert committed.kinds[kind].coefficients == pytest.approx(
                cost["coefficients"], rel=1e-3, abs=1e-6
            )


def test_the_fit_finds_non_negative_coefficients_of_least_relative_error(fit):
    import numpy as np

    features = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]])
    assert fit.solve_nonnegative(features, np.array([5.0, 7.0, 31.0])) == pytest.approx([5.0, 7.0])
    # The best unbounded fit would want a negative second coefficient.
    assert fit.solve_nonnegative(np.array([[1.0, 1.0], [1.0, 2.0]]), np.array([2.0, 1.0]))[1] == 0
