import csv
import dataclasses
from pathlib import Path

import pytest

from edgeprune.device.arena import predict_arena, read_arena_inputs
from edgeprune.device.estimate import arena_kernels, estimate_linked, estimate_mapped, time_instructions
from edgeprune.device.figures import UNITS, Figure
from edgeprune.device.latency import LatencyModel
from edgeprune.device.profile import list_profiles, load_profile
from edgeprune.graph.opshape import OpShape
from edgeprune.tflite.ops import op_shapes
from edgeprune.tflite.read import read_model

SHARED = Path(__file__).parents[2] / ".." / "shared"

DENSE = OpShape(op="FULLY_CONNECTED", inputs=((1, 100),), output=(1, 10), filter=(10, 100))
ARENA = Figure(value=4000.0, unit="bytes", source="simulated", evidence="a test")
COUNT = Figure(value=1e6, unit="", source="estimated", evidence="a test", low=0.9e6, high=1.1e6)


def test_an_op_that_was_never_linked_is_named():
    profile = load_profile("cortex-m7")
    strange = OpShape(op="CUSTOM:SignalRfft", inputs=((1, 9),), output=(1, 9))
    figures = estimate_linked([DENSE, strange], tflite_bytes=2000, arena=ARENA, profile=profile)
    assert "CUSTOM:SignalRfft" in figures["flash_bytes"].evidence
    assert "CUSTOM:SignalRfft" in figures["instructions"].evidence


@pytest.mark.parametrize("profile", list_profiles(), ids=lambda profile: profile.id)
def test_every_device_gives_every_figure_with_its_provenance(profile):
    estimate = estimate_linked if profile.kind == "mcu" else estimate_mapped
    figures = estimate([DENSE], tflite_bytes=2000, arena=ARENA, profile=profile)
    assert set(figures) == {
        "tflite_bytes",
        "flash_bytes",
        "arena_bytes",
        "ram_bytes",
        "instructions",
        "latency_ms",
    }
    for name, figure in figures.items():
        assert figure.unit == UNITS[name]
        assert figure.evidence
        assert (figure.value is None) == (figure.source == "unavailable")
        if figure.value is not None and figure.low is not None:
            assert figure.low <= figure.value <= figure.high


def test_latency_is_instructions_times_cycles_over_clock():
    profile = load_profile("cortex-m7")
    law = LatencyModel(
        by="instructions",
        table="cortex-m7",
        cycles_per_instruction=1.2,
        low=1.0,
        high=1.5,
        evidence="assumed",
        source="a test",
    )
    profile = dataclasses.replace(profile, latency=law, clock_mhz=100)
    latency = time_instructions(COUNT, profile)
    # 1e6 x 1.2 cycles at 100 MHz; down 10 % by the count alone, up 51 % by the count (10) and factor (50).
    assert latency.value == pytest.approx(12.0)
    assert latency.low == pytest.approx(12.0 * 0.9)
    assert latency.high == pytest.approx(12.0 * (1 + (0.1**2 + 0.5**2) ** 0.5))


def test_a_device_that_nobody_measured_has_no_latency():
    figure = estimate_mapped([DENSE], tflite_bytes=2000, arena=ARENA, profile=load_profile("android-entry"))[
        "latency_ms"
    ]
    assert figure.source == "unavailable"
    assert "benchmark_model" in figure.evidence


@pytest.mark.parametrize(
    ("device", "estimate"),
    [("cortex-m7", estimate_linked), ("esp32", estimate_linked), ("pixel-8", estimate_mapped)],
)
def test_an_estimate_has_an_interval_with_some_width(device, estimate):
    figures = estimate([DENSE], tflite_bytes=2000, arena=ARENA, profile=load_profile(device))
    for name, figure in figures.items():
        if figure.source == "estimated" and name != "arena_bytes":
            assert 0 < figure.low < figure.value < figure.high


def test_code_of_other_kernels_tells_little():
    flash = {
        device: estimate_linked([DENSE], tflite_bytes=0, arena=ARENA, profile=load_profile(device))[
            "flash_bytes"
        ]
        for device in ("cortex-m4", "esp32")
    }
    assert flash["cortex-m4"].high / flash["cortex-m4"].value < 1.02
    assert flash["esp32"].high / flash["esp32"].value == pytest.approx(1.5)
    assert "stands in for esp-nn" in flash["esp32"].evidence


def test_ram_of_a_microcontroller_is_arena_runtime_and_stack():
    figures = estimate_linked([DENSE], tflite_bytes=2000, arena=ARENA, profile=load_profile("cortex-m7"))
    assert figures["ram_bytes"].value == 4000 + 3072 + 2048


def test_flash_of_a_phone_is_the_file():
    figures = estimate_mapped([DENSE], tflite_bytes=2000, arena=ARENA, profile=load_profile("pixel-6"))
    assert figures["flash_bytes"].value == 2000


def test_kernels_follow_the_core():
    found = {name: arena_kernels(load_profile(name)) for name in ("cortex-m7", "cortex-m0plus", "cortex-m55")}
    assert list(found.values()) == ["cmsis-nn dsp", "cmsis-nn plain", "cmsis-nn mve"]
    assert arena_kernels(load_profile("pixel-6")) == "reference"


@pytest.mark.parametrize(
    "name", ["image_classification/pretrainedResnet_quant", "keyword_spotting/kws_ref_model"]
)
def test_figures_of_mlperf_tiny_agree_with_what_was_counted_and_measured(name):
    path = SHARED / "models" / "mlperf_tiny" / f"{name}.tflite"
    if not path.exists():
        pytest.skip("../shared/models is not there")
    model = read_model(path.read_bytes(), where=name)
    profile = load_profile("nucleo-l4r5zi")
    arena = predict_arena(read_arena_inputs(model), arena_kernels(profile))
    figures = estimate_linked(op_shapes(model), tflite_bytes=model.size_bytes, arena=arena, profile=profile)
    text = (SHARED / "data" / "tflm_cmsis_nn_model_totals.csv").read_text(encoding="utf-8")
    counted = {
        line["model"]: float(line["instructions"])
        for line in csv.DictReader(text.splitlines())
        if line["core"] == "cortex-m4"
    }[f"mlperf_tiny/{name}.tflite"]
    assert figures["instructions"].value == pytest.approx(counted, rel=0.03)
    assert figures["instructions"].low <= counted <= figures["instructions"].high
