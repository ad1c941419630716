"""Projects of the C engine: complete, passing in the emulator and here, and failing where they must."""

import json
import shutil
import subprocess
import time
from dataclasses import replace

import numpy as np
import pytest
from small_models import dense_int8, real_model

from edgeprune.commands.bench import read_console
from edgeprune.device.flashing import Flashing
from edgeprune.device.profile import load_profile
from edgeprune.device.record import ENGINE
from edgeprune.errors import InfeasibleError
from edgeprune.firmware.c.boards import BOARDS
from edgeprune.firmware.c.build import build_images, describe_misfit, refuse_misfit
from edgeprune.firmware.c.emulator import emulate
from edgeprune.firmware.c.golden_run import run_golden_check
from edgeprune.firmware.c.model_costs import describe_model_costs
from edgeprune.firmware.c.project import write_engine_project
from edgeprune.runtimes.golden import draw_inputs, record_golden
from edgeprune.tflite.read import read_model
from tests.firmware.c.example import join
from tests.firmware.c.examples_elements import byte_examples
from tests.firmware.c.examples_matrices import fully_connected
from tests.firmware.c.examples_types import singles
from tests.firmware.c.test_ops import needs_gcc, needs_qemu

needs_cmake = pytest.mark.skipif(shutil.which("cmake") is None, reason="no cmake here")
MAP = {"flash": 0x08000000, "ram": 0x20000000}


def mapped(*, flash_kib=256.0, flashing=None):
    """A Cortex-M4 whose memories have addresses."""
    profile = load_profile("cortex-m4")
    memory = tuple(
        replace(
            next(m for m in profile.memory if m.role == role), address=start, kib=kib, largest_block_kib=None
        )
        for (role, start), kib in zip(MAP.items(), (flash_kib, 64.0), strict=True)
    )
    return replace(profile, memory=memory, flashing=flashing)


def write(folder, data, profile, *, golden=None, name="model"):
    if golden is None:
        model = read_model(data, where="made")
        inputs = draw_inputs(model, samples=2, seed=0)
        golden = record_golden(data, inputs, samples=2, origin="Drawn by a test")
    return write_engine_project(folder, data, golden=golden, profile=profile, name=name), golden


@needs_qemu
@pytest.mark.parametrize(("off", "passes"), [(0.0, True), (1e-6, True), (1e-3, False)])
def test_floats_from_a_c_library_pass_where_they_are_close(off, passes, tmp_path):
    profile = load_profile("cortex-m7")
    data, _ = join(singles("float32", "TANH"))
    inputs = draw_inputs(read_model(data, where="tanh"), samples=2, seed=0)
    golden = record_golden(data, inputs, samples=2, origin="Drawn by a test")
    golden = replace(golden, outputs=tuple(output + np.float32(off) for output in golden.outputs))
    project, _ = write(tmp_path, data, profile, golden=golden)
    assert run_golden_check(build_images(project, profile=profile)).passed == passes


@needs_qemu
def test_a_project_with_bytes_from_0_to_255_passes(tmp_path):
    profile = load_profile("cortex-m7")
    project, _ = write(tmp_path, join(list(byte_examples())[:2])[0], profile)
    assert run_golden_check(build_images(project, profile=profile)).passed


@needs_qemu
@pytest.mark.parametrize("core", [board.core for board in BOARDS])
def test_a_project_passes_on_every_core(core, tmp_path):
    profile = replace(load_profile("cortex-m7"), core=core)
    project, _ = write(tmp_path, real_model("kws"), profile)
    images = build_images(project, profile=profile)
    run = run_golden_check(images)
    assert run.passed, run.said
    assert 0 < run.stack_bytes < 1024
    assert run.instructions > 5e5
    assert images.sizes.ram >= project.engine.program.plan.total_bytes + 490 + 12


@needs_qemu
def test_weights_that_outgrow_the_code_memory_of_a_board_lie_outside_it(tmp_path):
    profile = replace(load_profile("cortex-m7"), core="Cortex-M55")
    data, _ = join([fully_connected("large", inputs=1024, outputs=600)])
    project, _ = write(tmp_path, data, profile)
    images = build_images(project, profile=profile)
    layout = project.layouts["emulator"]
    assert images.sizes.weights > layout.flash.size_bytes
    assert run_golden_check(images).passed
    assert not describe_misfit(images.sizes, layout)
    assert describe_misfit(images.sizes, replace(layout, external=None)).endswith("of flash, not 524288")
    small = replace(layout, external=replace(layout.external, size_bytes=1024))
    assert describe_misfit(images.sizes, small).endswith("bytes of external memory, not 1024")


