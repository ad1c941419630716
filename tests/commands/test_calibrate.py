import dataclasses
import json
import math

import pytest

from edgeprune.commands.calibrate import calibrate, fit_profile
from edgeprune.device.fitting import fit_law
from edgeprune.device.latency import LatencyModel
from edgeprune.device.profile import find_profile, load_profile
from edgeprune.device.profile_text import replace_table
from edgeprune.device.record import ENGINE, Record, read_record
from edgeprune.device.samples import Sample
from edgeprune.errors import DataError, OutputError, ProfileError
from edgeprune.measuring.profiles import validate_profile

M7 = load_profile("cortex-m7")


def make_record(folder, name="a", **changes):
    record = Record(
        file=f"{name}.tflite",
        sha256=name,
        device="cortex-m7",
        on="board",
        runtime="TFLM",
        latency_ms=10.0,
        low_ms=10.0,
        high_ms=10.0,
        runs=1,
        clock_mhz=480.0,
        table="cortex-m7",
        instructions={"conv": 4e6, "other": 1e6},
        weight_bytes=1e5,
        ops=10,
        measured_at="2026-11-22T10:00:00+00:00",
    )
    took = changes.get("latency_ms", record.latency_ms)
    record = dataclasses.replace(record, **{"low_ms": took, "high_ms": took, **changes})
    path = folder / f"{name}.bench.json"
    path.write_text(record.to_json(), encoding="utf-8")
    return path


def test_a_record_reads_back(tmp_path):
    record = read_record(make_record(tmp_path))
    assert record.instructions == {"conv": 4e6, "other": 1e6}
    assert record.arena_bytes is None


def test_one_record_scales_the_law_to_it(tmp_path):
    output = tmp_path / "mine.toml"
    result = calibrate("cortex-m7", [make_record(tmp_path)], output=output)
    assert result.rows[0].after_ms == pytest.approx(10.0, rel=1e-6)
    law = load_profile(str(output)).latency
    assert law.evidence == "measured"
    assert "a.tflite" in law.source
    ratios = {kind: pace / M7.latency.cycles_by_kind[kind] for kind, pace in law.cycles_by_kind.items()}
    assert max(ratios.values()) == pytest.approx(min(ratios.values()), rel=1e-3)
    assert law.low < 1 < law.high < M7.latency.high


def test_many_models_give_a_law_of_their_own(tmp_path):
    samples = []
    for index in range(12):
        conv, dense = 1e6 * (1 + index % 4), 1e6 * (1 + index % 3)
        path = make_record(
            tmp_path,
            name=f"m{index}",
            instructions={"conv": conv, "fully_connected": dense},
            weight_bytes=0.0,
            ops=0,
            latency_ms=(0.5 * conv + 3.0 * dense) / 480e3,
        )
        samples.append(read_record(path).to_sample())
    law, method = fit_profile(samples, M7)
    assert "of its own" in method
    # Drawn together a little, as few models are.
    assert law.cycles_by_kind["conv"] < 0.7
    assert law.cycles_by_kind["fully_connected"] > 2.7
    assert 0.8 < law.low <= 1.0 <= law.high < 1.25


def test_a_file_of_ones_own_is_calibrated_in_place_and_keeps_its_comments(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    record = make_record(tmp_path)
    first = calibrate("cortex-m7", [record])
    assert first.output.name == "cortex-m7.toml"
    with pytest.raises(OutputError):
        calibrate("cortex-m7", [record])
    path = tmp_path / "cortex-m7.toml"
    path.write_text("# mine\n" + path.read_text(encoding="utf-8"), encoding="utf-8")
    calibrate(str(path), [make_record(tmp_path, latency_ms=20.0)])
    assert path.read_text(encoding="utf-8").startswith("# mine\n")
    assert load_profile(str(path)).latency.cycles_per_instruction == pytest.approx(
        2 * first.law.cycles_per_instruction, rel=1e-3
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"device": "cortex-m4"}, "measured on cortex-m4"),
        ({"table": "cortex-m4"}, "instruction table 'cortex-m4'"),
        ({"golden": False}, "other outputs"),
        ({"runtime": ENGINE}, "C engine"),
        ({"instructions": {}}, "no counts"),
        ({"on": "host"}, "--on host"),
        ({"instructions": {"conv": -1.0}}, "instructions.conv: is -1"),
        ({"instructions": {"conv": float("inf")}}, "instructions.conv: is inf"),
        ({"instructions": {"zebra": 1.0}}, "zebra: is not a kind of op"),
        ({"weight_bytes": -1.0}, "weight_bytes: is -1"),
        ({"latency_ms": 1e308}, "latency_ms: is 1e.308"),
        ({"low_ms": 11.0}, "latency_ms: is 10, outside low_ms and high_ms"),
    ],
)
def test_a_record_that_does_not_belong_is_refused(tmp_path, changes, said):
    with pytest.raises(DataError, match=said):
        calibrate("cortex-m7", [make_record(tmp_path, **changes)], output=tmp_path / "x.toml")
    assert not (tmp_path / "x.toml").exists()


