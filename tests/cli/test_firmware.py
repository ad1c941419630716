"""`edgeprune firmware` on real files and on a folder like a build's."""

import json
from pathlib import Path

import numpy as np
import pytest
from small_models import dense_int8, real_model

from edgeprune.runtimes.golden import (
    FILE_NAME,
    Golden,
    draw_inputs,
    load_golden,
    record_golden,
    save_golden,
)
from edgeprune.tflite.read import read_model
from tests.cli.test_imports import imported_by
from tests.firmware.c.test_ops import needs_qemu


@pytest.fixture
def dense(tmp_path):
    path = tmp_path / "dense.tflite"
    path.write_bytes(dense_int8())
    return path


@pytest.fixture
def built(tmp_path):
    """What `firmware` reads of a build's output."""
    folder = tmp_path / "built"
    folder.mkdir()
    (folder / "model.tflite").write_bytes(dense_int8())
    (folder / "report.json").write_text(json.dumps({"device": {"id": "cortex-m4"}}))
    inputs = (np.array([[1, 2], [3, 4]], np.int8),)
    golden = record_golden(dense_int8(), inputs, samples=5, origin="Made by a test", labels="abc")
    save_golden(folder / FILE_NAME, golden)
    return folder


def read(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_file_becomes_a_project_the_same_each_time(edgeprune, dense, tmp_path):
    for name in ("one", "two"):
        arguments = ("--project", "cmake", "--device", "cortex-m7", "--output", tmp_path / name)
        ended = edgeprune("firmware", dense, *arguments)
        assert (ended.code, ended.err) == (0, "")
        assert "Random inputs, seed 0" in " ".join(ended.out.split())
        assert max(map(len, ended.out.splitlines())) <= 80 + len(str(tmp_path))
    assert read(tmp_path / "one") == read(tmp_path / "two")


def test_the_document_lists_the_files_and_the_arena(edgeprune, tmp_path):
    source, output = tmp_path / "resnet8.tflite", tmp_path / "project"
    source.write_bytes(real_model("resnet8"))
    arguments = ("firmware", source, "--project", "pico", "--device", "raspberry-pi-pico", "--output", output)
    document = edgeprune(*arguments, "--samples", 2, "--json").document
    assert document["files"] == sorted(read(output))
    assert document["golden_samples"] == 2
    assert document["arena"]["value"] < document["arena_size_bytes"]
    assert document["golden_bytes"] == 2 * (32 * 32 * 3 + 10)
    assert document["flash"]["value"] == pytest.approx(183_092, rel=0.02)  # as linked, without the samples
    refused = edgeprune(*arguments, "--json")
    assert refused.code == 3
    assert "--force" in refused.document["error"]["fix"]


def test_a_build_brings_its_device_its_test_samples_and_its_labels(edgeprune, built, tmp_path):
    output = tmp_path / "project"
    arguments = ("firmware", built, "--project", "zephyr", "--output", output, "--samples", 2, "--json")
    document = edgeprune(*arguments).document
    assert document["device"] == "cortex-m4"
    assert document["golden_origin"].startswith("Made by a test")
    samples = (output / "src/golden_samples.cc").read_text()
    # [[1, 2], [3, 4], [-5, 6]] times (1, 2) and (3, 4), plus the bias of 10, 0 and -10.
    assert "15, 11, -3," in samples
    assert "21, 25, -1," in samples
    assert '"a",' in (output / "src/edgeprune_model.cc").read_text()


def test_an_encoded_file_is_the_one_that_is_flashed(edgeprune, built, tmp_path):
    (built / "model_encoded.tflite").write_bytes(dense_int8())
    document = edgeprune(
        "firmware", built, "--project", "cmake", "--output", tmp_path / "p", "--samples", 2, "--json"
    ).document
    assert document["file"].endswith("model_encoded.tflite")


def test_data_give_the_golden_inputs(edgeprune, dense, tmp_path):
    data, output = tmp_path / "data.npz", tmp_path / "project"
    x = np.arange(20, dtype=np.float32).reshape(10, 2)
    np.savez(data, x_train=x, x_test=x[:3] + 50)
    arguments = ("--device", "cortex-m7", "--data", data, "--samples", 3, "--output", output)
    assert edgeprune("firmware", dense, "--project", "cmake", *arguments).code == 0
    assert "50, 51," in (output / "application/golden_samples.cc").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--project", "cmake"), "does not say which device"),
        (("--project", "cmake", "--device", "pixel-6"), "runs LiteRT"),
        (("--project", "android", "--device", "cortex-m4"), "runs TFLM"),
        (("--project", "android", "--device", "raspberry-pi-4"), "ship the .tflite file"),
        (("--project", "cmake", "--device", "cortex-m55-ethos-u55-128"), "has an NPU"),
        (("--project", "cmake", "--device", "cortex-m77"), "did you mean"),
        (("--runtime", "c", "--device", "esp32"), "give --project for the SDK"),
        (("--runtime", "c", "--device", "cortex-m4", "--name", "my model"), "C identifier"),
    ],
)
def test_what_cannot_be_written_ends_in_3_with_a_sentence(edgeprune, dense, tmp_path, arguments, said):
    ended = edgeprune("firmware", dense, *arguments, "--output", tmp_path / "project")
    assert ended.code == 3
    assert said in ended.err
    assert not (tmp_path / "project").exists()