@needs_qemu
def test_a_wrong_golden_output_fails(tmp_path):
    profile = load_profile("cortex-m7")
    _, golden = write(tmp_path / "right", dense_int8(), profile)
    got = int(golden.outputs[0][1].reshape(-1)[2])
    golden.outputs[0][1, ..., 2] ^= 1
    project, _ = write(tmp_path / "wrong", dense_int8(), profile, golden=golden)
    run = run_golden_check(build_images(project, profile=profile))
    assert not run.passed
    assert run.said == f"sample 1, output 0, element 2: expected {got ^ 1}, got {got}\nFAIL"


@needs_qemu
def test_images_for_the_device_lie_where_its_profile_says(tmp_path):
    profile = mapped(flashing=Flashing(method="uf2", target="STM32F4"))
    project, _ = write(tmp_path, dense_int8(), profile)
    images = build_images(project, profile=profile)
    assert sorted(images.device) == ["bin", "elf", "hex", "uf2"]
    image = images.device["bin"].read_bytes()
    assert len(image) == images.sizes.flash + images.sizes.golden
    stack_top, reset = (int.from_bytes(image[at : at + 4], "little") for at in (0, 4))
    assert stack_top == MAP["ram"] + 64 * 1024
    assert MAP["flash"] < reset < MAP["flash"] + len(image)
    assert images.device["hex"].read_text().startswith(":020000040800F2")
    assert images.device["uf2"].read_bytes()[12:16] == MAP["flash"].to_bytes(4, "little")


@needs_qemu
def test_an_image_that_does_not_fit_the_device_is_refused(tmp_path):
    profile = mapped(flash_kib=1)
    project, _ = write(tmp_path, dense_int8(), profile)
    images = build_images(project, profile=profile)
    assert not images.device
    with pytest.raises(InfeasibleError, match="bytes of flash, not 1024"):
        refuse_misfit(images)
    assert not describe_misfit(images.sizes, project.layouts["emulator"])


@needs_qemu
def test_without_semihosting_the_check_ends_all_the_same(tmp_path):
    # As on a board without a debugger: breakpoints that nobody answers are skipped.
    profile = load_profile("cortex-m4")
    project, _ = write(tmp_path, dense_int8(), profile)
    images = build_images(project, profile=profile)
    listed = subprocess.run(
        ["arm-none-eabi-nm", str(images.emulator)], capture_output=True, text=True, check=True
    ).stdout
    place = next(line.split()[0] for line in listed.splitlines() if line.endswith("edgeprune_exit_code"))
    command = ["qemu-system-arm", "-M", project.board.machine, "-kernel", str(images.emulator)]
    command += ["-display", "none", "-serial", "none", "-monitor", "stdio"]
    not_started, not_ended = "0x12345678", "0xffffffff"
    command += ["-device", f"loader,addr=0x{place},data={not_started},data-len=4"]
    monitor = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, bufsize=1
    )
    try:
        until, code = time.monotonic() + 60, not_started
        while code in (not_started, not_ended):
            assert time.monotonic() < until
            monitor.stdin.write(f"xp /1wx 0x{place}\n")
            while not (line := monitor.stdout.readline()).startswith(f"00000000{place}"):
                pass
            code = line.split()[-1]
    finally:
        monitor.kill()
        monitor.communicate()
    assert code == "0x00000000"


@needs_qemu
def test_a_project_says_what_its_model_takes_without_the_check(tmp_path):
    profile = load_profile("cortex-m4")
    project, _ = write(tmp_path, real_model("kws"), profile)
    images = build_images(project, profile=profile)
    run = run_golden_check(images)
    describe_model_costs(images, run)
    said = json.loads((tmp_path / "edgeprune.json").read_text())
    costs = said["model"]
    assert said["device"] == "cortex-m4"
    assert 1000 < costs["code_bytes"] < images.sizes.code - 500  # start-up and the check take the rest
    assert costs["weights_bytes"] == images.sizes.weights
    assert costs["ram_bytes"] == project.engine.program.plan.total_bytes
    assert costs["stack_bytes"] == run.stack_bytes
    assert f"| code | {costs['code_bytes']} | flash |" in (tmp_path / "README.md").read_text()