def test_a_record_is_compared_at_the_clock_it_was_measured_at(tmp_path):
    slow = make_record(tmp_path, clock_mhz=240.0)
    result = calibrate("cortex-m7", [slow], output=tmp_path / "x.toml")
    assert result.rows[0].after_ms == pytest.approx(10.0, rel=1e-6)


def test_models_that_the_law_fits_exactly_still_give_an_interval(tmp_path):
    paths = []
    for index in range(4):
        counts = {"conv": 1e6 * (index + 1)}
        ms = 3.0 * (index + 1)
        paths.append(
            make_record(tmp_path, name=f"m{index}", instructions=counts, latency_ms=ms, weight_bytes=0, ops=0)
        )
    law = calibrate("cortex-m7", paths, output=tmp_path / "x.toml").law
    assert law.low < 0.99 < 1.01 < law.high


def test_models_that_contradict_one_another_scale_the_law_there_is(tmp_path):
    took = (1.0, 1e6, 1e-3, 1e4, 5.0, 1e5)
    paths = [
        make_record(
            tmp_path, name=f"m{i}", instructions={"conv": 10.0 ** (9 - i), "other": 1e3}, latency_ms=ms
        )
        for i, ms in enumerate(took)
    ]
    result = calibrate("cortex-m7", paths, output=tmp_path / "x.toml")
    assert "times one factor" in result.method
    assert validate_profile(tmp_path / "x.toml") == []
    assert 0 < result.law.low < 0.01 < 100 < result.law.high


def test_a_device_without_a_law_gets_one_by_multiply_accumulates(tmp_path):
    text = find_profile("pixel-8").read_text(encoding="utf-8")
    nothing = {"by": "none", "evidence": "assumed", "source": "a test"}
    (tmp_path / "bare.toml").write_text(replace_table(text, "latency", nothing), encoding="utf-8")
    record = make_record(tmp_path, device="pixel-8", on="adb", table="", instructions={"macs": 1e7}, ops=1)
    result = calibrate(str(tmp_path / "bare.toml"), [record], output=tmp_path / "mine.toml")
    assert result.rows[0].before_ms is None
    law = load_profile(str(tmp_path / "mine.toml")).latency
    assert (law.by, law.ms_per_mac) == ("macs", pytest.approx(1e-6))
    # Multiply-accumulates tell far less than instructions.
    assert law.high > 2


def test_a_law_by_work_is_scaled_to_what_was_measured(tmp_path):
    record = make_record(tmp_path, device="pixel-8", on="adb", table="", instructions={"work_ms": 4.0}, ops=1)
    result = calibrate("pixel-8", [record], output=tmp_path / "mine.toml")
    assert (result.rows[0].before_ms, result.rows[0].after_ms) == (4.0, pytest.approx(10.0))
    law = load_profile(str(tmp_path / "mine.toml")).latency
    assert (law.by, law.times, law.evidence) == ("work", pytest.approx(2.5), "measured")


def test_a_record_of_multiply_accumulates_does_not_scale_a_law_by_work(tmp_path):
    record = make_record(tmp_path, device="pixel-8", on="adb", table="", instructions={"macs": 1e7}, ops=1)
    with pytest.raises(DataError, match="before the device's law"):
        calibrate("pixel-8", [record], output=tmp_path / "mine.toml")


def test_a_profile_whose_law_is_no_table_of_its_own_is_left_as_it_is(tmp_path):
    mine = tmp_path / "mine.toml"
    text = find_profile("pixel-8").read_text(encoding="utf-8")
    before, _, after = text.partition("[latency]\n")
    law, _, after = after.partition("\n[")
    inline = "latency = { " + ", ".join(filter(None, law.splitlines())) + " }\n"
    mine.write_text(inline + before + "[" + after, encoding="utf-8")
    record = make_record(tmp_path, device="pixel-8", on="adb", table="", instructions={"work_ms": 4.0}, ops=1)
    with pytest.raises(ProfileError, match="one table"):
        calibrate(str(mine), [record])
    assert mine.read_text(encoding="utf-8").startswith("latency = {")


