"""The headline: the verdict in plain words, and what became of the metric."""

import pytest

from edgeprune.device.figures import Check, Figure
from edgeprune.report.page import draw_section
from edgeprune.report.sections.figures import say_change
from edgeprune.report.sections.head import HEAD, say_budgets
from tests.report_sample import make_report


def latency(value, *, budget, low=None, high=None):
    figure = Figure(value=value, unit="ms", source="estimated", evidence="", low=low, high=high)
    return Check(name="latency", figure=figure, budget=budget).to_json()


def test_the_tightest_budget_is_named_where_all_hold():
    flash = Figure(value=1024.0, unit="bytes", source="measured", evidence="")
    checks = [latency(9.0, budget=10.0), Check(name="flash", figure=flash, budget=10240.0).to_json()]
    said = say_budgets(checks, state="holds")
    assert said == "latency is the tightest budget, with 1 ms of 10 ms to spare"


def test_a_broken_budget_is_named_with_what_it_lacks():
    assert say_budgets([latency(80.0, budget=62.5)], state="broken") == (
        "latency is 17.5 ms over its budget of 62.5 ms"
    )


def test_an_uncertain_budget_is_named_with_its_interval_and_what_would_tell():
    said = say_budgets([latency(9.0, budget=10.0, low=8.0, high=11.0)], state="uncertain")
    assert said.startswith("latency is between 8 ms and 11 ms, and the budget is 10 ms; measure it")


def test_what_no_budget_limits_is_said_in_words():
    accuracy = Figure(value=0.5, unit="", source="simulated", evidence="")
    check = Check(name="accuracy", figure=accuracy, budget=0.8, at_least=True).to_json()
    assert say_budgets([check], state="broken") == "too much accuracy is lost"


@pytest.mark.parametrize(
    ("before", "after", "task", "said"),
    [
        (0.8294, 0.8121, {}, "Accuracy fell by 1.7 points, from 82.9 % to 81.2 %."),
        (0.8, 0.9, {}, "Accuracy rose by 10.0 points, from 80.0 % to 90.0 %."),
        (0.8, 0.8, {}, "Accuracy is as before: 80.0 %."),
        (
            2.0,
            2.5,
            {"metric": "mse", "higher_is_better": False},
            "Mse rose by 25.0%, from 2.0000 to 2.5000 (less is better).",
        ),
        (None, 0.8, {}, ""),
    ],
)
def test_what_became_of_the_metric_is_said_in_points_or_as_a_part(before, after, task, said):
    report = {"dense": {"float_accuracy": before}, "pruned": {"accuracy": after}, "task": task, "checks": []}
    assert say_change(report) == said


def test_the_headline_is_one_sentence_on_the_budget_and_one_on_the_metric():
    report = make_report().to_json()
    page = draw_section(HEAD, {key: report[key] for key in HEAD.reads})
    assert "May fit Cortex-M7 (generic): latency is between 55.9 ms and 68.3 ms" in page
    assert "Accuracy fell by 1.7 points" in page
    assert "pretrainedResnet.h5 (pretrainedResnet)" in page