@needs_qemu
@needs_cmake
def test_cmake_makes_the_same_code(tmp_path):
    profile = mapped()
    project, _ = write(tmp_path, dense_int8(), profile)
    images = build_images(project, profile=profile)
    again = tmp_path / "again"
    configure = ["cmake", "-S", str(tmp_path), "-B", str(again), "-DCMAKE_TOOLCHAIN_FILE=toolchain.cmake"]
    for command in (configure, ["cmake", "--build", str(again)]):
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    assert (again / "firmware.bin").read_bytes() == images.device["bin"].read_bytes()
    ended = emulate(again / "emulator.elf", board=project.board, directory=again)
    assert ended.returncode == 0


@needs_gcc
@needs_cmake
def test_the_check_runs_on_this_machine_too(tmp_path):
    write(tmp_path, dense_int8(), load_profile("cortex-m7"))
    for command in (["cmake", "-S", ".", "-B", "build"], ["cmake", "--build", "build"]):
        subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    ended = subprocess.run([tmp_path / "build/golden_check"], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "PASS")
    assert "ticks" not in ended.stdout  # nothing is timed here


@pytest.mark.skipif(shutil.which("clang") is None, reason="no clang here")
def test_clang_has_nothing_to_say_either(tmp_path):
    write(tmp_path, dense_int8(), load_profile("cortex-m7"))
    flags = ["-std=c99", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-Imodel", "-Iapplication"]
    for source in sorted([*tmp_path.glob("*/*.c"), *tmp_path.glob("platform/host/*.c")]):
        command = ["clang", *flags, "-fsyntax-only", str(source.relative_to(tmp_path))]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stderr


def test_the_same_arguments_give_the_same_files(tmp_path):
    texts = []
    for name in ("one", "two"):
        write(tmp_path / name, dense_int8(), mapped())
        texts.append(
            {
                f.relative_to(tmp_path / name): f.read_bytes()
                for f in tmp_path.rglob(f"{name}/**/*")
                if f.is_file()
            }
        )
    assert texts[0] == texts[1]
    assert "0x08000000" in texts[0][next(p for p in texts[0] if p.name == "device.ld")].decode()


@needs_qemu
def test_the_console_of_a_project_is_what_bench_reads(tmp_path):
    data, profile = dense_int8(), load_profile("cortex-m7")
    project, _ = write(tmp_path, data, profile)
    said = run_golden_check(build_images(project, profile=profile)).said
    times = read_console(said.splitlines(), data=data, where="qemu")
    assert times.runtime == ENGINE
    assert times.golden
    assert times.median_ms > 0


@needs_gcc
def test_names_of_classes_stand_in_a_header(tmp_path):
    data, profile = dense_int8(), load_profile("cortex-m7")
    _, golden = write(tmp_path / "plain", data, profile)
    assert not (tmp_path / "plain/model/labels.h").exists()
    assert "labels.h" not in (tmp_path / "plain/README.md").read_text()
    write(tmp_path / "p", data, profile, golden=replace(golden, labels=('a "b"', "naïve", "??/")))
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "p/model/labels.h"\nint main(void) {\n'
        "  for (int i = 0; i < EDGEPRUNE_MODEL_LABELS; ++i) puts(edgeprune_model_labels[i]);\n"
        "  return 0;\n}\n"
    )
    flags = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["gcc", *flags, "main.c", "-o", "names"], cwd=tmp_path, check=True)
    said = subprocess.run([tmp_path / "names"], capture_output=True, check=True).stdout.decode()
    assert said.splitlines() == ['a "b"', "naïve", "??/"]


APPLICATION = """
#include <cstdio>

#include "model/model.h"

int main() {
    static int8_t input[EDGEPRUNE_MODEL_INPUT_ELEMENTS], output[EDGEPRUNE_MODEL_OUTPUT_ELEMENTS];
    input[0] = 1;
    input[1] = 2;
    edgeprune_model_invoke(input, output);
    std::printf("%d %d %d", output[0], output[1], output[2]);
}
"""


