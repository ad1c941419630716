"""`edgeprune firmware`: an artefact as a project that a firmware engineer can build."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from edgeprune.build.project_source import find_device, find_flashed_file, find_golden
from edgeprune.device.arena import RECORDING_BYTES, planning_bytes, read_arena_inputs
from edgeprune.device.estimate import arena_kernels
from edgeprune.device.figures import Figure
from edgeprune.device.profile import Profile, load_profile
from edgeprune.errors import OpError, RecipeError, ToolFailedError
from edgeprune.files import read_file, refuse_existing, whole_directory
from edgeprune.firmware.project import PROJECTS, count_growth, render_project
from edgeprune.firmware.rendering import write_texts
from edgeprune.firmware.tflm import reserve_arena
from edgeprune.measuring.backend import measure

DEFAULT_SAMPLES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectResult:
    """What `edgeprune firmware` wrote.

    Attributes:
        file: the `.tflite` file in the project.
        output: the project's folder.
        project: its kind.
        profile: the device.
        arena: what the interpreter needs on the device.
        arena_size_bytes: what the project reserves.
        flash: the file and the code that is linked with it, as in a project for CMake.
        golden_bytes: what the golden samples take besides, in the program that checks them.
        samples: number of golden samples.
        origin: where they come from, as a sentence.
        files: paths in the project.
    """

    file: Path
    output: Path
    project: str
    profile: Profile
    arena: Figure
    arena_size_bytes: int
    flash: Figure
    golden_bytes: int
    samples: int
    origin: str
    files: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """The document of `firmware --json`."""
        return {
            "schema": 1,
            "file": str(self.file),
            "output": str(self.output),
            "runtime": "tflm",
            "project": self.project,
            "device": self.profile.id,
            "arena": self.arena.to_json(),
            "arena_size_bytes": self.arena_size_bytes,
            "flash": self.flash.to_json(),
            "golden_bytes": self.golden_bytes,
            "golden_samples": self.samples,
            "golden_origin": self.origin,
            "files": list(self.files),
        }


def write_project(
    source: Path,
    *,
    project: str,
    output: Path | None = None,
    device: str | None = None,
    data: str | None = None,
    samples: int = DEFAULT_SAMPLES,
    force: bool = False,
) -> ProjectResult:
    """Write a TFLM project with an artefact and golden samples of it. Imports no TensorFlow without `data`.

    Args:
        source: a build's output directory, or a `.tflite` file.
        project: its kind, of `PROJECTS`.
        output: the folder to write; if not given, one named after source and kind in the current directory.
        device: a profile's id or file; if not given, the build's.
        data: where golden inputs come from, as `load_data` takes it; if not given, the build's test data, or
            random numbers for a file.
        samples: number of golden samples.
        force: replace an output that exists.

    Raises:
        InputError: source, device, data or output cannot be used, or TFLM cannot run an op of the model.
        ToolError: TFLM is not installed, or failed.
    """
    kind = PROJECTS[project]
    if output is None:
        output = Path(f"{source.resolve().name.removesuffix('.tflite')}-{project}")
    refuse_existing(output, force=force)
    file = find_flashed_file(source)
    profile = load_profile(device or find_device(source))
    _refuse_profile(profile)
    tflite = read_file(file)
    measured = measure(tflite, profile=profile, where=str(file))
    if measured.unsupported:
        raise OpError(f"TFLM cannot run {file.name}", where=str(source), why=measured.unsupported[0])
    golden = find_golden(source, tflite, measured.model, data=data, samples=samples)
    arena = _predict_arena(measured.figures["arena_bytes"])
    arena_bytes = int(arena.value or 0)
    arena_size_bytes = reserve_arena(
        arena_bytes,
        planning_bytes=planning_bytes(read_arena_inputs(measured.model), arena_kernels(profile)),
        growth_bytes=count_growth(measured.model, kind),
    )
    texts = render_project(
        kind,
        tflite=tflite,
        model=measured.model,
        golden=golden,
        arena_bytes=arena_bytes,
        arena_size_bytes=arena_size_bytes,
        arena_evidence=arena.evidence,
        device=profile.id,
    )
    with whole_directory(output, force=force) as folder:
        write_texts(folder, texts)
    return ProjectResult(
        file=file,
        output=output,
        project=project,
        profile=profile,
        arena=arena,
        arena_size_bytes=arena_size_bytes,
        flash=measured.figures["flash_bytes"],
        golden_bytes=sum(array.nbytes for array in (*golden.inputs, *golden.outputs)),
        samples=golden.samples,
        origin=golden.origin,
        files=tuple(sorted(texts)),
    )


def _refuse_profile(profile: Profile) -> None:
    if profile.runtime.name != "tflm":
        raise RecipeError(
            f"{profile.id} runs LiteRT, not TFLM", fix="ship the .tflite file with the application"
        )
    if profile.npu is not None:
        raise RecipeError(
            f"{profile.id} has an NPU, whose driver a project does not hold",
            fix="take the files of a build's tflm/ folder into the vendor's project",
        )


def _predict_arena(measured: Figure) -> Figure:
    """The arena of an application, which does not record what is allocated."""
    if measured.value is None:
        raise ToolFailedError("the size of the tensor arena is not known", why=measured.evidence)
    evidence = f"{measured.evidence}, less {RECORDING_BYTES} bytes for recording that"
    return replace(measured, value=measured.value - RECORDING_BYTES, evidence=evidence)
