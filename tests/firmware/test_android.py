"""The Android library: compiled against stubs of Android and LiteRT, its test run on a JVM."""

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from firmware.projects import golden_zeros
from small_models import dense_int8, model, real_model, tensor

from edgeprune.device.profile import load_profile
from edgeprune.errors import ModelError
from edgeprune.firmware.android import render_android
from edgeprune.firmware.rendering import write_files
from edgeprune.runtimes.golden import Golden
from edgeprune.tflite.annotate import Annotation, annotate
from edgeprune.tflite.metadata import ModelMetadata, TensorMetadata
from edgeprune.tflite.read import read_model

STUBS = Path(__file__).with_name("android") / "stubs"
KOTLINC, JAVA = shutil.which("kotlinc"), shutil.which("java")
needs_kotlin = pytest.mark.skipif(
    not (KOTLINC and JAVA), reason="no kotlinc here: npm has it as kotlin-compiler"
)
SAMPLES = 3


def render(data, **changes):
    """Path → content of a library with a model."""
    read = read_model(data, where="made")
    golden = replace(golden_zeros(read), **changes)
    return render_android(data, read, golden=golden, profile=load_profile("pixel-8"))


def of_every_type():
    """A file with an input and an output of each type that can be handed over."""
    kinds = ("FLOAT32", "INT8", "UINT8", "INT32", "INT64", "BOOL")
    scales = (None, 0.5, 0.25, None, None, None)
    tensors = [
        tensor((1, 4), kind, scale=scale, name=f"a */ {kind}")
        for kind, scale in (*zip(kinds, scales, strict=True),) * 2
    ]
    ops = [("ABS", [index], [6 + index], None) for index in range(6)]
    return model(tensors, ops, inputs=range(6), outputs=range(6, 12))


def described(data):
    """The same with labels, and a normalization of the first input."""
    inputs = (TensorMetadata(name="first", mean=(127.5,), std=(64.0,)), *[TensorMetadata()] * 5)
    outputs = (TensorMetadata(labels="labels.txt"), *[TensorMetadata()] * 5)
    metadata = ModelMetadata(name="made", inputs=inputs, outputs=outputs)
    labels = 'a "b"\n$c\\\nü\nd\n'
    return annotate(data, Annotation(metadata=metadata, files={"labels.txt": labels.encode()}))


def draw_golden(read):
    generator = np.random.default_rng(0)
    arrays = {
        "float32": lambda shape: generator.normal(size=shape).astype(np.float32),
        "bool": lambda shape: generator.random(shape) < 0.5,
    }
    sides = [
        tuple(
            arrays.get(t.dtype, lambda shape, t=t: generator.integers(0, 100, shape).astype(t.dtype))(
                (SAMPLES, *t.shape)
            )
            for t in ends
        )
        for ends in (read.inputs, read.outputs)
    ]
    return Golden(inputs=sides[0], outputs=sides[1], origin="made by a test")


class Library:
    """A library, compiled with the stubs and with the example of its README."""

    def __init__(self, folder):
        data = described(of_every_type())
        read = read_model(data, where="made")
        self.folder, self.golden = folder, draw_golden(read)
        files = render_android(data, read, golden=self.golden, profile=load_profile("pixel-8"))
        write_files(folder / "project", files)
        example = re.findall(
            r"^    (EdgepruneModel.create.*?^    \})$", files["README.md"].decode(), re.M | re.S
        )
        assert len(example) == 1
        takes = ("FloatArray", "FloatArray", "FloatArray", "IntArray", "LongArray", "BooleanArray")
        values = ", ".join(f"values{place}: {kind}" for place, kind in enumerate(takes))
        (folder / "Example.kt").write_text(
            "package application\nimport edgeprune.model.EdgepruneModel\n"
            f"fun use(context: android.content.Context, {values}): String {{\n"
            f"{example[0].replace('    }', '        return label' + chr(10) + '    }')}\n}}\n"
        )
        sources = sorted([*folder.rglob("*.kt"), *STUBS.glob("*.kt")])
        command = [KOTLINC, "-Werror", "-include-runtime", "-d", folder / "test.jar", *sources]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert ended.returncode == 0, ended.stderr

    def run(self, outputs, *, accelerator="cpu"):
        """Exit code and lines of its test on a phone that gives these outputs."""
        replay = self.folder / "replay"
        replay.mkdir(exist_ok=True)
        for side, arrays in (("input", self.golden.inputs), ("output", outputs)):
            for place, array in enumerate(arrays):
                (replay / f"{side}{place}").write_bytes(array.tobytes())
        properties = {
            "project": self.folder / "project",
            "replay": replay,
            "samples": SAMPLES,
            "accelerator": accelerator,
        }
        flags = [f"-D{key}={value}" for key, value in properties.items()]
        command = [JAVA, *flags, "-cp", self.folder / "test.jar", "MainKt"]
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert not ended.stderr
        return ended.returncode, ended.stdout

    def change(self, index, change):
        """The golden outputs with one of them changed."""
        outputs = list(self.golden.outputs)
        outputs[index] = change(outputs[index].copy())
        return outputs


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return Library(tmp_path_factory.mktemp("android"))


