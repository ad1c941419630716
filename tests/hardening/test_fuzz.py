"""Random command lines: whatever is given, no exception class reaches the boundary unnamed.

The lines are drawn from the commands' own options, so that new ones are in it from their first day.
"""

import random
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from hardening.conftest import Ended
from small_models import dense_int8

from edgeprune.cli.main import cli

LEFT_OUT = ("doctor", "flash", "bench", "agree", "run")
"""They start processes or talk to devices: seconds each, and nothing of their own to parse."""

TEXTS = [
    *("", " ", "-", "--", ".", "..", "/", "~", "0", "-1", "1", "2", "0.5", "1e309", "nan", "inf", "-0"),
    *("99999999999999999999", "0x10", "1_000", "1e-320", "٣", "½", "true", "none", "null", "[]", "{}"),
    *("a,b", "1,2", "1,2,3", "8,8,1", "0,0,0", "-1,2", "4x1", "2:4", "0:0", "4:2", "1:1", ":", "a:b"),
    *("os:getcwd", "x.py:f", "no:no:no", "cortex-m7", "pixel-8", "cortex-m55", "int8", "float16"),
    *("l1", "l2", "taylor", "random", "adam", "accuracy", "loss", "out=loss", "mse", "constant_sparsity"),
    *("5%", "100%", "-5%", "%", "*", "conv*", "[", "\\", "'", '"', "%s", "{0}", "$HOME", "слой"),
    *("\u202e", "\ud800", "\udcff", "\x1b[2J", "a\nb", "a\0b", "n" * 300, "a/" * 2000, "../" * 50),
]
FILES = {
    "empty": b"",
    "empty.keras": b"",
    "text.keras": b"this is no model",
    "half.keras": b"PK\x03\x04" + bytes(40),
    "text.h5": b"this is no model",
    "half.h5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "list.json": b"[]",
    "model.json": b'{"class_name": "Sequential", "config": []}',
    "odd.json": b'{"class_name": 3, "config": {"layers": 7}, "keras_version": []}',
    "deep.json": b"[" * 100_000,
    "dense.tflite": dense_int8(),
    "half.tflite": dense_int8()[:300],
    "text.tflite": b"TFL3TFL3TFL3",
    "recipe.toml": b'device = "cortex-m7"\nepochs = 1\n',
    "odd.toml": b"device = 3\nepochs = []\n[layers]\na = 1\n",
    "deep.toml": b"a = " + b"[" * 5000,
    "bytes.toml": b"\xff\xfe\x00",
    "text.npz": b"PK\x03\x04nothing",
    "text.csv": b"a,b\n1,2\n3\n",
    "empty.csv": b"",
    "labels.txt": b"\xef\xbb\xbfone\n\nthree\n",
    "fails.py": b"raise RuntimeError\n",
    "ends.py": b"import sys\nsys.exit(0)\n",
    "x.py": b"def f():\n    return 1\n",
}
FOLDERS = ("folder", "model.tflite", "folder.keras", "folder.npz")


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory of odd files."""
    monkeypatch.chdir(tmp_path)
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    for name in FOLDERS:
        (tmp_path / name).mkdir()
    (tmp_path / "folder" / "report.json").write_text("[]")
    (tmp_path / "folder" / "edgeprune.json").write_text('{"device": {"id": 3}}')
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "circle.tflite").symlink_to("circle.tflite")
    return tmp_path


def list_commands() -> dict[str, list[tuple[tuple[str, ...], click.Command]]]:
    """Words of the command line and command, by the first word."""
    found: dict[str, list[tuple[tuple[str, ...], click.Command]]] = {}
    with click.Context(cli) as context:
        for name in cli.list_commands(context):
            command = cli.get_command(context, name)
            assert command is not None
            if name in LEFT_OUT or name.startswith("try"):
                continue
            inner = command.commands if isinstance(command, click.Group) else {"": command}
            found[name] = [((name, *filter(None, [word])), each) for word, each in sorted(inner.items())]
    return found


def draw_value(generator: random.Random, parameter: click.Parameter, names: list[str]) -> str:
    """Something that the parameter takes, most of the time."""
    kind, odd = parameter.type, [*TEXTS, *names]
    if generator.random() < 0.15:
        return generator.choice(odd)
    if isinstance(kind, click.Choice):
        return str(generator.choice(list(kind.choices)))
    if isinstance(kind, click.FloatRange):
        return generator.choice(["0.5", "0.25", "0.9"])
    if isinstance(kind, click.IntRange):
        return generator.choice(["1", "2", "3"])
    if parameter.name == "device":
        return generator.choice(["cortex-m7", "cortex-m55", "pixel-8", "recipe.toml", "odd.toml"])
    if isinstance(kind, click.Path) or parameter.name == "data":
        return generator.choice(names)
    return generator.choice(odd)


def draw_lines(seed: int, count: int, names: list[str]) -> Iterator[list[str]]:
    generator, commands = random.Random(seed), list_commands()
    for _ in range(count):
        words, command = generator.choice(commands[generator.choice(sorted(commands))])
        line = list(words)
        for parameter in command.params:
            share = 0.98 if parameter.required or parameter.name in ("device", "data", "model") else 0.12
            if generator.random() > share:
                continue
            if isinstance(parameter, click.Option):
                line.append(generator.choice(parameter.opts + parameter.secondary_opts))
                if parameter.is_flag:
                    continue
            line.append(draw_value(generator, parameter, names))
        if generator.random() < 0.05:
            line.insert(generator.randrange(len(line) + 1), generator.choice(TEXTS))
        yield [*line, "--json"] if generator.random() < 0.3 else line


def check(line: list[str], ended: Ended) -> str:
    """What is wrong with how the line ended, "" for nothing."""
    if ended.code not in (0, 1, 2, 3, 4) or "this is a bug" in ended.out + ended.err:
        return f"{line}\n  => {ended.code} {ended.err[-300:]}{ended.out[-300:]}"
    return ""


def run_lines(edgeprune, lines: Iterator[list[str]], *, expected: int) -> None:
    complaints = [complaint for line in lines if (complaint := check(line, edgeprune(*line)))]
    assert not complaints, f"{len(complaints)} of {expected}:\n" + "\n".join(complaints)


def test_no_exception_reaches_the_boundary_unnamed(odd, edgeprune) -> None:
    names = sorted(path.name for path in odd.iterdir())
    run_lines(edgeprune, draw_lines(1, 300, names), expected=300)


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(2, 12))
def test_nor_does_any_in_two_thousand_lines(odd, edgeprune, tiny, seed) -> None:
    good = [str(tiny / "tiny.keras"), str(tiny / "tiny.npz"), "dense.tflite"]
    names = sorted(path.name for path in odd.iterdir()) + 8 * good
    run_lines(edgeprune, draw_lines(seed, 200, names), expected=200)
