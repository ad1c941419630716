"""Projects know their device: every kind for every microcontroller, held against its profile."""

import pytest
from firmware.projects import project
from small_models import dense_int8

from edgeprune.device.profile import Profile, list_profiles
from edgeprune.firmware.project import PROJECTS

DEVICES = {profile.id: profile for profile in list_profiles() if profile.runtime.name == "tflm"}
CHIPS = {name for name, p in DEVICES.items() if p.flashing is not None and p.flashing.method == "esptool"}


@pytest.mark.parametrize("device", DEVICES)
def test_every_kind_of_project_names_its_device(device: str) -> None:
    for kind in PROJECTS:
        texts = project(dense_int8(), kind, device=device)
        assert device in "".join(texts.values())


@pytest.mark.parametrize("device", DEVICES)
def test_zephyr_uses_the_fpu_where_there_is_one(device: str) -> None:
    has_fpu = bool({"fpu", "mve"} & set(DEVICES[device].instructions))
    assert ("CONFIG_FPU=y" in project(dense_int8(), "zephyr", device=device)["prj.conf"]) == has_fpu


@pytest.mark.parametrize(
    ("device", "toolchain", "machine"),
    [
        ("nucleo-l4r5zi", "cortex-m4", "mps2-an386"),
        ("raspberry-pi-pico", "cortex-m0plus", "mps2-an385"),
        ("nucleo-h563zi", "cortex-m7", "mps2-an500"),
    ],
)
def test_cmake_is_told_the_core_its_board_of_qemu_and_the_revision_of_tflm(
    device: str, toolchain: str, machine: str
) -> None:
    readme = project(dense_int8(), "cmake", device=device)["README.md"]
    assert f"cmake/toolchains/{toolchain}.cmake" in readme
    assert f"qemu-system-arm -M {machine} " in readme
    assert ("a Cortex-M7 stands for it" in readme) == (device == "nucleo-h563zi")
    assert "tflite-micro checkout 90b983c\n" in readme


@pytest.mark.parametrize("device", sorted(CHIPS))
def test_esp_idf_knows_chip_and_flash(device: str) -> None:
    profile: Profile = DEVICES[device]
    assert profile.flashing is not None
    texts = project(dense_int8(), "esp-idf", device=device)
    assert f"idf.py set-target {profile.flashing.target}\n" in texts["README.md"]
    assert f'CONFIG_IDF_TARGET="{profile.flashing.target}"' in texts["sdkconfig.defaults"]
    assert f"CONFIG_ESPTOOLPY_FLASHSIZE_{profile.flash_kib / 1024:.0f}MB=y" in texts["sdkconfig.defaults"]
    assert "partitions.csv" not in texts


def test_an_image_beyond_the_default_partition_gets_a_table_of_its_own() -> None:
    texts = project(dense_int8(), "esp-idf", device="esp32-c3", image_bytes=1_500_000)
    assert 'CONFIG_PARTITION_TABLE_CUSTOM_FILENAME="partitions.csv"' in texts["sdkconfig.defaults"]
    size = int(texts["partitions.csv"].splitlines()[-1].split(", ")[-1], 0)
    assert 1_500_000 < size <= 4096 * 1024 - 0x10000


def test_a_device_of_another_maker_leaves_the_chip_open() -> None:
    texts = project(dense_int8(), "esp-idf")
    assert "set-target <chip>" in texts["README.md"]
    assert "CONFIG_IDF_TARGET" not in texts["sdkconfig.defaults"]
