import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest

from edgeprune.device.flash import load_flash_table
from edgeprune.device.flashing import Machine
from edgeprune.device.instructions import load_instruction_table
from edgeprune.device.profile import list_profiles, load_profile, parse_profile
from edgeprune.errors import ProfileError, UnknownNameError
from edgeprune.firmware.c.boards import BOARDS

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "device_profiles").glob("*.toml"))
BROKEN = ROOT / "tests" / "device_profiles" / "broken"

# For every broken file, what its errors must say: key and reason.
FAULTS = {
    "missing_clock": ["clock_mhz: is missing; it takes a number"],
    "misspelt_key": ["clock_mhs: is not a known key; did you mean 'clock_mhz'?", "clock_mhz: is missing"],
    "text_for_a_number": ["clock_mhz: is the text '480'; it takes a number"],
    "negative_memory": ["memory[0].kib: is -2048; it takes a number above 0"],
    "unknown_encoding": ["runtime.decodes[0]: is 'tflm-prun'; did you mean 'tflm-prune'?"],
    "no_cycles_per_instruction": ["latency.cycles_per_instruction: is missing"],
    "interval_without_its_value": ["latency.low: is 1.12; it takes a number above 0 and at most 1"],
    "unknown_instruction_table": ["latency.table: is 'cortex-m9'; there are tables for"],
    "budget_beyond_the_device": ["budgets.flash_kib: is 4096, more than the device has (2048 KiB)"],
    "block_beyond_the_memory": ["memory[1].largest_block_kib: is 513, more than the whole memory"],
    "budgets_without_a_reason": ["budgets.reason: is empty"],
    "unknown_accelerator": ["npu.accelerator: is 'ethos-u55-182'; did you mean 'ethos-u55-128'?"],
    "not_a_number": ["clock_mhz: is nan; it takes a number above 0"],
    "not_toml": ["is not TOML"],
    "empty": ["id: is missing", "runtime: is missing; it takes a table"],
    "latin1": ["is not a text file in UTF-8"],
    "memory_that_holds_nothing": ["memory[1].holds: has 0 values; it takes at least 1"],
    "memory_that_holds_the_unknown": ["memory[1].holds[0]: is 'arenas'; did you mean 'arena'?"],
    "flash_that_holds_the_arena": ["memory[0].holds: has 'arena', but flash cannot be written to"],
    "overlapping_memories": [
        "memory[1].address: is 0x81ffc00, within or across 'internal flash' (memory[0])"
    ],
    "address_beyond_32_bits": ["memory[1].address: is 4831838208; it takes a number at least 0"],
    "memory_that_ends_beyond_32_bits": ["memory[1].address: is 0xffff0000; 640 KiB from there do not end"],
    "address_as_text": ["memory[1].address: is the text '0x20000000'; it takes a whole number"],
    "cached_without_a_cache": ["cache: is missing; reads of 'internal flash' (memory[0])"],
    "cache_without_a_source": ["cache.source: is empty"],
    "unknown_machine": ["emulator.machine: is 'mps2-an368'; did you mean 'mps2-an386'?"],
    "unknown_flashing_method": ["flashing.method: is 'jtag'; it takes one of 'pyocd', 'esptool'"],
    "flashing_without_a_target": ["flashing.target: is missing; 'pyocd' needs the name"],
    "clock_beyond_any_core": ["clock_mhz: is 1e+308; it takes a number above 0 and at most 100000"],
    "power_outside_its_range": [
        "id: is 'my board'; an id has letters",
        "power.active_mw: is 46.07, outside low_mw (900)",
        "costs.source: is empty",
    ],
    "core_that_nobody_timed": [
        "cores[1].core: is 'Cortex-A57X'; there are paces for",
        "gpu: is 'Mali-G67'; there are paces for",
    ],
    "more_threads_than_cores": ["latency.cores: is '9'; use big, little, or a number of threads from 1 to 8"],
    "first_cores_of_another_kind": ["cores[0].core: is 'Exynos M4', but latency.table is 'Cortex-A75'"],
    "paces_of_no_core": ["latency.table: is 'Exynos M5'; there are paces for"],
    "many_at_once": [
        "clock_mhz: is 0; it takes a number above 0",
        "runtime.round_to: is the text 'four'; it takes a whole number",
        "core: is missing; it takes text",
    ],
}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_profile_is_sound_and_its_tables_exist(path):
    profile = load_profile(path.stem)
    assert profile.id == path.stem
    if profile.latency.by == "instructions":
        load_instruction_table(profile.latency.table)
    if profile.runtime.name == "tflm":
        load_flash_table(profile.costs.flash_build)


