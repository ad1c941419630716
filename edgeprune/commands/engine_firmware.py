"""`edgeprune firmware --runtime c`: a model as a project of the C engine, built and run if asked."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgeprune.build.project_source import find_device, find_file, find_golden
from edgeprune.device.profile import Profile, load_profile
from edgeprune.device.runtime import choose_runtime
from edgeprune.files import read_file, refuse_existing, whole_directory
from edgeprune.firmware.c.build import Images, build_images, refuse_misfit
from edgeprune.firmware.c.golden_run import GoldenRun, run_golden_check
from edgeprune.firmware.c.layer import Optimize
from edgeprune.firmware.c.project import EngineProject, write_engine_project
from edgeprune.firmware.c.toolchain import ImageSizes
from edgeprune.tflite.read import read_model


@dataclass(frozen=True, kw_only=True, slots=True)
class EngineProjectResult:
    """What `edgeprune firmware --runtime c` wrote.

    Attributes:
        file: the `.tflite` file in the project.
        output: the project's folder.
        profile: the device.
        arena_bytes: of the generated sources, without inputs and outputs.
        samples: number of golden samples.
        origin: where they come from, as a sentence.
        files: paths in the project.
        images: ending → image for the device, a path in the project; None where nothing was built.
        sizes: of the image, read back from the ELF.
        run: how the check on golden samples ended in the emulator.
    """

    file: Path
    output: Path
    profile: Profile
    arena_bytes: int
    samples: int
    origin: str
    files: tuple[str, ...]
    images: Mapping[str, str] | None = None
    sizes: ImageSizes | None = None
    run: GoldenRun | None = None

    @property
    def ok(self) -> bool:
        """Whether the check passed, or none was asked for."""
        return self.run is None or self.run.passed

    def to_json(self) -> dict[str, Any]:
        """The document of `firmware --runtime c --json`."""
        return {
            "schema": 1,
            "file": str(self.file),
            "output": str(self.output),
            "runtime": "c",
            "project": "cmake",
            "device": self.profile.id,
            "arena_bytes": self.arena_bytes,
            "golden_samples": self.samples,
            "golden_origin": self.origin,
            "files": list(self.files),
            "images": None if self.images is None else dict(self.images),
            "sizes": None if self.sizes is None else asdict(self.sizes),
            "run": None if self.run is None else asdict(self.run),
            "ok": self.ok,
        }


def write_engine_firmware(
    source: Path,
    *,
    output: Path | None = None,
    device: str | None = None,
    data: str | None = None,
    samples: int = 4,
    build: bool = False,
    optimize: Optimize = "speed",
    force: bool = False,
) -> EngineProjectResult:
    """Write a project with a model compiled to C; imports no TensorFlow without `data`.

    Args:
        source: a build's output directory, or a `.tflite` file.
        output: the folder to write; if not given, one named after the source in the current directory.
        device: a profile's id or file; if not given, the build's.
        data: where golden inputs come from, as `load_data` takes it; if not given, the build's test data, or
            random numbers for a file.
        samples: number of golden samples.
        build: whether to build images, and to run the emulator's.
        optimize: what choices between kernels, and the compiler, go by.
        force: replace an output that exists.

    Raises:
        InputError: source, device, data or output cannot be used, or the C engine lacks an op.
        ToolError: TFLM, the compiler or the emulator are not installed, or failed.
        InfeasibleError: the image does not fit the device's memories.
    """
    if output is None:
        output = Path(f"{source.resolve().name.removesuffix('.tflite')}-c")
    refuse_existing(output, force=force)
    profile = choose_runtime(load_profile(device or find_device(source)), "c")
    file = find_file(source)
    tflite = read_file(file)
    model = read_model(tflite, where=str(file))
    golden = find_golden(source, tflite, model, data=data, samples=samples)
    images: Images | None = None
    run: GoldenRun | None = None
    with whole_directory(output, force=force) as folder:
        project = write_engine_project(folder, tflite, golden=golden, profile=profile, optimize=optimize)
        if build:
            images = build_images(project, profile=profile)
            refuse_misfit(images)
            run = run_golden_check(images)
        files = _list_files(folder)
        placed = None if images is None else _place_images(images, project)
    return EngineProjectResult(
        file=file,
        output=output,
        profile=profile,
        arena_bytes=project.engine.program.plan.total_bytes,
        samples=golden.samples,
        origin=golden.origin,
        files=files,
        images=placed,
        sizes=None if images is None else images.sizes,
        run=run,
    )


def _list_files(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()))


def _place_images(images: Images, project: EngineProject) -> dict[str, str]:
    every = {"emulator": images.emulator, **images.device}
    return {ending: path.relative_to(project.directory).as_posix() for ending, path in every.items()}
