"""A method and a backend of one file each: a build prunes by one for the other; nothing else is edited."""

import json
from pathlib import Path

from e2e.conftest import DIGITS
from toy_backend import Toy, write_profile
from toy_method import Signs, SignsMethod

from edgeprune.build.request import BuildRequest
from edgeprune.commands.build import build
from edgeprune.measuring.backend import BACKENDS
from edgeprune.methods.method import METHODS
from edgeprune.progress import Silent


def test_a_build_uses_a_method_and_a_backend_that_it_does_not_know(place: Path, tmp_path: Path) -> None:
    request = BuildRequest(
        model=place / "small.keras",
        device=write_profile(tmp_path / "mine.toml"),
        data=str(DIGITS),
        output=tmp_path / "out",
        flash_kib=54.0,
        max_drop=1.0,
        setting=Signs(layer="dense"),
        accept=("no-gain",),
        epochs=2,
    )
    with BACKENDS.adding("toy", Toy), METHODS.adding("signs", SignsMethod()):
        build(request, progress=Silent())
    document = json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))
    assert document["device"]["runtime"] == "toy"
    figures = document["pruned"]
    assert (
        figures["flash_bytes"] == 10 * figures["tflite_bytes"] <= 54 * 1024 < document["dense"]["flash_bytes"]
    )
    assert {"prune", "signs"} <= {step["kind"] for step in document["steps"]}
    assert document["sparsity"]["why"].startswith("Signs, as asked")
