"""The output directory of a build: written whole, or not at all."""

from __future__ import annotations

import hashlib
import json
import platform
from pathlib import Path
from typing import Any

from edgeprune.build.file_metadata import describe_origin, hash_origin
from edgeprune.build.report import Outcome
from edgeprune.build.verify import take_test_samples
from edgeprune.files import whole_directory
from edgeprune.measuring.backend import backend_of
from edgeprune.measuring.records import Release
from edgeprune.report.html import render_html
from edgeprune.report.schema import Report
from edgeprune.runtimes.processes import count_cores


def write_output(path: Path, outcome: Outcome, *, report: Report, force: bool) -> None:
    """Writes the whole directory, or nothing.

    Raises:
        OutputError: it exists and `force` is not set, or it cannot be written.
    """
    from edgeprune.keras_bridge.loading.save import save_model

    pruned = outcome.pruned
    document = report.to_json()
    with whole_directory(path, force=force) as folder:
        (folder / "model.tflite").write_bytes(pruned.tflite)
        save_model(pruned.model, folder / "model.keras")
        (folder / "report.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        (folder / "report.html").write_text(render_html(document), encoding="utf-8")
        if pruned.flashed is not pruned.tflite:
            (folder / "model_encoded.tflite").write_bytes(pruned.flashed)
        backend_of(outcome.profile).package(_release(outcome), folder)
        manifest = json.dumps(_manifest(folder, outcome, report), indent=2) + "\n"
        (folder / "manifest.json").write_text(manifest, encoding="utf-8")


def _release(outcome: Outcome) -> Release:
    """What the device's backend packages."""
    pruned = outcome.pruned
    return Release(
        file=pruned.flashed,
        measured=pruned.measured,
        figures=pruned.figures,
        finished=outcome.finished,
        samples=take_test_samples(outcome.inputs),
        made_from={"Device": outcome.profile.id, "Pruned from": outcome.inputs.source},
    )


def _manifest(folder: Path, outcome: Outcome, report: Report) -> dict[str, Any]:
    files = [
        {
            "path": file.relative_to(folder).as_posix(),
            "bytes": file.stat().st_size,
            "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
        }
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    ]
    origin = describe_origin(
        device=outcome.profile.id,
        model_sha256=outcome.inputs.sha256,
        seed=outcome.seed,
        settings=outcome.settings,
    )
    return {
        "schema": 1,
        **origin,
        "sha256": hash_origin(origin),
        "made_on": {**_describe_machine(), "versions": report.versions},
        "files": files,
    }


def _describe_machine() -> dict[str, Any]:
    """What the rounding of sums in training depends on, beside the versions."""
    processor = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").is_file():
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        processor = names[0] if names else processor
    return {"system": platform.system(), "processor": processor, "cores": count_cores()}
