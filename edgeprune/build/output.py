"""The output directory of a build: written whole, or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from edgeprune.build.file_metadata import describe_origin, hash_origin
from edgeprune.build.machine import describe_machine
from edgeprune.build.manifest import write_manifest
from edgeprune.build.report import Outcome
from edgeprune.build.request import record_request
from edgeprune.build.verify import take_test_samples
from edgeprune.files import hash_bytes, whole_directory
from edgeprune.measuring.backend import backend_of
from edgeprune.measuring.records import Release
from edgeprune.report.html import render_html
from edgeprune.report.schema import Report


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
        write_manifest(folder, {**describe_build(outcome), "fits": report.verdict})


def _release(outcome: Outcome) -> Release:
    """What the device's backend packages."""
    pruned, outputs = outcome.pruned, outcome.inputs.numbered_outputs
    return Release(
        file=pruned.flashed,
        measured=pruned.measured,
        figures=pruned.figures,
        finished=outcome.finished,
        samples=take_test_samples(outcome.inputs),
        made_from={
            "Device": outcome.profile.id,
            "Pruned from": outcome.inputs.source,
            **({"Outputs": outputs} if outputs else {}),
        },
    )


def describe_build(outcome: Outcome) -> dict[str, Any]:
    """What a build was made from and on: its manifest, but for the files."""
    from edgeprune.keras_bridge.training.distribution import list_accelerators

    origin = describe_origin(
        device=outcome.profile.id,
        model_sha256=outcome.inputs.sha256,
        seed=outcome.seed,
        settings=outcome.settings,
    )
    return {
        **origin,
        "sha256": hash_origin(origin),
        **record_request(outcome.request),
        "data_sha256": hash_bytes(*outcome.inputs.data.fingerprint()),
        "made_on": {**describe_machine(), "accelerators": list_accelerators()},
    }
