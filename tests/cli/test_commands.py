"""Commands that need no TensorFlow, on real profiles and models."""

import json
import shutil
import subprocess
from dataclasses import fields, replace
from pathlib import Path

import pytest

from edgeprune.cli.build import build
from edgeprune.config.build_options import GROUPS, BuildOptions, flags_of, list_options
from edgeprune.runtimes.installed import installed_tools
from edgeprune.runtimes.installing import MANAGERS
from tests.small_models import REAL_MODELS, SHARED_MODELS


@pytest.fixture
def resnet8() -> Path:
    path = SHARED_MODELS / REAL_MODELS["resnet8"]
    if not path.exists():
        pytest.skip(f"the shared model {path.name} is not here")
    return path


def test_devices_list_shows_every_profile(edgeprune):
    ended = edgeprune("devices", "list")
    assert ended.code == 0
    assert "cortex-m7" in ended.out
    assert max(map(len, ended.out.splitlines())) <= 80
    ids = [device["id"] for device in edgeprune("devices", "list", "--json").document["devices"]]
    assert ids == sorted(ids)
    assert all(name in ended.out for name in ids)


def test_devices_show_gives_the_whole_profile(edgeprune):
    document = edgeprune("devices", "show", "cortex-m7", "--json").document
    assert document["device"]["clock_mhz"] == 480.0
    assert "Cortex-M7 with dsp, fpu at 480 MHz" in edgeprune("devices", "show", "cortex-m7").out


def test_a_misspelt_device_ends_in_3_with_the_nearest_name(edgeprune):
    ended = edgeprune("devices", "show", "cortex-m8")
    assert ended.code == 3
    assert "did you mean 'cortex-m" in ended.err


def test_validate_reports_all_errors_of_a_profile(edgeprune, tmp_path):
    bad = tmp_path / "mine.toml"
    bad.write_text('id = "mine"\nclock_mhz = "fast"\ncolour = "red"\n')
    ended = edgeprune("devices", "validate", bad)
    assert ended.code == 1
    assert "clock_mhz" in ended.out
    assert "colour" in ended.out
    errors = edgeprune("devices", "validate", bad, "--json").document["errors"]
    assert {"clock_mhz", "colour"} <= {error["key"] for error in errors}
    assert edgeprune("devices", "validate", tmp_path / "missing.toml").code == 3


def test_validate_accepts_a_profile_that_ships(edgeprune):
    shipped = Path(__file__).parents[2] / "device_profiles" / "cortex-m7.toml"
    ended = edgeprune("devices", "validate", shipped)
    assert ended.code == 0
    assert "is a valid profile" in " ".join(ended.out.split())


@pytest.mark.parametrize(
    "what", ["criteria", "methods", "normalisers", "schedules", "layers", "ops", "options"]
)
def test_lists_are_tables_and_documents(edgeprune, what):
    rows = edgeprune("list", what, "--json").document[what]
    text = edgeprune("list", what).out
    assert len(rows) > 1
    assert all(next(iter(row.values())) in text for row in rows)
    assert max(map(len, text.splitlines())) <= 80


def test_doctor_names_what_is_there_and_what_is_missing(edgeprune):
    ended = edgeprune("doctor", "--json")
    document = ended.document
    assert ended.code == (0 if document["ok"] else 1)
    names = {tool["name"] for tool in document["tools"]}
    assert {"tensorflow", "tflite-micro", "arm-none-eabi-gcc"} <= names
    text = edgeprune("doctor").out
    assert " ".join(text.split()).endswith(document["sentence"])


def test_doctor_prints_commands_that_install_what_is_missing(edgeprune, monkeypatch):
    missing = {"cmake", "ray", "tflite-runtime", "gcc"}
    tools = [replace(tool, version=None if tool.name in missing else "1") for tool in installed_tools()]
    tools = [replace(tool, obstacle="", is_offered=tool.name != "tflite-runtime") for tool in tools]
    monkeypatch.setattr("edgeprune.runtimes.installed.installed_tools", lambda: tools)
    monkeypatch.setattr(
        "shutil.which", lambda program: f"/bin/{program}" if program in ("brew", "uv") else None
    )
    ended = edgeprune("doctor", "--fix")
    pip, brew, *comments = ended.out.splitlines()
    assert pip.endswith("pip install 'edgeprune[sweep]'")
    assert brew == "brew install cmake"
    assert [line.split(":")[0] for line in comments] == ["# tflite-runtime", "# gcc"]
    assert edgeprune("doctor", "--json").document["commands"] == [pip, brew, *comments]


