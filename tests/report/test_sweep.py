"""The page of a sweep."""

import time
from dataclasses import replace

from edgeprune.report.sweep import render_sweep
from edgeprune.sweeps.results import gather
from tests.report.pages import HOSTILE, Outline
from tests.sweeps.test_front import reference, row


def make_document(points=6, seeds=3):
    rows = [reference(0.9 + seed / 1000, seed) for seed in range(seeds)]
    rows += [
        row(10.0 + place, accuracy=0.8 + place / 100 + seed / 500, seed=seed)
        for place in range(points)
        for seed in range(seeds)
    ]
    return gather(rows, folder="sweep").to_json()


def test_the_page_loads_nothing_and_has_a_chart_and_all_trials():
    page = Outline(render_sweep(make_document()))
    loaded = [(name, value) for name, value in page.attributes if name in ("src", "href", "xlink:href")]
    assert loaded == []
    assert page.tags.count("svg") >= 1
    assert page.tags.count("tr") == 1 + 7 + 1 + 21
    bars = [value for name, value in page.attributes if name == "class" and value == "error-bar"]
    assert len(bars) == 2 * 7  # in the wide chart and in the narrow one


def test_reports_are_linked():
    rows = [row(accuracy=0.9, dense_accuracy=0.9, report="trials/a/out/report.html")]
    page = Outline(render_sweep(gather(rows, folder="").to_json()))
    assert ("href", "trials/a/out/report.html") in page.attributes


def test_a_sweep_in_which_all_failed_still_has_a_page():
    rows = [replace(row(accuracy=None, fits=False), said="out of memory", exit=4)]
    page = Outline(render_sweep(gather(rows, folder="").to_json()))
    assert "out of memory" in page.texts


def test_names_are_escaped():
    page = render_sweep(gather([row(accuracy=0.9, dense_accuracy=0.9, model=HOSTILE)], folder="").to_json())
    assert page.count("<script>") == 1, "its own"
    Outline(page)


def test_ten_thousand_rows_make_a_page_in_ten_seconds():
    document = make_document(points=3333)
    assert len(document["rows"]) > 10_000 - 10
    began = time.process_time()
    page = render_sweep(document)
    assert time.process_time() - began < 10
    assert page.count("<tr>") > 10_000


def test_a_tie_says_with_what():
    rows = [reference(0.9, seed) for seed in (0, 1)]
    for cost, accuracy in ((10, 0.80), (20, 0.805), (30, 0.79), (40, 0.70)):
        rows += [row(cost, accuracy=accuracy + seed / 50, seed=seed) for seed in (0, 1)]
    places = [
        text for text in Outline(render_sweep(gather(rows, folder="").to_json())).texts if "front" in text
    ]
    assert "on the front, tied with latency 10 ms" in places
    assert "behind the front" in places
