import json

import pytest

from edgeprune.errors import DataError, InputError
from edgeprune.progress import Silent
from edgeprune.sweeps.front import find_fronts
from edgeprune.sweeps.results import front, gather, write_results
from edgeprune.sweeps.rows import Row, find_rows, read_row


def row(limit=10.0, *, accuracy, seed=0, kind="build", cost=None, fits=True, **more):
    usual = {"trial": f"{kind}-{limit}-{seed}-{more.get('settings')}", "model": "net", "device": "cortex-m7"}
    figures = {"latency_ms": {"value": limit if cost is None else cost, "source": "estimated"}}
    budgets = {"latency_ms": limit} if kind == "build" else {}
    return Row(
        **(usual | more), kind=kind, budgets=budgets, seed=seed, metric="accuracy", accuracy=accuracy,
        figures=figures, fits=fits, exit=0 if fits else 1,
    )  # fmt: skip


def reference(accuracy, seed=0):
    return row(50.0, accuracy=accuracy, seed=seed, kind="reference")


def test_a_point_is_the_mean_over_seeds_and_drops_are_taken_seed_by_seed():
    rows = [reference(0.90, 0), reference(0.94, 1), row(accuracy=0.88, seed=0), row(accuracy=0.91, seed=1)]
    (found,) = find_fronts(rows)
    point = next(point for point in found.points if point.kind == "build")
    assert point.accuracy.mean == pytest.approx(0.895)
    assert point.drop.mean == pytest.approx(0.025)  # of 0.02 and 0.03
    assert point.drop.deviation == pytest.approx(0.00707, abs=1e-5)
    assert point.seeds == 2


def test_of_an_error_the_drop_is_relative():
    rows = [row(50.0, accuracy=0.2, kind="reference", higher_is_better=False)]
    rows.append(row(accuracy=0.25, higher_is_better=False))
    (found,) = find_fronts(rows)
    assert found.points[0].drop.mean == pytest.approx(0.25)


def test_without_a_reference_the_dense_model_as_given_stands_in():
    (found,) = find_fronts([row(accuracy=0.88, dense_accuracy=0.9)])
    assert found.points[0].drop.mean == pytest.approx(0.02)
    assert find_fronts([row(accuracy=0.88)]) == []


def test_what_is_slower_and_no_better_is_not_on_the_front():
    rows = [reference(0.9), row(10, accuracy=0.80), row(20, accuracy=0.79), row(30, accuracy=0.88)]
    (found,) = find_fronts(rows)
    assert [p.on_front for p in found.points if p.kind == "build"] == [True, False, True]


def test_of_two_that_are_the_same_both_are_on_the_front():
    rows = [reference(0.9), row(10, accuracy=0.80, cost=8), row(20, accuracy=0.80, cost=8)]
    (found,) = find_fronts(rows)
    assert [p.on_front for p in found.points] == [True, True, True]


def test_what_does_not_fit_is_not_on_the_front():
    rows = [reference(0.9), row(10, accuracy=0.80, fits=False), row(20, accuracy=0.79)]
    (found,) = find_fronts(rows)
    assert [p.on_front for p in found.points] == [False, True, True]


def test_points_whose_drops_differ_by_less_than_their_spreads_are_tied():
    rows = [reference(0.9, seed) for seed in (0, 1)]
    rows += [row(10, accuracy=0.80, seed=0), row(10, accuracy=0.82, seed=1)]
    rows += [row(20, accuracy=0.79, seed=0), row(20, accuracy=0.81, seed=1)]
    rows += [row(30, accuracy=0.70, seed=0), row(30, accuracy=0.72, seed=1)]
    (found,) = find_fronts(rows)
    ten, twenty, thirty = (point for point in found.points if point.kind == "build")
    assert twenty.ties == (ten.trials[0],)
    assert thirty.ties == ()
    one_seed = find_fronts([reference(0.9), row(10, accuracy=0.80), row(20, accuracy=0.80)])[0]
    assert all(point.ties == () for point in one_seed.points), "of one seed nobody knows the spread"


