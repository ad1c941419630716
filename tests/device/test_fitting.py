import dataclasses
import math
import random
import sys
from pathlib import Path

import pytest

from edgeprune.device.fitting import coverage_of, fit_law, hold_out, interval_of
from edgeprune.device.instructions import instructions_of, load_instruction_table
from edgeprune.device.latency import LatencyModel
from edgeprune.device.samples import Law, Sample, describe_sample
from edgeprune.graph.opshape import OpShape


def make_samples(count, *, conv=2.0, dense=1.0, per_op=500.0, noise=0.0):
    draw = random.Random(0)
    samples = []
    for index in range(count):
        conv_count, dense_count, ops = draw.uniform(1e5, 1e7), draw.uniform(1e5, 1e7), draw.randrange(3, 30)
        cycles = conv * conv_count + dense * dense_count + per_op * ops
        samples.append(
            Sample(
                model=str(index),
                architecture=str(index),
                instructions={"conv": conv_count, "fully_connected": dense_count},
                weight_bytes=draw.uniform(1e3, 1e5),
                ops=ops,
                cycles=cycles * draw.uniform(1 - noise, 1 + noise),
            )
        )
    return samples


def test_with_many_models_the_paces_of_kinds_are_found():
    law = fit_law(make_samples(60))
    assert law.cycles_by_kind["conv"] == pytest.approx(2.0, rel=0.05)
    assert law.cycles_by_kind["fully_connected"] == pytest.approx(1.0, rel=0.05)


def test_the_pace_of_exp_strays_further_from_the_others_than_that_of_any_kind():
    def pace_of_ten_times(kind):
        draw = random.Random(0)
        samples = []
        for index in range(8):
            plain, slow = draw.uniform(1e4, 1e5), draw.uniform(1e2, 5e3)
            samples.append(
                Sample(
                    model=str(index),
                    architecture=str(index),
                    instructions={"float32": plain, kind: slow},
                    weight_bytes=0.0,
                    ops=0,
                    cycles=plain + 10 * slow,
                )
            )
        return fit_law(samples).cycles_by_kind[kind]

    assert 1.5 * pace_of_ten_times("other") < pace_of_ten_times("float32_exp") < 10.0


def test_with_two_models_there_is_one_pace_for_all():
    law = fit_law(make_samples(2))
    assert not law.cycles_by_kind
    assert 1.0 < law.cycles_per_instruction < 2.0


def test_a_kind_that_no_model_has_takes_the_pace_the_others_share():
    law = fit_law(make_samples(10, conv=3.0, dense=3.0, per_op=0.0))
    lstm = Sample(model="", architecture="", instructions={"other": 1e6}, weight_bytes=0.0, ops=0, cycles=0.0)
    assert law.estimate(lstm) == pytest.approx(3e6, rel=0.01)


def test_no_samples_make_no_law():
    with pytest.raises(ValueError, match="no samples"):
        fit_law([])


def test_models_of_one_architecture_are_held_out_together():
    samples = make_samples(12)
    # A variant that takes ten times as long: were its twin seen, the fit would bend towards it.
    odd = [
        Sample(
            model=f"odd{index}",
            architecture="odd",
            instructions={"conv": 1e6},
            weight_bytes=0.0,
            ops=3,
            cycles=2e7,
        )
        for index in range(2)
    ]
    assert hold_out([*samples, *odd])[-1] == pytest.approx(10.0, rel=0.1)


def test_the_interval_holds_nine_of_ten_unseen_models():
    samples = make_samples(200, noise=0.2)
    ratios = hold_out(samples)
    assert 0.86 <= coverage_of(samples, ratios) <= 0.98
    low, high = interval_of(ratios, independent=200)
    assert 0.7 < low < 0.9 < 1.1 < high < 1.4


def test_few_models_give_a_wider_interval():
    few, many = interval_of([0.9, 1.1], independent=2), interval_of([0.9, 1.1] * 10, independent=20)
    assert few[0] < many[0]
    assert few[1] > many[1]


