"""Figures of devices with an NPU, from real runs of Vela."""

import dataclasses

import pytest
from runtimes.test_vela import needs_vela, zero_smallest
from small_models import dense_int8, real_model, unary

from edgeprune.device.profile import load_profile
from edgeprune.measuring.backend import check_ops, measure
from edgeprune.runtimes import vela
from edgeprune.tflite.strip import strip

U55 = load_profile("cortex-m55-ethos-u55-128")
U65 = load_profile("cortex-m55-ethos-u65-256")


def with_mode(profile, memory_mode, **changes):
    return dataclasses.replace(
        profile, npu=dataclasses.replace(profile.npu, memory_mode=memory_mode, **changes)
    )


@needs_vela
def test_flash_arena_and_latency_are_simulated_and_name_vela_and_its_configuration():
    measured = measure(dense_int8(), profile=U55, where="dense")
    assert measured.figures["flash_bytes"].value == len(measured.compiled.tflite)
    for name in ("flash_bytes", "arena_bytes", "latency_ms"):
        figure = measured.figures[name]
        assert figure.source == "simulated"
        assert "Vela 5." in figure.evidence
        assert "ethos-u55-128, Ethos_U55_High_End_Embedded, Shared_Sram" in figure.evidence
    assert "driver" in measured.figures["flash_bytes"].evidence
    assert measured.notes == ()


@needs_vela
def test_latency_is_cycles_over_the_clock_of_the_npu():
    slow = with_mode(U55, "Shared_Sram", clock_mhz=100.0)
    fast, slower = (measure(dense_int8(), profile=profile, where="dense") for profile in (U55, slow))
    assert fast.figures["latency_ms"].value == pytest.approx(fast.compiled.cycles / 500e3)
    assert slower.figures["latency_ms"].value == pytest.approx(5 * fast.figures["latency_ms"].value)


@needs_vela
def test_the_arena_holds_velas_plan_and_the_interpreters_records():
    measured = measure(strip(real_model("resnet8")), profile=U55, where="resnet8")
    arena = measured.figures["arena_bytes"].value
    # Beside the plan: two arrays of addresses and sizes, one op, five tensors.
    assert 300 < arena - measured.compiled.arena_bytes < 1500
    assert measured.figures["ram_bytes"].value == arena + 3072 + 2048


@needs_vela
@pytest.mark.parametrize("profile", [U55, U65], ids=lambda profile: profile.id)
def test_flash_of_resnet8_with_four_fifths_of_zeros_is_at_most_two_fifths(profile):
    dense = strip(real_model("resnet8"))
    before, after = (
        measure(tflite, profile=profile, where="resnet8").figures["flash_bytes"]
        for tflite in (dense, strip(zero_smallest(dense, 0.8)))
    )
    assert after.source == before.source == "simulated"
    assert after.value <= 0.4 * before.value


@needs_vela
def test_ops_on_the_core_are_noted_and_priced_as_on_the_core():
    measured = measure(strip(real_model("vww")), profile=U55, where="vww")
    assert any(note.startswith("Vela leaves 1 x MEAN to the Cortex-M55: ") for note in measured.notes)
    latency = measured.figures["latency_ms"]
    assert latency.source == "estimated"
    assert latency.value > measured.compiled.cycles / 500e3
    assert latency.low <= latency.value <= latency.high
    assert "MEAN" in check_ops(measured, U55).figure.evidence


@needs_vela
def test_a_float_file_stays_on_the_core_and_is_priced_there():
    measured = measure(dense_int8(activation="FLOAT32", weights="FLOAT32"), profile=U55, where="float")
    latency = measured.figures["latency_ms"]
    assert latency.source == "estimated"
    assert 0 < latency.low < latency.value < latency.high
    assert measured.figures["arena_bytes"].value > 0
    assert "Float32" in measured.notes[0]


@needs_vela
def test_what_tflm_lacks_is_no_finding_where_the_npu_executes_it():
    assert measure(unary("GELU"), profile=U55, where="gelu").unsupported == ()
    (finding,) = measure(unary("MyOp"), profile=U55, where="mine").unsupported
    assert "custom op" in finding


@needs_vela
def test_memory_beside_the_arena_counts():
    shared = measure(strip(real_model("ad01")), profile=U65, where="ad01")
    alone = measure(strip(real_model("ad01")), profile=with_mode(U65, "Sram_Only"), where="ad01")
    assert alone.figures["ram_bytes"].value >= shared.figures["ram_bytes"].value + len(alone.compiled.tflite)
    dedicated = with_mode(U65, "Dedicated_Sram_384KB", system_config="Ethos_U65_Mid_End")
    found = measure(strip(real_model("ad01")), profile=dedicated, where="ad01")
    assert (
        f"SRAM of the NPU alone ({found.compiled.fast_scratch_bytes})" in found.figures["ram_bytes"].evidence
    )


@needs_vela
def test_a_compiled_file_is_not_for_a_device_without_an_npu():
    compiled = measure(dense_int8(), profile=U55, where="dense").compiled.tflite
    found = measure(compiled, profile=load_profile("cortex-m55"), where="compiled")
    assert any("has no NPU" in finding for finding in found.unsupported)
    assert found.figures["arena_bytes"].source == "unavailable"


def test_without_vela_every_figure_is_unavailable_and_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(vela, "PACKAGE", "ethos-u-vela-which-nobody-published")
    measured = measure(dense_int8(), profile=U55, where="dense")
    assert measured.compiled is None
    for name in ("flash_bytes", "arena_bytes", "ram_bytes", "instructions", "latency_ms"):
        figure = measured.figures[name]
        assert figure.source == "unavailable"
        assert "pip install 'edgeprune[ethos-u]'" in figure.evidence
    assert measured.figures["tflite_bytes"].source == "measured"
