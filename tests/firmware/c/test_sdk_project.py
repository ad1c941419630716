"""Projects of the C engine for a user's SDK: complete but for the SDK, and passing on this machine."""

import re
import shutil
import subprocess
from dataclasses import replace

import pytest
from firmware.projects import project
from small_models import dense_int8, real_model

from edgeprune.device.profile import load_profile
from edgeprune.device.record import ENGINE
from edgeprune.firmware.c.boards import BOARDS, find_board
from edgeprune.firmware.c.sdk_project import write_sdk_project
from edgeprune.firmware.project import PROJECTS
from edgeprune.runtimes.golden import draw_inputs, record_golden
from edgeprune.tflite.read import read_model
from tests.firmware.c.example import join, random_inputs
from tests.firmware.c.examples import all_examples
from tests.firmware.c.test_ops import needs_gcc

KINDS = tuple(kind for kind in PROJECTS if kind != "cmake")
CXX = ("-std=c++17", "-Wall", "-Wextra", "-Werror", "-fno-exceptions", "-fno-rtti")
C = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror")

PLATFORM = """
#include <cstdio>
#include "golden_check.h"
#include "platform.h"
namespace platform {
void Write(const char* text) { std::fputs(text, stdout); }
uint32_t Ticks() { return 0; }
uint32_t TicksPerSecond() { return 1; }
}
int main() { return RunGoldenCheck() ? 0 : 1; }
"""


def draw_golden(data, *, samples=2):
    inputs = draw_inputs(read_model(data, where="made"), samples=samples, seed=0)
    return record_golden(data, inputs, samples=samples, origin="Drawn by a test")


def write(folder, data, kind, *, golden=None, device="cortex-m7", **changed):
    profile = replace(load_profile(device), **changed)
    golden = golden or draw_golden(data)
    return write_sdk_project(folder, data, kind=PROJECTS[kind], golden=golden, profile=profile)


def read(folder):
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def run_here(folder, kind):
    """What the check prints on this machine, and its exit code."""
    sources = folder / PROJECTS[kind].sources
    (sources / "here.cc").write_text(PLATFORM)
    names = (
        "here.cc",
        *(f"{name}{PROJECTS[kind].cc_suffix}" for name in ("edgeprune_model", "golden_check")),
    )
    files = [*names, f"golden_samples{PROJECTS[kind].cc_suffix}"]
    for file in ("model/model.c", "model/weights.c"):
        subprocess.run(["gcc", *C, "-c", file, "-o", f"{file}.o"], cwd=sources, check=True)
    command = ["g++", *CXX, "-I.", *files, "model/model.c.o", "model/weights.c.o", "-lm", "-o", "check"]
    subprocess.run(command, cwd=sources, check=True)
    ended = subprocess.run([sources / "check"], capture_output=True, text=True, check=False)
    return ended.stdout, ended.returncode


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_that_readme_and_build_files_name_is_there(kind, tmp_path):
    write(tmp_path, dense_int8(), kind)
    texts = read(tmp_path)
    named = re.findall(r"`([\w./-]+\.(?:h|cc|cpp|ino|yml|conf|cmake)|[\w./-]+/)`", texts["README.md"])
    assert named
    for name in named:
        assert any(path == name or path.startswith(name) for path in texts), name
    for path, text in texts.items():
        if path.endswith(("CMakeLists.txt", "runtime.cmake")):
            for name in re.findall(r"[\w/]+\.cc?\b", text):
                assert path.rpartition("/")[0] + "/" * ("/" in path) + name in texts, name


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_tflm_is_left_and_every_template_is_filled_in(kind, tmp_path):
    write(tmp_path / "one", dense_int8(), kind)
    write(tmp_path / "two", dense_int8(), kind)
    texts = read(tmp_path / "one")
    assert texts == read(tmp_path / "two")
    for path, text in texts.items():
        asks = re.findall(
            r"(?i)tflite-micro|tflmicro|TensorFlowLite|tensorflow/lite/(?!microcontrollers)", text
        )
        assert not asks or path.endswith(("golden_samples.h", "golden_samples.cc")), (path, asks)
        if not path.endswith((".cmake", "CMakeLists.txt")):
            assert "${" not in text, path
        assert not path.endswith(".in")


