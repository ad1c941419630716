"""The documentation as it is built: everything the program knows stands in the reference."""

import html
import os
import re
import subprocess
import sys

import click
import pytest
from documentation.blocks import ROOT
from documentation.commands import list_commands

import edgeprune
from edgeprune.config.recipe import make_recipe_schema
from edgeprune.firmware.c.layer import EMITTERS
from edgeprune.graph.layers.rules import RULES
from edgeprune.measuring.profiles import make_profile_schema
from edgeprune.report.schema import Report
from edgeprune.tflite.op_table import OPS

pytest.importorskip("mkdocs", reason="the extra docs is not installed")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    return folder


@pytest.fixture
def read(site):
    """The text of a page of the reference."""

    def call(name):
        page = (site / "reference" / name / "index.html").read_text("utf-8")
        article = re.search(r"<article.*</article>", page, re.DOTALL)[0]
        return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", article)).split())

    return call


def missing_of(names, text):
    """Names that stand nowhere in a text as words."""
    return [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", text)]


def test_every_command_with_every_option_is_there(read):
    text = read("commands")
    sections = dict(zip(*[iter(re.split(r"(edgeprune [a-z]+(?: [a-z]+)?) ¶", text)[1:])] * 2, strict=True))
    commands = dict(list_commands())
    assert sections.keys() == commands.keys()
    assert len(commands) > 25
    for name, command in commands.items():
        options = [item for item in command.params if isinstance(item, click.Option)]
        flags = [flag for item in options for flag in (*item.opts, *item.secondary_opts)]
        assert missing_of(flags, sections[name]) == [], name


def keys_of(schema):
    yield from schema["properties"]
    for definition in schema["$defs"].values():
        yield from definition["properties"]


def test_every_key_of_recipes_and_profiles_is_there(read):
    assert missing_of(keys_of(make_recipe_schema()), read("recipe")) == []
    assert missing_of(keys_of(make_profile_schema()), read("profile")) == []


def test_every_key_of_the_report_function_layer_and_op_is_there(read, site):
    assert missing_of(Report.__dataclass_fields__, read("report")) == []
    anchors = re.findall(r'<h3 id="([\w.]+)"', (site / "reference/api/index.html").read_text("utf-8"))
    assert {f"edgeprune.api.{name}" for name in edgeprune.__all__} <= set(anchors)
    assert missing_of([kind.removeprefix("keras.src.") for kind in RULES], read("layers")) == []
    assert missing_of([*OPS, *EMITTERS], read("ops")) == []


def test_a_name_that_is_not_there_is_missed(read):
    assert missing_of(["--latency-ms", "--latency", "--nothing"], read("commands")) == [
        "--latency",
        "--nothing",
    ]


def test_pages_ask_nothing_of_other_servers(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 35
    for page in pages:
        text = page.read_text("utf-8")
        assert re.findall(r'<(?:script|img|link|iframe)[^>]+(?:src|href)="(?:https?:)?//[^"]+"', text) == []
    for sheet in site.rglob("*.css"):
        assert not re.search(r"url\(['\"]?(?:https?:)?//", sheet.read_text("utf-8"))
