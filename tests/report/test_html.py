import re
import xml.etree.ElementTree as ET

import pytest

from edgeprune.device.figures import Check, Figure
from edgeprune.report.html import EVIDENCE, SECTIONS, render_html, render_quantization, render_sensitivity
from tests.report.pages import HOSTILE, Outline, hostile
from tests.report_sample import ENGINE, make_layers, make_report, make_steps

QUANTIZED = {
    "model": "m.keras",
    "sentence": "int8: accuracy 0.9 on 100 test samples.",
    "ok": True,
    **make_report().quantization["ladder"],
}
STUDIED = {
    "model": "m.keras",
    "sensitivity": {
        "criterion": "taylor",
        "metric": "accuracy",
        "higher_is_better": True,
        "samples": 100,
        "available": 200,
        "whole": 0.9,
        "max_drop": 0.02,
        "families": [
            {
                "name": "conv",
                "channels": 8,
                "layers": ["conv"],
                "points": [{"ratio": 0.5, "removed": 4, "metric": 0.8, "drop": 0.1}],
                "largest_ratio": 0.0,
            }
        ],
    },
}


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
    assert outline.tags.count("figure") == 4  # metric against cost, memory, and two of the steps
    ET.fromstring(page.removeprefix("<!doctype html>\n"))


def test_the_page_needs_nothing_else():
    page = render_html(make_report().to_json())
    outline = Outline(page)
    assert not {"link", "iframe", "object", "use"} & set(outline.tags)
    assert not {"href", "onload", "onclick"} & {name for name, _ in outline.attributes}
    sources = [value for name, value in outline.attributes if name == "src"]
    assert len(sources) == 3  # the golden samples, each within the page
    assert all(value.startswith("data:image/png;base64,") for value in sources)
    assert not re.search(r"url\(|@import|https?:", page)


def test_every_text_is_escaped():
    # Texts within attributes, too: were one of them not, the page would not nest, or have scripts.
    outline = Outline(render_html(hostile(make_report(engine=ENGINE).to_json())))
    assert outline.tags.count("script") == 1, "its own"
    assert not {"onload", "onclick"} & {name for name, _ in outline.attributes}
    assert any(HOSTILE in text for text in outline.texts)
    assert HOSTILE in dict(outline.attributes).values()


@pytest.mark.parametrize("name", [HOSTILE, "{{ 7 * 7 }}", "{% include 'head.html' %}"])
def test_the_other_pages_are_escaped_too(name):
    for render, document in ((render_quantization, QUANTIZED), (render_sensitivity, STUDIED)):
        outline = Outline(render(hostile(document, name)))
        assert "script" not in outline.tags
        assert any(name in text for text in outline.texts)


def test_a_layer_may_be_called_script():
    layers = [{**layer, "name": "<script>"} for layer in make_layers()]
    page = render_html(make_report(layers=tuple(layers)).to_json())
    assert page.count("<script>") == 1, "its own"
    assert "&lt;script&gt;" in page


def test_the_same_report_gives_the_same_bytes():
    assert render_html(make_report().to_json()) == render_html(make_report().to_json())


def test_a_broken_budget_is_shown_as_such():
    figure = Figure(value=80.0, unit="ms", source="estimated", evidence="", low=70.0, high=90.0)
    checks = (Check(name="latency", figure=figure, budget=62.5).to_json(),)
    page = render_html(make_report(checks=checks, verdict=False).to_json())
    assert "17.5 ms too much" in page
    assert '<header class="verdict broken">' in page
    assert 'class="fill broken"' in page
    assert "artefact over its budget" in page


@pytest.mark.parametrize(
    "changes",
    [
        {"steps": (), "equivalence": (), "plans": ()},
        {"plans": make_report().plans[:3]},
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


def test_the_plans_that_competed_are_shown_with_the_one_that_won():
    page = render_html(make_report().to_json())
    assert "channels alone" in page
    assert "without block_1, more even" in page
    assert page.index("0.0926") > page.index("0.212")  # foreseen, in the order in which they were tried
    assert "no pruned model meets the budgets" in page
    assert "<h3>Plans</h3>" in page
    assert "<h3>Plans</h3>" not in render_html(make_report(plans=()).to_json())


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


def test_a_page_shows_every_key_of_the_report():
    read = {key for section in (*SECTIONS, *EVIDENCE) for key in section.reads}
    assert read == set(make_report().to_json()) - {"schema"}


def test_what_a_check_cannot_settle_is_neither_good_nor_bad():
    page = render_html(make_report().to_json())  # latency: 62.1 ms of 62.5, between 55.9 and 68.3
    assert '<header class="verdict uncertain">' in page
    assert '<dd class="unsure">' in page


def test_figures_that_nobody_asked_for_are_left_out():
    assert "energy" not in render_html(make_report().to_json())
    why = {"source": "unavailable", "evidence": "the board's current is not known", "low": None, "high": None}
    provenance = {"pruned": {"energy_uj": why}}
    assert "current is not known" in render_html(make_report(provenance=provenance).to_json())
