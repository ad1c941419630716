"""The firmware of a build for the C engine: the project, its images, and the figures of the final one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgeprune.artefact import Artefact
from edgeprune.errors import ToolMissingError
from edgeprune.figures import Check, Figure
from edgeprune.firmware.c.build import build_images
from edgeprune.firmware.c.golden_run import GoldenRun, run_golden_check
from edgeprune.firmware.c.layer_counts import count_layers
from edgeprune.firmware.c.project import EngineProject, write_engine_project
from edgeprune.firmware.golden import Golden
from edgeprune.golden_samples import record_golden
from edgeprune.job import Job
from edgeprune.measure_engine import figure_image
from edgeprune.runtimes.samples import as_real

GOLDEN_SAMPLES = 10
"""Test samples kept in the output, at most."""
_IN_FLASH_BYTES = 16 * 1024
"""What golden samples may take in the image; one is always there."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Firmware:
    """A project with its images.

    Attributes:
        files: path in the project → content; none where there is no project.
        golden: test samples with the artefact's outputs; the project has the first of them. None where TFLM,
            which gives these outputs, is not installed here: then there is no project.
        facts: how the arena is planned, and what was counted, as `EnginePart` of the report; None likewise.
        check: whether the image computes what TFLM's reference kernels do.
    """

    files: Mapping[str, bytes]
    golden: Golden | None
    facts: dict[str, Any] | None
    check: Check


def build_firmware(artefact: Artefact, job: Job) -> tuple[Artefact, Firmware]:
    """The artefact with the figures of its final image, and its firmware.

    Where the images cannot be simulated, the project is written without them, and the figures stay estimates;
    where TFLM is not installed here, no project is written.

    Raises:
        ToolError: compiler or emulator failed.
    """
    profile = job.profile
    try:
        golden = record_golden(
            artefact.tflite,
            as_real(artefact.tflite, job.inputs.test.inputs),
            samples=GOLDEN_SAMPLES,
            origin="Test samples of the build",
            labels=job.inputs.data.class_names or (),
        )
    except ToolMissingError as error:
        return artefact, Firmware(files={}, golden=None, facts=None, check=_unavailable(error.message))
    stored = golden.take(_count_stored(golden))
    simulated = artefact.figures["flash_bytes"].source == "simulated"
    with TemporaryDirectory(prefix="edgeprune-") as place:
        folder = Path(place) / "firmware"
        project = write_engine_project(folder, artefact.tflite, golden=stored, profile=profile)
        facts = describe_plan(project)
        check = _unavailable(artefact.figures["flash_bytes"].evidence)
        if simulated:
            images = build_images(project, profile=profile)
            run = run_golden_check(images)
            check = _check_outputs(run, samples=stored.samples, has_image=bool(images.device))
            layers = count_layers(
                project.engine, stored.inputs, directory=Path(place) / "counted", board=project.board
            )
            facts |= {"sizes": asdict(images.sizes), "layers": [asdict(layer) for layer in layers]}
            if run.passed:
                figures = figure_image(images, run, samples=stored.samples, profile=profile)
                artefact = replace(artefact, figures={**artefact.figures, **figures})
        files = {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
    return artefact, Firmware(files=files, golden=golden, facts=facts, check=check)


def describe_plan(project: EngineProject) -> dict[str, Any]:
    """The arena's blocks, and the layers by whose order they live, as `EnginePart` of the report has them."""
    program = project.engine.program
    return {
        "board": project.board.machine,
        "arena_bytes": program.plan.total_bytes,
        "steps": [step.label for step in program.steps],
        "blocks": [
            {
                "name": block.name,
                "offset": offset,
                "bytes": block.size_bytes,
                "first": block.first,
                "last": block.last,
            }
            for block, offset in zip(program.blocks, program.plan.offsets, strict=True)
        ],
        "sizes": None,
        "layers": [],
    }


def _count_stored(golden: Golden) -> int:
    each = sum(int(array[0].nbytes) for array in (*golden.inputs, *golden.outputs))
    return max(1, min(golden.samples, _IN_FLASH_BYTES // max(each, 1)))


def _check_outputs(run: GoldenRun, *, samples: int, has_image: bool) -> Check:
    figure = Figure(
        value=0.0 if run.passed else 1.0,
        unit="failed checks",
        source="simulated",
        evidence=f"the image's check on {samples} test samples in qemu: {'PASS' if run.passed else run.said}",
    )
    note = "every output as TFLM's reference kernels give it"
    if not has_image:
        note += (
            "; linked for the emulator alone: with the samples it does not fit the device's memories, or the "
        )
        note += "profile does not say where they begin"
    return Check(name="firmware", figure=figure, budget=0.0, note=note)


def _unavailable(reason: str) -> Check:
    figure = Figure(value=None, unit="failed checks", source="unavailable", evidence=reason)
    return Check(name="firmware", figure=figure, budget=None, note="the image was not built")
