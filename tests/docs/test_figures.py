"""Numbers in README and docs are those of the files that scripts wrote, or of the program itself."""

import json
import re
from statistics import fmean

import bench_applications
import pytest
from documentation.blocks import PAGES, ROOT
from documentation.figures import DEVICE_TABLES, FIGURES, TABLES

from edgeprune.device.profile import list_ids


def read(name):
    return " ".join((ROOT / name).read_text("utf-8").split())


@pytest.fixture(scope="module")
def engine():
    return json.loads((FIGURES / "engine.json").read_text("utf-8"))


def test_readme_fits_on_150_lines():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


def test_pages_say_how_many_profiles_there_are():
    said = {
        int(n)
        for page in PAGES
        for n in re.findall(r"\b(\d+) (?:device )?profiles\b", page.read_text("utf-8"))
    }
    assert said == {len(list_ids())}


def test_readme_says_of_the_engine_what_was_counted(engine):
    fraction, date = re.search(
        r"DS-CNN on a Cortex-M7: ([\d.]+) of TFLM's instructions \| ([\d-]+)", read("README.md")
    ).groups()
    row = next(r for r in engine if "kws_ref_model" in r["model"] and r["core"] == "Cortex-M7")
    assert fraction == f"{row['instructions'] / row['tflm_instructions']:.2f}"
    assert date == row["date"]


def test_readme_says_of_accuracy_what_the_builds_gave():
    dense, pruned, peer, date = re.search(
        r"ResNet-8 on CIFAR-10, Cortex-M7: ([\d.]+) → ([\d.]+) % \(int8, three seeds\); "
        r"with Torch-Pruning ([\d.]+) % \| ([\d-]+)",
        read("README.md"),
    ).groups()
    rows = [json.loads(line) for line in (FIGURES / "pruning.jsonl").read_text("utf-8").splitlines()]
    rows = [row for row in rows if (row["run"]["model"], row["run"]["epochs"]) == ("resnet8", 16)]
    for label, budget, said in (("dense, fine-tuned", "", dense), ("edgeprune", "latency:0.5", pruned)):
        found = [row for row in rows if (row["run"]["method"], row["run"]["budget"]) == (label, budget)]
        assert len(found) == 3
        assert said == f"{100 * fmean(row['value'] for row in found):.2f}"
        assert {row["date"].partition(" ")[0] for row in found} == {date}
        assert f"{said} ±" in TABLES["pruning"]()
    found = [row for row in rows if row["run"]["method"].startswith("torch-pruning")]
    values = [100 * row["value"] for row in found if row["run"]["budget"] == "latency:0.5"]
    assert peer == f"{max(values):.2f}"


def test_every_run_with_a_part_left_out_is_in_the_table():
    rows = [json.loads(line) for line in (FIGURES / "ablations.jsonl").read_text("utf-8").splitlines()]
    asked = {
        tuple(str(row["run"][name]) for name in ("model", "epochs", "budget", "options")) for row in rows
    }
    table, _, _ = TABLES["ablations"]().rpartition("\n\n")
    assert table.count(" %") == len(asked)


def test_readme_says_of_zeros_what_was_stored():
    dense, zeros, before, after, date = re.search(
        r"80 % zeros, Ethos-U55-128: ([\d,]+) → ([\d,]+) bytes, ([\d.]+) → ([\d.]+) % \| ([\d-]+)",
        read("README.md"),
    ).groups()
    rows = json.loads((FIGURES / "sparsity.json").read_text("utf-8"))
    found = {
        row["variant"]: row
        for row in rows
        if (row["model"], row["target"]) == ("resnet8", "cortex-m55-ethos-u55-128")
    }
    for variant, stored, accuracy in (("dense", dense, before), ("zeros", zeros, after)):
        assert f"{found[variant]['stored_bytes']:,}" == stored
        assert f"{100 * found[variant]['value']:.2f}" == accuracy
    assert found["zeros"]["date"].startswith(date)
    assert f"{zeros} bytes instead of {dense}" in read("docs/concepts/zeros.md")


def test_what_low_rank_gains_is_what_the_table_says():
    rows = json.loads((FIGURES / "low_rank.json").read_text("utf-8"))
    ranks, channels = (
        {
            name: fmean(row[name] for row in rows if row["variant"] == variant)
            for name in ("tflite_bytes", "flash_bytes", "latency_ms", "mse")
        }
        for variant in ("low rank", "channels")
    )
    said = read("docs/low_rank.md")
    file, flash, time = (
        100 * (1 - ranks[name] / channels[name]) for name in ("tflite_bytes", "flash_bytes", "latency_ms")
    )
    assert f"{file:.0f} % less of it, {flash:.0f} % less flash with the code, {time:.0f} % less time" in said
    assert f"an mse {channels['mse'] - ranks['mse']:.2f} lower" in said


def test_every_architecture_is_in_the_table():
    rows = json.loads((FIGURES / "applications.json").read_text("utf-8"))
    table = TABLES["applications"]()
    assert {row["model"] for row in rows} == {*bench_applications.MODELS}
    assert all(f"| {row['model']} | {row['params_before'] / 1e6:.2f} M |" in table for row in rows)


def test_the_table_of_the_engine_has_every_row_with_its_commit_and_date(engine):
    table = TABLES["engine"]()
    done = [row for row in engine if not row["why"]]
    assert len(done) > 30
    assert table.count("\n| ") == len(done) + 1, "and the line below the heads"
    for row in done:
        assert f"| {row['core']} | {row['instructions']:,.0f} |" in table
        assert row["commit"] in table
        assert row["date"] in table


def test_errors_of_instructions_are_those_of_the_tables():
    files = [json.loads(path.read_text("utf-8")) for path in DEVICE_TABLES.glob("instructions_*.json")]
    said = read("docs/concepts/provenance.md")
    median, most, on_m55 = map(
        float, re.search(r"int8: median under (\S+) %, P90 under (\S+) %, (\S+) % on M55", said).groups()
    )
    assert 100 * max(file["median_error"] for file in files) < median
    assert 100 * max(file["p90_error"] for file in files if file["core"] != "cortex-m55") < most
    assert 100 * max(file["p90_error"] for file in files) < on_m55
    assert all(f"{100 * file['p90_error']:.1f} %" in TABLES["instruction errors"]() for file in files)


def test_errors_of_flash_are_those_of_the_table():
    builds = json.loads((DEVICE_TABLES / "flash.json").read_text("utf-8"))["builds"]
    largest = 100 * max(build["error"] for build in builds.values())
    assert f"off by at most {largest:.1f} % for sets of ops" in read("docs/concepts/provenance.md")


@pytest.mark.parametrize(
    ("figure", "page", "evidence"),
    [
        (
            "219 published latencies of 8 boards: off by 4.1 %",
            "docs/concepts/provenance.md",
            ("8 boards, 219 latencies: median 4.1 %",),
        ),
    ],
)
def test_a_claim_of_readme_stands_on_the_page_of_its_table(figure, page, evidence):
    assert figure in read("README.md")
    assert all(part in read(page) for part in evidence)
