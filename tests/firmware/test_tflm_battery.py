"""CMake projects with the real TFLM and CMSIS-NN, in QEMU: `TFLM_DIR=<tree> scripts/test --tflm`.

Minutes per core; with ccache on the path, models share what they compile.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from serial_board import serial_board
from small_models import real_model
from sparse_models import sparsify

from edgeprune.commands.bench import BenchRequest, bench
from edgeprune.commands.compress import compress_file
from edgeprune.commands.firmware import FirmwareRequest, write_firmware
from edgeprune.firmware.kernel_sources import list_kernels
from edgeprune.tflite.op_table import OPS

TREE = os.environ.get("TFLM_DIR", "")
TOOLS = ("cmake", "arm-none-eabi-g++", "qemu-system-arm")
MISSING = [tool for tool in TOOLS if shutil.which(tool) is None]
BOARDS = {"cortex-m4": "mps2-an386", "cortex-m7": "mps2-an500"}
MODELS = ("resnet8", "kws", "ad01")
ICOUNT_SHIFT = 5

pytestmark = [
    pytest.mark.skipif(
        not TREE, reason="TFLM_DIR is not set: TFLM_DIR=<TFLM source tree> scripts/test --tflm"
    ),
    pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)}"),
]


def write(folder, data, *, core):
    """The folder of a project with a model, and what is known of it, as JSON."""
    model, output = folder / "model.tflite", folder / "project"
    model.write_bytes(data)
    result = write_firmware(FirmwareRequest(source=model, output=output, device=core, samples=2))
    return output, result.to_json()


def build(source, *, core, kernels, options=()):
    """The image for a core."""
    launcher = [f"-DCMAKE_{language}_COMPILER_LAUNCHER=ccache" for language in ("C", "CXX")]
    toolchain = source / "cmake/toolchains" / f"{core}.cmake"
    folder = source / f"build-{kernels}"
    configure = ["cmake", "-S", str(source), "-B", str(folder), f"-DTFLM_DIR={Path(TREE).resolve()}"]
    configure += [f"-DCMAKE_TOOLCHAIN_FILE={toolchain}", f"-DTFLM_KERNELS={kernels}", *options]
    configure += launcher if shutil.which("ccache") else []
    for command in (configure, ["cmake", "--build", str(folder), "--parallel", "2"]):
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    return folder / "golden_check.elf"


def emulate(image, *, core):
    """What the image prints, and its exit code."""
    command = ["qemu-system-arm", "-M", BOARDS[core], "-nographic", "-icount", f"shift={ICOUNT_SHIFT}"]
    command += ["-semihosting-config", "enable=on,target=native", "-kernel", str(image)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    # QEMU writes what the program says to stderr or stdout, by version.
    return ended.stdout + ended.stderr, ended.returncode


def assert_passes(data, folder, *, core, kernels="cmsis_nn"):
    source, result = write(folder, data, core=core)
    said, code = emulate(build(source, core=core, kernels=kernels), core=core)
    assert said.rstrip().endswith("PASS"), said
    assert code == 0
    return result["arena"]["value"], int(re.search(r"arena_used_bytes (\d+) of", said).group(1))


@pytest.mark.parametrize("core", BOARDS)
@pytest.mark.parametrize("name", MODELS)
def test_a_project_passes_and_takes_the_arena_that_was_predicted(tmp_path, name, core):
    predicted, used = assert_passes(real_model(name), tmp_path, core=core)
    assert used <= predicted <= 1.01 * used


@pytest.mark.parametrize("core", ["cortex-m0plus", "cortex-m4", "cortex-m7", "cortex-m55"])
@pytest.mark.parametrize("name", ["resnet8", "micro_speech"])
def test_a_project_takes_the_flash_that_was_predicted(tmp_path, name, core):
    source, result = write(tmp_path, real_model(name), core=core)
    image = build(source, core=core, kernels="cmsis_nn")
    command = ["arm-none-eabi-size", str(image)]
    sizes = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[1]
    text, data = map(int, sizes.split()[:2])
    assert result["flash"]["value"] + result["golden_bytes"] == pytest.approx(text + data, rel=0.02)


def test_a_project_with_encoded_weights_passes(tmp_path):
    dense, encoded = tmp_path / "sparse.tflite", tmp_path / "encoded.tflite"
    dense.write_bytes(sparsify(real_model("resnet8"), 0.8))
    assert compress_file(dense, output=encoded, device="cortex-m7", flags={}).ok
    predicted, used = assert_passes(encoded.read_bytes(), tmp_path, core="cortex-m7")
    assert used <= predicted <= 1.01 * used


def test_reference_kernels_pass_too(tmp_path):
    assert_passes(real_model("micro_speech"), tmp_path, core="cortex-m7", kernels="reference")


def test_a_wrong_golden_output_is_told_and_fails(tmp_path):
    source, _ = write(tmp_path, real_model("hello_world"), core="cortex-m7")
    samples = source / "application/golden_samples.cc"
    text = samples.read_text()
    at = text.index("kGoldenOutput0")
    number = int(re.search(r"(-?\d+),", text[at:]).group(1))
    samples.write_text(text[:at] + text[at:].replace(f"{number},", f"{number - 5},", 1))
    said, code = emulate(build(source, core="cortex-m7", kernels="reference"), core="cortex-m7")
    assert f"sample 0, output 0, index 0: expected {number - 5}, got {number}" in said
    assert said.rstrip().endswith("FAIL")
    assert code == 1


def test_every_kernel_has_its_source_file_in_the_tree():
    folder = Path(TREE) / "tensorflow/lite/micro/kernels"
    for kind in OPS.values():
        if kind.tflm_method is None or kind.name.startswith(("CUSTOM:Signal", "CUSTOM:ethos-u")):
            continue
        files = [folder / f"{name}.cc" for name in list_kernels([kind.name])]
        assert all(file.exists() for file in files), kind.name
        register = f"Register_{kind.name.removeprefix('CUSTOM:').removeprefix('TFLM_')}"
        sources = [
            p.read_text() for f in files for p in (f, f.with_name(f"{f.stem}_common.cc")) if p.exists()
        ]
        assert kind.name.startswith("CUSTOM:") or any(f"{register}()" in text for text in sources), kind.name


def test_bench_measures_a_project_over_its_serial_port(tmp_path):
    data = real_model("ad01")
    source, _ = write(tmp_path, data, core="cortex-m7")
    image = build(source, core="cortex-m7", kernels="cmsis_nn", options=["-DCONSOLE_UART=ON"])
    options = ["-icount", f"shift={ICOUNT_SHIFT}"]
    with serial_board(image, machine=BOARDS["cortex-m7"], options=options) as port:
        record = bench(
            BenchRequest(
                file=tmp_path / "model.tflite",
                device="cortex-m7",
                place="board",
                port=port,
                output=tmp_path / "record.json",
            )
        ).record
    assert record.golden is True
    # A tick of 40 ns is 1.25 instructions of 32 ns.
    instructions = record.latency_ms * 1e6 / 32
    assert instructions == pytest.approx(sum(record.instructions.values()), rel=0.05)
