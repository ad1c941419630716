import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import pytest

from edgeprune.device.figures import Check, Figure
from edgeprune.report.html import render_html
from tests.report_sample import make_layers, make_report, make_steps

HOSTILE = "<script>alert('1')</script>\"&"


class Outline(HTMLParser):
    """Checks that elements nest, and collects them with their text."""

    VOID = ("meta",)

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.texts: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)


def hostile(part):
    """The same document with every text replaced by one that would break a careless page."""
    if isinstance(part, dict):
        return {key: hostile(value) for key, value in part.items()}
    if isinstance(part, list):
        return [hostile(value) for value in part]
    return HOSTILE if isinstance(part, str) else part


def test_the_page_is_well_formed_and_complete():
    page = render_html(make_report().to_json())
    outline = Outline(page)
    text = " ".join(outline.texts)
    for words in (
        "fits cortex-m7",
        "111 KiB to spare",
        "conv2d_8",
        "these are the model's outputs",
        "37 of 2000",
    ):
        assert words in text
    assert outline.tags.count("svg") == 2
    ET.fromstring(page.removeprefix("<!doctype html>\n"))


def test_the_page_needs_nothing_else():
    page = render_html(make_report().to_json())
    outline = Outline(page)
    assert not {"script", "link", "img", "iframe", "object", "use"} & set(outline.tags)
    assert not {"src", "href", "onload", "onclick"} & {name for name, _ in outline.attributes}
    assert not re.search(r"url\(|@import|https?:", page)


def test_every_text_is_escaped():
    document = hostile(make_report().to_json())
    document["steps"] = [{**step, "kind": "prune"} for step in document["steps"]]
    outline = Outline(render_html(document))
    assert "script" not in outline.tags
    assert any(HOSTILE in text for text in outline.texts)


def test_a_layer_may_be_called_script():
    layers = [{**layer, "name": "<script>"} for layer in make_layers()]
    page = render_html(make_report(layers=tuple(layers)).to_json())
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_the_same_report_gives_the_same_bytes():
    assert render_html(make_report().to_json()) == render_html(make_report().to_json())


def test_a_broken_budget_is_shown_as_such():
    figure = Figure(value=80.0, unit="ms", source="estimated", evidence="", low=70.0, high=90.0)
    checks = (Check(name="latency", figure=figure, budget=62.5).to_json(),)
    page = render_html(make_report(checks=checks, verdict=False).to_json())
    assert "17.5 ms too much" in page
    assert '<header class="broken">' in page
    assert 'class="fill broken"' in page


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": (), "equivalence": ()},
        {"steps": make_steps()[:1]},
        {"data": None, "task": None, "agreement": None, "quantization": None},
        {"layers": (), "frozen": (), "ops": (), "budgets": (), "checks": ()},
        {"dense": {}, "pruned": {}, "provenance": {}},
        {"layers": tuple({**layer, "instructions_before": None} for layer in make_layers())},
        {"layers": tuple({**layer, "channels_before": 0, "channels_after": 0} for layer in make_layers())},
        {"steps": tuple({**step, "accuracy": None, "cost": {}} for step in make_steps())},
        {"steps": tuple({**step, "accuracy": 1.0, "cost": {"latency": 0.0}} for step in make_steps())},
        {"steps": tuple({**step, "kind": "rollback"} for step in make_steps())},
    ],
)
def test_a_report_with_gaps_still_makes_a_page(changes):
    Outline(render_html(make_report(**changes).to_json()))


def test_the_hardest_budget_is_the_one_whose_cost_is_drawn():
    assert "latency, the budget that was hardest to meet" in render_html(make_report().to_json())
    budgets = ({"name": "ram", "value": 1024.0, "unit": "bytes", "origin": "flag"}, *make_report().budgets)
    assert "ram, the budget that was hardest to meet" in render_html(make_report(budgets=budgets).to_json())


def test_layers_that_cost_nothing_are_counted_but_not_shown():
    layers = make_layers()
    free = {**layers[0], "name": "bn_of_no_cost", "instructions_before": 0.0, "instructions_after": 0.0}
    page = render_html(make_report(layers=(*layers, free)).to_json())
    assert "bn_of_no_cost" not in page
    assert "Not shown, because they cost nothing: 1." in page
