import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from edgeprune import api
from edgeprune.build.file_metadata import hash_origin
from edgeprune.build.machine import describe_machine, list_differences
from edgeprune.build.manifest import MANIFEST, write_manifest
from edgeprune.build.request import make_request, record_request, repeat_request
from edgeprune.cli.main import run
from edgeprune.commands.verify import verify_folder
from edgeprune.errors import InputError, RecipeError
from edgeprune.progress import Silent
from edgeprune.version import __version__

ORIGIN = {
    "edgeprune": __version__,
    "device": "cortex-m7",
    "model_sha256": "ab",
    "seed": 0,
    "settings": {"epochs": 2},
}


class Notes(Silent):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def warn(self, text: str) -> None:
        self.texts.append(text)


def say(place: Path, **others: Any) -> None:
    """Writes a manifest of what is there."""
    (place / MANIFEST).unlink(missing_ok=True)
    request = record_request(make_request({"device": "cortex-m7", "model": "gone.keras", "data": "gone.npz"}))
    said = {**ORIGIN, "sha256": hash_origin(ORIGIN), **request, "made_on": describe_machine()}
    write_manifest(place, said | others)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """What might be a build's output directory."""
    folder = tmp_path / "out"
    (folder / "tflm").mkdir(parents=True)
    (folder / "model.tflite").write_bytes(b"TFL3" * 20)
    (folder / "tflm" / "arena_size.h").write_text("#define SIZE 7\n")
    say(folder)
    return folder


def test_a_directory_that_nobody_touched_matches(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["verify", str(place)]) == 0
    assert capsys.readouterr().out.split() == f"{place} matches its manifest: 2 files.".split()
    found = api.verify(place)
    assert found.ok
    assert found.rebuilt is None
    assert found.machine == ()


@pytest.mark.parametrize(("fits", "said"), [(True, False), (None, False), ("no", False), (False, True)])
def test_the_best_of_a_build_that_met_no_budget_is_not_taken_for_one_that_fits(
    place, capsys, fits, said
) -> None:
    """Its files are whole, and somebody who finds `best/` asks this command what it is."""
    say(place, **({} if fits is None else {"fits": fits}))
    assert run(["verify", str(place), "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["matches"]
    assert document["fits"] is (fits if isinstance(fits, bool) else None)
    assert ("2 files, the best of a build that did not meet its budgets" in document["sentence"]) == said


def test_what_is_missing_changed_and_extra_is_said(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "tflm" / "arena_size.h").unlink()
    content = bytearray((place / "model.tflite").read_bytes())
    content[9] ^= 1
    (place / "model.tflite").write_bytes(content)
    (place / "notes.txt").write_text("mine")
    assert run(["verify", str(place), "--json"]) == 1
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert document["missing"] == ["tflm/arena_size.h"]
    assert document["changed"] == {"model.tflite": "its checksum differs"}
    assert document["extra"] == ["notes.txt"]
    assert (document["matches"], document["ok"], document["rebuilt"]) == (False, False, None)
    assert "notes.txt is not in the manifest" in said.err
    assert run(["verify", str(place)]) == 1
    table = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=1) for line in table[2:5]] == [
        ["tflm/arena_size.h", "missing"],
        ["model.tflite", "changed: its checksum differs"],
        ["notes.txt", "not in the manifest"],
    ]
    assert "does not match its manifest: 1 missing, 1 changed." in " ".join(" ".join(table).split())


def test_a_file_more_is_said_and_changes_nothing(place: Path) -> None:
    (place / "notes.txt").write_text("mine")
    notes = Notes()
    assert verify_folder(place, progress=notes).ok
    assert notes.texts == [f"{place / 'notes.txt'} is not in the manifest"]


def test_another_length_is_said_with_both(place: Path) -> None:
    with (place / "model.tflite").open("ab") as file:
        file.write(b"more")
    assert verify_folder(place).mismatch.changed == {"model.tflite": "it has 84 bytes, not 80"}


