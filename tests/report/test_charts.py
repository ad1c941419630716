import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeprune.report.axes import Plot, place_ticks
from edgeprune.report.charts import Bar, Panel, Point, draw_bars, draw_panel
from edgeprune.report.sections.steps import MARKS

SVG = "{http://www.w3.org/2000/svg}"


def test_ticks_are_round_and_enclose_the_values():
    assert place_ticks(0.77, 0.829, unit="", from_zero=False) == pytest.approx([0.76, 0.78, 0.8, 0.82, 0.84])
    assert place_ticks(62.1, 124.1, unit="ms", from_zero=True) == [0, 50, 100, 150]
    assert place_ticks(0.5, 0.5, unit="", from_zero=False)[0] < 0.5


def test_ticks_of_bytes_are_round_in_the_unit_they_are_shown_in():
    assert place_ticks(0, 820, unit="bytes", from_zero=True) == [0, 500, 1000]
    assert place_ticks(0, 3000, unit="bytes", from_zero=True) == [0, 1024, 2048, 3072]
    assert place_ticks(0, 3 * 2**20, unit="bytes", from_zero=True) == [0, 2**20, 2**21, 3 * 2**20]


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_ticks_enclose_any_values(one, other):
    low, high = min(one, other), max(one, other)
    ticks = place_ticks(low, high, unit="", from_zero=False)
    slack = 1e-6 * max(abs(low), abs(high), 1e-6)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 8


def test_a_plot_places_values_between_its_margins():
    plot = Plot(width=100, height=50, left=10, right=20, top=5, bottom=15, across=(0, 7), up=(2, 4))
    assert [plot.x(value) for value in (0, 1, 7, 9)] == [10, 20, 80, 80]  # 70 pixels for 7
    assert [plot.y(value) for value in (2, 3, 4, 0)] == [35, 20, 5, 35]


def test_names_that_have_no_room_are_left_out_evenly():
    plot = Plot(width=100, height=50, left=0, right=0, top=0, bottom=20, across=(0, 10))
    few = re.findall(r">([^<]*)</text>", plot.draw_names(["1", "2"], at=[1, 2]))
    assert few == ["1", "2"]
    many = [str(i) for i in range(30)]  # 14 pixels each, where there are 3.3
    left = re.findall(r">([^<]*)</text>", plot.draw_names(many, at=range(30)))
    assert left == ["0", "5", "10", "15", "20", "25"]


def test_higher_values_stand_higher_and_rolled_back_points_are_not_on_the_line():
    values = [("dense", 1.0), ("prune", 0.5), ("rollback", 0.1), ("recover", 0.75)]
    points = [Point(value=value, mark=MARKS[kind], label=str(value), title="") for kind, value in values]
    panel = Panel(title="t", unit="", points=points, level=1.0, level_name="dense", from_zero=False)
    svg = draw_panel(panel, names=["0", "1", "2", "3"])
    line = re.search(r'points="([^"]*)"', svg)
    assert line
    ys = [float(pair.split(",")[1]) for pair in line[1].split()]
    assert len(ys) == 3
    assert ys[0] < ys[2] < ys[1]


def test_no_label_is_cut_off_at_the_top():
    points = [Point(value=value, mark=MARKS["prune"], label="", title="") for value in (0.5, 0.999)]
    panel = Panel(title="t", unit="", points=points, level=1.0, level_name="dense", from_zero=False)
    texts = ET.fromstring(draw_panel(panel, names=[])).iter("text")
    assert min(float(text.get("y")) for text in texts) >= 10  # a letter is nine pixels high


def test_bars_are_as_long_as_their_values_and_the_level_stands_between():
    bars = [Bar(name="one", value=0.5, label="0.50"), Bar(name="two", value=2.0, label="2.00")]
    chart = draw_bars(bars, title="a title", level=1.0, level_name="all")
    root = ET.fromstring(chart)
    first, second = root.iter(f"{SVG}rect")
    assert float(second.get("width")) == pytest.approx(4 * float(first.get("width")), rel=1e-3)
    level = root.find(f"{SVG}line[@class='level']")
    length = float(level.get("x1")) - float(first.get("x"))
    assert length == pytest.approx(2 * float(first.get("width")), rel=1e-3)
    assert "a title" in chart


def test_bars_stand_alone_with_their_style_and_an_axis():
    chart = draw_bars([Bar(name="one", value=1.9, label="1.90")], title="t", level=1.0, level_name="all")
    root = ET.fromstring(chart)
    assert ".block" in root.find(f"{SVG}style").text
    assert {"0", "0.5", "1", "1.5", "2"} <= {text.text for text in root.iter(f"{SVG}text")}
