import dataclasses

import pytest

from edgeprune.device.check import budget_limits, check_budgets, narrow_profile, resolve_budgets
from edgeprune.device.estimate import spare_for_errors
from edgeprune.device.figures import Figure, unavailable
from edgeprune.device.flash import load_flash_table
from edgeprune.device.latency import latency_reach
from edgeprune.device.profile import load_profile
from edgeprune.errors import RecipeError

M7 = load_profile("cortex-m7")


def figure(value, unit="bytes", **more):
    return Figure(value=value, unit=unit, source="estimated", evidence="a test", **more)


def figures(flash=1000.0, ram=1000.0, latency=1.0, **more):
    return {
        "flash_bytes": figure(flash),
        "ram_bytes": figure(ram),
        "latency_ms": figure(latency, "ms", **more),
    }


def test_what_was_asked_for_goes_before_the_profile_and_the_budget_says_who_asked():
    asked = {"flash_kib": 100, "ram_kib": 20, "latency_ms": None}
    budgets = resolve_budgets(M7, asked=asked, origins={"ram_kib": "recipe"})
    assert (budgets.flash_bytes.value, budgets.flash_bytes.origin) == (102400, "flag")
    assert (budgets.ram_bytes.value, budgets.ram_bytes.origin) == (20480, "recipe")
    assert (budgets.latency_ms.value, budgets.latency_ms.origin) == (M7.budgets.latency_ms, "profile")


def test_no_budget_goes_beyond_the_device():
    budgets = resolve_budgets(M7, asked={"flash_kib": 4096, "ram_kib": 600})
    assert (budgets.flash_bytes.value, budgets.flash_bytes.origin) == (2048 * 1024, "device")
    assert (budgets.ram_bytes.value, budgets.ram_bytes.origin) == (512 * 1024, "device")
    assert "600 KiB were asked for" in budgets.ram_bytes.reason


def test_a_profile_without_a_default_is_still_bounded_by_its_memory():
    bare = dataclasses.replace(M7, budgets=dataclasses.replace(M7.budgets, flash_kib=None, latency_ms=None))
    budgets = resolve_budgets(bare)
    assert budgets.flash_bytes.value == 2048 * 1024
    assert (budgets.latency_ms.value, budgets.latency_ms.origin) == (None, "none")


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf")])
def test_a_budget_that_is_no_positive_number_is_refused(value):
    with pytest.raises(RecipeError, match="--latency-ms"):
        resolve_budgets(M7, asked={"latency_ms": value})


def test_an_unknown_budget_is_refused():
    with pytest.raises(RecipeError, match="flash_mib"):
        resolve_budgets(M7, asked={"flash_mib": 1})


def test_what_fits_passes():
    checks = check_budgets(figures(), resolve_budgets(M7), M7)
    assert [check.name for check in checks] == ["flash", "ram", "latency"]
    assert all(check.ok for check in checks)


@pytest.mark.parametrize(
    ("name", "broken"),
    [
        ("flash", {"flash": 256 * 1024 + 1.0}),
        ("ram", {"ram": 128 * 1024 + 1.0}),
        ("latency", {"latency": 10.001}),
    ],
)
def test_what_exceeds_a_budget_by_a_little_fails(name, broken):
    failed = [
        check.name for check in check_budgets(figures(**broken), resolve_budgets(M7), M7) if not check.ok
    ]
    assert failed == [name]


def test_an_unavailable_figure_holds_no_budget():
    found = figures() | {"latency_ms": unavailable("latency_ms", "nobody measured it")}
    check = check_budgets(found, resolve_budgets(M7), M7)[2]
    assert not check.ok
    assert check.figure.evidence == "nobody measured it"


def test_a_missing_figure_holds_no_budget_either():
    assert not check_budgets({}, resolve_budgets(M7), M7)[0].ok


@pytest.mark.parametrize(
    ("value", "low", "high", "verdict"),
    [
        (9.0, 8.0, 12.0, "uncertain"),
        (11.0, 8.0, 12.0, "uncertain"),
        (9.0, 8.0, 10.0, "fits"),
        (11.0, 10.001, 12.0, "exceeds"),
    ],
)
def test_a_budget_within_the_interval_is_uncertain_which_passes_unless_it_is_strict(
    value, low, high, verdict
):
    found = figures(latency=value, low=low, high=high)
    check = check_budgets(found, resolve_budgets(M7), M7)[2]
    strict = check_budgets(found, resolve_budgets(M7, is_strict=True), M7)[2]
    assert check.verdict == strict.verdict == verdict
    assert check.ok == (verdict != "exceeds")
    assert strict.ok == (verdict == "fits")


