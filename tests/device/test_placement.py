from dataclasses import replace

from edgeprune.device.estimate import estimate_linked
from edgeprune.device.figures import Figure
from edgeprune.device.memory import Memory
from edgeprune.device.placement import blocks_for, describe_placement, is_external
from edgeprune.device.profile import load_profile
from edgeprune.graph.opshape import OpShape

KIB = 1024
M7 = replace(
    load_profile("cortex-m7"),
    memory=(
        Memory(name="flash", role="flash", kib=2048),
        Memory(name="DTCM", role="ram", kib=128),
        Memory(name="SRAM", role="ram", kib=600, largest_block_kib=512),
        Memory(name="SDRAM", role="ram", kib=8192, external=True),
    ),
)
DENSE = OpShape(op="FULLY_CONNECTED", inputs=((1, 100),), output=(1, 10), filter=(10, 100))


def arena_of(kib):
    return Figure(value=float(kib * KIB), unit="bytes", source="simulated", evidence="")


def test_the_largest_contiguous_block_counts_not_the_sum():
    assert [memory.name for memory in blocks_for(100 * KIB, M7)] == ["DTCM", "SRAM"]
    assert [memory.name for memory in blocks_for(512 * KIB, M7)] == ["SRAM"]
    assert [memory.name for memory in blocks_for(513 * KIB, M7)] == ["SDRAM"]


def test_it_says_where_an_arena_fits():
    text = describe_placement(200 * KIB, M7, largest=None)
    assert text == "it fits SRAM (512 KiB), not DTCM"


def test_it_says_by_how_much_an_arena_and_its_largest_tensor_miss():
    inside = replace(M7, memory=M7.memory[:3])
    text = describe_placement(612 * KIB, inside, largest=("conv", 520 * KIB))
    assert "misses the largest block, SRAM (512 KiB), by 100 KiB" in text
    assert "conv" in text
    assert "by 8 KiB" in text
    text = describe_placement(612 * KIB, inside, largest=("conv", 300 * KIB))
    assert "conv, takes 300 KiB" in text


def test_an_arena_outside_the_chip_is_slower_and_says_so():
    def latency(kib):
        return estimate_linked([DENSE], tflite_bytes=2000, arena=arena_of(kib), profile=M7)["latency_ms"]

    assert is_external(600 * KIB, M7)
    inside, outside = latency(500), latency(600)
    assert outside.value > 3 * inside.value
    assert outside.high - outside.low > outside.value
    assert "outside the chip" in outside.evidence


def test_weights_that_fill_the_cache_of_an_external_flash_are_slower_and_say_so():
    pico = load_profile("raspberry-pi-pico-2")
    wide = OpShape(op="FULLY_CONNECTED", inputs=((1, 1024),), output=(1, 64), filter=(64, 1024))
    two = OpShape(op="FULLY_CONNECTED", inputs=((1, 512),), output=(1, 16), filter=(16, 512))

    def latency(op):
        return estimate_linked([op], tflite_bytes=2000, arena=arena_of(10), profile=pico)["latency_ms"]

    small, large = latency(two), latency(wide)
    assert large.value / small.value > 5 * (64 * 1024) / (16 * 512)
    assert "copy the model to RAM" in large.evidence
    assert "copy" not in small.evidence
    assert large.low < large.value / 2 < 2 * large.value < large.high


def test_an_arena_that_only_fits_outside_the_chip_says_so():
    assert describe_placement(600 * KIB, M7, largest=None) == "only SDRAM (8 MiB), outside the chip, holds it"


def test_all_blocks_that_hold_an_arena_are_named_and_those_inside_that_do_not():
    more = Memory(name="AXI", role="ram", kib=256)
    device = replace(M7, memory=(*M7.memory, more))
    assert describe_placement(100 * KIB, device, largest=None) == (
        "it fits DTCM (128 KiB), SRAM (512 KiB) and AXI (256 KiB)"
    )
    assert describe_placement(200 * KIB, device, largest=None) == (
        "it fits SRAM (512 KiB) and AXI (256 KiB), not DTCM"
    )
    assert describe_placement(300 * KIB, device, largest=None) == "it fits SRAM (512 KiB), not DTCM and AXI"


def test_a_tensor_that_just_fits_the_largest_block_is_not_what_misses_it():
    inside = replace(M7, memory=M7.memory[:3])
    assert describe_placement(612 * KIB, inside, largest=("conv", 512 * KIB)) == (
        "it misses the largest block, SRAM (512 KiB), by 100 KiB; its largest tensor, conv, takes 512 KiB"
    )
    assert describe_placement(612 * KIB, inside, largest=("conv", 513 * KIB)) == (
        "it misses the largest block, SRAM (512 KiB), by 100 KiB; "
        "its largest tensor alone, conv, misses the largest block, SRAM (512 KiB), by 1 KiB"
    )
