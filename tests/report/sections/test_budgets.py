"""The bars against the budgets."""

import re

import pytest

from edgeprune.device.figures import Check, Figure
from edgeprune.report.page import draw_section
from edgeprune.report.sections.budgets import BUDGETS


def draw(*, value, budget, dense=None, low=None, high=None) -> str:
    figure = Figure(value=value, unit="ms", source="estimated", evidence="", low=low, high=high)
    check = Check(name="latency", figure=figure, budget=budget)
    return draw_section(BUDGETS, {"checks": [check.to_json()], "dense": {"latency_ms": dense}})


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
    assert "interval of the estimate" in full
    assert "dense model" in full
    assert re.findall(r"</i>(artefact[^<]*)", full) == ["artefact over its budget"]


def test_margin_and_badge_stand_in_cells_of_their_own():
    # Side by side in one line of fixed widths, the long text ran into the badge.
    page = draw(value=50, low=40, high=100, budget=75)
    cells = [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", page, re.DOTALL)]
    texts = [" ".join(cell.split()) for cell in cells]
    assert texts[1:] == ["50 ms of 75 ms", "25 ms to spare, by an uncertain estimate", "estimated"]


def test_a_budget_that_nothing_is_known_of_has_no_bar():
    assert draw(value=None, budget=75) is None
    assert draw(value=50, budget=None) is None
