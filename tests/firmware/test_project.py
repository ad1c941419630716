"""Projects without TFLM: what they hold, and that what can be compiled without it does compile."""

import re
import shutil
import subprocess
import zlib

import pytest
from firmware.projects import project
from small_models import dense_int8, unary

from edgeprune.cli.firmware import firmware
from edgeprune.errors import OpError
from edgeprune.firmware.android import KIND as ANDROID
from edgeprune.firmware.kernel_sources import list_kernels
from edgeprune.firmware.project import PROJECTS, count_growth
from edgeprune.firmware.rendering import write_texts
from edgeprune.firmware.wrapper import quote
from edgeprune.tflite.compress import encode
from edgeprune.tflite.op_table import OPS
from edgeprune.tflite.read import read_model

ARM, HOST = shutil.which("arm-none-eabi-g++"), shutil.which("g++")
KINDS = tuple(PROJECTS)
FLAGS = ["-std=c++17", "-Wall", "-Wextra", "-Werror", "-fno-exceptions", "-fno-rtti"]


def compile_files(compiler, files, *, include):
    command = [compiler, *FLAGS, "-fsyntax-only", "-x", "c++", "-I", str(include), *map(str, files)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_the_command_offers_every_kind():
    option = next(option for option in firmware.params if option.name == "project")
    assert tuple(option.type.choices) == (*KINDS, ANDROID)


@pytest.mark.parametrize("kind", KINDS)
def test_every_file_that_the_readme_names_is_there(kind):
    texts = project(dense_int8(), kind)
    named = re.findall(r"`([\w./-]+\.(?:h|cc|cpp|ino|yml|conf|cmake)|[\w./-]+/)`", texts["README.md"])
    assert named
    for name in named:
        assert any(path == name or path.startswith(name) for path in texts), name


@pytest.mark.parametrize("kind", KINDS)
def test_every_source_that_the_build_file_names_is_there(kind):
    texts = project(dense_int8(), kind)
    builds = {
        path: text for path, text in texts.items() if path.endswith(("CMakeLists.txt", "runtime.cmake"))
    }
    for path, text in builds.items():
        folder = path.removesuffix(path.rpartition("/")[2])
        for name in re.findall(r"[\w/]+\.cc\b", text):
            assert folder + name in texts, name


@pytest.mark.parametrize("kind", KINDS)
def test_templates_are_filled_in_and_the_same_model_gives_the_same_project(kind):
    texts = project(dense_int8(), kind)
    assert texts == project(dense_int8(), kind)
    for path, text in texts.items():
        if not path.endswith((".cmake", "CMakeLists.txt")):
            assert "${" not in text, path
        assert not path.endswith(".in")


@pytest.mark.skipif(ARM is None, reason="no arm-none-eabi-g++ here")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["INT8", "FLOAT32"])
def test_sources_that_need_no_tflm_compile_without_a_warning(tmp_path, kind, dtype):
    data = dense_int8(activation=dtype, weights=dtype)
    written = write_texts(tmp_path, project(data, kind, labels=('say "a"', "b\\", "ü?")))
    names = ("golden_check", "golden_samples", "model_data", "application/main", "mps2/platform")
    sources = [file for file in written if file.suffix in (".cc", ".cpp")]
    files = [file for file in sources if f"{file.parent.name}/{file.stem}".endswith(names)]
    assert len(files) == (5 if kind == "cmake" else 3)
    ended = compile_files(ARM, files, include=tmp_path / PROJECTS[kind].sources)
    assert ended.returncode == 0, ended.stderr


FAKE_MODEL = """
#include <cstdio>
#include "edgeprune_model.h"
#include "platform.h"
static int8_t input[16], output[16];
namespace edgeprune_model {
bool Init() { return true; }
bool Reset() { return true; }
bool Invoke() { output[0] = GIVES; return true; }
size_t ArenaUsedBytes() { return 0; }
int8_t* Input0() { return input; }
const int8_t* Output0() { return output; }
}
namespace platform {
void Write(const char* text) { std::fputs(text, stdout); }
uint32_t Ticks() { return 0; }
uint32_t TicksPerSecond() { return 1; }
}
#include "golden_check.h"
int main() { return RunGoldenCheck() ? 0 : 1; }
"""


@pytest.mark.skipif(HOST is None, reason="no g++ here")
@pytest.mark.parametrize(
    ("room_bytes", "gives", "said", "code"),
    [
        (None, 0, "PASS", 0),
        (None, 1, "sample 0, output 0, index 0: expected 0, got 1", 1),
        (6, 0, "PASS", 0),  # two samples of 2 bytes and a checksum
        (6, 1, "sample 0, output 0: expected the checksum 0, got ", 1),
        (0, 1, "there are no golden samples: outputs were not compared", 0),
    ],
)
def test_the_check_compares_what_there_was_room_for(tmp_path, room_bytes, gives, said, code):
    write_texts(tmp_path, project(dense_int8(), room_bytes=room_bytes))
    folder = tmp_path / "application"
    (folder / "fake.cc").write_text(FAKE_MODEL)
    sources = [str(folder / f"{name}.cc") for name in ("fake", "golden_check", "golden_samples")]
    command = [HOST, "-std=c++17", "-Wall", "-Wextra", "-Werror", f"-DGIVES={gives}", f"-I{folder}"]
    image = tmp_path / "check"
    subprocess.run([*command, *sources, "-o", str(image)], check=True)
    ended = subprocess.run([str(image)], capture_output=True, text=True, check=False)
    assert said in ended.stdout
    assert ended.returncode == code