@pytest.mark.skipif(os.name != "posix", reason="there are no links and pipes")
@pytest.mark.parametrize("kind", ["link", "pipe", "socket", "folder"])
def test_what_is_no_file_is_not_opened(place: Path, kind: str) -> None:
    path = place / "model.tflite"
    path.rename(place.parent / "elsewhere")
    if kind == "link":
        path.symlink_to(place.parent / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        here = Path.cwd()
        os.chdir(place)  # names of sockets are short
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
        os.chdir(here)
    else:
        path.mkdir()
    found = verify_folder(place)
    assert not found.ok
    if kind == "folder":
        assert found.mismatch.missing == ("model.tflite",)
    else:
        assert found.mismatch.changed == {"model.tflite": "it is no file"}


def test_a_manifest_whose_settings_were_changed_does_not_match(place: Path) -> None:
    document = json.loads((place / MANIFEST).read_text())
    document["settings"]["epochs"] = 200
    (place / MANIFEST).write_text(json.dumps(document))
    assert verify_folder(place).mismatch.changed == {MANIFEST: "its own checksum is wrong"}


def write_list(path: Path, files: Any) -> None:
    document = json.loads(path.read_text())
    path.write_text(json.dumps({**document, "files": files}))


DAMAGE = {
    "nothing": lambda path: path.write_bytes(b""),
    "half": lambda path: path.write_bytes(path.read_bytes()[:40]),
    "noise": lambda path: path.write_bytes(bytes(range(256))),
    "a list": lambda path: path.write_text("[]"),
    "depth": lambda path: path.write_text("[" * 100_000),
    "somebody's": lambda path: path.write_text('{"name": "a web page"}'),
    "another schema": lambda path: path.write_text('{"edgeprune": "9", "schema": 9}'),
    "no files": lambda path: write_list(path, None),
    "a file without a path": lambda path: write_list(path, [{"bytes": 1, "sha256": "ab"}]),
    "a size that is text": lambda path: write_list(path, [{"path": "a", "bytes": "1", "sha256": "ab"}]),
    "a path that leads out": lambda path: write_list(path, [{"path": "../a", "bytes": 1, "sha256": "ab"}]),
    "a path from the root": lambda path: write_list(path, [{"path": "/a", "bytes": 1, "sha256": "ab"}]),
    "no path": lambda path: write_list(path, [{"path": "", "bytes": 1, "sha256": "ab"}]),
    "its absence": lambda path: path.unlink(),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_manifest_is_an_input_that_cannot_be_used(place, capsys, kind) -> None:
    DAMAGE[kind](place / MANIFEST)
    assert run(["verify", str(place)]) == 3
    said = capsys.readouterr().err
    assert said.count("error: ") == 1
    assert str(place) in said


@pytest.mark.parametrize("name", ["nowhere", "out/model.tflite"])
def test_what_is_no_directory_is_refused(place: Path, name: str) -> None:
    with pytest.raises(InputError, match="is no directory"):
        verify_folder(place.parent / name)


def test_another_machine_is_said_before_a_build_is_repeated(place: Path) -> None:
    made_on = {**describe_machine(), "cores": 999}
    made_on["versions"] = {**made_on["versions"], "keras": "3.0.0"}
    made_on["environment"] = {"TF_ENABLE_ONEDNN_OPTS": "0"}
    say(place, made_on=made_on)
    found = verify_folder(place)
    assert found.ok
    assert [text.partition(":")[0] for text in found.machine] == ["cores", "keras", "TF_ENABLE_ONEDNN_OPTS"]
    assert found.machine[0].startswith("cores: 999 then, ")
    assert found.machine[2].endswith("0 then, none now")


def test_what_an_older_manifest_does_not_say_is_taken_to_be_the_same() -> None:
    assert list_differences({"cores": 1}, {"cores": 1, "python": "3.11.2", "environment": {}}) == []


def test_a_request_comes_back_as_it_was() -> None:
    asked = {
        "model": Path("m.keras"),
        "data": "d.npz",
        "device": "cortex-m7",
        "max_drop": 0.03,
        "keep": ("a*", "b"),
        "layers": {"c*": {"min_channels": 4}},
        "latency_ms": 2.5,
        "whole_layers": False,
        "force": True,
        "output": Path("out"),
        "labels": Path("names.txt"),
    }
    request = make_request(asked)
    recorded = json.loads(json.dumps(record_request(request)))
    assert recorded["not_recorded"] == []
    assert not {"force", "output", "seed"} & recorded["request"].keys()
    again = repeat_request(recorded, where=MANIFEST)
    assert record_request(again) == recorded
    assert (again.layers, again.keep, again.budgets) == (request.layers, request.keep, request.budgets)


def test_who_asked_comes_back_too(tmp_path: Path) -> None:
    recipe = tmp_path / "r.toml"
    recipe.write_text("latency_ms = 3\n")
    request = make_request({"device": "cortex-m7"}, recipe=recipe)
    recorded = record_request(request)
    assert recorded["origins"] == {"latency_ms": "recipe"}
    assert repeat_request(recorded, where=MANIFEST).origins == request.origins


def test_what_was_in_memory_cannot_be_repeated() -> None:
    recorded = record_request(make_request({"device": "cortex-m7", "model": object(), "data": ([1], [2])}))
    assert recorded["not_recorded"] == ["model", "data"]
    with pytest.raises(RecipeError, match="its model and data was given in memory"):
        repeat_request(recorded, where=MANIFEST)


@pytest.mark.parametrize(
    ("recorded", "says"),
    [
        ({}, "older edgeprune"),
        ({"request": [], "origins": {}, "not_recorded": []}, "older edgeprune"),
        ({"request": {"device": "cortex-m7", "epochs": "many"}, "origins": {}, "not_recorded": []}, "epochs"),
        ({"request": {"device": "cortex-m7", "nosuch": 1}, "origins": {}, "not_recorded": []}, "nosuch"),
        ({"request": {}, "origins": {}, "not_recorded": []}, "no device"),
    ],
)
def test_a_request_that_cannot_be_is_refused(recorded: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        repeat_request(recorded, where=MANIFEST)


@pytest.mark.parametrize(
    "asked",
    [
        {"custom": ["evil.py:Layer"]},
        {"train": "evil:loop"},
        {"data": "evil.py:data"},
        {"data": "evil:data"},
        {"trust": True},
    ],
)
def test_python_that_a_manifest_names_does_not_run(place, asked, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "evil.py").write_text("open('ran', 'w')\n")
    request = {"device": "cortex-m7", "model": "m.keras", "data": "d.npz"} | asked
    say(place, request=request)
    with pytest.raises(RecipeError, match=r"runs Python.*--trust"):
        verify_folder(place, rebuild=True)
    assert not (tmp_path / "ran").exists()


def test_a_model_that_is_gone_or_another_is_refused(place, capsys, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["verify", str(place), "--rebuild"]) == 3
    assert "gone.keras" in capsys.readouterr().err
    (tmp_path / "gone.keras").write_bytes(b"another")
    assert run(["verify", str(place), "--rebuild"]) == 3
    assert "is not the model that was pruned" in capsys.readouterr().err
