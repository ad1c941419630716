"""Whole builds through the command line, in processes of their own, on real TensorFlow, LiteRT and TFLM."""

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from e2e.conftest import DIGITS, ENVIRONMENT, Ended

from edgeprune.build.file_metadata import hash_origin
from edgeprune.runtimes.processes import count_cores
from edgeprune.tflite.metadata import ENTRY, read_metadata
from edgeprune.tflite.read import read_model

Build = Callable[..., Ended]
# One pruning step by weights alone and a few short epochs: the road is the same, and short.
QUICK = ("--recipe", "quick.toml", "--criterion", "l2", "--epochs", 6, "--max-drop", 0.9)
FILES = [
    "golden.npz",
    "manifest.json",
    "model.keras",
    "model.tflite",
    "report.html",
    "report.json",
    "tflm/arena_size.h",
    "tflm/model_data.cc",
    "tflm/model_data.h",
    "tflm/op_resolver.h",
]
FIGURES = {"params", "macs", "tflite_bytes", "arena_bytes", "instructions", "latency_ms", "accuracy"}


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def report_of(ended: Ended) -> dict[str, Any]:
    return json.loads((ended.output / "report.json").read_text())


@pytest.fixture(scope="session")
def roomy(build: Build) -> Ended:
    """A build whose dense model already fits."""
    return build("roomy", "--max-drop", 0.5, "--metadata", "--recipe", "signatures.toml")


@pytest.fixture(scope="session")
def budget_ms(roomy: Ended) -> float:
    """Two thirds of the dense model's latency."""
    return round(report_of(roomy)["dense"]["latency_ms"] * 2 / 3, 4)


@pytest.fixture(scope="session")
def fitting(build: Build, budget_ms: float) -> Ended:
    return build("fitting", "--latency-ms", budget_ms, *QUICK)


def test_a_dense_model_that_fits_is_not_pruned(roomy: Ended) -> None:
    assert roomy.code == 0, roomy.err
    assert "already fits" in roomy.err
    report = report_of(roomy)
    assert "not pruned" in report["sentence"]
    assert report["pruned"] == report["dense"]
    assert report["equivalence"] == []
    assert sorted(files(roomy.output)) == FILES


def test_a_fitting_build_ends_with_the_documented_files(fitting: Ended) -> None:
    assert fitting.code == 0, fitting.err
    assert sorted(files(fitting.output)) == FILES
    assert not fitting.output.with_name("fitting.edgeprune-work").exists()


def test_the_report_has_what_its_pictures_show(fitting: Ended) -> None:
    report = report_of(fitting)
    counts = np.array(report["answers"]["counts"])
    assert counts.sum() == report["answers"]["samples"] == report["data"]["counts"]["test"]
    assert counts.trace() / counts.sum() == pytest.approx(report["pruned"]["accuracy"], abs=1e-6)
    with np.load(fitting.output / "golden.npz") as golden:
        assert [sample["answer"] for sample in report["samples"]] == [
            str(number) for number in golden["output_0"].argmax(axis=-1).ravel()
        ]
    assert 0 < report["memory"]["total_bytes"] < report["pruned"]["arena_bytes"]
    assert sum(layer["latency_ms_after"] for layer in report["layers"]) == pytest.approx(
        report["pruned"]["latency_ms"], rel=0.15
    )
    assert report["deployment"]["steps"]


def test_the_pruned_model_meets_the_budget_that_the_dense_one_breaks(
    fitting: Ended, budget_ms: float
) -> None:
    report = report_of(fitting)
    assert report["dense"]["latency_ms"] > budget_ms >= report["pruned"]["latency_ms"]
    assert report["pruned"]["macs"] < report["dense"]["macs"]
    assert report["pruned"]["params"] < report["dense"]["params"]
    assert report["verdict"] is True
    checks = {check["name"]: check for check in report["checks"]}
    assert set(checks) >= {"flash", "ram", "latency", "accuracy", "ops", "agreement"}
    assert all(check["ok"] for check in checks.values())
    latency = checks["latency"]
    assert latency["unit"] == "ms"
    assert latency["source"] == "estimated"
    assert latency["margin"] == pytest.approx(latency["budget"] - latency["value"])


