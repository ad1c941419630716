"""Figures of the C engine: simulated where its image can run, else estimated, with an interval."""

from dataclasses import replace
from pathlib import Path

import pytest
from small_models import real_model, unary

from edgeprune.build.job import open_job
from edgeprune.build.request import BuildRequest
from edgeprune.device.check import narrow_profile, resolve_budgets
from edgeprune.device.profile import load_profile
from edgeprune.errors import RecipeError, ToolFailedError
from edgeprune.firmware.c.golden_run import GoldenRun
from edgeprune.measuring.backend import check_ops, measure
from edgeprune.measuring.engine_figures import require_pass
from edgeprune.measuring.runtime import choose_runtime
from edgeprune.measuring.schemes import refuse_scheme
from edgeprune.progress import Silent
from tests.firmware.c.test_ops import needs_qemu


def on_engine(device="cortex-m7"):
    return choose_runtime(load_profile(device), "c")


@needs_qemu
@pytest.mark.parametrize("name", ["resnet8", "kws", "ad01", "lstm"])
def test_the_estimate_without_tools_holds_what_the_image_takes(name, monkeypatch):
    simulated = measure(real_model(name), profile=on_engine(), where=name).figures
    monkeypatch.setenv("PATH", "")
    estimated = measure(real_model(name), profile=on_engine(), where=name).figures
    assert estimated["arena_bytes"].value == simulated["arena_bytes"].value
    for figure in ("flash_bytes", "ram_bytes", "instructions"):
        assert (simulated[figure].source, estimated[figure].source) == ("simulated", "estimated")
        assert "not installed" in estimated[figure].evidence
        assert estimated[figure].low <= simulated[figure].value <= estimated[figure].high, figure


@needs_qemu
def test_flash_that_is_left_of_a_budget_buys_time():
    """The budgets of a profile, and those that are asked for in their place."""
    profile, data, taken = on_engine(), real_model("resnet8"), []
    for flash_kib in (96, 130, None):
        asked = narrow_profile(profile, resolve_budgets(profile, asked={"flash_kib": flash_kib}))
        figures = measure(data, profile=asked, where="resnet8").figures
        assert figures["flash_bytes"].value <= (flash_kib or 256) * 1024
        taken.append(figures["instructions"].value)
    assert taken[0] > 1.1 * taken[1] > 1.1 * 1.05 * taken[2]


@needs_qemu
def test_latency_is_counted_instructions_at_the_cores_pace():
    profile = on_engine()
    figures = measure(real_model("kws"), profile=profile, where="kws").figures
    cycles = figures["instructions"].value * profile.latency.cycles_per_instruction
    assert figures["latency_ms"].value == pytest.approx(cycles / (profile.clock_mhz * 1e3))
    assert figures["latency_ms"].low < figures["latency_ms"].value < figures["latency_ms"].high


@needs_qemu
def test_ram_holds_arena_inputs_outputs_and_stack():
    figures = measure(real_model("kws"), profile=on_engine(), where="kws").figures
    beside = figures["ram_bytes"].value - figures["arena_bytes"].value
    assert 490 + 12 < beside < 490 + 12 + 1024


def test_an_op_that_the_engine_lacks_is_named():
    measured = measure(unary("GELU"), profile=on_engine(), where="made")
    assert measured.unsupported[0].startswith("GELU cannot be compiled: the C engine has no GELU; use")
    assert not check_ops(measured, on_engine()).ok
    assert measured.figures["flash_bytes"].value is None


def test_a_core_that_qemu_does_not_emulate_is_estimated():
    profile = replace(on_engine(), core="Xtensa LX7")
    figures = measure(real_model("kws"), profile=profile, where="kws").figures
    assert "emulates no Xtensa LX7" in figures["flash_bytes"].evidence


@pytest.mark.parametrize(
    ("device", "said"),
    [("pixel-6", "runs litert, not the C engine"), ("cortex-m55-ethos-u55-128", "does not use the NPU")],
)
def test_devices_without_it_are_refused(device, said):
    with pytest.raises(RecipeError, match=said):
        on_engine(device)


def test_a_core_without_images_is_refused_before_anything_is_opened():
    request = BuildRequest(
        model=None, device="esp32-s3", data=None, output=Path("out"), scheme="int8", runtime="c"
    )
    with pytest.raises(RecipeError, match=r"makes images for Cortex-M0.*not for Xtensa"):
        open_job(request, progress=Silent())


def test_schemes_that_mix_floats_and_integers_are_refused():
    with pytest.raises(RecipeError, match=r"no kernels for dynamic_range.*use --scheme"):
        refuse_scheme("dynamic_range", on_engine())
    for name in ("int8", "int16x8", "none"):
        refuse_scheme(name, on_engine())


def test_outputs_that_differ_are_no_figures():
    run = GoldenRun(passed=False, said="FAIL", instructions=0, stack_bytes=0)
    with pytest.raises(ToolFailedError, match="not those of TFLM"):
        require_pass(run)
