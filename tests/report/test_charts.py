import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgeprune.report.charts import (
    Bar,
    Panel,
    Point,
    draw_bars,
    draw_before_after,
    draw_budget_bar,
    draw_panel,
    place_ticks,
)


def test_ticks_are_round_and_enclose_the_values():
    assert place_ticks(0.77, 0.829, unit="", from_zero=False) == pytest.approx([0.76, 0.78, 0.8, 0.82, 0.84])
    assert place_ticks(62.1, 124.1, unit="ms", from_zero=True) == [0, 50, 100, 150]
    assert place_ticks(0, 3000, unit="bytes", from_zero=True) == [0, 1024, 2048, 3072]
    assert place_ticks(0.5, 0.5, unit="", from_zero=False)[0] < 0.5


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_ticks_enclose_any_values(one, other):
    low, high = min(one, other), max(one, other)
    ticks = place_ticks(low, high, unit="", from_zero=False)
    slack = 1e-6 * max(abs(low), abs(high), 1e-6)
    assert ticks[0] <= low + slack
    assert ticks[-1] >= high - slack
    assert 2 <= len(ticks) <= 8


def test_bars_are_as_long_as_their_values():
    bar = draw_budget_bar(value=50, between=None, dense=100, budget=75, ok=True)
    assert [float(x) for x in re.findall(r":([\d.]+)%", bar)] == pytest.approx(
        [100 * x / 104 for x in (50, 100, 75)], abs=0.01
    )
    bar = draw_budget_bar(value=50, between=(40, 100), dense=None, budget=75, ok=True)
    assert 'class="between" style="left:38.46%;width:57.69%"' in bar  # 40/104, 60/104
    pair = draw_before_after(before=8, after=4, top=16)
    assert re.findall(r"width:([\d.]+)%", pair) == ["50.00", "25.00"]
    assert re.findall(r"width:([\d.]+)%", draw_before_after(before=0, after=0, top=0)) == ["0.00", "0.00"]


def test_higher_values_stand_higher_and_rolled_back_points_are_not_on_the_line():
    values = [("dense", 1.0), ("prune", 0.5), ("rollback", 0.1), ("recover", 0.75)]
    points = [Point(value=value, kind=kind, label=str(value), title="") for kind, value in values]
    panel = Panel(title="t", unit="", points=points, level=1.0, level_name="dense", from_zero=False)
    svg = draw_panel(panel, labels=["0", "1", "2", "3"])
    line = re.search(r'points="([^"]*)"', svg)
    assert line
    ys = [float(pair.split(",")[1]) for pair in line[1].split()]
    assert len(ys) == 3
    assert ys[0] < ys[2] < ys[1]


def test_bars_are_as_long_as_their_values_and_the_level_stands_between():
    bars = [Bar(name="one", value=0.5, label="0.50"), Bar(name="two", value=2.0, label="2.00")]
    chart = draw_bars(bars, title="a title", level=1.0, level_name="all")
    root = ET.fromstring(chart)
    space = "{http://www.w3.org/2000/svg}"
    widths = [float(bar.get("width")) for bar in root.iter(f"{space}rect")]
    assert widths[1] == pytest.approx(4 * widths[0], rel=1e-3)
    level = root.find(f"{space}line")
    start = float(next(root.iter(f"{space}rect")).get("x"))
    assert float(level.get("x1")) - start == pytest.approx(2 * widths[0], rel=1e-3)
    assert "a title" in chart
