"""The API's surface: complete, typed alike with the options, safe from the rooms that share its names."""

import collections.abc
import inspect
import subprocess
import sys
import types
from dataclasses import fields
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import pytest

import edgeprune
from edgeprune import api
from edgeprune.cli.main import _COMMANDS
from edgeprune.commands.check import CheckResult
from edgeprune.config.build_options import BuildOptions
from edgeprune.config.tables import describe_fields
from edgeprune.errors import ModelError, OutputError, RecipeError
from edgeprune.report.notebook import Summary
from tests.small_models import dense_int8

ROOT = Path(__file__).parents[1]
HINTS = describe_fields(BuildOptions)[1]
# `flash` asks for a board, `doctor` and `list` are for people.
WITHOUT_FUNCTION = {"flash", "doctor", "list"}


def test_every_command_is_a_function_of_the_package():
    assert set(edgeprune.__all__) == set(_COMMANDS) - WITHOUT_FUNCTION
    for name in edgeprune.__all__:
        assert getattr(edgeprune, name) is getattr(api, name)
        assert name in dir(edgeprune)


def test_build_takes_every_option_and_nothing_else():
    signature = inspect.signature(edgeprune.build)
    options = {item.name for item in fields(BuildOptions)}
    assert set(signature.parameters) - {"recipe", "progress"} == options
    assert all(parameter.default is None for parameter in signature.parameters.values())


def test_its_types_are_those_of_the_options():
    hints = get_type_hints(api.build, vars(api) | {"BuildResult": object})
    for name, hint in HINTS.items():
        given, wanted = unite(hints[name]), unite(hint)
        if name in ("layers", "input_shape", "custom", "keep", "accept"):  # any sequence or mapping will do
            origins = set(map(get_origin, given))
            assert origins & {collections.abc.Sequence, collections.abc.Mapping}, name
        else:
            assert wanted <= given, name


def unite(hint: Any) -> set[Any]:
    """The types a hint allows, without None."""
    if get_origin(hint) in (types.UnionType, Union):
        return set(get_args(hint)) - {type(None)}
    return {hint}


def test_every_option_is_in_the_documentation_of_build():
    text = edgeprune.build.__doc__ or ""
    assert all(f" {item.name}: " in text for item in fields(BuildOptions))


def test_an_unknown_argument_is_a_type_error():
    with pytest.raises(TypeError, match="latency"):
        edgeprune.build(device="cortex-m7", latency=3)  # type: ignore[call-arg]


@pytest.mark.parametrize("name", ["build", "firmware", "prune"])
def test_rooms_that_share_a_name_do_not_take_its_place(name):
    code = f"""
import edgeprune
import edgeprune.build.request, edgeprune.firmware.c, edgeprune.prune.criteria
from edgeprune.prune.criteria import CRITERIA
from edgeprune import {name}
assert callable({name}) and edgeprune.{name} is {name}
assert {name}.__module__ == "edgeprune.api"
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_a_function_of_the_package_cannot_be_replaced_by_mistake():
    with pytest.raises(AttributeError, match=r"edgeprune\.build"):
        edgeprune.build = None


def test_a_wrong_value_is_refused_before_any_work():
    with pytest.raises(RecipeError, match="epochs: is 0"):
        edgeprune.build(device="cortex-m7", epochs=0)
    with pytest.raises(RecipeError, match="no device is given"):
        edgeprune.build()
    with pytest.raises(RecipeError, match="cannot be combined"):
        edgeprune.build(device="cortex-m7", clusters=16, final_sparsity=0.5)
    with pytest.raises(RecipeError, match="cannot be resumed"):
        edgeprune.build(device="cortex-m7", scheme="int8", resume=True, progress=False)


class Halved:
    """Something of the user's own."""


def test_custom_objects_come_as_they_are_or_by_their_place():
    place = f"{__name__}:Halved"
    assert api._name_custom(None) is None
    assert api._name_custom(Halved) == api._name_custom(place) == (place,)
    assert api._name_custom([Halved, "mine.py:Thing"]) == (place, "mine.py:Thing")
    for nameless in (lambda x: x, 5):
        with pytest.raises(RecipeError, match=r"'file\.py:object'"):
            edgeprune.build(device="cortex-m7", custom=nameless)  # type: ignore[arg-type]


