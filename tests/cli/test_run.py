import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from shared_cases import case_file
from small_models import dense_int8, real_model, unary

from edgeprune.cli.main import run
from edgeprune.commands.run import EngineRun
from edgeprune.device.profile import load_profile
from edgeprune.measuring.backend import measure
from edgeprune.measuring.runtime import choose_runtime

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no gcc here")
needs_qemu = pytest.mark.skipif(
    shutil.which("qemu-system-arm") is None or shutil.which("arm-none-eabi-gcc") is None,
    reason="no qemu-system-arm or no arm-none-eabi-gcc here",
)


def saved(folder, data):
    file = folder / "model.tflite"
    file.write_bytes(data)
    return file


@needs_gcc
def test_a_model_passes_on_this_machine(tmp_path, capfd):
    file = saved(tmp_path, dense_int8())
    assert run(["run", str(file), "--device", "cortex-m7", "--on", "host"]) == 0
    assert "PASS: 10 samples" in capfd.readouterr().out


@needs_qemu
def test_figures_come_from_the_binary_that_ran(tmp_path, capfd):
    saved(tmp_path, dense_int8())
    assert run(["run", str(tmp_path), "--device", "cortex-m4", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    assert document["bit_exact"] is True
    for name in ("instructions", "flash_bytes", "code_bytes", "ram_bytes", "arena_bytes", "stack_bytes"):
        assert document["provenance"][name]["source"] == "simulated"
    assert 0 < document["code_bytes"] < document["flash_bytes"]
    assert document["ram_bytes"] > document["arena_bytes"] + document["stack_bytes"]


@needs_qemu
def test_the_counts_of_the_layers_add_up_to_the_whole(tmp_path, capfd):
    file = tmp_path / "kws.tflite"
    file.write_bytes(real_model("kws"))
    assert run(["run", str(file), "--device", "cortex-m33", "--json"]) == 0
    document = json.loads(capfd.readouterr().out)
    layers = document["per_layer"]
    assert [layer["op"] for layer in layers] == [*range(10), 11, 12]  # op 10 is a reshape
    assert sum(layer["instructions"] for layer in layers) == pytest.approx(document["instructions"], rel=1e-3)


def test_an_op_that_the_engine_lacks_ends_in_exit_3(tmp_path, capfd):
    file = saved(tmp_path, unary("GELU"))
    assert run(["run", str(file), "--device", "cortex-m7"]) == 3
    assert "the C engine has no GELU" in capfd.readouterr().err


def test_a_refusal_is_the_same_in_run_firmware_and_build(tmp_path, capfd):
    file = saved(tmp_path, unary("GELU"))
    assert run(["run", str(file), "--device", "cortex-m7"]) == 3
    said = capfd.readouterr().err
    output = ("--output", str(tmp_path / "out"))
    assert run(["firmware", str(file), "--runtime", "c", "--device", "cortex-m7", *output]) == 3
    assert capfd.readouterr().err == said
    profile = choose_runtime(load_profile("cortex-m7"), "c")
    reason = measure(file.read_bytes(), profile=profile, where="made").unsupported[0]
    assert said.strip().endswith(reason.partition(": ")[2])


@needs_gcc
def test_what_tflm_cannot_run_is_run_and_not_compared(capfd):
    file = case_file("offset_buffers_float")
    assert run(["run", str(file), "--device", "cortex-m7", "--on", "host"]) == 0
    assert "were not compared: TFLM cannot run CONV_2D" in " ".join(capfd.readouterr().out.split())


def test_outputs_that_differ_are_no_pass():
    result = EngineRun(
        file=Path("model.tflite"),
        profile=load_profile("cortex-m7"),
        target="qemu",
        samples=10,
        differing=0,
        figures={},
    )
    assert result.bit_exact
    assert not replace(result, differing=3).bit_exact
    assert replace(result, differing=3).sentence.startswith("FAIL: 3 output elements")
    unknown = replace(result, differing=None, unavailable="TFLM is not installed here")
    assert unknown.bit_exact is None
    assert unknown.sentence.endswith("their outputs were not compared: TFLM is not installed here")