def test_the_cheapest_that_fits_and_loses_at_most_a_point_is_taken():
    rows = [
        reference(0.9),
        row(10, accuracy=0.85),
        row(20, accuracy=0.891, fits=False),
        row(30, accuracy=0.892),
    ]
    (found,) = find_fronts([*rows, row(40, accuracy=0.9)])
    assert found.taken is not None
    assert found.taken.budgets == {"latency_ms": 30}
    assert "take latency 30 ms" in found.sentence
    assert find_fronts(rows[:3])[0].taken is None
    assert "no build that fits" in find_fronts(rows[:3])[0].sentence


def test_each_device_and_each_kind_of_budget_has_a_front():
    rows = [row(accuracy=0.9, dense_accuracy=0.9), row(accuracy=0.9, dense_accuracy=0.9, device="cortex-m4")]
    assert [found.device for found in find_fronts(rows)] == ["cortex-m7", "cortex-m4"]


def test_a_row_survives_json_and_becomes_plain_columns():
    one = row(accuracy=0.9, settings={"criterion": "l1"})
    assert read_row(json.loads(json.dumps(one.to_json()))) == one
    record = one.to_record()
    assert record["budget_latency_ms"] == 10.0
    assert record["latency_ms_source"] == "estimated"
    assert record["settings"] == '{"criterion": "l1"}'


def test_results_are_made_again_of_what_trials_left(tmp_path):
    for name, accuracy in (("a", 0.9), ("b", 0.85)):
        folder = tmp_path / "sweep" / "trials" / name
        (folder / "out").mkdir(parents=True)
        (folder / "out" / "report.html").write_text("a page")
        found = row(
            accuracy=accuracy, seed=0 if name == "a" else 1, dense_accuracy=0.9, report="out/report.html"
        )
        (folder / "trial.json").write_text(json.dumps({"rows": [found.to_json()]}))
    result = front([tmp_path / "sweep"], output=tmp_path / "sweep", progress=Silent())
    assert [found.report for found in result.rows] == [f"trials/{n}/out/report.html" for n in "ab"]
    document = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert document["rows"] == [found.to_json() for found in result.rows]
    page = (tmp_path / "sweep" / "sweep.html").read_text()
    assert 'href="trials/a/out/report.html"' in page
    elsewhere = front([tmp_path / "sweep"], output=tmp_path / "other", progress=Silent())
    assert elsewhere.rows[0].report.startswith("file://")


def test_the_table_has_a_row_for_each_trial(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    rows = [row(accuracy=0.9, dense_accuracy=0.9), row(20, accuracy=None, fits=False)]
    write_results(gather(rows, folder=""), tmp_path, progress=Silent())
    table = parquet.read_table(tmp_path / "sweep.parquet").to_pylist()
    assert [found["accuracy"] for found in table] == [0.9, None]
    assert table[0]["latency_ms"] == 10.0


def test_without_pyarrow_the_table_is_left_out_and_a_note_says_so(tmp_path, monkeypatch):
    class Notes(Silent):
        def note(self, text):
            said.append(text)

    said = []
    monkeypatch.setattr("edgeprune.sweeps.results.find_spec", lambda name: None)
    write_results(gather([row(accuracy=0.9)], folder=""), tmp_path, progress=Notes())
    assert sorted(file.name for file in tmp_path.iterdir()) == ["sweep.html", "sweep.json"]
    assert "edgeprune[sweep]" in said[0]


def test_nothing_to_compare_and_damaged_trials_are_errors(tmp_path):
    with pytest.raises(DataError, match="no such folder"):
        front([tmp_path / "none"], output=tmp_path, progress=Silent())
    with pytest.raises(DataError, match="no builds in them"):
        front([tmp_path], output=tmp_path, progress=Silent())
    (tmp_path / "trial.json").write_text("[]")
    with pytest.raises(InputError, match=r"trial\.json"):
        list(find_rows([tmp_path], root=tmp_path))
