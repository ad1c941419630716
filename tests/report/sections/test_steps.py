"""The steps of the report: charts, and a key with the marks that stand in them."""

import re
from typing import get_args

import pytest

from edgeprune.report.page import draw_section
from edgeprune.report.sections.steps import MARKS, STEPS, StepKind
from tests.report_sample import make_report, make_steps


def draw(steps) -> str:
    return draw_section(STEPS, make_report(steps=tuple(steps)).to_json())


def marks(drawing: str) -> set[tuple[str, str]]:
    """Look and outline of every mark."""
    return set(re.findall(r'<path class="mark (\w+)" d="([^"]*)"', drawing))


def split(page: str) -> tuple[str, str]:
    """The charts, and the key below them."""
    charts, key = page.split('<div class="key">')
    return charts, key


def test_every_kind_of_step_has_a_mark_of_its_own():
    assert set(MARKS) == set(get_args(StepKind))
    drawn = {(mark.shape, mark.look) for mark in MARKS.values()}
    assert len(drawn) == len({mark.name for mark in MARKS.values()}) == len(MARKS)


@pytest.mark.parametrize("kind", get_args(StepKind))
def test_the_key_shows_the_marks_of_the_charts_and_no_others(kind):
    first, last = make_steps()[0], {**make_steps()[1], "kind": kind}
    charts, key = split(draw([first, last]))
    assert marks(charts) == marks(key)
    assert len(marks(key)) == len({"dense", kind})
    assert MARKS[kind].name in key


def test_a_step_without_a_number_has_no_mark_and_is_not_in_the_key():
    steps = make_steps()[:2]
    last = {**steps[1], "kind": "zeros", "accuracy": None, "cost": {}}
    charts, key = split(draw([*steps, last]))
    assert marks(charts) == marks(key)
    assert MARKS["zeros"].name not in key


def test_a_kind_without_a_mark_is_named_in_the_key():
    charts, key = split(draw([{**make_steps()[0], "kind": "<new>"}]))
    assert marks(charts) == marks(key)
    assert "&lt;new&gt;" in key


def test_without_steps_there_is_nothing_to_show():
    page = draw([])
    assert "Nothing was pruned" in page
    assert "<svg" not in page