@pytest.mark.skipif(ARM is None, reason="no arm-none-eabi-gcc here")
def test_the_startup_code_compiles_for_every_core(tmp_path):
    write_texts(tmp_path, project(dense_int8()))
    toolchains = sorted((tmp_path / "cmake/toolchains").glob("cortex-*.cmake"))
    assert len(toolchains) >= 5
    for file in toolchains:
        flags = re.search(r'CPU_FLAGS "(.*)"', file.read_text()).group(1).split()
        startup = tmp_path / "platform/mps2/startup.c"
        command = ["arm-none-eabi-gcc", *flags, "-mthumb", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
        subprocess.run([*command, str(startup)], check=True)


@pytest.mark.skipif(HOST is None, reason="no g++ here")
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "arduino"])
def test_without_tflm_the_compiler_says_what_is_missing(tmp_path, kind):
    write_texts(tmp_path, project(encode(dense_int8(), tensors={1: "prune"}), kind))
    sources = tmp_path / PROJECTS[kind].sources
    ended = compile_files(HOST, [sources / "edgeprune_model.cc"], include=sources)
    assert ended.returncode != 0
    assert PROJECTS[kind].tflm_is_missing in ended.stderr
    assert "DECODE operator, which this TFLM lacks" in ended.stderr


def test_an_arduino_library_asks_for_tflm_first():
    source = project(dense_int8(), "arduino")["src/edgeprune_model.cpp"]
    assert source.index("#include <Chirale_TensorFlowLite.h>") < source.index('#include "tensorflow/lite')
    assert "depends=Chirale_TensorFLowLite" in project(dense_int8(), "arduino")["library.properties"]


@pytest.mark.skipif(HOST is None, reason="no g++ here")
def test_the_wrapper_quantizes_as_tflite_does(tmp_path):
    source = project(dense_int8())["application/edgeprune_model.cc"]
    body = source[source.index("// Halves are rounded") : source.index("}  // namespace\n")]
    (tmp_path / "main.cc").write_text(
        "#include <cmath>\n#include <cstdint>\n#include <cstdio>\n#include <limits>\n"
        + body
        + """
        int main() {
          const float values[] = {0.25f, 0.75f, -0.25f, -0.75f, 1000.0f, -1000.0f, NAN};
          int8_t raw[7];
          float back[7];
          Quantize(values, 7, 0.5f, 3, raw);
          Dequantize(raw, 7, 0.5f, 3, back);
          for (int i = 0; i < 7; ++i) std::printf("%d:%g ", raw[i], back[i]);
        }"""
    )
    subprocess.run([HOST, "-o", tmp_path / "main", tmp_path / "main.cc"], check=True)
    printed = subprocess.run([tmp_path / "main"], capture_output=True, text=True, check=True).stdout
    # 0.25 / 0.5 is half a step, which is rounded away from zero: 3 + 1.
    expected = "4:0.5 5:1 2:-0.5 1:-1 127:62 -128:-65.5 -128:-65.5"
    assert printed.split() == expected.split()


def test_labels_stay_inside_their_literals():
    assert quote('a"b\\c?é\n') == '"a\\042b\\134c\\077\\303\\251\\012"'


def test_records_are_larger_where_tflm_is_not_built_for_static_memory():
    model = read_model(dense_int8(), where="made")
    assert count_growth(model, PROJECTS["cmake"]) == 0
    # One op of 12 bytes, one input and one output of 32 each.
    assert count_growth(model, PROJECTS["zephyr"]) == 76


def test_ops_that_need_more_than_a_kernel_are_refused():
    with pytest.raises(OpError, match="VAR_HANDLE"):
        project(unary("VAR_HANDLE"))
    with pytest.raises(OpError, match="SignalRfft"):
        list_kernels(["CUSTOM:SignalRfft"])


def test_every_kernel_of_the_op_table_has_its_sources():
    refused = ("CUSTOM:Signal", "CUSTOM:ethos-u")
    for kind in OPS.values():
        if kind.tflm_method is not None and not kind.name.startswith(refused):
            assert list_kernels([kind.name]), kind.name
    assert list_kernels(["CONV_2D", "ADD", "CONV_2D"]) == ("add", "conv")


@pytest.mark.parametrize("kind", PROJECTS)
def test_the_check_allows_a_step_of_difference_where_the_kernels_round_otherwise_and_nowhere_else(kind):
    texts = "".join(project(dense_int8(), kind).values())
    assert re.findall(r"kGoldenToleranceSteps = (\d+)", texts) == ["1" if kind == "esp-idf" else "0"]


def test_a_project_knows_its_model_by_the_checksum_of_all_its_bytes():
    data = dense_int8()
    check = project(data)["application/golden_check.cc"]
    assert f'WriteNumber("model_crc32 ", {zlib.crc32(data)});' in check
