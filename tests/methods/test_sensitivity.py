"""Curves as data and as a page, and what they say of a group that nobody needs."""

from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pytest

from edgeprune.errors import InfeasibleError, RecipeError
from edgeprune.graph.kept_layers import keep_layers
from edgeprune.keras_bridge.model.trace import trace
from edgeprune.methods.ranking import Ranking
from edgeprune.methods.sensitivity import Study, study_sensitivity
from edgeprune.progress import Silent
from edgeprune.report.html import render_sensitivity
from tests.keras_bridge.training.test_evidence import Opened, plain


class Counting(Silent):
    """Progress that counts."""

    def __init__(self) -> None:
        self.total = self.done = 0

    def stage(self, name: str, *, total: int = 0) -> None:
        self.total = total

    def advance(self, steps: int = 1, *, detail: str = "") -> None:
        self.done += steps


def study(opened: Opened, *, keep: tuple[str, ...] = (), **ranking: str) -> tuple[Study, Counting]:
    progress = Counting()
    found = study_sensitivity(
        opened.model,
        opened.traced,
        channels=keep_layers(opened.channels, keep),
        samples=SimpleNamespace(training=opened.training, validation=opened.evaluator),
        ranking=Ranking(**ranking),
        max_drop=0.02,
        progress=progress,
    )
    return found, progress


@pytest.fixture(scope="module")
def deaf() -> Study:
    """Of a model whose classifier listens to nobody, so that nothing matters but the bias."""
    opened = Opened(plain)
    kernel, bias = opened.model.layers[-1].get_weights()
    opened.model.layers[-1].set_weights([np.zeros_like(kernel), bias])
    opened.traced = trace(opened.model)
    return study(opened)[0]


def test_a_study_has_a_curve_for_each_group_and_tells_how_far_it_is() -> None:
    opened = Opened(plain)
    found, progress = study(opened)
    assert [family["name"] for family in found.families] == ["first", "second"]
    assert [family["channels"] for family in found.families] == [6, 8]
    assert found.families[0]["layers"] == ["first", "bn", "spread"]
    assert (
        progress.done
        == progress.total
        == sum(len({point["removed"] for point in family["points"]} - {0}) for family in found.families)
    )
    for family in found.families:
        assert [point["ratio"] for point in family["points"]] == [k / 10 for k in range(1, 10)]
        assert all(point["drop"] == found.whole - point["metric"] for point in family["points"])
        within = [point["drop"] <= 0.02 for point in family["points"]]
        first_no = within.index(False) if False in within else len(within)
        assert family["largest_ratio"] == first_no / 10


def test_where_nothing_matters_every_ratio_is_possible(deaf: Study) -> None:
    assert [family["largest_ratio"] for family in deaf.families] == [0.9, 0.9]


def test_a_kept_layer_has_no_curve() -> None:
    found, _ = study(Opened(plain), keep=("first",), criterion="l1")
    assert [family["name"] for family in found.families] == ["second"]
    assert found.criterion == "l1"


def test_a_study_of_nothing_is_an_error_that_says_why() -> None:
    with pytest.raises(InfeasibleError, match=r"kept by --keep \*"):
        study(Opened(plain), keep=("*",))


def test_curves_cannot_be_ordered_by_themselves() -> None:
    with pytest.raises(RecipeError, match="cannot say in what order"):
        study(Opened(plain), criterion="sensitivity")


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_has_a_chart_per_group_and_needs_nothing_else(deaf: Study) -> None:
    page = render_sensitivity({"model": "<deaf>.keras", "sensitivity": deaf.to_json()})
    tags = Tags()
    tags.feed(page)
    assert tags.found.count("svg") == 2 * 2  # for wide pages and for narrow ones
    assert tags.found.count("table") == 1
    assert tags.links == []
    assert "script" not in tags.found
    assert "&lt;deaf&gt;.keras" in page
