"""The final firmware of a build for the C engine: the project, its images, and what they turn out to be."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from edgeprune.device.figures import Check, Figure
from edgeprune.device.profile import Profile
from edgeprune.errors import ToolMissingError
from edgeprune.firmware.c.build import build_images
from edgeprune.firmware.c.golden_run import GoldenRun, run_golden_check
from edgeprune.firmware.c.layer_counts import count_layers
from edgeprune.firmware.c.model_costs import describe_model_costs
from edgeprune.firmware.c.project import EngineProject, write_engine_project
from edgeprune.measuring.engine_figures import figure_image
from edgeprune.measuring.records import Finished, Samples
from edgeprune.runtimes.golden import Golden
from edgeprune.runtimes.tflm_host import run_tflm

_IN_FLASH_BYTES = 16 * 1024
"""What golden samples may take in the image; one is always there."""


def build_final_image(
    file: bytes, *, figures: Mapping[str, Figure], samples: Samples, profile: Profile
) -> Finished:
    """The project and its images, and the figures of the one that ran.

    Where the images cannot be simulated, the project is written without them, and the figures stay estimates;
    where TFLM is not installed here, no project is written.

    Args:
        file: the final file.
        figures: what is known of it.
        samples: test samples; the project has the first of them.
        profile: the device.

    Raises:
        ToolError: compiler or emulator failed.
    """
    try:
        golden = samples.record_golden(file, run_tflm)
    except ToolMissingError as error:
        return Finished(checks=(_unavailable(error.message),))
    stored = golden.take(_count_stored(golden))
    found: Mapping[str, Figure] = {}
    with TemporaryDirectory(prefix="edgeprune-") as place:
        folder = Path(place) / "firmware"
        project = write_engine_project(folder, file, golden=stored, profile=profile)
        facts = _describe_plan(project)
        check = _unavailable(figures["flash_bytes"].evidence)
        if figures["flash_bytes"].source == "simulated":
            images = build_images(project, profile=profile)
            run = run_golden_check(images)
            check = _check_outputs(run, samples=stored.samples, has_image=bool(images.device))
            layers = count_layers(
                project.engine, stored.inputs, directory=Path(place) / "counted", board=project.board
            )
            facts |= {"sizes": asdict(images.sizes), "layers": [asdict(layer) for layer in layers]}
            if run.passed:
                describe_model_costs(images, run)
                found = figure_image(images, run, samples=stored.samples, profile=profile)
        files = {
            path.relative_to(folder).as_posix(): path.read_bytes()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        }
    return Finished(figures=found, checks=(check,), facts=facts, files=files, golden=golden)


def _describe_plan(project: EngineProject) -> dict[str, Any]:
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
