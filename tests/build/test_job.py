"""A work directory belongs to one request, on one set of versions; another machine is said."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from edgeprune.build.job import Job, open_work
from edgeprune.build.request import make_request
from edgeprune.build.workdir import MARKER
from edgeprune.device.profile import load_profile
from edgeprune.errors import OutputError
from edgeprune.progress import Silent


class Listening(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


def job(*, resume: bool = False, epochs: int = 2) -> Job:
    """A job whose inputs are hashed to the settings themselves."""
    inputs: Any = SimpleNamespace(key=lambda settings: json.dumps(settings, default=str, sort_keys=True))
    return Job(
        request=make_request({"device": "cortex-m7", "epochs": epochs, "resume": resume}),
        inputs=inputs,
        profile=load_profile("cortex-m7"),
        budgets=SimpleNamespace(),  # type: ignore[arg-type]
        limits=SimpleNamespace(),  # type: ignore[arg-type]
    )


def change(marker: Path, **others: Any) -> None:
    marker.write_text(json.dumps({**json.loads(marker.read_text()), **others}))


def test_it_is_resumed_without_a_word_where_nothing_changed(tmp_path: Path) -> None:
    heard = Listening()
    open_work(job(), tmp_path / "work", progress=heard)
    open_work(job(resume=True), tmp_path / "work", progress=heard)
    assert heard.warnings == []


@pytest.mark.parametrize("package", ["tensorflow", "keras", "numpy"])
def test_other_versions_make_it_another_build(tmp_path: Path, package: str) -> None:
    open_work(job(), tmp_path / "work", progress=Silent())
    marker = tmp_path / "work" / MARKER
    settings = json.loads(json.loads(marker.read_text())["key"])
    settings["versions"][package] = "0.1"
    change(marker, key=json.dumps(settings, sort_keys=True))
    with pytest.raises(OutputError, match=r"was another one \(.*versions"):
        open_work(job(resume=True), tmp_path / "work", progress=Silent())


def test_another_request_makes_it_another_build(tmp_path: Path) -> None:
    open_work(job(), tmp_path / "work", progress=Silent())
    with pytest.raises(OutputError, match="was another one"):
        open_work(job(resume=True, epochs=3), tmp_path / "work", progress=Silent())


@pytest.mark.parametrize(
    ("there", "says"),
    [
        ({"cores": 999}, "cores: 999 then, "),
        ({"processor": "Z80"}, "processor: Z80 then, "),
        ({"environment": {"TF_ENABLE_ONEDNN_OPTS": "0"}}, "TF_ENABLE_ONEDNN_OPTS: 0 then, none now"),
        ({"accelerators": ["H200"]}, "accelerators: H200 then, none now"),
    ],
)
def test_another_machine_is_said_and_resumed_all_the_same(tmp_path: Path, there: dict, says: str) -> None:
    open_work(job(), tmp_path / "work", progress=Silent())
    marker = tmp_path / "work" / MARKER
    change(marker, made_on=json.loads(marker.read_text())["made_on"] | there)
    heard = Listening()
    open_work(job(resume=True), tmp_path / "work", progress=heard)
    assert len(heard.warnings) == 1
    assert "began on another machine" in heard.warnings[0]
    assert says in heard.warnings[0]


@pytest.mark.parametrize(
    "made_on", [None, [], "here", {"cores": {"a": 1}}, {"versions": 3}, {"environment": []}]
)
def test_odd_words_about_the_machine_do_no_harm(tmp_path: Path, made_on: Any) -> None:
    open_work(job(), tmp_path / "work", progress=Silent())
    change(tmp_path / "work" / MARKER, made_on=made_on)
    open_work(job(resume=True), tmp_path / "work", progress=Silent())