def test_a_strict_limit_leaves_room_for_the_error_of_an_estimate_and_no_more():
    flags = {"flash_kib": 1024, "ram_kib": 128, "latency_ms": 30}
    strict = resolve_budgets(M7, asked=flags, is_strict=True)
    loose, limits = budget_limits(resolve_budgets(M7, asked=flags)), budget_limits(strict)
    assert loose == {"flash": 1024 * 1024, "ram": 128 * 1024, "latency": 30}
    # 24 % of the 5 KiB beside the arena.
    assert limits["ram"] == pytest.approx(128 * 1024 - 0.24 * 5120)
    assert limits["latency"] == pytest.approx(30 / latency_reach(M7.latency))
    assert 0 < loose["flash"] - limits["flash"] < 0.02 * loose["flash"]


def test_a_profile_is_narrowed_to_what_was_asked_for_of_flash_and_ram():
    narrow = narrow_profile(M7, resolve_budgets(M7, asked={"flash_kib": 100, "latency_ms": 3}))
    assert (narrow.budgets.flash_kib, narrow.budgets.ram_kib) == (100, M7.budgets.ram_kib)
    assert narrow.budgets.latency_ms == M7.budgets.latency_ms
    least = narrow_profile(M7, resolve_budgets(M7, asked={"ram_kib": 20}), minimized="flash")
    assert (least.budgets.flash_kib, least.budgets.ram_kib) == (0, 20)


def test_a_budget_of_all_that_the_device_has_is_whoevers_it_was():
    budgets = resolve_budgets(M7, asked={"flash_kib": 2048, "ram_kib": 512}, origins={"ram_kib": "recipe"})
    assert (budgets.flash_bytes.value, budgets.flash_bytes.origin) == (2048 * 1024, "flag")
    assert (budgets.ram_bytes.value, budgets.ram_bytes.origin) == (512 * 1024, "recipe")


def test_a_check_says_where_its_budget_comes_from():
    budgets = resolve_budgets(M7, asked={"flash_kib": 4096, "ram_kib": 20}, origins={"ram_kib": "recipe"})
    assert [check.note for check in check_budgets(figures(), budgets, M7)] == [
        "the device has 2048 KiB of flash, 4096 KiB were asked for",
        "budget from the recipe",
        "default budget of cortex-m7",
    ]
    assert budgets.latency_ms.reason == M7.budgets.reason
    assert budgets.ram_bytes.reason == ""
    bare = dataclasses.replace(M7, budgets=dataclasses.replace(M7.budgets, latency_ms=None))
    flagged = resolve_budgets(bare, asked={"flash_kib": 1})
    notes = [check.note for check in check_budgets(figures(), flagged, bare)]
    assert (notes[0], notes[2]) == ("budget as asked for", "no budget")


def test_a_strict_limit_on_flash_is_the_largest_estimate_whose_interval_still_ends_within_it():
    table = load_flash_table(M7.costs.flash_build)
    strict = resolve_budgets(M7, asked={"flash_kib": 40}, is_strict=True)
    # All of 40 KiB may be code, of which 40 KiB / (1 + error) plus the error is 40 KiB.
    limit = budget_limits(strict)["flash"]
    assert limit * (1 + table.error) == pytest.approx(40 * 1024)
    # Of 2 MiB no more can be code than all ops together have.
    wide = resolve_budgets(M7, asked={"flash_kib": 2048}, is_strict=True)
    everything = table.baseline_bytes + sum(table.atoms.values())
    assert everything < 2048 * 1024
    assert wide.spare["flash"] == pytest.approx(table.error * everything)


def test_where_other_kernels_stand_in_a_strict_limit_on_flash_keeps_a_third_free():
    esp32 = load_profile("esp32")
    strict = resolve_budgets(esp32, asked={"flash_kib": 30}, is_strict=True)
    # 20 KiB of code may be 1.5 times as many.
    assert budget_limits(strict)["flash"] == pytest.approx(20 * 1024)


def test_without_a_limit_nothing_is_kept_free():
    assert spare_for_errors(M7, flash=None, ram=None) == (0.0, 0.0)
    assert spare_for_errors(load_profile("pixel-6"), flash=1e6, ram=1e6) == (0.0, 0.0)