def off_by(fraction):
    """One element of the last sample, off by a fraction of the range."""

    def change(array):
        array[-1, 0, 1] += fraction * (array.max() - array.min())
        return array

    return change


@needs_kotlin
def test_the_library_compiles_without_a_warning_and_its_test_passes_on_golden_outputs(library):
    code, said = library.run(library.golden.outputs)
    assert (code, "edgeprune=PASS" in said) == (0, True), said
    assert "edgeprune=golden_samples 3, off by 0.0 of their range" in said


@needs_kotlin
@pytest.mark.parametrize("index", range(6))
def test_another_output_of_any_type_fails(library, index):
    kind = library.golden.outputs[index].dtype
    outputs = library.change(index, np.logical_not if kind.kind == "b" else off_by(0.2))
    code, said = library.run(outputs)
    assert (code, "edgeprune=FAIL" in said) == (1, True), said


@needs_kotlin
def test_rounding_passes_and_the_gpu_may_be_further_off(library):
    assert library.run(library.change(0, off_by(0.04)))[0] == 0
    assert library.run(library.change(0, off_by(0.08)))[0] == 1
    assert library.run(library.change(0, off_by(0.08)), accelerator="gpu")[0] == 0


@needs_kotlin
def test_nan_fails_whatever_comes_after_it(library):
    def break_first(array):
        array[0, 0, 0] = np.nan
        return array

    code, said = library.run(library.change(0, break_first))
    assert (code, "off by NaN" in said) == (1, True), said


def test_labels_and_normalization_come_from_the_files_metadata():
    source = render(described(of_every_type()))["src/main/kotlin/edgeprune/model/EdgepruneModel.kt"].decode()
    assert "INPUT0_NORMALIZATION = Normalization(floatArrayOf(127.5f), floatArrayOf(64.0f))" in source
    labels = r'"a \"b\"", "\$c\\", "\u00fc", "d"'
    assert labels.split(", ") == re.findall(r'^ {12}(".*"),$', source, re.M)
    assert '"a  FLOAT32"' in source  # the end of a comment, in a name


def test_the_same_model_gives_the_same_library_with_all_that_its_readme_names():
    data = real_model("kws")
    files = render(data, labels=tuple("abcdefghijkl"))
    assert files == render(data, labels=tuple("abcdefghijkl"))
    assert files["src/main/assets/edgeprune_model.tflite"] == data
    readme = files["README.md"].decode()
    named = re.findall(r"`((?:src|gradle)/[\w./-]+|[\w-]+\.pro)`", readme)
    assert len(named) > 4
    assert set(named) <= files.keys()
    assert max(map(len, readme.splitlines())) <= 120
    assert all(b"${" not in content for path, content in files.items() if path.endswith(("Model.kt", ".md")))


def test_versions_stand_in_one_place():
    files = render(dense_int8())
    catalog = files["gradle/libs.versions.toml"].decode()
    versions = re.findall(r'^[\w-]+ = "([\d.]+)"', catalog, re.M)
    assert len(versions) > 5
    build = files["build.gradle.kts"].decode() + files["settings.gradle.kts"].decode()
    assert not [version for version in versions if f'"{version}"' in build]
    for name in re.findall(r"libs\.(?!versions|plugins)([\w.]+)\)", build):
        assert re.search(rf"^{name.replace('.', '-')} = ", catalog, re.M), name


def test_types_that_litert_cannot_hand_over_are_refused():
    tensors = [tensor((1, 4), "INT16", scale=1.0), tensor((1, 4), "INT16", scale=1.0)]
    data = model(tensors, [("ABS", [0], [1], None)], inputs=[0], outputs=[1])
    with pytest.raises(ModelError, match="input 0 is of type int16"):
        render(data)


def test_a_signature_in_another_order_is_refused():
    tensors = [tensor((1, 4), "FLOAT32") for _ in range(3)]
    data = model(tensors, [("ADD", [0, 1], [2], None)], inputs=[0, 1], outputs=[2], signature=True)
    with pytest.raises(ModelError, match="in another order"):
        render(data)
    assert render(dense_int8(signature=True))
