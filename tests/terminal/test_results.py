from edgeprune.device.figures import Check, Figure, unavailable
from edgeprune.terminal.results import describe_ladder, format_checks, format_figures, format_report
from edgeprune.terminal.tables import measure_width
from tests.report_sample import make_report


def line_of(text, start):
    return next(line for line in text.splitlines() if line.startswith(start)).split()


def test_the_reader_sees_why_the_dense_model_did_not_fit():
    text = format_report(make_report())
    assert line_of(text, "latency ") == [
        "latency",
        *["124.1", "ms", "62.1", "ms", "0.50×", "62.5", "ms", "over", "by", "61.6", "ms"],
    ]
    assert line_of(text, "RAM ") == ["RAM", *["60.9", "KiB", "47.4", "KiB", "0.78×", "128", "KiB", "fits"]]
    assert line_of(text, "MACs ") == ["MACs", *["12.5", "M", "5.89", "M", "0.47×"]]
    assert max(map(measure_width, text.splitlines())) <= 80


def test_the_checks_end_with_the_sentence():
    report = make_report()
    text = format_report(report)
    assert " ".join(text.split()).endswith(report.sentence)
    assert line_of(text, "accuracy  ") == [
        "accuracy",
        "0.8121",
        "≥",
        "0.8072",
        "+0.0049",
        "simulated",
        "holds",
    ]


def test_a_broken_budget_stands_out_and_its_margin_is_negative():
    figure = Figure(value=20480.0, unit="bytes", source="simulated", evidence="allocator")
    check = Check(name="ram", figure=figure, budget=10240.0)
    text = format_checks([check.to_json()], sentence="does not fit.")
    assert line_of(text, "ram") == ["ram", "20", "KiB", "10", "KiB", "−10", "KiB", "simulated", "EXCEEDS"]


def test_what_is_not_known_breaks_its_budget_and_says_why():
    check = Check(name="latency", figure=unavailable("latency_ms", "nothing was measured"), budget=10.0)
    text = format_checks([check.to_json()], sentence="does not fit.")
    assert line_of(text, "latency") == ["latency", "–", "10", "ms", "–", "unavailable", "UNKNOWN"]
    assert "latency: nothing was measured" in text


def test_without_a_budget_there_is_no_verdict():
    figure = Figure(value=3.0, unit="ms", source="estimated", evidence="")
    text = format_checks([Check(name="latency", figure=figure, budget=None).to_json()], sentence="")
    assert "no budget" in text


def test_what_this_machine_cannot_judge_is_undecided_and_says_why():
    figure = Figure(value=0.0, unit="steps", source="simulated", evidence="")
    check = Check(name="agreement", figure=figure, budget=None, note="newer LiteRT rounds otherwise")
    text = format_checks([check.to_json()], sentence="")
    assert line_of(text, "agreement  ")[-1] == "undecided"
    assert "agreement: newer LiteRT rounds otherwise" in text


def test_an_error_metric_is_judged_downwards():
    figure = Figure(value=0.3, unit="", source="simulated", evidence="")
    report = make_report(
        task={"loss": "mse", "metric": "mae", "higher_is_better": False, "origin": "flag"},
        checks=(Check(name="accuracy", figure=figure, budget=0.31).to_json(),),
    )
    text = format_report(report)
    assert line_of(text, "accuracy") == ["accuracy", "0.3000", "0.3100", "+0.0100", "simulated", "holds"]
    assert line_of(text, "mae, int8")[:2] == ["mae,", "int8"]


def test_errors_are_named_as_such_below_the_figures():
    numbers = dict.fromkeys(("dense_float", "dense", "pruned_float", "pruned"), 0.5)
    metrics = [
        {"name": name, "higher_is_better": name == "accuracy", **numbers}
        for name in ("mae", "accuracy", "loss")
    ]
    task = {"loss": "mse", "metric": "mae", "higher_is_better": False, "origin": "flag", "metrics": metrics}
    assert "Less is better: mae, loss." in format_report(make_report(task=task)).splitlines()
    assert "Less is better" not in format_report(make_report())


def test_figures_show_their_interval_and_evidence():
    origin = {"latency_ms": {"source": "estimated", "evidence": "by hand", "low": 9.0, "high": 12.0}}
    text = format_figures({"latency_ms": 10.0, "macs": None}, provenance=origin)
    assert line_of(text, "latency") == ["latency", "10", "ms", "9", "ms..12", "ms", "estimated"]
    assert "latency: by hand" in text
    assert line_of(text, "MACs") == ["MACs", "–"]


def test_an_estimate_whose_interval_reaches_beyond_the_budget_says_so():
    def shown(high):
        figure = Figure(value=9.0, unit="ms", source="estimated", evidence="", low=7.0, high=high)
        return format_checks([Check(name="latency", figure=figure, budget=10.0).to_json()], sentence="")

    assert "between 7 ms and 12 ms: 10 ms lies within; measure it with" in shown(12.0)
    assert line_of(shown(12.0), "latency")[-1] == "uncertain"
    assert "lies within" not in shown(9.9)


def test_what_the_ladder_gained_is_said_in_a_sentence() -> None:
    rungs = [
        {"name": "int8", "drop": 0.05, "kept": True},
        {"name": "range clipping, MSE", "drop": 0.06, "kept": False},
        {"name": "bias correction", "drop": 0.01, "kept": True},
    ]
    assert describe_ladder({"rungs": rungs}, metric="accuracy") == (
        "Plain int8 loses 0.0500 of accuracy on validation data, and loses 0.0100 after bias correction."
    )
    lucky = {"name": "bias correction", "drop": 0.04, "kept": False}
    failed = {"name": "int16x8", "drop": None, "kept": False}
    assert describe_ladder({"rungs": [*rungs[:2], lucky, failed]}, metric="accuracy") == (
        "Plain int8 loses 0.0500 of accuracy on validation data; nothing that was tried is surely better: "
        "range clipping, MSE (no better), bias correction (perhaps by chance)."
    )
