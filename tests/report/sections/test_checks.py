import pytest

from edgeprune.device.figures import Check, Figure
from edgeprune.report.sections.checks import say_verdict


@pytest.mark.parametrize(
    ("name", "value", "budget", "said"),
    [
        ("latency", 3.0, 10.0, "fits"),
        ("latency", 30.0, 10.0, "exceeds"),
        ("latency", 3.0, None, "no budget"),
        ("agreement", 1.0, 1.0, "holds"),
        ("agreement", 2.0, 1.0, "broken"),
        ("agreement", 2.0, None, "undecided"),
    ],
)
def test_the_page_words_verdicts_as_the_command_line_does(name, value, budget, said):
    figure = Figure(value=value, unit="ms", source="measured", evidence="")
    assert say_verdict(Check(name=name, figure=figure, budget=budget).to_json()) == said