def test_all_promised_devices_ship():
    promised = """
        cortex-m0plus cortex-m33 cortex-m4 cortex-m55 cortex-m7 cortex-m85
        cortex-m55-ethos-u55-128 cortex-m55-ethos-u65-256 cortex-m85-ethos-u55-256 cortex-m85-ethos-u85-256
        nucleo-f091rc nucleo-g0b1re nucleo-f446re nucleo-f767zi nucleo-g474re nucleo-h563zi nucleo-h743zi
        nucleo-l476rg nucleo-l4r5zi nucleo-l552ze-q nucleo-u575zi-q p-nucleo-wb55rg stm32n6570-dk
        nrf52-dk nrf52840-dk nrf5340-dk nrf54l15-dk arduino-nano-33-ble raspberry-pi-pico raspberry-pi-pico-2
        esp32 esp32-s3 esp32-c3 esp32-p4 feather-m0 feather-m4 arduino-uno-r4 ek-ra6m4 ek-ra8d1
        imxrt1050-evk teensy-4.1 imxrt685-evk max78000fthr xg24-dk2601b apollo4-plus-evb frdm-k64f
        android-entry android-mid android-flagship pixel-6 pixel-8 galaxy-a52 galaxy-s23
        raspberry-pi-zero-2 raspberry-pi-3 raspberry-pi-4 raspberry-pi-5 jetson-nano imx8m-mini-evk
    """
    assert set(promised.split()) <= {profile.id for profile in list_profiles()}


@pytest.mark.parametrize("name", FAULTS)
def test_a_broken_profile_is_refused_with_file_key_and_reason(name):
    path = BROKEN / f"{name}.toml"
    with pytest.raises(ProfileError) as refusal:
        load_profile(str(path))
    assert f"{name}.toml" in refusal.value.message
    for fault in FAULTS[name]:
        assert fault in refusal.value.message
    assert refusal.value.exit_code == 3


def test_all_errors_of_a_file_are_reported_together():
    assert len(parse_profile(BROKEN / "many_at_once.toml")[1]) == 3


def test_a_misspelt_device_is_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'cortex-m7'"):
        load_profile("cortx-m7")


def test_a_part_of_a_devices_name_is_answered_with_the_devices_that_have_it():
    with pytest.raises(UnknownNameError, match="did you mean 'nucleo-f446re'"):
        load_profile("f446")


def test_no_sentence_lists_all_devices():
    with pytest.raises(UnknownNameError, match="'edgeprune devices list' lists them all") as refusal:
        load_profile("commodore")
    assert "cortex-m7" not in refusal.value.message


def test_a_profile_of_ones_own_is_used_by_its_path(tmp_path):
    own = tmp_path / "mine.toml"
    text = (ROOT / "device_profiles" / "cortex-m4.toml").read_text(encoding="utf-8")
    own.write_text(text.replace('id = "cortex-m4"', 'id = "mine"'), encoding="utf-8")
    assert load_profile(str(own)).id == "mine"


def test_a_path_without_a_file_is_refused():
    with pytest.raises(ProfileError, match="cannot be read"):
        load_profile("nowhere/board.toml")


def test_profiles_load_without_numpy_or_tensorflow():
    code = (
        "import sys; from edgeprune.device.profile import list_profiles; list_profiles(); "
        "sys.exit(bool({'numpy', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_all_profiles_load_in_a_blink():
    def load() -> float:
        before = time.process_time()
        list_profiles()
        return time.process_time() - before

    # 0.05 s for 88 profiles on a machine of 2026.
    assert min(load() for _ in range(3)) < 0.2


def test_emulators_are_the_machines_that_the_c_engine_links_for():
    assert set(get_args(Machine)) == {board.machine for board in BOARDS}


def test_a_device_has_the_emulator_that_the_c_engine_finds_for_its_core():
    machines = {board.core: board.machine for board in BOARDS}
    for profile in list_profiles():
        # qemu executes what the core does; what an NPU does, it does not know.
        known = None if profile.npu is not None else machines.get(profile.core)
        assert (profile.emulator and profile.emulator.machine) == known, profile.id


def test_every_microcontroller_without_an_npu_says_how_it_is_flashed_or_is_generic():
    for profile in list_profiles():
        if profile.flashing is None and "flashing" not in profile.facts:
            assert profile.npu is not None or "(generic)" in profile.name, profile.id


def test_a_latency_is_asked_exactly_where_one_can_be_estimated():
    for profile in list_profiles():
        assert (profile.latency.by == "none") == (profile.budgets.latency_ms is None), profile.id
        assert (profile.latency.by == "none") == ("No latency is asked" in profile.budgets.reason), profile.id


def test_every_device_prunes_in_the_steps_of_its_kernels() -> None:
    steps = {"cmsis-nn": 4, "c": 4, "xnnpack": 8, "esp-nn": 8, "ethos-u": 16}
    for profile in list_profiles():
        assert profile.runtime.round_to == steps[profile.runtime.kernels], profile.id