@pytest.mark.parametrize("kind", KINDS)
def test_both_runtimes_have_the_same_program_and_interface(kind, tmp_path):
    """An application can change from one to the other."""
    write(tmp_path, dense_int8(), kind)
    ours, theirs = read(tmp_path), project(dense_int8(), kind)
    folder = PROJECTS[kind].sources
    for name in {path for path in theirs if path.endswith(("main.cc", "platform.h", "golden_check.h"))}:
        assert ours[name] == theirs[name]
    declared = [
        re.findall(r"^[\w ]+[*&]? ?\w+\(.*\);$", texts[f"{folder}/edgeprune_model.h"], re.MULTILINE)
        for texts in (ours, theirs)
    ]
    assert declared[0] == declared[1]
    assert len(declared[0]) >= 8


@needs_gcc
@pytest.mark.parametrize("kind", KINDS)
def test_the_check_passes_here_and_fails_on_a_wrong_output(kind, tmp_path):
    data = real_model("kws")
    write(tmp_path / "right", data, kind)
    said, code = run_here(tmp_path / "right", kind)
    assert (said.splitlines()[-1], code) == ("PASS", 0)
    assert f"runtime {ENGINE}" in said
    assert "arena_used_bytes 8420 of 8420" in said
    golden = draw_golden(data)
    golden.outputs[0][1, ..., 2] ^= 1
    write(tmp_path / "wrong", data, kind, golden=golden)
    said, code = run_here(tmp_path / "wrong", kind)
    assert "sample 1, output 0, index 2: expected" in said
    assert code == 1


@needs_gcc
def test_every_type_and_many_ends_pass(tmp_path):
    """Truth values, floats, int16, bytes; models of several inputs and outputs."""
    wanted = ("LOGICAL_NOT", "TANH", "ADD", "QUANTIZE", "SPLIT", "GREATER", "CAST")
    data, _ = join([example for example in all_examples() if example.op in wanted])
    model = read_model(data, where="made")
    assert {tensor.dtype for tensor in (*model.inputs, *model.outputs)} >= {
        "bool",
        "float32",
        "int8",
        "int16",
    }
    inputs = tuple(array[4:6] for array in random_inputs(model))
    golden = record_golden(data, inputs, samples=2, origin="Drawn by a test")
    write(tmp_path, data, "pico", golden=golden)
    said, code = run_here(tmp_path, "pico")
    assert (said.splitlines()[-1], code) == ("PASS", 0), said


@needs_gcc
def test_a_state_is_forgotten_before_each_sample(tmp_path):
    data = real_model("lstm")
    write(tmp_path, data, "zephyr")
    assert run_here(tmp_path, "zephyr")[1] == 0


@pytest.mark.skipif(shutil.which("arm-none-eabi-g++") is None, reason="no arm-none-eabi-g++ here")
@pytest.mark.parametrize("core", sorted({board.core for board in BOARDS}))
def test_the_sources_compile_for_every_core_without_a_warning(core, tmp_path):
    write(tmp_path, real_model("resnet8"), "pico", core=core)
    flags = [*find_board(core).flags, "-mthumb", "-O1", "-Isrc", "-c"]
    files = {".c": ("model/model.c", "model/weights.c"), ".cc": ("edgeprune_model.cc", "golden_check.cc")}
    for suffix, names in files.items():
        compiler, warnings = ("gcc", C) if suffix == ".c" else ("g++", CXX)
        for name in names:
            command = [f"arm-none-eabi-{compiler}", *flags, *warnings, f"src/{name}", "-o", "object.o"]
            ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
            assert ended.returncode == 0, ended.stderr


def test_kernels_are_those_of_the_devices_core(tmp_path):
    for device, is_simd in (("cortex-m7", True), ("esp32-s3", False), ("raspberry-pi-pico", False)):
        kind = "esp-idf" if device == "esp32-s3" else "pico"
        write(tmp_path / device, real_model("kws"), kind, device=device)
        source = (tmp_path / device / PROJECTS[kind].sources / "model/model.c").read_text()
        assert ("__smlad" in source) == is_simd
    assert 'CONFIG_IDF_TARGET="esp32s3"' in (tmp_path / "esp32-s3/sdkconfig.defaults").read_text()


def test_golden_samples_leave_room_for_the_model(tmp_path):
    """88 KB of ResNet-8's and 6 samples of 3 KB do not fit 100 KiB, nor do larger weights."""
    profile = load_profile("cortex-m7")
    memory = tuple(
        replace(each, kib=104.0, largest_block_kib=None) if each.role == "flash" else each
        for each in profile.memory
    )
    data = real_model("resnet8")
    golden = draw_golden(data, samples=6)
    written = write(tmp_path, data, "zephyr", golden=golden, memory=memory)
    assert written.golden.golden.samples < 6
    taken = written.engine.program.constant_bytes + written.golden.bytes
    assert taken <= 104 * 1024
    assert not any("winograd" in step.layer.kernels for step in written.engine.program.steps)
