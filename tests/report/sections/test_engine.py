"""The C engine's part of the report: every block where the plan has it, every layer with its count."""

import re

from edgeprune.report.html import render_html
from edgeprune.report.page import draw_section
from edgeprune.report.sections.engine import ARENA, IMAGE, draw_arena
from tests.report.pages import HOSTILE, Outline
from tests.report_sample import ENGINE, make_report


def rectangles(svg):
    pattern = r'<rect class="block (\w+)" x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"'
    return [(kind, *map(float, place)) for kind, *place in re.findall(pattern, svg)]


def test_blocks_stand_at_their_address_and_their_time():
    (kind, x, y, width, height), (scratch, x_2, y_2, width_2, height_2) = rectangles(draw_arena(ENGINE))
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
    assert "4 KiB in all" in draw_section(ARENA, {"engine": engine})
    assert draw_section(IMAGE, {"engine": engine}) is None


def test_a_model_without_an_arena_has_no_plan():
    assert draw_section(ARENA, {"engine": {**ENGINE, "blocks": []}}) is None


def test_other_runtimes_have_neither():
    assert draw_section(ARENA, {"engine": None}) is draw_section(IMAGE, {"engine": None}) is None


def test_names_cannot_break_out_of_the_page():
    blocks = [{**ENGINE["blocks"][0], "name": HOSTILE}]
    assert "<script>" not in draw_arena({**ENGINE, "blocks": blocks})