@pytest.mark.parametrize(("watched", "said"), [(None, "warning: odd\n"), (False, "")])
def test_a_script_is_told_warnings_unless_it_wants_none(capsys, watched, said):
    with api._tell(watched) as progress:
        progress.stage("work")
        progress.note("dull")
        progress.warn("odd")
    assert capsys.readouterr().err == said


def test_files_come_by_path_or_by_their_bytes_and_results_save_themselves(tmp_path):
    content = dense_int8()
    path = tmp_path / "m.tflite"
    path.write_bytes(content)
    by_path, by_bytes = (edgeprune.check(file, device="cortex-m7") for file in (path, content))
    assert isinstance(by_bytes, CheckResult)
    assert by_path.figures == by_bytes.figures
    assert (by_path.file, by_bytes.file) == (str(path), "a file in memory")
    stripped = edgeprune.strip(content)
    assert stripped.output is None
    saved = stripped.save(tmp_path / "s.tflite")
    assert saved.read_bytes() == stripped.tflite
    with pytest.raises(OutputError):
        stripped.save(saved)
    assert edgeprune.view(stripped.tflite).outline.size_bytes == len(stripped.tflite)


def test_a_notebook_sees_a_table_whose_text_is_escaped():
    hostile = CheckResult(
        file="m.tflite",
        profile=edgeprune.devices(core="m7")[0],
        checks=(),
        figures={},
        unsupported=("<script>",),
    )
    assert "<script>" not in hostile._repr_html_()
    page = Summary("a < b & <script>", figures={"latency_ms": 9.76}).to_html()
    assert "a &lt; b &amp; &lt;script&gt;" in page
    assert "<td>latency</td><td>9.76 ms</td>" in page


def test_print_shows_the_same_and_not_the_arrays(capsys):
    checked = edgeprune.check(dense_int8(), device="cortex-m7", latency_ms=5)
    print(checked)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["figure", "value", "provenance"]
    assert ["check", "value", "budget", "verdict"] in [line.split() for line in lines]
    assert lines[-1] == checked.sentence
    assert all(len(line) < 80 for line in lines[:-1])


def test_devices_are_chosen_as_on_the_command_line():
    found = edgeprune.devices(core="m33", min_ram_kib=512)
    assert found
    assert all("33" in profile.core for profile in found)
    assert len(edgeprune.devices()) > len(found)


def test_progress_goes_to_whoever_is_told(monkeypatch, capsys):
    class Told:
        def __init__(self) -> None:
            self.stages: list[str] = []

        def stage(self, name: str, *, total: int = 0) -> None:
            self.stages.append(name)

        def advance(self, steps: int = 1, *, detail: str = "") -> None: ...
        def note(self, text: str) -> None: ...
        def warn(self, text: str) -> None: ...

    told = Told()
    with api._tell(told) as progress:
        progress.stage("one")
    assert told.stages == ["one"]
    for choice, expected in ((True, "two\n"), (False, ""), (None, "")):  # nobody looks at a pipe
        with api._tell(choice) as progress:
            progress.stage("two")
        assert capsys.readouterr().err == expected
    monkeypatch.setitem(sys.modules, "ipykernel", sys)
    with api._tell(None) as progress:
        progress.stage("three")
    assert capsys.readouterr().err == "three\n"


def test_what_needs_data_says_so_in_words():
    with pytest.raises(RecipeError, match="give data"):
        edgeprune.inspect("m.keras", device="cortex-m7", sensitivity=True)
    with pytest.raises(RecipeError, match="either ratio or dead_only"):
        edgeprune.prune("m.keras")
    with pytest.raises(RecipeError, match="ratio is 1"):
        edgeprune.prune("m.keras", ratio=1.0)


def test_random_arrays_are_no_model():
    with pytest.raises(ModelError, match=r"numpy\.ndarray is no model of Keras 3"):
        edgeprune.prune(np.zeros(3), ratio=0.5)


@pytest.mark.parametrize("asked", [{"project": "pico"}, {"project": "pico", "runtime": "c"}])
def test_only_c_for_cmake_has_a_name_of_its_own(asked: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match="only C for cmake"):
        edgeprune.firmware("model.tflite", name="kws", **asked)
