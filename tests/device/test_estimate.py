import csv
import dataclasses
from pathlib import Path

import pytest

from edgeprune.device.arena import predict_arena, read_arena_inputs
from edgeprune.device.estimate import (
    arena_kernels,
    estimate_latency,
    estimate_linked,
    estimate_mapped,
    time_instructions,
)
from edgeprune.device.figures import UNITS, Figure
from edgeprune.device.flash import estimate_code, load_flash_table
from edgeprune.device.instructions import (
    estimate_instructions,
    instructions_of,
    load_instruction_table,
)
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
    law = LatencyModel(by="none", evidence="assumed", source="nobody measured it")
    phone = dataclasses.replace(load_profile("android-entry"), latency=law)
    figure = estimate_mapped([DENSE], tflite_bytes=2000, arena=ARENA, profile=phone)["latency_ms"]
    assert figure.source == "unavailable"
    assert figure.evidence == "nobody measured it"


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


def flash_of(device, ops):
    profile = load_profile(device)
    figure = estimate_linked(ops, tflite_bytes=2000, arena=ARENA, profile=profile)["flash_bytes"]
    return figure, 2000 + profile.costs.startup_bytes, load_flash_table(profile.costs.flash_build)


def test_only_the_code_of_an_image_is_uncertain_by_what_linked_images_were_off():
    figure, certain, table = flash_of("cortex-m4", [DENSE])
    code = estimate_code([DENSE], table).code_bytes
    assert 0.01 < table.error < 0.02
    assert figure.value == certain + code
    assert figure.low == pytest.approx(certain + code * (1 - table.error))
    assert figure.high == pytest.approx(certain + code * (1 + table.error))


def test_code_of_other_kernels_is_four_to_fifteen_tenths_of_what_stands_in_for_it():
    figure, certain, table = flash_of("esp32", [DENSE])
    code = estimate_code([DENSE], table).code_bytes
    assert figure.low == pytest.approx(certain + 0.4 * code)
    assert figure.high == pytest.approx(certain + 1.5 * code)


@pytest.mark.parametrize(("device", "least", "most"), [("cortex-m4", None, None), ("esp32", 0.4, 1.5)])
def test_an_op_that_was_never_linked_takes_between_nothing_and_three_times_what_it_is_taken_for(
    device, least, most
):
    strange = [
        OpShape(op=f"CUSTOM:{name}", inputs=((1, 9),), output=(1, 9)) for name in ("One", "Two", "Three")
    ]
    figure, certain, table = flash_of(device, [DENSE, *strange])
    code = estimate_code([DENSE], table).code_bytes
    assert figure.value == certain + code + 3 * 12_000
    assert figure.low == pytest.approx(certain + code * (least or 1 - table.error))
    assert figure.high == pytest.approx(certain + code * (most or 1 + table.error) + 3 * 36_000)


def test_start_up_code_is_part_of_flash():
    profile = load_profile("cortex-m7")
    larger = dataclasses.replace(profile, costs=dataclasses.replace(profile.costs, startup_bytes=1000))
    flash = [
        estimate_linked([DENSE], tflite_bytes=2000, arena=ARENA, profile=each)["flash_bytes"]
        for each in (profile, larger)
    ]
    assert flash[1].value - flash[0].value == 1000
    assert flash[1].low - flash[0].low == pytest.approx(1000)
    assert flash[1].high - flash[0].high == pytest.approx(1000)


def test_an_npus_core_links_the_kernels_that_were_linked_for_it():
    flash, certain, table = flash_of("cortex-m55-ethos-u55-128", [DENSE])
    assert flash.high == pytest.approx(certain + estimate_code([DENSE], table).code_bytes * (1 + table.error))
    assert "stands in" not in flash.evidence


def test_ram_beside_the_arena_is_least_0_28_and_most_1_24_times_what_profiles_state():
    arena = dataclasses.replace(ARENA, low=3900.0, high=4200.0)
    for given, low, high in ((ARENA, 4000, 4000), (arena, 3900, 4200)):
        ram = estimate_linked([DENSE], tflite_bytes=2000, arena=given, profile=load_profile("cortex-m7"))[
            "ram_bytes"
        ]
        assert ram.value == 4000 + 5120
        assert ram.low == pytest.approx(low + 0.28 * 5120)
        assert ram.high == pytest.approx(high + 1.24 * 5120)


@pytest.mark.parametrize(("dtype", "packed"), [("int8", 1000), ("float32", 4000)])
def test_ram_of_a_phone_holds_the_file_and_a_packed_copy_of_its_weights(dtype, packed):
    profile = load_profile("pixel-6")
    fixed = profile.costs.static_ram_bytes + profile.costs.stack_bytes
    dense = dataclasses.replace(DENSE, dtype=dtype)
    ram = estimate_mapped([dense], tflite_bytes=2000, arena=ARENA, profile=profile)["ram_bytes"]
    # Nothing need be packed, and the interpreter may be half or twice what the profile says.
    assert ram.value == 4000 + 2000 + packed + fixed
    assert ram.low == 4000 + 2000 + fixed / 2
    assert ram.high == 4000 + 2000 + packed + fixed * 2


