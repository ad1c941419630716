"""Whole builds for the C engine: the figures are those of the image in the output, and it passes in qemu."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from cli.test_run import needs_qemu
from e2e.conftest import COMMAND, ENVIRONMENT, Ended

from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.emulator import emulate
from edgeprune.firmware.c.toolchain import read_sizes

pytestmark = needs_qemu
FLASH_KIB = 8.0


def passes(image: Path) -> bool:
    ended = emulate(image, board=find_board("Cortex-M7"), directory=image.parent)
    return ended.returncode == 0 and "PASS" in ended.stdout + ended.stderr


def test_the_embedded_example_ends_in_an_image_that_passes(tmp_path: Path) -> None:
    command = [*COMMAND, "build", "--device", "cortex-m7", "--runtime", "c", "--output", "out"]
    run = subprocess.run(command, cwd=tmp_path, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert "the dense model was not pruned" in " ".join(run.stdout.split())
    assert passes(tmp_path / "out/firmware/build/emulator.elf")


def test_the_final_image_is_pruned_to_its_budget(build: Callable[..., Ended]) -> None:
    quick = ("--recipe", "quick.toml", "--criterion", "l2", "--no-whole-layers", "--epochs", 1)
    ended = build("engine", "--runtime", "c", "--flash-kib", FLASH_KIB, "--max-drop", 0.9, *quick)
    assert ended.code == 0, ended.err
    report = json.loads((ended.output / "report.json").read_text())
    image = ended.output / "firmware/build/emulator.elf"
    assert report["dense"]["flash_bytes"] > FLASH_KIB * 1024 >= report["pruned"]["flash_bytes"]
    assert report["pruned"]["flash_bytes"] == read_sizes(image).flash == report["engine"]["sizes"]["flash"]
    checks = {check["name"]: check for check in report["checks"]}
    assert {checks[name]["source"] for name in ("flash", "ram", "firmware")} == {"simulated"}
    counted = sum(layer["instructions"] for layer in report["engine"]["layers"])
    assert counted == pytest.approx(report["pruned"]["instructions"], rel=0.02)
    assert passes(image)
    listed = json.loads((ended.output / "manifest.json").read_text())["files"]
    assert "firmware/model/model.c" in {file["path"] for file in listed}