def test_the_report_has_the_documented_keys(fitting: Ended) -> None:
    report = report_of(fitting)
    assert json.loads(fitting.out) == report
    assert set(report) >= {"schema", "checks", "dense", "pruned", "layers", "frozen", "seed", "versions"}
    assert set(report["dense"]) >= FIGURES
    assert set(report["pruned"]) >= FIGURES
    for check in report["checks"]:
        assert set(check) >= {"name", "value", "unit", "budget", "margin", "source", "evidence", "ok"}
        assert check["evidence"]
    assert report["seed"] == 0
    assert all(proof["error"] <= proof["tolerance"] for proof in report["equivalence"])
    assert len(report["equivalence"]) >= 1
    assert any(entry["layer"] == "dense" and entry["reason"] for entry in report["frozen"])


def test_the_manifests_hashes_are_true(fitting: Ended) -> None:
    manifest = json.loads((fitting.output / "manifest.json").read_text())
    found = files(fitting.output)
    assert sorted([*(entry["path"] for entry in manifest["files"]), "manifest.json"]) == sorted(found)
    for entry in manifest["files"]:
        content = found[entry["path"]]
        assert entry["bytes"] == len(content)
        assert entry["sha256"] == hashlib.sha256(content).hexdigest()


def test_the_manifest_says_what_bytes_depend_on(fitting: Ended) -> None:
    made_on = json.loads((fitting.output / "manifest.json").read_text())["made_on"]
    assert made_on["cores"] == count_cores()
    assert made_on["processor"]
    assert {"tensorflow", "keras"} <= made_on["versions"].keys()


def test_the_file_says_where_it_comes_from_and_names_its_manifest(roomy: Ended) -> None:
    model = read_model((roomy.output / "model.tflite").read_bytes(), where="model.tflite")
    metadata = read_metadata(model.metadata[ENTRY], where="model.tflite")
    manifest = json.loads((roomy.output / "manifest.json").read_text())
    others = (
        "schema",
        "sha256",
        "request",
        "origins",
        "not_recorded",
        "data_sha256",
        "fits",
        "made_on",
        "files",
    )
    origin = {name: value for name, value in manifest.items() if name not in others}
    assert manifest["sha256"] == hash_origin(origin)
    assert manifest["sha256"] in metadata.description
    assert [signature.key for signature in model.signatures] == ["serving_default"]


def test_the_report_page_is_one_file_of_its_own(fitting: Ended) -> None:
    page = (fitting.output / "report.html").read_text()
    assert page.count("src=") == page.count('src="data:image/png;base64,') == 10
    assert "<link" not in page


def test_the_artefact_is_the_file_that_was_reported(fitting: Ended) -> None:
    content = (fitting.output / "model.tflite").read_bytes()
    assert len(content) == report_of(fitting)["pruned"]["tflite_bytes"]
    model = read_model(content, where="model.tflite")
    assert [t.dtype for t in (*model.inputs, *model.outputs)] == ["int8", "int8"]


def test_an_interrupted_build_goes_on_and_ends_with_the_same_bytes(
    build: Build, interrupt: Callable[..., int], fitting: Ended, budget_ms: float, place: Path
) -> None:
    arguments = ("--latency-ms", budget_ms, *QUICK)
    assert interrupt("again", "segment-002", *arguments) == 130
    assert not (place / "again").exists()
    resumed = build("again", *arguments, "--resume")
    assert resumed.code == 0, resumed.err
    assert files(resumed.output) == files(fitting.output)
    assert not (place / "again.edgeprune-work").exists()


def test_the_same_seed_twice_gives_the_same_bytes_of_all_files(
    build: Build, fitting: Ended, budget_ms: float
) -> None:
    twice = build("twice", "--latency-ms", budget_ms, *QUICK)
    assert files(twice.output) == files(fitting.output)


