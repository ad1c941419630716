"""`edgeprune firmware`: an artefact as a project that a firmware or application engineer can build."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from edgeprune.build.project_source import (
    find_budgets,
    find_delegate,
    find_device,
    find_file,
    find_flashed_file,
    find_golden,
    find_shortfall,
)
from edgeprune.device.profile import Profile, load_profile
from edgeprune.files import read_file, refuse_existing, whole_directory
from edgeprune.firmware.c.project import DESCRIPTION
from edgeprune.measuring.backend import backend_of
from edgeprune.measuring.records import Project, ProjectOptions
from edgeprune.measuring.runtime import choose_delegate, choose_runtime
from edgeprune.version import __version__

DEFAULT_SAMPLES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class FirmwareRequest:
    """What `edgeprune firmware` was asked for.

    Attributes:
        source: a build's output directory, or a `.tflite` file.
        runtime: what executes the model; None for the profile's.
        output: the folder to write; None for one named after source and project in the current directory.
        device: a profile's id or file; None for the build's.
        data: where golden inputs come from, as `load_data` takes it; None for the build's test data, or
            random numbers for a file.
        samples: number of golden samples.
        options: how the project is to be.
        force: replace an output that exists.
    """

    source: Path
    runtime: str | None = None
    output: Path | None = None
    device: str | None = None
    data: str | None = None
    samples: int = DEFAULT_SAMPLES
    options: ProjectOptions = field(default_factory=ProjectOptions)
    force: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class FirmwareResult:
    """What `edgeprune firmware` wrote.

    Attributes:
        file: the `.tflite` file in the project.
        output: the project's folder.
        profile: the device.
        project: what is in it.
        files: paths in it.
        shortfall: what the build says that did not meet its budgets; "" for all else.
    """

    file: Path
    output: Path
    profile: Profile
    project: Project
    files: tuple[str, ...]
    shortfall: str = ""

    @property
    def ok(self) -> bool:
        """Whether the project's check passed, or none was asked for, and the build met its budgets."""
        return self.project.ok and not self.shortfall

    @property
    def sentences(self) -> tuple[str, ...]:
        """What was written, what it takes, and what to do next."""
        project, golden = self.project, self.project.golden
        return (
            f"{self.output}: {len(self.files)} files, {project.title} for {self.profile.id}.",
            *project.costs_said,
            *([f"The build that it is of: {self.shortfall}"] if self.shortfall else []),
            f"Golden samples: {golden.samples}. {golden.origin}",
            *(project.built_said or (f"{self.output / 'README.md'} {project.readme_says}",)),
        )

    def to_json(self) -> dict[str, Any]:
        """The document of `firmware --json`."""
        return {
            "schema": 1,
            "file": str(self.file),
            "output": str(self.output),
            "runtime": self.project.runtime,
            "project": self.project.kind,
            "device": self.profile.id,
            **self.project.costs,
            "golden_samples": self.project.golden.samples,
            "golden_origin": self.project.golden.origin,
            "files": list(self.files),
            **self.project.built,
        }


def _leave_record(folder: Path, project: Project, profile: Profile) -> None:
    """Writes what tells a project of ours from other folders, where the project has none of its own."""
    if not (folder / DESCRIPTION).exists():
        record = {"schema": 1, "edgeprune": __version__, "runtime": project.runtime, "device": profile.id}
        (folder / DESCRIPTION).write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def write_firmware(request: FirmwareRequest) -> FirmwareResult:
    """Write a project with an artefact and golden samples of it. Imports no TensorFlow without `data`.

    Raises:
        InputError: source, device, data or output cannot be used, or the runtime lacks an op of the model.
        ToolError: a runtime, a compiler or an emulator is not installed, or failed.
        InfeasibleError: the image does not fit the device's memories.
    """
    source, options = request.source, request.options
    if request.output is not None:
        refuse_existing(request.output, force=request.force, holds="folder")
    profile = choose_runtime(load_profile(request.device or find_device(source)), request.runtime)
    if request.device is None:
        profile = choose_delegate(profile, find_delegate(source))
    backend = backend_of(profile)
    output = request.output
    if output is None:
        name = source.resolve().name.removesuffix(".tflite")
        output = Path(f"{name}-{backend.project_suffix or options.kind or 'cmake'}")
        refuse_existing(output, force=request.force, holds="folder")
    if request.device is None:
        options = replace(options, budgets=find_budgets(source))
    shortfall = find_shortfall(source)
    file = find_flashed_file(source) if backend.runs_encoded else find_file(source)
    with whole_directory(output, force=request.force) as folder:
        project = backend.write_project(
            read_file(file),
            name=str(file),
            take_golden=lambda tflite, model, run_file: find_golden(
                source, tflite, model, data=request.data, samples=request.samples, run_file=run_file
            ),
            options=options,
            folder=folder,
        )
        _leave_record(folder, project, profile)
        files = tuple(sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()))
    return FirmwareResult(
        file=file,
        output=output,
        profile=profile,
        project=project,
        files=files,
        shortfall=shortfall,
    )
