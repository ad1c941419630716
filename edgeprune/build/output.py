"""The output directory of a build: written whole, or not at all."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from edgeprune.build.file_metadata import describe_origin, hash_origin
from edgeprune.build.firmware import GOLDEN_SAMPLES
from edgeprune.build.report import Outcome
from edgeprune.device.arena import planning_bytes, read_arena_inputs
from edgeprune.device.estimate import arena_kernels
from edgeprune.files import whole_directory
from edgeprune.firmware.rendering import write_files
from edgeprune.firmware.tflm import reserve_arena, write_tflm_package
from edgeprune.report.html import render_html
from edgeprune.report.schema import Report
from edgeprune.runtimes.golden import FILE_NAME as GOLDEN_FILE
from edgeprune.runtimes.golden import Golden, record_golden, save_golden
from edgeprune.runtimes.samples import as_real
from edgeprune.tflite.read import read_model


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
        (folder / "report.json").write_text(json.dumps(document, indent=2) + "\n")
        (folder / "report.html").write_text(render_html(document))
        if pruned.flashed is not pruned.tflite:
            (folder / "model_encoded.tflite").write_bytes(pruned.flashed)
        compiled = pruned.measured.compiled
        if compiled is not None:
            (folder / "model_vela.tflite").write_bytes(compiled.tflite)
        if outcome.profile.runtime.name == "tflm":
            arena = int(pruned.figures["arena_bytes"].value or 0)
            flashed = compiled.model if compiled else read_model(pruned.flashed, where="model.tflite")
            planning = planning_bytes(read_arena_inputs(flashed), arena_kernels(outcome.profile))
            write_tflm_package(
                folder / "tflm",
                tflite=compiled.tflite if compiled else pruned.flashed,
                model=flashed,
                arena_bytes=arena,
                arena_evidence=pruned.figures["arena_bytes"].evidence,
                arena_size_bytes=reserve_arena(arena, planning_bytes=planning),
                provenance={"Device": outcome.profile.id, "Pruned from": outcome.inputs.source}
                | ({"Compiled by": compiled.describe} if compiled else {}),
            )
            if compiled is None:  # what Vela compiled runs on the NPU alone
                save_golden(folder / GOLDEN_FILE, _record_golden(outcome))
        if outcome.firmware is not None:
            write_files(folder / "firmware", outcome.firmware.files)
            save_golden(folder / GOLDEN_FILE, outcome.firmware.golden)
        (folder / "manifest.json").write_text(json.dumps(_manifest(folder, outcome), indent=2) + "\n")


def _record_golden(outcome: Outcome) -> Golden:
    """Test samples with the artefact's outputs, for firmware to check itself with."""
    return record_golden(
        outcome.pruned.flashed,
        as_real(outcome.pruned.flashed, outcome.inputs.test.inputs),
        samples=GOLDEN_SAMPLES,
        origin="Test samples of the build",
        labels=outcome.inputs.data.class_names or (),
    )


def _manifest(folder: Path, outcome: Outcome) -> dict[str, Any]:
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
    return {"schema": 1, **origin, "sha256": hash_origin(origin), "files": files}