@needs_gcc
def test_an_application_in_cpp_calls_the_model_and_places_its_arena(tmp_path):
    write(tmp_path, real_model("kws"), load_profile("cortex-m7"))
    (tmp_path / "main.cc").write_text(APPLICATION)
    section = '-DEDGEPRUNE_ARENA_SECTION=".bss.edgeprune_arena"'
    for file in ("model", "weights"):
        compiled = ["gcc", "-c", "-Wall", "-Wextra", "-Werror", section, f"model/{file}.c"]
        subprocess.run(compiled, cwd=tmp_path, check=True)
    linked = ["g++", "-Wall", "-Wextra", "-Werror", "main.cc", "model.o", "weights.o", "-o", "main"]
    subprocess.run(linked, cwd=tmp_path, check=True)
    ended = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True)
    assert len(ended.stdout.split()) == 3
    symbols = subprocess.run(
        ["objdump", "-t", "model.o"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [
        line
        for line in symbols.stdout.splitlines()
        if line.endswith(" arena") and ".bss.edgeprune_arena" in line
    ]


TWO_MODELS = """
#include "one/model/labels.h"
#include "one/model/model.h"
#include "two/model/model.h"

int main(void) {
    static int8_t in[EDGEPRUNE_TWO_INPUT_ELEMENTS], out[EDGEPRUNE_TWO_OUTPUT_ELEMENTS];
    edgeprune_one_invoke(in, out);
    edgeprune_two_invoke(in, out);
    return EDGEPRUNE_ONE_LABELS - 3;
}
"""


@needs_gcc
def test_two_models_of_different_names_are_linked_into_one_program(tmp_path):
    profile = load_profile("cortex-m7")
    _, golden = write(tmp_path / "plain", dense_int8(), profile)
    write(tmp_path / "one", dense_int8(), profile, golden=replace(golden, labels="abc"), name="one")
    write(tmp_path / "two", real_model("kws"), profile, name="two")
    (tmp_path / "main.c").write_text(TWO_MODELS)
    models = [
        str(tmp_path / name / "model" / f"{file}.c")
        for name in ("one", "two")
        for file in ("model", "weights")
    ]
    command = ["gcc", "-std=c99", "-Wall", "-Wextra", "-Werror", "main.c", *models, "-lm", "-o", "main"]
    subprocess.run(command, cwd=tmp_path, check=True)
    subprocess.run([tmp_path / "main"], check=True)


@needs_qemu
def test_a_model_with_a_name_passes_its_check(tmp_path):
    profile = load_profile("cortex-m4")
    project, _ = write(tmp_path, dense_int8(), profile, name="gestures")
    assert run_golden_check(build_images(project, profile=profile)).passed
    assert "edgeprune_gestures_invoke" in (tmp_path / "README.md").read_text()


def test_the_header_says_how_real_numbers_are_stored_where_they_are(tmp_path):
    write(tmp_path / "int8", dense_int8(), load_profile("cortex-m7"))
    write(tmp_path / "float", join(singles("float32", "TANH"))[0], load_profile("cortex-m7"))
    said = "value / scale + zero point"
    assert said in (tmp_path / "int8/model/model.h").read_text()
    assert said not in (tmp_path / "float/model/model.h").read_text()


@needs_qemu
def test_an_image_for_the_rp2350_defines_itself_to_the_boot_rom(tmp_path):
    profile = load_profile("raspberry-pi-pico-2")
    project, _ = write(tmp_path, dense_int8(), profile)
    images = build_images(project, profile=profile)
    assert run_golden_check(images).passed
    image = images.device["bin"].read_bytes()
    words = [int.from_bytes(image[at : at + 4], "little") for at in range(0, 4096, 4)]
    start = words.index(0xFFFFDED3)
    assert words[start : start + 5] == [0xFFFFDED3, 0x10210142, 0x000001FF, 0x00000000, 0xAB123579]
    # The vectors stay in front: a stack in SRAM, and a function in flash with the bit of Thumb.
    assert 0x20000000 < words[0] <= 0x20082000
    assert words[1] % 2 == 1
    assert 0x10000000 < words[1] < 0x10400000