def test_a_latency_that_no_one_can_meet_is_answered_no_without_output(build: Build) -> None:
    ended = build("impossible", "--latency-ms", 0.001)
    assert ended.code == 1
    error = json.loads(ended.out)["error"]
    assert "--latency-ms" in error["fix"], "the best found is named"
    assert not ended.output.exists()
    assert not [p for p in ended.output.parent.iterdir() if p.name.startswith(".impossible")]


def test_an_output_that_exists_is_left_alone(build: Build, fitting: Ended) -> None:
    before = files(fitting.output)
    ended = build("fitting")
    assert ended.code == 3
    assert "--force" in json.loads(ended.out)["error"]["fix"]
    assert files(fitting.output) == before


def test_there_is_nothing_to_resume_where_nothing_was_begun(build: Build) -> None:
    ended = build("never", "--resume", "--latency-ms", 0.9)
    assert ended.code == 3
    assert "nothing to resume" in json.loads(ended.out)["error"]["what"]


REFUSED: dict[str, tuple[list[str], str]] = {
    "a misspelt device": (["small.keras", "--device", "cortex-m77", "--data", str(DIGITS)], "'cortex-m7'"),
    "a text file": (["text.keras", "--device", "cortex-m7", "--data", str(DIGITS)], "text.keras"),
    "half a file": (["cut.keras", "--device", "cortex-m7", "--data", str(DIGITS)], "truncated"),
    "a Lambda": (["lambda.keras", "--device", "cortex-m7", "--data", "vectors.npz"], "Lambda"),
    "NaN": (["small.keras", "--device", "cortex-m7", "--data", "nan.npz"], "NaN"),
    "labels out of range": (["small.keras", "--device", "cortex-m7", "--data", "labels.npz"], "14"),
    "one array for two inputs": (
        ["two_inputs.keras", "--device", "cortex-m7", "--data", "vectors.npz"],
        "inputs",
    ),
    "no data": (["small.keras", "--device", "cortex-m7"], "--data"),
    "a misspelt criterion": (
        ["small.keras", "--device", "cortex-m7", "--data", str(DIGITS), "--criterion", "tailor"],
        "'taylor'",
    ),
}
REFUSE = """
import contextlib, io, json, sys
from edgeprune.cli.main import run
for name, arguments in json.load(sys.stdin).items():
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run(["build", *arguments, "--output", "refused"])
    print("@@" + json.dumps({"name": name, "code": code, "out": out.getvalue(), "err": err.getvalue()}))
"""


@pytest.fixture(scope="session")
def refusals(place: Path) -> dict[str, Any]:
    """All refused command lines, one after the other in one process: TensorFlow takes seconds to import."""
    asked = json.dumps({name: arguments for name, (arguments, _) in REFUSED.items()})
    run = subprocess.run(
        [sys.executable, "-c", REFUSE],
        input=asked,
        cwd=place,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    lines = [json.loads(line[2:]) for line in run.stdout.splitlines() if line.startswith("@@")]
    return {line["name"]: line for line in lines}


@pytest.mark.parametrize("name", REFUSED)
def test_an_input_that_cannot_be_used_is_one_sentence_and_exit_code_three(
    refusals: dict[str, Any], place: Path, name: str
) -> None:
    ended, hint = refusals[name], REFUSED[name][1]
    assert ended["code"] == 3, ended["err"]
    assert ended["out"] == ""
    said = [line for line in ended["err"].splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert hint in " ".join(ended["err"].split())
    assert "Traceback" not in ended["err"]
    assert not (place / "refused").exists()
    assert not (place / "refused.edgeprune-work").exists()


def test_no_code_of_a_refused_model_is_run(refusals: dict[str, Any], place: Path) -> None:
    assert refusals["a Lambda"]["code"] == 3
    assert not (place / "code_was_run").exists()


def test_the_digits_are_what_the_builds_used(fitting: Ended) -> None:
    report, digits = report_of(fitting), np.load(DIGITS)
    assert report["data"]["counts"]["test"] == len(digits["x_test"])
    counts = report["data"]["counts"]
    assert counts["train"] + counts["val"] == len(digits["x_train"])
