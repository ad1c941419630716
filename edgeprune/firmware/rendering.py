"""Templates of generated files: read from the package, filled in, written."""

from collections.abc import Iterator, Mapping
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from string import Template

from edgeprune.errors import OutputError

SUFFIX = ".in"
"""Ends the name of a template with something to fill in; other files are taken as they are."""

_TEMPLATES = files("edgeprune.firmware").joinpath("templates")


def fill_template(name: str, values: Mapping[str, str]) -> str:
    """The text of a template, each `${key}` replaced; a key without a value raises KeyError."""
    return Template(_TEMPLATES.joinpath(*name.split("/")).read_text("utf-8")).substitute(values)


def render_folder(name: str, values: Mapping[str, str]) -> dict[str, str]:
    """Path below the folder → text, for all files of a folder of templates; `.in` files are filled in."""
    return {
        path.removesuffix(SUFFIX): Template(text).substitute(values) if path.endswith(SUFFIX) else text
        for path, text in sorted(_walk(_TEMPLATES.joinpath(*name.split("/"))))
    }


def write_texts(directory: Path, texts: Mapping[str, str]) -> tuple[Path, ...]:
    """Paths of the files written: each text at its path below the directory.

    Raises:
        OutputError: a file cannot be written.
    """
    return write_files(directory, {name: text.encode() for name, text in texts.items()})


def write_files(directory: Path, files: Mapping[str, bytes]) -> tuple[Path, ...]:
    """Paths of the files written: each content at its path below the directory.

    Raises:
        OutputError: a file cannot be written.
    """
    written = []
    try:
        for name, content in files.items():
            written.append(directory / name)
            written[-1].parent.mkdir(parents=True, exist_ok=True)
            written[-1].write_bytes(content)
    except OSError as error:
        raise OutputError(
            "cannot be written", where=str(error.filename or directory), why=error.strerror or ""
        ) from error
    return tuple(written)


def _walk(folder: Traversable, *, prefix: str = "") -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, prefix=f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry.read_text("utf-8")
