"""The C engine: edgeprune's own kernels, compiled with the model into an image that is built and run here."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from edgeprune.device.check import check_budgets, narrow_profile, resolve_budgets, verdict
from edgeprune.device.estimate import measure_size
from edgeprune.device.figures import Check, Figure, unavailable
from edgeprune.device.layer_costs import describe_layers
from edgeprune.device.power import add_energy
from edgeprune.device.profile import Profile
from edgeprune.errors import RecipeError
from edgeprune.firmware.c.boards import find_board
from edgeprune.firmware.c.build import Images, build_images, refuse_misfit
from edgeprune.firmware.c.golden_run import GoldenRun, run_golden_check
from edgeprune.firmware.c.graph import list_refusals, require_compilable
from edgeprune.firmware.c.model_costs import describe_model_costs
from edgeprune.firmware.c.project import write_engine_project
from edgeprune.firmware.c.sdk_project import write_sdk_project
from edgeprune.firmware.project import PROJECTS, ProjectKind
from edgeprune.firmware.rendering import write_files
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.measuring.backend import BACKENDS
from edgeprune.measuring.defaults import DefaultBackend, read_ops, refuse_runtime, require_room
from edgeprune.measuring.deployment import list_flashing
from edgeprune.measuring.engine_figures import figure_engine_file, figure_image
from edgeprune.measuring.engine_image import build_final_image
from edgeprune.measuring.records import (
    Finished,
    Measured,
    Project,
    ProjectOptions,
    Refusal,
    Release,
    Samples,
    TakeGolden,
    Worth,
)
from edgeprune.measuring.refusals import list_reasons, say_without_place
from edgeprune.progress import Progress
from edgeprune.prune.masks import Pattern
from edgeprune.report.sections.deployment import DeployStepPart
from edgeprune.runtimes.agreement import Comparison, compare_runtimes
from edgeprune.runtimes.golden import FILE_NAME as GOLDEN_FILE
from edgeprune.runtimes.golden import Golden, save_golden
from edgeprune.runtimes.samples import as_real
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.model import Model
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schemes import Scheme
from edgeprune.version import __version__

_FIGURES = ("flash_bytes", "arena_bytes", "ram_bytes", "instructions", "latency_ms")


@dataclass(frozen=True, kw_only=True, slots=True)
class CEngine(DefaultBackend):
    """The C engine on a microcontroller."""

    runtime: ClassVar[str] = "c"
    label: ClassVar[str] = "the C engine"
    runs_encoded: ClassVar[bool] = False
    layer_prices: ClassVar[str] = (
        "TFLM's latency model in proportion to the C engine's counts; candidates are built and run"
    )
    project_suffix: ClassVar[str] = "c"

    @classmethod
    def can_replace(cls, profile: Profile) -> bool:
        """On every microcontroller without an NPU."""
        return profile.kind == "mcu" and profile.npu is None and profile.runtime.name != cls.runtime

    @classmethod
    def adopt(cls, profile: Profile) -> Profile:
        """The device with kernels that decode nothing at run time, and no interpreter in its image."""
        if profile.kind != "mcu":
            raise refuse_runtime(cls.label, profile)
        if profile.npu is not None:
            raise RecipeError(
                f"the C engine does not use the NPU of {profile.id}",
                where="--runtime",
                fix="use --runtime tflm, or a profile of the core alone",
            )
        engine = replace(
            profile.runtime, name=cls.runtime, version=__version__, kernels="edgeprune", decodes=()
        )
        return replace(profile, runtime=engine, costs=replace(profile.costs, flash_build=""))

    def require_tools(self) -> None:
        """A board for the core."""
        find_board(self.profile.core)

    def refuse_scheme(self, scheme: Scheme) -> str | None:
        """All that leave floats and integers in one op."""
        known = scheme.name in ("int8", "int16x8", "none")
        return None if known else f"the C engine has no kernels for {scheme.name}"

    def value_zeros(self, pattern: Pattern, *, scheme: str = "int8") -> Worth:
        """Flash and time, by sparse kernels, which there are for int8."""
        if scheme != "int8":
            return Worth(
                reason=f"zeros buy nothing in {scheme} files: the C engine's sparse kernels are int8"
            )
        return Worth(
            flash=True,
            latency=True,
            reason=f"zeros save flash and time on {self.place}: a layer with enough of them stores and "
            "multiplies only its other weights",
        )

    def describe_layers(self, graph: LayerGraph) -> dict[str, dict[str, Any]]:
        """Without prices: the tables hold TFLM's kernels; these are counted once there is an image."""
        return describe_layers(graph, self.profile, is_counted=False)

    def list_deployment(self) -> tuple[DeployStepPart, ...]:
        """Its images are in the build's folder already, where there was a compiler."""
        return list_flashing(".", self.profile)

    def refuse(self, model: Model) -> Refusal | None:
        """Ops that it cannot compile, in the words of the compiler."""
        reasons = tuple(
            f"{op} cannot be compiled: {say_without_place(error)}" for op, error in list_refusals(model)
        )
        return Refusal(reasons=reasons) if reasons else None

    def measure(self, file: bytes, *, where: str = "the model") -> Measured:
        """From its image, run in the emulator; estimated where that cannot be."""
        model, ops = read_ops(file, where=where)
        unsupported = list_reasons(self.refuse(model))
        figures = (
            {name: unavailable(name, unsupported[0]) for name in _FIGURES}
            if unsupported
            else figure_engine_file(file, model, ops=ops, profile=self.profile)
        )
        size = replace(measure_size(len(file)), evidence="size of the .tflite file")
        return Measured(
            model=model,
            ops=ops,
            figures=add_energy({"tflite_bytes": size, **figures}, self.profile.power),
            unsupported=unsupported,
        )

    def verify(self, file: bytes, samples: Samples, *, stored: bytes) -> Comparison:
        """TFLM's reference kernels, which the C engine repeats bit for bit, must agree with LiteRT's."""
        comparison = compare_runtimes(file, as_real(file, samples.inputs), encoded=stored)
        return replace(comparison, required="tflm")

    def finish(
        self, file: bytes, *, figures: Mapping[str, Figure], samples: Samples, progress: Progress
    ) -> Finished:
        """The project with its images, built and run."""
        progress.stage("build the firmware and run it")
        return build_final_image(file, figures=figures, samples=samples, profile=self.profile)

    def package(self, release: Release, folder: Path) -> None:
        """The project in `firmware/`, and golden samples."""
        write_files(folder / "firmware", release.finished.files)
        if release.finished.golden is not None:
            save_golden(folder / GOLDEN_FILE, release.finished.golden)

    def write_project(
        self, file: bytes, *, name: str, take_golden: TakeGolden, options: ProjectOptions, folder: Path
    ) -> Project:
        """A project for CMake that holds all it takes to run on the core, or one for the user's SDK."""
        kind = PROJECTS.get(options.kind or "cmake")
        if kind is None:
            raise RecipeError(
                f"there is no {options.kind} project of the C engine",
                where="--project",
                fix=f"choose from {', '.join(PROJECTS)}",
            )
        if options.build and kind.id != "cmake":
            raise RecipeError(
                f"a {kind.id} project is built with its own SDK", where="--build", fix="use --project cmake"
            )
        model = read_model(file, where=name)
        require_compilable(model)
        require_room(model, self.profile)
        golden = take_golden(file, model, run_tflm)
        limits = resolve_budgets(self.profile, asked=options.budgets)
        narrow = replace(self, profile=narrow_profile(self.profile, limits))
        if kind.id != "cmake":
            return narrow._write_for_sdk(file, kind=kind, golden=golden, options=options, folder=folder)
        return narrow._write_complete(file, golden=golden, options=options, folder=folder)

    def _write_for_sdk(
        self, file: bytes, *, kind: ProjectKind, golden: Golden, options: ProjectOptions, folder: Path
    ) -> Project:
        """The model's sources, a wrapper and a check, for the user's SDK."""
        written = write_sdk_project(
            folder, file, kind=kind, golden=golden, profile=self.profile, optimize=options.optimize
        )
        arena_bytes, fitted = written.engine.program.plan.total_bytes, written.golden
        return Project(
            runtime=self.runtime,
            kind=kind.id,
            title=f"project of the kind {kind.id} in C",
            golden=fitted.golden,
            costs={
                "arena_bytes": arena_bytes,
                "golden_bytes": fitted.bytes,
                "golden_as_crc": fitted.as_crc,
            },
            costs_said=(_say_arena(arena_bytes), *([fitted.note] if fitted.note else [])),
        )

    def _write_complete(
        self, file: bytes, *, golden: Golden, options: ProjectOptions, folder: Path
    ) -> Project:
        """All it takes to run on the core, built and run if that is asked for."""
        project = write_engine_project(
            folder,
            file,
            golden=golden,
            profile=self.profile,
            optimize=options.optimize,
            name=options.name,
        )
        images: Images | None = None
        run: GoldenRun | None = None
        held: list[Check] = []
        placed: dict[str, str] = {}
        if options.build:
            images = build_images(project, profile=self.profile)
            refuse_misfit(images)
            run = run_golden_check(images)
            if run.passed:
                describe_model_costs(images, run)
                held = self._check_image(images, run, golden=golden)
            every = {"emulator": images.emulator, **images.device}
            placed = {ending: path.relative_to(folder).as_posix() for ending, path in every.items()}
        arena_bytes = project.engine.program.plan.total_bytes
        passed = (run is None or run.passed) and all(check.ok for check in held)
        return Project(
            runtime=self.runtime,
            kind="cmake",
            title="C project",
            golden=golden,
            costs={"arena_bytes": arena_bytes},
            costs_said=(_say_arena(arena_bytes),),
            built={
                "images": None if images is None else placed,
                "sizes": None if images is None else asdict(images.sizes),
                "run": None if run is None else asdict(run),
                "checks": [check.to_json() for check in held],
                "ok": passed,
            },
            built_said=(
                *_describe_images(images, run, placed=placed, device=self.profile.id),
                *([f"It {verdict(tuple(held), self.profile.id)}"] if held else []),
            ),
            readme_says="says how to build and run it; --build does both.",
            ok=passed,
        )

    def _check_image(self, images: Images, run: GoldenRun, *, golden: Golden) -> list[Check]:
        """Flash and RAM of an image against the budgets."""
        figures = figure_image(images, run, samples=golden.samples, profile=self.profile)
        checks = check_budgets(figures, resolve_budgets(self.profile), self.profile)
        return [check for check in checks if check.name in ("flash", "ram")]


def _say_arena(arena_bytes: int) -> str:
    return f"Arena: {arena_bytes} bytes, beside inputs and outputs."


def _describe_images(
    images: Images | None, run: GoldenRun | None, *, placed: Mapping[str, str], device: str
) -> tuple[str, ...]:
    if images is None or run is None:
        return ()
    sizes = images.sizes
    lines = [
        f"Images: {', '.join(placed.values())}.",
        f"Flash, read back from the ELF: {sizes.flash} bytes ({sizes.code} of code, {sizes.weights} of "
        f"weights), and {sizes.golden} of golden samples. Static RAM: {sizes.ram} bytes.",
    ]
    if not images.device:
        lines.append(
            f"There is no image for the device: the profile {device} does not say where its memories begin."
        )
    if "uf2" in placed:
        lines.append(
            "The UF2 holds the program alone; README.md says which parts want a header in front of it."
        )
    lines.append(
        f"PASS in qemu: {run.instructions} instructions for one inference, {run.stack_bytes} bytes of stack."
        if run.passed
        else f"FAIL in qemu: {run.said}"
    )
    return tuple(lines)


BACKENDS.add("c", CEngine)
