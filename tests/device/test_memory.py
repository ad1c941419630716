from dataclasses import replace

import pytest

from edgeprune.device.flashing import Flashing, find_flashing_faults
from edgeprune.device.memory import Cache, Memory, find_homeless, find_memory_faults
from edgeprune.device.profile import load_profile

FLASH = Memory(name="flash", role="flash", kib=512, address=0x08000000)
SRAM = Memory(name="SRAM", role="ram", kib=128, address=0x20000000)


def keys(faults):
    return [fault.key for fault in faults]


def test_a_role_says_what_a_memory_holds_unless_it_says_so_itself():
    assert FLASH.holds == ("weights", "code")
    assert SRAM.holds == ("arena",)
    assert replace(SRAM, holds=("code",)).holds == ("code",)


def test_memories_side_by_side_are_sound_and_one_byte_of_overlap_is_not():
    behind = Memory(name="SRAM2", role="ram", kib=16, address=0x20020000)
    assert keys(find_memory_faults([FLASH, SRAM, behind], None)) == []
    assert keys(find_memory_faults([FLASH, SRAM, replace(behind, address=0x2001FFFF)], None)) == [
        "memory[2].address"
    ]


def test_memories_without_an_address_overlap_nothing():
    assert keys(find_memory_faults([SRAM, replace(SRAM, address=None)], None)) == []


def test_a_memory_may_end_where_the_address_space_does():
    last = replace(SRAM, address=(1 << 32) - 128 * 1024)
    assert keys(find_memory_faults([last], None)) == []
    assert keys(find_memory_faults([replace(last, address=last.address + 1)], None)) == ["memory[0].address"]


def test_a_cache_that_reads_go_through_has_to_be_described():
    cached = replace(FLASH, cached=True)
    assert keys(find_memory_faults([cached], None)) == ["cache"]
    assert keys(find_memory_faults([cached], Cache(source="a data sheet"))) == []


def test_what_has_no_room_anywhere_is_named():
    assert keys(find_homeless([])) == ["memory"]
    assert [fault.problem for fault in find_homeless([SRAM])] == [
        "has none that may hold 'weights'",
        "has none that may hold 'code'",
    ]
    assert keys(find_homeless([FLASH, SRAM])) == []


@pytest.mark.parametrize("method", ["pyocd", "esptool", "uf2", "openocd"])
def test_a_tool_that_must_know_the_device_needs_its_name(method):
    assert keys(find_flashing_faults(Flashing(method=method))) == ["flashing.target"]
    assert keys(find_flashing_faults(Flashing(method=method, target="x"))) == []
    assert keys(find_flashing_faults(Flashing(method="adb"))) == []


def test_only_memory_that_may_hold_the_arena_counts_as_ram_for_it():
    profile = load_profile("cortex-m4")
    code = replace(SRAM, name="code RAM", kib=4096, holds=("code",))
    assert replace(profile, memory=(FLASH, SRAM, code)).largest_ram_kib == 128
    assert replace(profile, memory=(FLASH, replace(SRAM, largest_block_kib=96.0), code)).largest_ram_kib == 96
    assert replace(profile, memory=(FLASH, code)).largest_ram_kib is None


def test_memory_outside_the_chip_holds_the_arena_only_where_there_is_no_other():
    profile = load_profile("cortex-m4")
    sdram = replace(SRAM, name="SDRAM", kib=8192, address=0xC0000000, external=True)
    assert replace(profile, memory=(FLASH, SRAM, sdram)).largest_ram_kib == 128
    assert replace(profile, memory=(FLASH, sdram)).largest_ram_kib == 8192


def test_flash_counts_where_it_may_hold_weights_or_code():
    profile = load_profile("cortex-m4")
    weights = replace(FLASH, name="QSPI flash", kib=8192, address=0x90000000, holds=("weights",))
    assert replace(profile, memory=(FLASH, weights, SRAM)).flash_kib == 512 + 8192
    assert replace(profile, memory=(SRAM,)).flash_kib is None


def test_memories_may_stand_in_any_order():
    behind = Memory(name="SRAM2", role="ram", kib=16, address=0x20020000)
    assert keys(find_memory_faults([behind, SRAM, FLASH], None)) == []
    across = replace(behind, address=0x2001FFFF)
    assert keys(find_memory_faults([across, SRAM], None)) == ["memory[1].address"]
    inside = replace(behind, address=0x20004000)
    assert keys(find_memory_faults([SRAM, inside], None)) == ["memory[1].address"]
    assert keys(find_memory_faults([inside, SRAM], None)) == ["memory[1].address"]


def test_the_largest_block_may_be_all_of_a_memory_and_no_more():
    assert keys(find_memory_faults([replace(SRAM, largest_block_kib=128)], None)) == []
    larger = replace(SRAM, largest_block_kib=128.5)
    assert keys(find_memory_faults([larger], None)) == ["memory[0].largest_block_kib"]


def test_flash_cannot_hold_the_arena_and_a_cache_needs_a_source():
    assert keys(find_memory_faults([replace(FLASH, holds=("arena",))], Cache(source=""))) == [
        "memory[0].holds",
        "cache.source",
    ]
