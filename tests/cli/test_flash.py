"""`edgeprune flash`: commands by dry run, copies for real."""

import json
import struct

import pytest


def make_project(folder, device):
    """What a built project holds, as far as flashing is concerned."""
    (folder / "build").mkdir(parents=True)
    (folder / "edgeprune.json").write_text(json.dumps({"device": device}))
    for name in ("firmware.hex", "firmware.elf", "firmware.uf2", "emulator.elf", "flash_args"):
        (folder / "build" / name).write_bytes(name.encode())
    return folder


@pytest.fixture
def built(tmp_path):
    return make_project(tmp_path / "project", "nucleo-h743zi")


def make_elf(address, stored_bytes=64):
    """An ELF file of one segment that is loaded, and of one that is not stored."""
    header = struct.pack(
        "<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, 40, 1, 0, 52, 0, 0, 52, 32, 2, 0, 0, 0
    )
    loaded = struct.pack("<8I", 1, 116, address, address, stored_bytes, stored_bytes, 5, 4)
    cleared = struct.pack("<8I", 1, 116, 0x40000000, 0x40000000, 0, 64, 6, 4)
    return header + loaded + cleared + bytes(stored_bytes)


def test_a_dry_run_prints_pyocds_command(edgeprune, built):
    document = edgeprune("flash", built, "--dry-run", "--json").document
    image = str((built / "build/firmware.hex").resolve())
    assert document["command"] == ["pyocd", "flash", "--no-wait", "--target", "stm32h743xx", image]
    assert document["done"] is False
    assert edgeprune("flash", built, "--dry-run").out.startswith(
        "pyocd flash --no-wait --target stm32h743xx "
    )


def test_esptool_gets_the_arguments_that_the_build_wrote(edgeprune, tmp_path):
    built = make_project(tmp_path / "esp", "esp32-s3")
    arguments = ("--board", "esp32-s3", "--port", "/dev/ttyUSB0", "--dry-run")
    document = edgeprune("flash", built, *arguments, "--json").document
    command = ["esptool", "--chip", "esp32s3", "--port", "/dev/ttyUSB0", "write-flash", "@flash_args"]
    assert document["command"] == command
    assert edgeprune("flash", built, *arguments).out.startswith(f"cd {built}/build && esptool ")


def test_openocd_gets_its_configuration(edgeprune, built):
    arguments = ("--method", "openocd", "--target", "board/st_nucleo_h743zi.cfg", "--dry-run", "--json")
    command = edgeprune("flash", built, *arguments).document["command"]
    assert command[:3] == ["openocd", "-f", "board/st_nucleo_h743zi.cfg"]
    assert command[-1].endswith("firmware.elf} verify reset exit")


def test_uf2_is_copied_to_the_volume(edgeprune, tmp_path):
    built = make_project(tmp_path / "pico", "raspberry-pi-pico")
    volume = tmp_path / "RPI-RP2"
    volume.mkdir()
    assert edgeprune("flash", built, "--board", "raspberry-pi-pico", "--volume", volume).code == 0
    assert (volume / "firmware.uf2").read_bytes() == b"firmware.uf2"


def test_an_output_of_a_build_has_its_image_in_firmware(edgeprune, built, tmp_path):
    built.rename(tmp_path / "firmware")
    (tmp_path / "report.json").write_text('{"device": {"id": "nucleo-h743zi"}}')
    document = edgeprune("flash", tmp_path, "--dry-run", "--json").document
    assert document["image"].endswith("firmware/build/firmware.hex")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--method", "uf2"), 3, "--volume"),
        (("--method", "uf2", "--volume", "/nowhere"), 3, "drive is not there"),
        (("--method", "esptool"), 3, "give --target"),
        (("--board", "nucleo-f401re"), 3, "is built for nucleo-h743zi, not nucleo-f401re"),
        (("--board", "pixel-6"), 3, "--method"),
        (("--method", "copy", "--target", "x"), 3, "--volume"),
    ],
)
def test_what_cannot_be_flashed_ends_in_a_sentence(edgeprune, built, arguments, code, said):
    ended = edgeprune("flash", built, *arguments)
    assert ended.code == code
    assert said in ended.err


def test_a_project_of_another_board_in_a_build_is_not_flashed_for_it(edgeprune, built, tmp_path):
    built.rename(tmp_path / "firmware")
    (tmp_path / "report.json").write_text('{"device": {"id": "nucleo-f401re"}}')
    ended = edgeprune("flash", tmp_path, "--dry-run")
    assert ended.code == 3
    assert "--device nucleo-f401re" in " ".join(ended.err.split())


@pytest.mark.parametrize(
    ("address", "stored_bytes", "code"),
    [(0x08000000, 64, 0), (0x24000000, 64, 3), (0, 64, 3), (0x08000000, 2049 * 1024, 3)],
)
def test_an_elf_that_loads_to_where_there_is_no_memory_is_refused(
    edgeprune, built, address, stored_bytes, code
):
    (built / "build/firmware.hex").unlink()
    (built / "build/firmware.elf").write_bytes(make_elf(address, stored_bytes))
    ended = edgeprune("flash", built, "--dry-run")
    assert ended.code == code
    assert ("is not linked for nucleo-h743zi" in ended.err) == (code == 3)


def test_a_folder_without_an_image_is_refused(edgeprune, built):
    for file in (built / "build").iterdir():
        file.unlink()
    (built / "build/emulator.elf").touch()  # not for the board
    ended = edgeprune("flash", built)
    assert ended.code == 3
    assert "there is no image to flash" in ended.err


def test_a_missing_tool_ends_in_4_and_says_how_to_get_it(edgeprune, built, monkeypatch):
    monkeypatch.setenv("PATH", "")
    ended = edgeprune("flash", built)
    assert ended.code == 4
    assert "pip install 'edgeprune[flash]'" in ended.err


def test_a_tool_that_fails_ends_in_4_with_what_it_said(edgeprune, built, monkeypatch, tmp_path):
    tool = tmp_path / "pyocd"
    tool.write_text("#!/bin/sh\necho No connected debug probes >&2\nexit 1\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    ended = edgeprune("flash", built)
    assert ended.code == 4
    assert "No connected debug probes" in ended.err