def test_doctor_has_nothing_to_fix_where_all_is_there(edgeprune, monkeypatch):
    tools = [replace(tool, version="1", obstacle="") for tool in installed_tools()]
    monkeypatch.setattr("edgeprune.runtimes.installed.installed_tools", lambda: tools)
    assert edgeprune("doctor", "--fix").out == "# nothing is missing\n"


@pytest.mark.skipif(shutil.which("apt-cache") is None, reason="Debian's names are asked of apt")
def test_debian_has_the_packages_that_doctor_names():
    (debian,) = (manager for manager in MANAGERS if manager.program == "apt-get")
    names = [name for packages in debian.packages.values() for name in packages.split()]
    found = subprocess.run(["apt-cache", "show", *names], capture_output=True, text=True, check=False)
    if "No packages found" in found.stderr:
        pytest.skip("apt's lists are not here: apt-get update")
    assert found.returncode == 0, found.stderr


def test_build_without_a_device_names_the_likeliest(edgeprune):
    ended = edgeprune("build", "model.keras")
    assert ended.code == 2
    assert {"cortex-m4", "cortex-m7", "esp32-s3", "nrf52840-dk", "android-mid"} <= set(ended.err.split())
    assert "edgeprune devices list" in ended.err
    assert max(map(len, ended.err.splitlines())) <= 80


def test_check_says_no_with_1_and_yes_with_0(edgeprune, resnet8):
    no = edgeprune("check", resnet8, "--device", "cortex-m7", "--latency-ms", "0.001")
    assert no.code == 1
    assert "EXCEEDS" in no.out
    wide = ("--latency-ms", "10000", "--flash-kib", "2000", "--ram-kib", "500")
    yes = edgeprune("check", resnet8, "--device", "cortex-m7", *wide)
    assert (yes.code, yes.err) == (0, "")
    assert max(map(len, yes.out.splitlines())) <= 80


def test_an_uncertain_verdict_passes_with_a_warning_and_fails_when_strict(edgeprune, resnet8):
    wide = ("--device", "cortex-m7", "--flash-kib", "2000", "--ram-kib", "500")
    latency = edgeprune("check", resnet8, *wide, "--json").document["provenance"]["latency_ms"]
    budget = ("--latency-ms", str((latency["low"] + latency["value"]) / 2))
    passes = edgeprune("check", resnet8, *wide, *budget)
    assert passes.code == 0
    assert "uncertain" in passes.out
    assert edgeprune("check", resnet8, *wide, *budget, "--strict").code == 1


def test_the_document_of_check_has_figures_checks_and_provenance(edgeprune, resnet8):
    document = edgeprune("check", resnet8, "--device", "cortex-m7", "--json").document
    names = {"tflite_bytes", "flash_bytes", "arena_bytes", "ram_bytes", "instructions", "latency_ms"}
    assert names <= set(document["figures"])
    assert names <= set(document["provenance"])
    assert {"flash", "ram", "latency"} <= {check["name"] for check in document["checks"]}
    assert document["schema"] == 1


def test_check_refuses_what_is_no_model(edgeprune, tmp_path):
    text = tmp_path / "model.tflite"
    text.write_text("this is not a model, whatever its name says")
    for path in (text, tmp_path / "missing.tflite", tmp_path):
        ended = edgeprune("check", path, "--device", "cortex-m7")
        assert (ended.code, ended.out) == (3, "")
        assert len(ended.err.splitlines()) == 1


def test_a_wrong_recipe_ends_in_3_and_names_every_key(edgeprune, tmp_path):
    recipe = tmp_path / "recipe.toml"
    recipe.write_text('device = "cortex-m7"\nlatency = 10\nmax_drop = -2\n')
    ended = edgeprune("build", "--recipe", recipe)
    assert ended.code == 3
    assert "latency_ms" in ended.err
    assert "max_drop" in ended.err


