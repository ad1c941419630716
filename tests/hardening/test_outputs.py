"""No command writes over what is not an output, whatever it is told."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from edgeprune.build.workdir import MARKER, place_of_work
from edgeprune.errors import OutputError
from edgeprune.files import claim_output, whole_directory, write_file

WRITING = {
    "strip": ("strip", "model.tflite", "--output"),
    "compress": ("compress", "model.tflite", "--device", "cortex-m7", "--output"),
    "convert": ("convert", "model.keras", "--scheme", "none", "--output"),
    "quantize": ("quantize", "model.keras", "--data", "data.npz", "--output"),
    "quantize --html": ("quantize", "model.keras", "--data", "data.npz", "--html"),
    "prune": ("prune", "model.keras", "--ratio", "0.5", "--output"),
    "sparsify": ("sparsify", "model.keras", "--sparsity", "0.5", "--data", "data.npz", "--output"),
    "inspect": (
        *("inspect", "model.keras", "--device", "cortex-m7", "--data", "data.npz", "--sensitivity"),
        "--html",
    ),
    "bench": ("bench", "model.tflite", "--device", "pixel-8", "--on", "host", "--output"),
    "devices new": ("devices", "new", "--from", "cortex-m7"),
    "firmware": ("firmware", "model.tflite", "--device", "cortex-m7", "--project", "cmake", "--output"),
    "build": ("build", "--device", "cortex-m7", "--output"),
}
"""A command line of each command that writes, up to the name of its output."""


def make_folder(place: Path) -> Path:
    folder = place / "users own"
    folder.mkdir()
    (folder / "thesis.txt").write_text("years of work")
    return folder


def make_link(place: Path) -> Path:
    (place / "target").write_text("years of work")
    (place / "link").symlink_to("target")
    return place / "link"


def make_dangling(place: Path) -> Path:
    (place / "dangling").symlink_to("nowhere")
    return place / "dangling"


def make_folder_link(place: Path) -> Path:
    (place / "link to folder").symlink_to(make_folder(place))
    return place / "link to folder"


def make_pipe(place: Path) -> Path:
    os.mkfifo(place / "pipe")
    return place / "pipe"


def make_socket(place: Path) -> Path:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")  # a path from here: those of sockets must be short
    return place / "socket"


PLACES: dict[str, Callable[[Path], Path | str]] = {
    "a folder of the user's own": make_folder,
    "a link to a file": make_link,
    "a link to nothing": make_dangling,
    "a link to a folder": make_folder_link,
    "a pipe": make_pipe,
    "a socket": make_socket,
    "a device": lambda place: "/dev/null",
    "the working directory": lambda place: ".",
    "no name": lambda place: "",
    "the folder above": lambda place: "..",
    "a folder above by way of another": lambda place: make_folder(place) / "..",
    "the root": lambda place: "/",
    "a name that is too long": lambda place: "n" * 300,
    "a path with a NUL": lambda place: "a\0b",
    "a file in a file": lambda place: "model.tflite/out",
}


def look(folder: Path) -> dict[str, object]:
    """All that is in a folder: kind, link target or content."""
    found: dict[str, object] = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes() if path.is_file() else None
        found[str(path)] = (path.lstat().st_mode, path.is_symlink() and os.readlink(path), content)
    return found


@pytest.mark.parametrize("kind", PLACES)
@pytest.mark.parametrize("name", WRITING)
def test_what_is_no_output_is_refused_even_with_force_and_left_as_it_is(place, edgeprune, name, kind) -> None:
    output = PLACES[kind](place)
    before = look(place)
    ended = edgeprune(*WRITING[name], output, "--force")
    assert ended.code == 3, ended.err
    assert ended.err.count("error: ") == 1, ended.err
    assert "NUL" in ended.err if "\0" in str(output) else (str(output) or ".") in ended.err
    assert "Traceback" not in ended.err
    assert look(place) == before


@pytest.mark.parametrize("kind", ["a folder of the user's own", "a link to a file", "a pipe"])
def test_the_sentence_says_what_where_and_what_to_do(place, edgeprune, kind) -> None:
    output = PLACES[kind](place)
    message = edgeprune("build", "--device", "cortex-m7", "--output", output, "--force").err
    assert str(output) in message
    assert "another name" in message or "remove the link" in message


def test_the_streams_own_links_are_not_replaced(place, edgeprune) -> None:
    """As /dev/stdout is one; that of this machine is left in peace."""
    (place / "stdout").symlink_to("/proc/self/fd/1")
    ended = edgeprune("strip", "model.tflite", "--output", "stdout", "--force")
    assert ended.code == 3
    assert "is a link" in ended.err
    assert os.readlink(place / "stdout") == "/proc/self/fd/1"


def test_a_file_is_replaced_with_force_and_not_without(place, edgeprune) -> None:
    (place / "out.tflite").write_text("old")
    assert edgeprune("strip", "model.tflite", "--output", "out.tflite").code == 3
    assert (place / "out.tflite").read_text() == "old"
    assert edgeprune("strip", "model.tflite", "--output", "out.tflite", "--force").code == 0
    assert (place / "out.tflite").read_bytes()[4:8] == b"TFL3"
    assert sorted(p.name for p in place.iterdir()) == ["model.tflite", "out.tflite"]


def test_a_folder_of_ours_is_replaced_with_force(place, edgeprune) -> None:
    firmware = ("firmware", "model.tflite", "--device", "cortex-m7", "--output", "project")
    for kind in ("cmake", "arduino"):
        ended = edgeprune(*firmware, "--project", kind, "--force")
        assert ended.code == 0, ended.err
    assert (place / "project" / "library.properties").is_file()
    assert not (place / "project" / "CMakeLists.txt").exists()
    assert edgeprune(*firmware, "--project", "pico").code == 3


def test_a_record_alone_does_not_make_a_folder_ours(place) -> None:
    """A manifest.json has many a project that is not ours."""
    folder = make_folder(place)
    (folder / "manifest.json").write_text('{"name": "a web page"}')
    with pytest.raises(OutputError, match="did not write"), whole_directory(folder, force=True):
        pytest.fail("the block must not run")
    assert (folder / "thesis.txt").read_text() == "years of work"


def test_names_as_long_as_the_file_system_takes_can_be_written(place) -> None:
    write_file(place / ("n" * 255), b"1", force=False)
    write_file(place / ("n" * 200 + "." + "s" * 54), b"2", force=False)
    with whole_directory(place / ("f" * 255), force=False) as folder:
        (folder / "a").write_text("3")
    assert len(list(place.iterdir())) == 4


def test_folders_that_were_made_for_an_output_go_where_nothing_came_of_it(place) -> None:
    with pytest.raises(KeyError), claim_output(place / "a" / "b" / "out", force=False):
        raise KeyError
    assert [p.name for p in place.iterdir()] == ["model.tflite"]


@pytest.mark.parametrize("resume", [(), ("--resume",)])
def test_a_folder_beside_the_output_that_is_not_a_work_directory_is_never_touched(
    place, edgeprune, resume
) -> None:
    """The fault this began with: `build --output proj` deleted the user's `proj.work`."""
    mine = [place / "proj.work", place_of_work(place / "proj")]
    for folder in mine:
        folder.mkdir()
        (folder / "thesis.txt").write_text("years of work")
    ended = edgeprune("build", "--device", "cortex-m7", "--output", "proj", "--epochs", "1", *resume)
    assert ended.code == 3, ended.err
    assert MARKER in ended.err
    assert "proj.edgeprune-work" in ended.err
    for folder in mine:
        assert [p.name for p in folder.iterdir()] == ["thesis.txt"]
    assert not (place / "proj").exists()


@pytest.mark.parametrize("kind", ["a link to a folder", "a link to nothing", "a pipe"])
def test_nor_is_anything_else_that_stands_there(place, edgeprune, kind) -> None:
    made = PLACES[kind](place)
    Path(made).rename(place_of_work(place / "proj"))
    before = look(place)
    ended = edgeprune("build", "--device", "cortex-m7", "--output", "proj")
    assert ended.code == 3, ended.err
    assert "not edgeprune's" in ended.err
    assert look(place) == before


def test_a_build_does_not_write_over_what_it_starts_from(place, edgeprune) -> None:
    (place / "model.keras").write_text("years of work")
    ended = edgeprune(
        *("build", "model.keras", "--device", "cortex-m7", "--data", "x.npz"),
        *("--output", "model.keras", "--force"),
    )
    assert ended.code == 3
    assert "is an input of this build" in ended.err
    assert (place / "model.keras").read_text() == "years of work"
