"""The pages as a browser shows them: nothing for axe-core to find, nothing that sticks out or overlaps.

Chromium and axe-core (`scripts/test` brings the latter with npm) have to be there. `EDGEPRUNE_SCREENSHOTS`
names a folder that keeps what was seen.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from edgeprune.device.figures import Check, Figure
from edgeprune.report.html import render_html, render_quantization, render_sensitivity
from edgeprune.report.sweep import render_sweep
from tests.report.browser import AXE, CHROMIUM, Browser
from tests.report.test_html import QUANTIZED, STUDIED
from tests.report.test_sweep import make_document
from tests.report_sample import ENGINE, VALUES, make_checks, make_layers, make_report

pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
    pytest.mark.skipif(not AXE.is_file(), reason="axe-core is not installed: npm ci in tests/report/axe"),
]

WIDE, NARROW = 1280, 375
UNFOLD = "document.querySelectorAll('details').forEach(part => part.open = true)"
JUDGE = """
axe.run().then(found => found.violations.map(fault =>
    `${fault.id}: ${fault.nodes.map(node => node.html.slice(0, 120)).join(' | ')}`))
"""
STICKING_OUT = """
[...document.querySelectorAll('body *')]
    .filter(part => !part.closest('.scroll') && !part.closest('svg'))
    .filter(part => part.getBoundingClientRect().right > innerWidth + 0.5)
    .map(part => part.outerHTML.slice(0, 120))
"""
OVERLAPPING = """
(() => {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT), boxes = [];
    while (walker.nextNode()) {
        const text = walker.currentNode, range = document.createRange();
        if (!text.data.trim() || text.parentElement.closest('script, style, title')) continue;
        range.selectNodeContents(text);
        for (const box of range.getClientRects())
            if (box.width > 1) boxes.push([box, text.data.trim().slice(0, 40)]);
    }
    const found = [];
    for (let i = 0; i < boxes.length; i++)
        for (let j = i + 1; j < boxes.length; j++) {
            const [a, b] = [boxes[i][0], boxes[j][0]];
            // Line boxes are higher than their letters: they may touch by a quarter of a line.
            if (Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
                Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 0.25 * Math.min(a.height, b.height))
                found.push(`${boxes[i][1]} × ${boxes[j][1]}`);
        }
    return found;
})()
"""


def make_pages() -> dict[str, str]:
    broken = tuple(
        replace(check, budget=50.0) if check.name == "latency" else check for check in make_checks()
    )
    unknown = Figure(value=None, unit="ms", source="unavailable", evidence="nobody has timed this core")
    names = [f"a_layer_with_a_name_that_is_long_and_has_no_spaces_{i}" for i in range(40)]
    layers = tuple({**make_layers()[i % 9], "name": name} for i, name in enumerate(names))
    reports = {
        "fits": make_report(),
        "does-not-fit": make_report(verdict=False, checks=tuple(check.to_json() for check in broken)),
        "c-engine-and-values": make_report(engine=ENGINE, memory=None, answers=VALUES, samples=()),
        "long-names": make_report(layers=layers),
        "little-known": make_report(
            checks=(Check(name="latency", figure=unknown, budget=None).to_json(),),
            steps=(),
            plans=(),
            answers=None,
            samples=(),
            memory=None,
            quantization=None,
        ),
    }
    return {name: render_html(report.to_json()) for name, report in reports.items()} | {
        "sweep": render_sweep(make_document()),
        "quantization": render_quantization(QUANTIZED),
        "sensitivity": render_sensitivity(STUDIED),
    }


PAGES = make_pages()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("chromium")) as opened:
        yield opened


def keep(browser: Browser, name: str) -> None:
    if folder := os.environ.get("EDGEPRUNE_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        browser.photograph(Path(folder) / f"{name}.png")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_accessible_and_no_wider_than_a_phone(browser: Browser, name: str) -> None:
    for width, dark in ((WIDE, False), (NARROW, True)):
        browser.show(PAGES[name], width=width, dark=dark)
        browser.evaluate(UNFOLD)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width
        assert browser.evaluate(STICKING_OUT) == []
        assert browser.evaluate(OVERLAPPING) == []
        keep(browser, f"{name}-{width}-{'dark' if dark else 'light'}")
    browser.evaluate(AXE.read_text(encoding="utf-8"))
    assert browser.evaluate(JUDGE) == []


@pytest.mark.parametrize("name", ["fits", "does-not-fit"])
def test_there_is_contrast_by_day_and_by_night(browser: Browser, name: str) -> None:
    for width, dark in ((WIDE, True), (NARROW, False)):
        browser.show(PAGES[name], width=width, dark=dark)
        browser.evaluate(UNFOLD)
        keep(browser, f"{name}-{width}-{'dark' if dark else 'light'}")
    browser.evaluate(AXE.read_text(encoding="utf-8"))
    assert browser.evaluate(JUDGE.replace("run()", "run({runOnly: ['color-contrast']})")) == []


def test_faults_are_found(browser: Browser) -> None:
    faulty = "<main><p style='color: #ccc; background: #fff'>pale</p><img src='data:,'/>"
    faulty += "<div style='width: 500px'>wide</div><p style='margin-top: -20px'>over</p></main>"
    browser.show(f"<!doctype html><html><body>{faulty}</body></html>", width=NARROW)
    browser.evaluate(AXE.read_text(encoding="utf-8"))
    found = {fault.partition(":")[0] for fault in browser.evaluate(JUDGE)}
    assert {"color-contrast", "image-alt", "html-has-lang"} <= found
    assert browser.evaluate("document.documentElement.scrollWidth") > NARROW
    assert any("wide" in part for part in browser.evaluate(STICKING_OUT))
    assert browser.evaluate(OVERLAPPING) == ["wide × over"]


def test_evidence_is_folded_on_the_screen_and_open_on_paper(browser: Browser) -> None:
    height = "document.querySelector('.evidence details').getBoundingClientRect().height"
    browser.show(PAGES["fits"])
    assert browser.evaluate(height) < 60  # its heading
    browser.show(PAGES["fits"], media="print")
    assert browser.evaluate(height) > 200
    keep(browser, "fits-print")


def test_the_button_copies_every_command(browser: Browser) -> None:
    browser.show(PAGES["fits"])
    # A page that was set and not loaded has no clipboard; the script asks for one when it runs.
    clipboard = "({writeText: text => { window.copied = text; }})"
    browser.evaluate(f"navigator.__defineGetter__('clipboard', () => {clipboard})")
    browser.evaluate("(0, eval)(document.querySelector('script').textContent)")
    assert browser.evaluate("document.querySelector('button.copy').hidden") is False
    browser.evaluate("document.querySelector('button.copy').click()")
    commands = [step["command"] for step in make_report().deployment["steps"] if step["command"]]
    assert browser.evaluate("window.copied").splitlines() == commands
    assert browser.evaluate("document.getElementById('copied').textContent") == "Copied."


def test_everything_that_can_be_used_is_reached_by_the_keyboard(browser: Browser) -> None:
    browser.show(PAGES["fits"])
    reached = "[...document.querySelectorAll('summary, .scroll')].every(part => part.tabIndex >= 0)"
    assert browser.evaluate(reached) is True