def test_the_flags_of_build_are_its_options():
    flags = {parameter.name for parameter in build.params} - {"recipe", "json", "quiet", "verbose"}
    said = {item.name for item, text in list_options() if flags_of(item, text)}
    assert flags == said


def test_the_help_of_build_is_grouped_and_fits_on_a_page(edgeprune, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = edgeprune("build", "--help").out.splitlines()
    assert len(lines) <= 70
    assert max(map(len, lines)) <= 80
    headings = [line.removesuffix(":") for line in lines if line.endswith(":") and line[0] != " "]
    assert headings == list(GROUPS)
    assert "edgeprune list options" in lines[-1]


def test_every_option_of_build_is_listed_with_its_flag_or_as_one_of_recipes(edgeprune):
    rows = {row["name"]: row for row in edgeprune("list", "options", "--json").document["options"]}
    assert set(rows) == {item.name for item in fields(BuildOptions)}
    assert rows["latency_ms"]["flag"] == "--latency-ms"
    assert rows["begin_step"]["flag"] == "recipe only"
    assert rows["epochs"]["default"] == "auto"
    text = edgeprune("list", "options").out
    assert all(name in text for name in rows)
    assert max(map(len, text.splitlines())) <= 80


def test_an_unknown_doubt_is_a_wrong_command_line_that_names_the_known_ones(edgeprune):
    ended = edgeprune("build", "--device", "cortex-m7", "--accept", "everything")
    assert ended.code == 2
    assert "'no-gain', 'input-range'" in ended.err
    ended = edgeprune("convert", "m.keras", "--output", "o.tflite", "--accept", "no-gain")
    assert ended.code == 2, "zeros are no matter of convert"


def test_sensitivity_without_data_is_a_wrong_command_line(edgeprune):
    ended = edgeprune("inspect", "model.keras", "--device", "cortex-m7", "--sensitivity")
    assert (ended.code, ended.out) == (2, "")
    assert "--data" in ended.err
    ended = edgeprune("inspect", "model.keras", "--device", "cortex-m7", "--html", "page.html")
    assert ended.code == 2
    assert "--sensitivity" in ended.err


def test_documents_are_ascii(edgeprune):
    text = edgeprune("devices", "list", "--json").out
    assert text.isascii()
    json.loads(text)


def test_check_compiles_for_a_device_with_an_npu(edgeprune, resnet8):
    pytest.importorskip("ethosu", reason="ethos-u-vela is not installed")
    ended = edgeprune("check", resnet8, "--device", "cortex-m55-ethos-u55-128", "--json")
    assert ended.code == 0
    assert ended.document["provenance"]["flash_bytes"]["source"] == "simulated"
    assert ended.document["notes"] == []
    assert edgeprune("check", resnet8, "--device", "cortex-m55-ethos-u55-128", "--flash-kib", 60).code == 1


def test_check_without_vela_ends_in_1_with_the_way_to_get_it(edgeprune, resnet8, monkeypatch):
    monkeypatch.setattr("edgeprune.runtimes.vela.PACKAGE", "ethos-u-vela-which-nobody-published")
    ended = edgeprune("check", resnet8, "--device", "cortex-m55-ethos-u65-256")
    assert ended.code == 1
    assert "pip install 'edgeprune[ethos-u]'" in " ".join(ended.out.split())


def test_build_without_vela_ends_in_4_before_anything_is_opened(edgeprune, tmp_path, monkeypatch):
    monkeypatch.setattr("edgeprune.runtimes.vela.PACKAGE", "ethos-u-vela-which-nobody-published")
    output = tmp_path / "out"
    ended = edgeprune(
        "build",
        "nowhere.keras",
        "--data",
        "nowhere.npz",
        "--device",
        "cortex-m55-ethos-u65-256",
        "--output",
        output,
    )
    assert ended.code == 4
    assert "pip install 'edgeprune[ethos-u]'" in ended.err
    assert not output.exists()