def test_all_that_is_wrong_with_a_record_is_said_at_once(tmp_path):
    path = make_record(tmp_path)
    document = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**document, "latency_ms": -1, "runs": "many", "odd": 1}), encoding="utf-8")
    with pytest.raises(DataError) as refusal:
        read_record(path)
    assert all(key in refusal.value.message for key in ("latency_ms", "runs", "odd"))


@pytest.mark.parametrize("text", ["", "[1]", "not json", '{"schema": 1}'])
def test_what_is_no_record_is_refused(tmp_path, text):
    path = tmp_path / "r.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"r\.json"):
        read_record(path)


def test_an_npu_cannot_be_calibrated(tmp_path):
    record = make_record(tmp_path, device="cortex-m55-ethos-u55-128")
    with pytest.raises(ProfileError, match="Vela"):
        calibrate("cortex-m55-ethos-u55-128", [record], output=tmp_path / "x.toml")


def sample_of(instructions, cycles, *, architecture, model="", ops=0):
    return Sample(
        model=model or architecture,
        architecture=architecture,
        instructions=instructions,
        weight_bytes=0.0,
        ops=ops,
        cycles=cycles,
    )


def plain_samples(**logs):
    """Models of 1000 instructions that took 3 cycles for each, times e to the power that is given."""
    return [
        sample_of({"other": 1000.0}, 3000.0 * math.exp(log), architecture=name) for name, log in logs.items()
    ]


PLAIN = dataclasses.replace(
    M7,
    latency=LatencyModel(
        by="instructions", table="cortex-m7", cycles_per_instruction=1.0, evidence="assumed", source="a test"
    ),
)


@pytest.mark.parametrize(
    ("logs", "error"),
    [
        # One model says nothing of others, which are off by 0.08; two that are off by 0.06 add to that as the
        # sides of a right angle.
        ({"a": 0.0}, 0.08),
        ({"a": 0.06, "b": -0.06}, 0.1),
    ],
)
def test_a_law_scaled_to_one_or_two_models_reaches_as_far_as_their_scatter_and_that_of_models(logs, error):
    law, method = fit_profile(plain_samples(**logs), PLAIN)
    assert method.startswith("the law there was, times one factor")
    # The geometric mean of what they took: 3 cycles for each instruction.
    assert law.cycles_per_instruction == pytest.approx(3.0)
    assert math.log(law.high) == pytest.approx(1.8 * error)
    assert math.log(law.low) == pytest.approx(-1.8 * error)


@pytest.mark.parametrize("variants", [1, 2])
def test_from_three_models_on_the_interval_is_of_what_was_not_seen_and_variants_count_once(variants):
    samples = [s for _ in range(variants) for s in plain_samples(a=0.1, b=0.0, c=-0.1)]
    law, _ = fit_profile(samples, PLAIN)
    # Against the mean of the two others they are off by 0.15, 0 and -0.15: a root mean square of 0.1225.
    # Student's t of two degrees of freedom is 2.92, and one more model errs by the root of 1 + 1/3.
    reach = 2.92 * 0.122474 * 1.154701
    assert math.log(law.high) == pytest.approx(reach, rel=1e-3)
    assert math.log(law.low) == pytest.approx(-reach, rel=1e-3)


def test_a_law_in_which_some_ops_take_no_time_is_not_taken():
    # The more instructions are not convolutions, the less time they seem to take.
    samples = []
    for index in range(12):
        conv, other = 1e6 * (1 + index % 4), 1e6 * (1 + index % 3)
        samples.append(
            sample_of({"conv": conv, "other": other}, 2 * conv - 0.3 * other, architecture=str(index))
        )
    assert min(fit_law(samples).cycles_by_kind.values()) == 0
    law, method = fit_profile(samples, PLAIN)
    assert "times one factor" in method
    assert law.cycles_by_kind == {}


def test_a_law_by_multiply_accumulates_has_a_base_where_models_show_one():
    nothing = LatencyModel(by="none", evidence="assumed", source="a test")
    phone = dataclasses.replace(load_profile("pixel-8"), latency=nothing)
    samples = [
        sample_of({"macs": macs}, 2.0 + 1e-6 * macs, architecture=str(macs), ops=1)
        for macs in (1e5, 3e5, 1e6, 2e6, 4e6, 8e6)
    ]
    law, method = fit_profile(samples, phone)
    assert "a law of its own from 6 models" in method
    assert law.base_ms == pytest.approx(2.0, rel=0.02)
    assert law.ms_per_mac == pytest.approx(1e-6, rel=0.02)