@pytest.mark.parametrize(
    ("independent", "reach"),
    # Student's t of two sides and 1 or 9 degrees of freedom is 6.3138 or 1.8331; times 0.1, times the root
    # of 1 + 1/2 or of 1 + 1/10, because the next model errs besides what is known of the others.
    [(2, 6.3138 * 0.1 * 1.22474), (10, 1.8331 * 0.1 * 1.04881)],
)
def test_the_interval_is_that_of_one_more_model_by_students_t(independent, reach):
    ratios = [math.exp(0.1), math.exp(-0.1)] * (independent // 2)
    low, high = interval_of(ratios, independent=independent)
    assert math.log(high) == pytest.approx(reach, rel=1e-4)
    assert math.log(low) == pytest.approx(-reach, rel=1e-4)


def test_a_law_that_is_always_off_by_as_much_errs_by_that_much():
    # All ratios e^0.1: about their own mean they would not stray at all, about 1 they stray by 0.1.
    low, high = interval_of([math.exp(0.1)] * 2, independent=2)
    assert math.log(high) == pytest.approx(6.3138 * 0.1 * 1.22474, rel=1e-4)
    assert low == pytest.approx(1 / high)


def test_samples_that_follow_from_one_another_do_not_narrow_the_interval():
    once = interval_of([math.exp(0.1), math.exp(-0.1)], independent=2)
    assert interval_of([math.exp(0.1), math.exp(-0.1)] * 3, independent=2) == pytest.approx(once)


def sample_of(instructions, cycles, *, model="", architecture="", weight_bytes=0.0, ops=0):
    return Sample(
        model=model,
        architecture=architecture,
        instructions=instructions,
        weight_bytes=weight_bytes,
        ops=ops,
        cycles=cycles,
    )


def test_a_law_counts_instructions_weights_and_ops_and_is_scaled_in_all_of_them():
    law = Law(
        cycles_per_instruction=2.0,
        cycles_by_kind={"conv": 1.5},
        cycles_per_weight_byte=0.5,
        cycles_per_op=100.0,
    )
    sample = sample_of({"conv": 1000.0, "other": 10.0}, 0.0, weight_bytes=64.0, ops=3)
    # 1000 x 1.5 + 10 x 2 + 64 x 0.5 + 3 x 100.
    assert law.estimate(sample) == 1852.0
    assert law.times(3.0).estimate(sample) == 3 * 1852.0


def test_one_pace_for_all_is_the_geometric_mean_of_what_models_took():
    samples = [
        sample_of({"conv": 100.0}, 100.0, architecture="a"),
        sample_of({"other": 100.0}, 400.0, architecture="b"),
    ]
    assert fit_law(samples).cycles_per_instruction == pytest.approx(2.0)


def test_three_models_of_two_architectures_are_too_few_for_paces_of_kinds():
    samples = make_samples(3)
    assert fit_law(samples).cycles_by_kind
    twins = [samples[0], samples[1], dataclasses.replace(samples[2], architecture="1")]
    assert not fit_law(twins).cycles_by_kind


def test_a_model_is_the_sum_of_its_ops_and_its_own_architecture_unless_it_has_another():
    dense = OpShape(op="FULLY_CONNECTED", inputs=((1, 100),), output=(1, 10), filter=(10, 100))
    table = load_instruction_table("cortex-m7")
    each = instructions_of(dense, table)
    sample = describe_sample([dense, dense], table, cycles=5.0, model="m")
    assert sample == Sample(
        model="m",
        architecture="m",
        instructions={"fully_connected": 2 * each},
        weight_bytes=2000.0,
        ops=2,
        cycles=5.0,
    )
    assert describe_sample([dense], table, cycles=5.0, model="m", architecture="a").architecture == "a"
    law = LatencyModel(
        by="none",
        cached_weights_kib=0.5,
        cycles_per_fetched_byte=each / 100,
        evidence="assumed",
        source="a test",
    )
    slow = describe_sample([dense, dense], table, cycles=5.0, model="m", law=law)
    assert slow.instructions == pytest.approx({"fully_connected": 22 * each})  # 1 + 1000 / 100 times


def test_a_model_lies_inside_or_outside_the_interval_of_other_architectures_not_of_its_variants():
    samples = [
        sample_of({}, 1.0, model=str(index), architecture=name)
        for index, name in enumerate(["odd", "odd", "a", "b"])
    ]
    ratios = [math.exp(2.0), math.exp(2.0), math.exp(0.1), math.exp(-0.1)]
    # From a and b alone, the odd ones' 2.0 is beyond 0.77 (see above); a and b lie within all intervals.
    assert coverage_of(samples, ratios) == 0.5


@pytest.fixture(scope="module")
def board_laws():
    scripts = str(Path(__file__).parents[2] / "scripts")
    sys.path.insert(0, scripts)
    try:
        import board_laws
    finally:
        sys.path.remove(scripts)
    return board_laws


def test_a_board_that_nobody_measured_is_like_the_mean_of_its_core_and_errs_by_one_board_more(board_laws):
    def factor(core, log):
        return board_laws.Factor(
            core=core, value=math.exp(log), models=1, runtimes=(), dtypes=(), is_direct=True
        )

    factors = {
        "a": factor("m4", 0.1),
        "b": factor("m4", 0.3),
        "c": factor("m7", 0.2),
        "d": factor("m7", 0.0),
        "e": factor("m0", 5.0),
    }
    # Two cores of two boards, 0.1 to either side of their means: four squares over two degrees of freedom.
    between = board_laws.between_boards(factors)
    assert between == pytest.approx((4 * 0.01 / 2) ** 0.5)
    value, scatter = board_laws.foretell_board({"a": factors["a"], "b": factors["b"]}, between)
    assert value == pytest.approx(math.exp(0.2))
    assert scatter == pytest.approx(between * 1.5**0.5)
    assert board_laws.foretell_board({"e": factors["e"]}, between)[1] == pytest.approx(between * 2**0.5)
