import dataclasses
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
    list_instruction_tables,
    load_instruction_table,
)
from edgeprune.device.kernels.cmsis_nn import FEATURES
from edgeprune.device.kernels.counts import FLOAT, count_features
from edgeprune.device.kernels.elsewhere import FEATURES_ELSEWHERE, FEATURES_FLOAT
from edgeprune.errors import UnknownNameError
from edgeprune.graph.opshape import OpShape

ROOT = Path(__file__).parents[2]
DATA = ROOT / ".." / "shared" / "data"
CORES = ("cortex-m7", "cortex-m4", "cortex-m33", "cortex-m0plus", "cortex-m55")
REFERENCE = tuple(f"{core}-reference" for core in CORES)
TABLES = CORES + REFERENCE


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


def dense(*, dtype="int8"):
    return OpShape(op="FULLY_CONNECTED", inputs=((1, 8),), output=(1, 4), filter=(4, 8), dtype=dtype)


def make_table(kinds, *, p90_error=0.0):
    return InstructionTable(
        core="x",
        kinds=kinds,
        median_error=0.0,
        p90_error=p90_error,
        float_median_error=0.0,
        float_p90_error=0.0,
        source="",
    )


def test_no_op_is_free():
    nothing = KindCost(coefficients=(0.0, 0.0, 0.0), rows=1, low=1, high=1)
    table = make_table({"softmax": nothing, "other": nothing})
    assert instructions_of(softmax(), table) == LEAST_INSTRUCTIONS


def test_an_op_costs_its_counts_times_the_table():
    other = KindCost(coefficients=(62.0, 2000.0), rows=0, low=0.1, high=10)
    cost = KindCost(coefficients=(30.0, 50.0, 70.0), rows=1, low=1, high=1)
    table = make_table({"softmax": cost, "other": other})
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


@pytest.mark.parametrize("core", list_instruction_tables())
def test_a_flipped_sign_costs_a_fraction_of_a_requantization(core):
    flip = OpShape(
        op="QUANTIZE",
        inputs=((1, 96, 96, 3),),
        output=(1, 96, 96, 3),
        dtype="uint8",
        flips_sign=True,
    )
    table = load_instruction_table(core)
    assert count_features(flip)[0] == "flip_sign"
    per_element = instructions_of(flip, table) / (96 * 96 * 3)
    assert 0.2 < per_element < 1.6
    requantized = dataclasses.replace(flip, flips_sign=False)
    assert instructions_of(requantized, table) > 25 * instructions_of(flip, table)


@pytest.mark.parametrize("core", list_instruction_tables())
def test_the_larger_of_values_and_a_constant_takes_a_few_instructions_each(core):
    maximum = OpShape(op="MAXIMUM", inputs=((1, 32, 32, 16),), output=(1, 32, 32, 16))
    assert instructions_of(maximum, load_instruction_table(core)) < 11 * 32 * 32 * 16


def test_softmax_reaches_down_to_inputs_that_leave_most_exponentials_out():
    # ResNet-8 of MLPerf Tiny takes 2,097 where networks that were not trained take 5,600.
    softmax = load_instruction_table("cortex-m7").kinds["softmax"]
    assert softmax.low < 0.45 < 0.9 < softmax.high


def test_one_scale_for_all_weights_takes_a_kernel_of_its_own():
    op = OpShape(op="FULLY_CONNECTED", inputs=((1, 9),), output=(1, 3), filter=(3, 9))
    # One pair of outputs: 2 steps of four weights, and 1 weight left; then the odd output, alike; one row.
    assert count_features(op)[1] == (2, 1, 1, 2, 1, 1, *(0,) * 6, 1, 1)
    op = dataclasses.replace(op, weights_per_tensor=True)
    assert count_features(op)[1] == (*(0,) * 6, 2, 1, 1, 2, 1, 1, 1, 1)


def test_vectors_take_sixteen_weights_of_four_pixels_at_a_time():
    op = conv(3, depth=20, size=3, kernel=1)
    # 9 pixels are two fours and one; 20 weights are two vectors; the odd pixel's 3 outputs are no four.
    expected = (2 * 3 * 2, 2 * 3, 2, 3 * 2, 3, 3, 1, 1)
    assert count_features(op, kernels="mve") == ("conv_1x1", expected)


def test_reference_kernels_look_at_every_tap():
    op = conv(2, depth=1, size=2)
    # SAME padding on 2 x 2: 16 taps inside for each of 2 channels, of 8 outputs x 9 taps.
    assert count_features(op, kernels="reference") == ("conv", (32, 32, 72, 24, 8, 1))


def test_kernels_of_other_libraries_are_told_apart():
    spread = OpShape(op="DEPTHWISE_CONV_2D", inputs=((1, 8, 8, 1),), output=(1, 8, 8, 8), filter=(1, 3, 3, 8))
    line = OpShape(op="CONV_2D", inputs=((1, 1, 9, 4),), output=(1, 1, 9, 2), filter=(2, 1, 3, 4))
    assert [count_features(op, kernels="mve")[0] for op in (spread, line)] == ["conv", "conv_in_place"]
    assert [count_features(op, kernels="reference")[0] for op in (spread, line)] == ["depthwise", "conv"]
    assert [count_features(op)[0] for op in (spread, line)] == ["depthwise_by_four", "conv"]


def test_float_ops_are_not_taken_for_int8_ones():
    op = OpShape(op="TANH", inputs=((1, 8),), output=(1, 8))
    assert count_features(op)[0] == "tanh"
    assert count_features(dataclasses.replace(op, dtype="float32"))[0] == "tanh_float32"


