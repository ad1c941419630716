import dataclasses
import math

import pytest

from edgeprune.device.estimate import estimate_latency
from edgeprune.device.figures import Figure
from edgeprune.device.kernels.work import WORK
from edgeprune.device.op_costs import op_costs
from edgeprune.device.paces import (
    CoreGroup,
    choose_cores,
    list_cores,
    load_pace,
    op_ms,
    serial_share,
    time_ops,
    widen,
)
from edgeprune.device.profile import core_groups, list_profiles, load_profile, use_cores
from edgeprune.errors import RecipeError, UnknownNameError
from edgeprune.graph.opshape import OpShape

BIG = CoreGroup(count=2, core="Cortex-A76", clock_mhz=2000)
LITTLE = CoreGroup(count=4, core="Cortex-A55", clock_mhz=1000)
CONV = OpShape(
    op="CONV_2D", inputs=((1, 56, 56, 64),), output=(1, 56, 56, 64), filter=(64, 3, 3, 64), dtype="float32"
)
GROUPED = dataclasses.replace(CONV, filter=(64, 3, 3, 4))
NOTHING = Figure(value=None, unit="", source="unavailable", evidence="a test")


def latency_of(ops, profile):
    return estimate_latency(ops, instructions=NOTHING, arena=NOTHING, profile=profile)


def test_one_op_takes_its_work_times_the_paces_over_the_clock():
    pace = load_pace("Cortex-A76", "float32").cycles
    macs, values = 56 * 56 * 64 * 9 * 64, 2 * 56 * 56 * 64
    cycles = macs * pace["conv"] + values * pace["elements"] + pace["ops"]
    assert op_ms(CONV, (BIG,), "big") == (pytest.approx(cycles / 2e6), ())


def test_an_soc_whose_cores_wait_longer_takes_as_many_times_as_long():
    slower = dataclasses.replace(BIG, times=1.25)
    assert op_ms(CONV, (slower,), "big")[0] == pytest.approx(1.25 * op_ms(CONV, (BIG,), "big")[0])
    assert op_ms(CONV, (slower,), "2")[0] == pytest.approx(1.25 * op_ms(CONV, (BIG,), "2")[0])


def test_threads_share_convolutions_but_not_those_in_groups():
    alone, together = (time_ops([CONV], (BIG,), choice).ms for choice in ("1", "2"))
    assert 1.6 < alone / together < 2.0
    alone, together = (time_ops([GROUPED], (BIG,), choice).ms for choice in ("1", "2"))
    assert alone / together < 1.1


def test_the_slowest_core_has_the_last_word():
    two, three = (time_ops([CONV], (BIG, LITTLE), choice).ms for choice in ("2", "3"))
    assert three > 1.5 * two  # a third at a Cortex-A55's pace takes longer than half at an A76's


def test_cores_are_chosen_from_the_fastest_on():
    assert choose_cores((BIG, LITTLE), "big") == (BIG, BIG, 1)
    assert choose_cores((BIG, LITTLE), "little") == (LITTLE, LITTLE, 1)
    assert choose_cores((BIG, LITTLE), "2") == (BIG, BIG, 2)
    assert choose_cores((BIG, LITTLE), "3") == (BIG, LITTLE, 3)


@pytest.mark.parametrize("choice", ["0", "7", "medium", "-1", "1.5", ""])
def test_cores_that_are_not_there_are_refused(choice):
    with pytest.raises(RecipeError, match="--cores"):
        choose_cores((BIG, LITTLE), choice)


def test_a_core_that_nobody_timed_takes_another_ones_paces_with_a_wider_interval():
    base, borrowed = load_pace("Cortex-A76", "float32"), load_pace("Cortex-X3", "float32")
    assert borrowed.evidence == "assumed"
    assert borrowed.cycles["conv"] == pytest.approx(0.55 * base.cycles["conv"])
    assert borrowed.low < base.low < base.high < borrowed.high


def test_a_core_without_an_entry_is_refused_by_name():
    with pytest.raises(UnknownNameError):
        load_pace("Cortex-A99", "int8")


def test_factors_on_one_side_of_1_add_as_the_sides_of_a_right_angle():
    assert widen(1.0, 1.5) == pytest.approx(1.5)
    assert widen(math.exp(0.3), math.exp(0.4)) == pytest.approx(math.exp(0.5))
    assert widen(math.exp(-0.3), math.exp(-0.4)) == pytest.approx(math.exp(-0.5))


