import pytest

from edgeprune.device.figures import Figure, unavailable
from edgeprune.device.power import Power, add_energy, find_power_faults

POWER = Power(active_mw=50.0, low_mw=40.0, high_mw=65.0, source="a test")


def test_energy_is_power_times_latency_and_both_errors_count():
    latency = Figure(value=10.0, unit="ms", source="estimated", evidence="", low=9.0, high=14.0)
    energy = add_energy({"latency_ms": latency}, POWER)["energy_uj"]
    assert energy.value == 500.0
    # Down 10 and 20 %, up 40 and 30 %.
    assert energy.low == pytest.approx(500 * (1 - 0.05**0.5))
    assert energy.high == pytest.approx(500 * 1.5)


def test_without_power_or_latency_there_is_no_energy():
    latency = Figure(value=10.0, unit="ms", source="measured", evidence="")
    assert "energy_uj" not in add_energy({"latency_ms": latency}, None)
    assert "energy_uj" not in add_energy({"latency_ms": unavailable("latency_ms", "")}, POWER)


def test_a_power_outside_its_own_range_is_a_fault():
    assert list(find_power_faults(POWER)) == []
    wrong = Power(active_mw=10.0, low_mw=20.0, high_mw=5.0, source="")
    assert [fault.key for fault in find_power_faults(wrong)] == ["power.active_mw", "power.source"]