@pytest.mark.parametrize("core", TABLES)
def test_a_table_prices_each_count_of_each_kind_and_nothing_is_negative(core):
    table = load_instruction_table(core)
    for kind, cost in table.kinds.items():
        name = kind.removesuffix(FLOAT).replace("mean_image", "mean")
        kernels = "reference" if kind.endswith(FLOAT) else table.kernels
        counts = FEATURES_ELSEWHERE[kernels].get(name) or FEATURES[name]
        if kind.endswith(FLOAT):
            counts = FEATURES_FLOAT.get(name) or counts
        example = OpShape(op="X", inputs=((1, 9, 9, 8),) * 2, output=(1, 9, 9, 8), filter=(8, 3, 3, 8))
        if name in ("fully_connected", "lstm", "svdf"):
            example = OpShape(op="X", inputs=((1, 8),), output=(1, 8), filter=(8, 8))
        assert len(counts(example)) == len(cost.coefficients), kind
        assert min(cost.coefficients) >= 0, kind


@pytest.mark.parametrize("core", TABLES)
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


def test_a_kind_that_its_law_describes_badly_widens_the_interval():
    other = KindCost(coefficients=(62.0, 2000.0), rows=0, low=0.1, high=10)
    for low, high, expected in ((0.99, 1.01, (900, 1100)), (0.6, 1.5, (600, 1500))):
        cost = KindCost(coefficients=(100.0, 0.0, 0.0), rows=9, low=low, high=high)
        table = make_table({"softmax": cost, "other": other}, p90_error=0.1)
        figure = estimate_instructions([softmax()], table).figure
        assert (figure.low, figure.value, figure.high) == pytest.approx((expected[0], 1000, expected[1]))


def test_floats_take_the_same_loops_in_every_library():
    op = dataclasses.replace(conv(2, depth=1, size=2), dtype="float32")
    # SAME padding on 2 x 2: 16 taps inside for each of 2 channels, one deep, of 8 outputs x 9 taps.
    expected = ("conv_float32", (0, 32, 0, 32, 72, 24, 8, 1))
    assert {count_features(op, kernels=kernels) for kernels in FEATURES_ELSEWHERE} == {expected}
    mean = OpShape(op="MEAN", inputs=((1, 4, 4, 8),), output=(1, 8), dtype="float32")
    kept = dataclasses.replace(mean, output=(1, 1, 1, 8))
    assert [count_features(op)[0] for op in (mean, kept)] == ["mean_float32", "mean_image_float32"]


def test_a_type_that_was_not_counted_does_not_take_the_price_of_the_other():
    priced = KindCost(coefficients=(28.0, 0.0, 0.0, 0.0), rows=9, low=1, high=1)
    other = KindCost(coefficients=(62.0, 2000.0), rows=0, low=0.1, high=10)
    others = {"other": other, "other_float32": KindCost(coefficients=(9.0, 900.0), rows=0, low=0.1, high=10)}
    floats = make_table({"fully_connected_float32": priced, **others})
    integers = make_table({"fully_connected": priced, **others})
    # 4 outputs x 2 steps of four weights at 28; an int8 layer that was never counted: 62 x 4 outputs + 2000.
    assert instructions_of(dense(dtype="float32"), floats) == 224
    assert instructions_of(dense(), floats) == 2248
    figure = estimate_instructions([dense(dtype="float32")], integers).figure
    assert figure.value is None
    assert "FULLY_CONNECTED on float32" in figure.evidence


def test_convolutions_on_floats_say_that_assertions_would_cost_more():
    table = load_instruction_table("cortex-m4")
    floats = estimate_instructions([dataclasses.replace(conv(8), dtype="float32")], table).figure
    assert "assertions" in floats.evidence
    assert "assertions" not in estimate_instructions([conv(8)], table).figure.evidence


def test_floats_in_software_cost_more_than_those_of_an_fpu_and_have_an_error_of_their_own():
    fast, slow = (
        estimate_instructions([dense(dtype="float32")], load_instruction_table(core)).figure
        for core in ("cortex-m4", "cortex-m0plus")
    )
    assert slow.value > 8 * fast.value
    assert slow.high / slow.value > fast.high / fast.value
    assert "on floats" in slow.evidence
    assert (
        "on floats"
        not in estimate_instructions([dense()], load_instruction_table("cortex-m4")).figure.evidence
    )


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


@pytest.mark.parametrize("name", TABLES)
def test_models_held_out_of_the_fit_are_predicted_within_three_and_eight_percent(fit, name):
    core, library, kernels = fit.BUILDS[name]
    rows = fit.gather_rows(DATA, core=core, library=library)
    errors, floats = fit.hold_out(rows, kernels), fit.float_models(rows)
    committed = load_instruction_table(name)
    for models, stated in (
        (errors.keys() - floats, (committed.median_error, committed.p90_error)),
        (errors.keys() & floats, (committed.float_median_error, committed.float_p90_error)),
    ):
        median, p90 = fit.score(errors[model] for model in models)
        assert median <= 0.03
        assert p90 <= 0.08
        assert stated == pytest.approx((median, p90), rel=1e-3)
    for kind, cost in fit.fit_kinds(rows, kernels).items():
        assert committed.kinds[kind].coefficients == pytest.approx(cost["coefficients"], rel=1e-3, abs=1e-6)


def test_the_fit_finds_non_negative_coefficients_of_least_relative_error(fit):
    import numpy as np

    features = np.array([[1.0, 0.0], [0.0, 1.0], [2.0, 3.0]])
    assert fit.solve_nonnegative(features, np.array([5.0, 7.0, 31.0])) == pytest.approx([5.0, 7.0])
    # The best unbounded fit would want a negative second coefficient.
    assert fit.solve_nonnegative(np.array([[1.0, 1.0], [1.0, 2.0]]), np.array([2.0, 1.0]))[1] == 0
