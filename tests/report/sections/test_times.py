"""Where the time goes: what is compared, and which layers are shown."""

import re

from edgeprune.report.page import draw_section
from edgeprune.report.sections.times import TIMES


def layer(name, **costs):
    nothing = {
        f"{cost}_{when}": 0 for cost in ("macs", "instructions", "latency_ms") for when in ("before", "after")
    }
    return {"name": name, **nothing, **costs}


def test_milliseconds_are_shown_where_they_are_known_and_the_work_where_not():
    timed = layer("a", latency_ms_before=2.0, latency_ms_after=1.0, macs_before=10, macs_after=5)
    assert "2 ms → 1 ms" in draw_section(TIMES, {"layers": [timed]})
    untimed = {**timed, "latency_ms_before": None, "latency_ms_after": None}
    page = draw_section(TIMES, {"layers": [untimed]})
    assert "10 → 5" in page
    assert "is not known on this device" in " ".join(page.split())
    older = {key: value for key, value in untimed.items() if not key.startswith("latency")}
    assert "10 → 5" in draw_section(TIMES, {"layers": [older]})


def test_bars_are_as_long_as_their_values():
    layers = [layer("a", macs_before=10, macs_after=5), layer("b", macs_before=4, macs_after=4)]
    page = draw_section(TIMES, {"layers": layers})
    assert re.findall(r"width:([\d.]+)%", page) == ["100.00", "50.00", "40.00", "40.00"]


def test_of_many_layers_the_dearest_are_shown_and_the_others_summed():
    layers = [layer(f"layer {i}", macs_before=i + 1, macs_after=i + 1) for i in range(20)]
    page = draw_section(TIMES, {"layers": layers})
    assert "4 other layers" in page
    assert "layer 19" in page
    assert ">layer 3<" not in page
    assert ">10<" in page  # 1 + 2 + 3 + 4


def test_layers_that_cost_nothing_make_no_chart():
    assert draw_section(TIMES, {"layers": [layer("a")]}) is None
