"""The C engine's part of the report: every block where the plan has it, every layer with its count."""

import re

from edgeprune.report.html import render_html
from edgeprune.report.page import draw_section
from edgeprune.report.sections.engine import IMAGE
from edgeprune.report.sections.memory import MEMORY, draw_plan
from tests.report.pages import HOSTILE, Outline
from tests.report_sample import ENGINE, make_report

PLAN = {key: ENGINE[key] for key in ("steps", "blocks")} | {"planner": "me", "total_bytes": 4096}


def rectangles(svg):
    pattern = r'<rect class="block (\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"'
    return [(kind, *map(float, place)) for kind, *place in re.findall(pattern, svg)]


def test_blocks_stand_at_their_address_and_their_time():
    (kind, x, y, width, height), (scratch, x_2, y_2, width_2, height_2) = rectangles(draw_plan(PLAN))
    assert (kind, scratch) == ("tensor", "scratch")
    assert (height, y) == (height_2, y_2 + height_2)  # as large, and right below
    assert width_2 < width / 2 < width_2 + 2  # one op instead of two
    assert x_2 + width_2 == x + width


def test_the_report_names_every_layer_and_its_share():
    page = render_html(make_report(engine=ENGINE).to_json())
    Outline(page)
    page = " ".join(page.split())
    assert "model_conv_2d_0" in page
    assert ">0.75<" in page
    assert "golden samples take 700 B more" in page


def test_without_an_image_only_the_arena_is_shown():
    engine = {**ENGINE, "sizes": None, "layers": []}
    assert "4 KiB in all" in draw_section(MEMORY, {"memory": None, "engine": engine})
    assert draw_section(IMAGE, {"engine": engine}) is None


def test_a_model_without_an_arena_has_no_plan():
    assert draw_section(MEMORY, {"memory": None, "engine": {**ENGINE, "blocks": []}}) is None


def test_other_runtimes_have_neither():
    assert draw_section(MEMORY, {"memory": None, "engine": None}) is None
    assert draw_section(IMAGE, {"engine": None}) is None


def test_names_cannot_break_out_of_the_page():
    blocks = [{**ENGINE["blocks"][0], "name": HOSTILE}]
    assert "<script>" not in draw_plan({**PLAN, "blocks": blocks})


def test_the_plan_of_another_runtime_says_who_planned_it_and_numbers_its_ops():
    plan = {**PLAN, "steps": ["inputs", "CONV_2D 0"]}
    page = draw_section(MEMORY, {"memory": plan, "engine": None})
    assert "planned by me" in page
    assert re.findall(r'class="tick middle">([^<]*)<', page) == ["in", "0"] * 2  # wide and narrow


def test_a_name_that_would_meet_another_is_left_out():
    block = {"name": "tensor 1", "offset": 0, "bytes": 2048, "first": 0, "last": 1}
    apart = draw_plan({**PLAN, "blocks": [block, {**block, "name": "tensor 2", "offset": 2048}]})
    assert re.findall(r'block-name">([^<]*)<', apart) == ["tensor 1", "tensor 2"]
    over = draw_plan({**PLAN, "blocks": [block, {**block, "name": "tensor 2", "offset": 16}]})
    assert re.findall(r'block-name">([^<]*)<', over) == ["tensor 1"]