def test_latency_by_multiply_accumulates_is_a_base_and_a_pace():
    law = LatencyModel(
        by="macs", ms_per_mac=0.002, base_ms=3.0, low=0.5, high=2.0, evidence="assumed", source="a test"
    )
    profile = dataclasses.replace(load_profile("pixel-6"), latency=law)
    latency = estimate_mapped([DENSE], tflite_bytes=0, arena=ARENA, profile=profile)["latency_ms"]
    # 1000 x 0.002 + 3 ms.
    assert (latency.value, latency.low, latency.high) == pytest.approx((5.0, 2.5, 10.0))


def exact_law(**more):
    """One cycle per instruction of a Cortex-M7, without an error of its own."""
    return LatencyModel(
        by="instructions",
        table="cortex-m7",
        cycles_per_instruction=1.0,
        evidence="assumed",
        source="a test",
        **more,
    )


def test_an_interval_of_the_count_that_leans_to_one_side_leans_the_latency():
    profile = dataclasses.replace(load_profile("cortex-m7"), latency=exact_law(), clock_mhz=1)
    count = dataclasses.replace(COUNT, low=0.9e6, high=1.4e6)
    latency = time_instructions(count, profile)
    assert (latency.value, latency.low, latency.high) == pytest.approx((1000.0, 900.0, 1400.0))


def test_only_the_time_in_which_flash_is_waited_for_is_uncertain_by_what_a_byte_takes():
    law = exact_law(cached_weights_kib=1.0, cycles_per_fetched_byte=20.0, fetching_reach=2.5)
    profile = dataclasses.replace(load_profile("cortex-m7"), latency=law, clock_mhz=1)
    large = OpShape(op="FULLY_CONNECTED", inputs=((1, 128),), output=(1, 16), filter=(16, 128))
    table = load_instruction_table("cortex-m7")
    counts = [instructions_of(op, table) for op in (DENSE, large)]
    exact = Figure(value=sum(counts), unit="", source="estimated", evidence="a test")
    latency = estimate_latency([DENSE, large], instructions=exact, arena=ARENA, profile=profile)
    waits = 20 * 16 * 128
    cycles = sum(counts) + waits
    share = waits / cycles
    assert 0.5 < share < 0.95
    assert latency.value == pytest.approx(cycles / 1000)
    # The waits are 2.5 times less or more: 60 % down, 150 % up.
    assert latency.low == pytest.approx(latency.value * (1 - 0.6 * share))
    assert latency.high == pytest.approx(latency.value * (1 + 1.5 * share))
    assert "the weights of 1 ops fill the 1 KiB cache" in latency.evidence
    assert "copy the model to RAM" in latency.evidence


def test_a_model_larger_than_ram_is_not_told_to_move_there():
    law = exact_law(cached_weights_kib=1.0, cycles_per_fetched_byte=20.0)
    profile = dataclasses.replace(load_profile("raspberry-pi-pico"), latency=law)
    huge = OpShape(op="FULLY_CONNECTED", inputs=((1, 4096),), output=(1, 100), filter=(100, 4096))
    exact = Figure(value=1e6, unit="", source="estimated", evidence="a test")
    latency = estimate_latency([huge], instructions=exact, arena=ARENA, profile=profile)
    assert "fetched anew in each sweep" in latency.evidence
    assert "copy the model" not in latency.evidence


def test_person_detect_on_a_pico_lies_where_it_was_published():
    path = SHARED / "models" / "tflm" / "person_detect.tflite"
    if not path.exists():
        pytest.skip("../shared is not here")
    profile = load_profile("raspberry-pi-pico")
    ops = op_shapes(read_model(path.read_bytes(), where=str(path)))
    count = estimate_instructions(ops, load_instruction_table(profile.latency.table)).figure
    latency = estimate_latency(ops, instructions=count, arena=ARENA, profile=profile)
    assert latency.low <= 823 <= latency.high  # pico-tflmicro, the same file
    assert latency.high / latency.low < 2.5


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        # The law's errors and those of external memory, half to twice, add as the sides of a right angle.
        (1.0, 1.0, (0.5, 2.0)),
        (0.7, 1.75, (1 - (0.3**2 + 0.5**2) ** 0.5, 1 + (0.75**2 + 1) ** 0.5)),
        # 0.9 and 0.5 together are more than all of it, and no inference takes less than no time.
        (0.1, 1.0, (0.0, 2.0)),
    ],
)
def test_an_arena_outside_the_chip_widens_the_interval_of_the_law(low, high, expected):
    profile = load_profile("cortex-m7")
    outside = tuple(dataclasses.replace(m, external=True) for m in profile.memory)
    law = dataclasses.replace(exact_law(), low=low, high=high)
    profile = dataclasses.replace(profile, latency=law, memory=outside, clock_mhz=1)
    exact = Figure(value=1e6, unit="", source="estimated", evidence="a test")
    inside = time_instructions(exact, profile)
    latency = estimate_latency([DENSE], instructions=exact, arena=ARENA, profile=profile)
    instructions = instructions_of(DENSE, load_instruction_table("cortex-m7"))
    assert inside.value == 1000.0
    assert latency.value == pytest.approx(3.8 * instructions / 1000)
    assert latency.low == pytest.approx(latency.value * expected[0])
    assert latency.high == pytest.approx(latency.value * expected[1])


def test_kernels_that_are_like_cmsis_nns_take_its_scratch_buffers():
    assert arena_kernels(load_profile("cortex-m55-ethos-u55-128")) == "cmsis-nn mve"
    assert arena_kernels(load_profile("esp32")) == "cmsis-nn dsp"
