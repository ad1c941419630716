"""A whole build for a device with an NPU: LiteRT, TFLM and Vela for real."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from e2e.conftest import Ended
from runtimes.test_vela import needs_vela

from edgeprune.tflite.read import read_model

FLASH_KIB = 9.0
DEVICE = "cortex-m55-ethos-u55-128"
QUICK = ("--recipe", "narrow.toml", "--criterion", "l2", "--epochs", 3)

pytestmark = needs_vela


@pytest.fixture(scope="module")
def fitting(build: Callable[..., Ended]) -> Ended:
    return build("npu", "--device", DEVICE, "--flash-kib", FLASH_KIB, "--max-drop", 0.9, *QUICK)


@pytest.fixture
def report(fitting: Ended) -> dict[str, Any]:
    assert fitting.code == 0, fitting.err
    return json.loads((fitting.output / "report.json").read_text())


def test_the_flash_that_vela_reports_is_brought_within_its_budget(report: dict[str, Any]) -> None:
    assert report["dense"]["flash_bytes"] > FLASH_KIB * 1024 >= report["pruned"]["flash_bytes"]
    flash = next(check for check in report["checks"] if check["name"] == "flash")
    assert (flash["source"], flash["ok"]) == ("simulated", True)
    assert "Vela" in flash["evidence"]
    assert "ethos-u-vela" in report["versions"]


def test_the_file_for_the_npu_stands_beside_the_one_before_vela(
    fitting: Ended, report: dict[str, Any]
) -> None:
    compiled = (fitting.output / "model_vela.tflite").read_bytes()
    assert len(compiled) == report["pruned"]["flash_bytes"]
    assert {op.name for op in read_model(compiled, where="compiled").ops} == {"CUSTOM:ethos-u"}
    before = read_model((fitting.output / "model.tflite").read_bytes(), where="before")
    assert "CONV_2D" in {op.name for op in before.ops}
    listed = json.loads((fitting.output / "manifest.json").read_text())["files"]
    assert "model_vela.tflite" in {file["path"] for file in listed}


def test_the_sources_hold_the_compiled_file(fitting: Ended, report: dict[str, Any]) -> None:
    folder = fitting.output / "tflm"
    assert "resolver.AddEthosU()" in (folder / "op_resolver.h").read_text()
    assert f"g_model_data_len = {report['pruned']['flash_bytes']};" in (folder / "model_data.cc").read_text()
    assert "Compiled by: Vela" in (folder / "arena_size.h").read_text()


def test_the_report_says_which_file_was_run(report: dict[str, Any]) -> None:
    assert "before Vela" in report["agreement"]["note"]
    assert [
        row["max_difference_steps"] for row in report["agreement"]["runtimes"] if row["kind"] == "tflm"
    ] <= [1]