def test_a_phone_gets_an_android_library_with_outputs_of_litert(edgeprune, tmp_path):
    source, output = tmp_path / "kws.tflite", tmp_path / "library"
    source.write_bytes(real_model("kws"))
    arguments = ("firmware", source, "--project", "android", "--device", "pixel-8", "--output", output)
    document = edgeprune(*arguments, "--samples", 2, "--json").document
    assert (document["runtime"], document["project"]) == ("litert", "android")
    assert document["files"] == sorted(read(output))
    assert "LiteRT" in document["golden_origin"] or "tflite-runtime" in document["golden_origin"]
    assert document["latency"]["source"] == "estimated"
    assert (output / "src/androidTest/assets/golden.bin").stat().st_size == 2 * (490 + 12)
    said = edgeprune(*arguments, "--force").out
    assert "Android library for pixel-8" in said
    assert edgeprune("firmware", source, "--project", "android", "--runtime", "tflm").code == 2


def test_builds_that_lack_something_end_in_3(edgeprune, built, tmp_path):
    arguments = ("firmware", built, "--project", "cmake", "--output", tmp_path / "project")
    assert "there are 2 golden samples, not 4" in edgeprune(*arguments).err
    (built / FILE_NAME).unlink()
    assert "golden samples cannot be read" in edgeprune(*arguments).err
    (built / "model_vela.tflite").write_bytes(b"")
    assert "what Vela compiled" in edgeprune(*arguments).err
    (built / "model_vela.tflite").unlink()
    (built / "report.json").write_text("{}")
    ended = edgeprune(*arguments)
    assert ended.code == 3
    assert "no output of edgeprune build" in ended.err


def test_samples_of_another_model_are_refused(edgeprune, built, tmp_path):
    other = Golden(inputs=(np.zeros((4, 1, 3), np.int8),), outputs=(np.zeros((4, 1, 3), np.int8),), origin="")
    save_golden(built / FILE_NAME, other)
    ended = edgeprune("firmware", built, "--project", "cmake", "--output", tmp_path / "project")
    assert ended.code == 3
    assert "belong to another model" in ended.err


def test_golden_samples_survive_their_file(built):
    golden = load_golden(built / FILE_NAME, read_model(dense_int8(), where="made"))
    assert golden.labels == ("a", "b", "c")
    assert golden.outputs[0].tolist() == [[[15, 11, -3]], [[21, 25, -1]]]


@pytest.mark.parametrize("kind", ["arduino", "esp-idf", "zephyr", "pico"])
def test_the_c_engine_has_a_project_for_every_sdk(edgeprune, built, tmp_path, kind):
    output = tmp_path / "project"
    arguments = ("--runtime", "c", "--project", kind, "--output", output, "--samples", 2)
    document = edgeprune("firmware", built, *arguments, "--json").document
    assert (document["runtime"], document["project"], document["device"]) == ("c", kind, "cortex-m4")
    assert document["files"] == sorted(read(output))
    assert document["golden_bytes"] == 2 * (2 + 3)
    wrapper = next(output.rglob("edgeprune_model.c*"))
    assert '"a",' in wrapper.read_text()
    assert (wrapper.parent / "model/model.c").exists()
    assert "in C for cortex-m4" in edgeprune("firmware", built, *arguments, "--force").out


