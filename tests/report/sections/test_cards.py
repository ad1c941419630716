"""The cards of the budgets: a figure, its interval and its budget, and a bar of them."""

import re

import pytest

from edgeprune.device.figures import Check, Figure
from edgeprune.report.page import draw_section
from edgeprune.report.sections.cards import CARDS


def draw(*, value, budget, dense=None, low=None, high=None) -> str:
    figure = Figure(value=value, unit="ms", source="estimated", evidence="why", low=low, high=high)
    check = Check(name="latency", figure=figure, budget=budget).to_json()
    budgets = [{"name": "latency", "value": budget, "unit": "ms", "origin": "flag"}]
    return draw_section(
        CARDS,
        {
            "checks": [check],
            "dense": {"latency_ms": dense},
            "pruned": {},
            "provenance": {"pruned": {}},
            "budgets": budgets if budget is not None else [],
            "task": None,
        },
    )


def text_of(page: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", page).split())


def styles(page: str, kind: str) -> list[float]:
    style = re.search(rf'class="{kind}" style="([^"]*)"', page)
    assert style
    return [float(share) for share in re.findall(r":([\d.]+)%", style[1])]


def test_bars_are_as_long_as_their_values():
    page = draw(value=50, dense=100, budget=75)
    found = [*styles(page, "fill"), *styles(page, "ghost"), *styles(page, "limit")]
    assert found == pytest.approx([100 * x / 104 for x in (50, 100, 75)], abs=0.01)


def test_the_interval_of_an_estimate_lies_on_the_bar():
    page = draw(value=50, low=40, high=100, budget=110)
    assert styles(page, "between") == pytest.approx([100 * 40 / 114.4, 100 * 60 / 114.4], abs=0.01)


def test_the_key_explains_what_is_drawn_and_no_more():
    plain = draw(value=50, budget=75)
    assert "interval" not in plain
    assert "dense model" not in plain
    assert "over its budget" not in plain
    full = draw(value=80, low=78, high=90, dense=100, budget=75)
    assert "interval" in full
    assert "dense model" in full
    assert re.findall(r"</i>(artefact[^<]*)", full) == ["artefact", "artefact over its budget"]


def test_a_card_says_value_interval_budget_margin_and_what_it_was():
    text = text_of(draw(value=50, low=40, high=100, budget=75, dense=100))
    assert "50 ms estimated between 40 ms and 100 ms" in text
    assert "budget 75 ms (flag)" in text
    assert "margin 25 ms to spare, uncertain" in text
    assert "before → after 100 ms → 50 ms (0.50×)" in text


def test_a_budget_that_nothing_is_known_of_says_why_and_has_no_bar():
    page = draw(value=None, budget=75)
    assert "Latency – estimated why" in text_of(page)
    assert 'class="track"' not in page


def test_a_figure_without_a_budget_has_a_bar_without_a_limit():
    page = draw(value=50, budget=None)
    assert "budget none" in text_of(page)
    assert 'class="limit"' not in page.partition("</article>")[0]


def test_where_nothing_is_known_there_are_no_cards():
    nothing = {"checks": [], "dense": {}, "pruned": {}, "provenance": {}, "budgets": [], "task": None}
    assert draw_section(CARDS, nothing) is None
