import csv
import dataclasses
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT / ".." / "shared" / "data"

pytestmark = pytest.mark.skipif(
    not (DATA / "phone_latency.csv").exists(), reason="../shared is no part of edgeprune"
)


@pytest.fixture(scope="module")
def phones():
    sys.path.insert(0, str(ROOT / "scripts"))
    import fit_phones

    return fit_phones


def lines_of(name):
    return list(csv.DictReader((DATA / name).read_text(encoding="utf-8").splitlines()))


def test_no_row_leaves_the_table_of_errors_silently(phones):
    rows, left = phones.read_timed(DATA)
    assert len(rows) + sum(left.reasons.values()) == len(lines_of("phone_latency.csv"))
    held = phones.hold_out(rows[:60], socs=False)
    assert set(held) <= set(range(60))


def test_no_counted_op_leaves_the_fit_but_those_of_float_files(phones):
    import fit_instructions

    lines = lines_of(fit_instructions.FURTHER)
    wanted = [
        line
        for line in lines
        if line["core"] == "cortex-m4" and line["model"] not in fit_instructions.NOT_INT8
    ]
    rows = fit_instructions.read_rows(DATA / fit_instructions.FURTHER, "cortex-m4")
    assert len(rows) == len(wanted)
    assert sum(row.op.flips_sign for row in rows) > 50
    said = fit_instructions.describe_left_out(DATA, core="cortex-m4", library="cmsis-nn")
    assert f"{len(lines) // 2 - len(wanted)} there are of float files" in said


def test_the_shortest_interval_holds_nine_of_ten_and_1(phones):
    ratios = [0.5, *[1.0 + 0.01 * step for step in range(9)]]
    assert phones.ends_of(ratios) == (1.0, pytest.approx(1.08))
    assert phones.ends_of([1.1 + 0.01 * step for step in range(10)]) == (1.0, pytest.approx(1.19))


def test_an_interval_of_a_given_width_lies_where_most_are(phones):
    assert phones.place([0.3, 0.8, 1.0, 1.1, 1.5, 4.0], width=2.0) == (0.8, 4 / 6)
    assert phones.place([1.0, 2.0], width=2.0) == (1.0, 1.0)


def test_threads_share_all_but_what_stays_in_one(phones):
    work = [0.0] * len(phones.WORK)
    work[0] = 1e6
    row = phones.Timed(
        model="m",
        family="f",
        number="int8",
        soc="s",
        group="large",
        threads=4,
        core=phones.Core(name="c", clock_mhz=1000.0),
        work=tuple(work),
        ms=1.0,
    )
    pace = [2.0] * len(work)
    assert phones.estimate(row, pace, phones.np.zeros(len(work))) == pytest.approx(0.5e6)
    assert phones.estimate(row, pace, phones.np.full(len(work), 0.5)) == pytest.approx(1.25e6)
    assert phones.estimate(dataclasses.replace(row, threads=1), pace, phones.np.zeros(8)) == 2e6


def test_a_network_is_predicted_without_its_family(phones):
    rows, _ = phones.read_timed(DATA)
    few = [row for row in rows if row.threads == 1 and (row.soc, row.group) == ("Snapdragon 855", "large")]
    ratios = phones.hold_out(few, socs=False)
    assert len(ratios) == len(few)
    inside = sum(0.72 <= ratio <= 1.44 for ratio in ratios.values())
    assert inside > 0.85 * len(few)


def test_an_npu_that_takes_so_long_for_ops_and_weights_is_found_again(phones, monkeypatch):
    import phone_npus

    (soc, (name, _)), *_ = phone_npus.NPUS.items()
    rows = [
        phone_npus.OnNpu(
            soc=soc,
            model=str(ops),
            number="int8",
            macs=1e9,
            ops=ops,
            weights=weights,
            ms=ops * 2e-3 + weights * 3e-8,
        )
        for ops, weights in ((30, 1e6), (100, 5e6), (60, 2e7), (200, 9e7))
    ]
    assert phone_npus.hold_out_networks(rows)["int8"] == pytest.approx([1.0] * 4)
    monkeypatch.setattr(phone_npus, "NPUS", {soc: (name, 1.0)})
    entry = phone_npus.npu_paces(rows, {"int8": (0.8, 1.5)})[name]["int8"]
    assert entry["shortest_ms"] == pytest.approx(0.09)
    assert entry["cycles"]["ops"] == pytest.approx(2000.0)
    assert entry["cycles_per_weight"] == pytest.approx(0.03)
    assert (entry["low"], entry["high"], entry["evidence"]) == (0.8, 1.5, "measured")