def test_a_project_of_the_c_engine_keeps_to_what_its_build_had_to(edgeprune, tmp_path):
    """Winograd's weights, for which there is room in the profile's 256 KiB, do not go into 96."""
    folder, data = tmp_path / "built", real_model("resnet8")
    folder.mkdir()
    (folder / "model.tflite").write_bytes(data)
    inputs = draw_inputs(read_model(data, where="resnet8"), samples=2, seed=0)
    save_golden(folder / FILE_NAME, record_golden(data, inputs, samples=2, origin="Made by a test"))
    for kib, is_faster in ((None, True), (96, False)):
        checks = [{"name": "flash", "budget": kib and kib * 1024}, {"name": "ops", "budget": 0}]
        (folder / "report.json").write_text(json.dumps({"device": {"id": "cortex-m7"}, "checks": checks}))
        for kind in ("cmake", "pico"):
            output = tmp_path / f"{kind}-{kib}"
            arguments = ("--runtime", "c", "--project", kind, "--output", output, "--samples", 2)
            assert edgeprune("firmware", folder, *arguments).code == 0
            assert ("winograd" in next(output.rglob("model/model.c")).read_text()) == is_faster
    (folder / "report.json").write_text('{"device": {"id": "cortex-m7"}, "checks": 5}')
    ended = edgeprune("firmware", folder, "--runtime", "c", "--output", tmp_path / "damaged")
    assert ended.code == 3
    assert "its report.json is damaged" in " ".join(ended.err.split())


@needs_qemu
def test_an_image_of_the_c_engine_is_held_against_the_budgets(edgeprune, dense, tmp_path):
    profile = tmp_path / "small.toml"
    shipped = (Path(__file__).parents[2] / "device_profiles" / "cortex-m4.toml").read_text()
    profile.write_text(shipped.replace("flash_kib = 256", "flash_kib = 2"))
    for device, code, said in (("cortex-m4", 0, "It fits cortex-m4"), (profile, 1, "flash")):
        arguments = ("--runtime", "c", "--device", device, "--build", "--output", tmp_path / str(code))
        ended = edgeprune("firmware", dense, *arguments)
        assert (ended.code, said in ended.out) == (code, True)


def test_what_is_no_source_is_told_so(edgeprune, built, dense, tmp_path):
    (tmp_path / "golden.npz").write_bytes(b"PK")
    ended = edgeprune("firmware", tmp_path / "golden.npz", "--runtime", "c")
    assert (ended.code, "is no .tflite file" in ended.err) == (3, True)
    project = tmp_path / "tflm"
    arguments = ("--project", "cmake", "--device", "cortex-m4", "--output", project)
    assert edgeprune("firmware", dense, *arguments).code == 0
    ended = edgeprune("run", project)
    assert (ended.code, "no model.tflite in the folder" in ended.err) == (3, True)
    ended = edgeprune("check", built, "--device", "cortex-m4")
    assert (ended.code, f"give {built}/model.tflite" in ended.err) == (3, True)


def test_only_a_complete_project_is_built(edgeprune, dense, tmp_path):
    arguments = ("--runtime", "c", "--device", "cortex-m7", "--output", tmp_path / "project")
    ended = edgeprune("firmware", dense, *arguments, "--project", "pico", "--build")
    assert ended.code == 2
    assert "built with their own SDK" in " ".join(ended.err.split())
    assert not (tmp_path / "project").exists()
    assert edgeprune("firmware", dense, *arguments, "--project", "android").code == 2
    assert "--runtime c" in edgeprune("firmware", dense, "--build", *arguments[2:]).err


def test_only_a_complete_project_has_a_name_of_its_own(edgeprune, dense, tmp_path):
    arguments = ("--name", "kws", "--device", "cortex-m4", "--output", tmp_path / "project")
    for more in (("--project", "pico"), ("--runtime", "c", "--project", "pico")):
        ended = edgeprune("firmware", dense, *arguments, *more)
        assert (ended.code, "--name needs --runtime c" in ended.err) == (2, True)
    assert edgeprune("firmware", dense, *arguments, "--runtime", "c").code == 0


def test_firmware_imports_no_tensorflow(dense, tmp_path):
    arguments = ("--project", "cmake", "--device", "cortex-m7", "--output", str(tmp_path / "project"))
    assert imported_by("firmware", str(dense), *arguments) == "imported:"
