"""`edgeprune flash`: commands by dry run, copies for real."""

import pytest


@pytest.fixture
def built(tmp_path):
    """What a built project holds, as far as flashing is concerned."""
    folder = tmp_path / "project"
    (folder / "build").mkdir(parents=True)
    (folder / "edgeprune.json").write_text('{"device": "nucleo-h743zi"}')
    for name in ("firmware.hex", "firmware.elf", "firmware.uf2", "emulator.elf", "flash_args"):
        (folder / "build" / name).write_bytes(name.encode())
    return folder


def test_a_dry_run_prints_pyocds_command(edgeprune, built):
    document = edgeprune("flash", built, "--dry-run", "--json").document
    image = str((built / "build/firmware.hex").resolve())
    assert document["command"] == ["pyocd", "flash", "--no-wait", "--target", "stm32h743xx", image]
    assert document["done"] is False
    assert f"pyocd flash --no-wait --target stm32h743xx {image}" in edgeprune("flash", built, "--dry-run").out


def test_esptool_gets_the_arguments_that_the_build_wrote(edgeprune, built):
    arguments = ("--board", "esp32-s3", "--port", "/dev/ttyUSB0", "--dry-run", "--json")
    document = edgeprune("flash", built, *arguments).document
    command = ["esptool", "--chip", "esp32s3", "--port", "/dev/ttyUSB0", "write-flash", "@flash_args"]
    assert document["command"] == command


def test_openocd_gets_its_configuration(edgeprune, built):
    arguments = ("--method", "openocd", "--target", "board/st_nucleo_h743zi.cfg", "--dry-run", "--json")
    command = edgeprune("flash", built, *arguments).document["command"]
    assert command[:3] == ["openocd", "-f", "board/st_nucleo_h743zi.cfg"]
    assert command[-1].endswith("firmware.elf} verify reset exit")


def test_uf2_is_copied_to_the_volume(edgeprune, built, tmp_path):
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
        (("--board", "raspberry-pi-pico"), 3, "--volume"),
        (("--board", "raspberry-pi-pico", "--volume", "/nowhere"), 3, "drive is not there"),
        (("--method", "esptool"), 3, "give --target"),
        (("--board", "pixel-6"), 3, "--method"),
        (("--method", "copy", "--target", "x"), 3, "--volume"),
    ],
)
def test_what_cannot_be_flashed_ends_in_a_sentence(edgeprune, built, arguments, code, said):
    ended = edgeprune("flash", built, *arguments)
    assert ended.code == code
    assert said in ended.err


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