@pytest.mark.parametrize("core", list_cores())
def test_every_entry_prices_every_kind_of_work_within_an_interval_around_1(core):
    paces = [pace for number in ("float32", "int8") if (pace := load_pace(core, number))]
    assert paces
    for pace in paces:
        assert set(pace.cycles) == set(WORK)
        assert all(cycles >= 0 for cycles in pace.cycles.values())
        assert pace.low <= 1 <= pace.high
        assert pace.source
        # A convolution in groups costs several times one without, per multiply-accumulate, on a core.
        if core.startswith(("Cortex", "Exynos", "Apple")) and "GPU" not in core and "ESP-NN" not in core:
            assert pace.cycles["grouped"] > 3 * pace.cycles["conv"]


@pytest.mark.parametrize("core", ["Cortex-A53", "Cortex-A55", "Cortex-A75", "Cortex-A76", "Exynos M4"])
def test_intervals_of_timed_cores_are_at_most_twice_and_two_and_a_half_times_wide(core):
    for number, widest in (("float32", 2.0), ("int8", 2.5)):
        pace = load_pace(core, number)
        assert pace.high / pace.low <= widest * 1.002


def test_shares_that_stay_in_one_thread_lie_between_none_and_all():
    for number in ("float32", "int8"):
        assert all(0 <= serial_share(kind, number) <= 1 for kind in WORK)


def test_every_phone_and_linux_board_has_a_latency_for_floats_and_integers():
    for profile in list_profiles():
        if profile.kind != "mcu":
            for op in (CONV, dataclasses.replace(CONV, dtype="int8")):
                figure = latency_of([op], profile)
                assert figure.value is not None, f"{profile.id}: {figure.evidence}"
                assert figure.low < figure.value < figure.high


def test_a_gpu_is_used_where_one_was_timed():
    phone = load_profile("galaxy-s10")
    assert latency_of([CONV], use_cores(phone, "gpu")).value < latency_of([CONV], phone).value
    assert "Mali-G76" in latency_of([CONV], use_cores(phone, "gpu")).evidence
    borrowed = latency_of([CONV], use_cores(load_profile("pixel-8"), "gpu"))
    assert "(assumed)" in borrowed.evidence
    with pytest.raises(RecipeError, match="nobody timed the GPU"):
        use_cores(load_profile("android-entry"), "gpu")


def test_an_npu_waits_for_weights_and_ops_and_says_where_it_was_not_timed():
    phone = use_cores(load_profile("android-flagship"), "npu")
    wide = dataclasses.replace(
        CONV, output=(1, 1, 1, 1000), inputs=((1, 1, 1, 1000),), filter=(1000, 1, 1, 1000)
    )
    figure = latency_of([wide], phone)
    assert figure.value == pytest.approx((2884 + 1e6 * 0.04407) / 1e6, rel=1e-3)
    assert "Hexagon" in figure.evidence
    assert figure.low < figure.value < figure.high
    tiny = dataclasses.replace(wide, output=(1, 1, 1, 8), inputs=((1, 1, 1, 8),), filter=(8, 1, 1, 8))
    assert latency_of([tiny], phone).high == 0.062  # the shortest that was published
    large = dataclasses.replace(wide, output=(1, 30, 30, 1000), inputs=((1, 30, 30, 1000),))
    assert latency_of([large], phone).value is None
    assert "fewer multiply-accumulates" in latency_of([large], phone).evidence
    with pytest.raises(RecipeError, match="nobody timed the NPU of pixel-8"):
        use_cores(load_profile("pixel-8"), "npu")


def test_a_type_that_nobody_timed_has_no_latency():
    figure = latency_of([CONV], load_profile("esp32"))
    assert figure.value is None
    assert "nobody timed float32 on Xtensa LX6" in figure.evidence


def test_devices_whose_latency_is_not_by_work_do_not_tell_cores_apart():
    with pytest.raises(RecipeError, match="does not tell cores apart"):
        use_cores(load_profile("cortex-m7"), "big")


def test_the_solver_sees_what_the_estimate_says():
    profile = load_profile("pixel-6")
    assert op_costs(profile)["latency"](CONV) == pytest.approx(latency_of([CONV], profile).value)


def test_a_little_core_takes_longer_than_a_big_one():
    for name in ("galaxy-s10", "galaxy-a52", "android-mid", "pixel-8"):
        phone = load_profile(name)
        assert len(core_groups(phone)) > 1
        assert latency_of([CONV], use_cores(phone, "little")).value > latency_of([CONV], phone).value
