"""TensorFlow Lite Micro: the interpreter is linked into the image, the arena comes from its own allocator.

With the DECODE op, constants are stored encoded and unpacked while they are needed.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from edgeprune.config.tables import TableError
from edgeprune.device.arena import RECORDING_BYTES, planning_bytes, read_arena_inputs
from edgeprune.device.check import Budgets, budget_limits, check_budgets, resolve_budgets, verdict
from edgeprune.device.estimate import arena_kernels, estimate_linked
from edgeprune.device.figures import Figure, unavailable
from edgeprune.device.memory import find_homeless
from edgeprune.device.power import add_energy
from edgeprune.encoding.tflm_decode import DECODES, choose_encodings
from edgeprune.errors import OpError, RecipeError, ToolFailedError, ToolMissingError
from edgeprune.firmware.golden import fit_golden
from edgeprune.firmware.project import PROJECTS, count_growth, render_project
from edgeprune.firmware.rendering import write_texts
from edgeprune.firmware.tflm import reserve_arena, write_tflm_package
from edgeprune.measuring.arena import NOT_RUN, describe_plan, simulate_arena
from edgeprune.measuring.backend import BACKENDS
from edgeprune.measuring.defaults import DefaultBackend, read_ops, require_room
from edgeprune.measuring.deployment import list_flashing
from edgeprune.measuring.records import (
    Encoded,
    Measured,
    Project,
    ProjectOptions,
    Refusal,
    Release,
    Samples,
    TakeGolden,
    Worth,
)
from edgeprune.measuring.refusals import list_reasons, refuse_compiled, say_without_place
from edgeprune.prune.masks import Pattern
from edgeprune.report.sections.deployment import DeployStepPart
from edgeprune.report.sections.memory import MemoryPart
from edgeprune.runtimes.agreement import Comparison, compare_runtimes
from edgeprune.runtimes.golden import FILE_NAME as GOLDEN_FILE
from edgeprune.runtimes.golden import save_golden
from edgeprune.runtimes.samples import as_real
from edgeprune.runtimes.tflm_host import run_tflm
from edgeprune.tflite.model import Model
from edgeprune.tflite.op_table import OPS
from edgeprune.tflite.ops import judge_types
from edgeprune.tflite.read import read_model
from edgeprune.tflite.rewriting.rewrite import in_ops_of
from edgeprune.tflite.schemes import Scheme
from edgeprune.units import format_quantity

_USUAL_PROJECT = {"esptool": "esp-idf", "uf2": "pico"}
"""The project for boards that are flashed so; CMake for all others."""
_BUILD = {
    "cmake": "Put the board's start-up code and linker script in the place of platform/mps2, which is that "
    "of QEMU's board, and build it"
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Tflm(DefaultBackend):
    """TFLM on a microcontroller."""

    runtime: ClassVar[str] = "tflm"
    label: ClassVar[str] = "tflm"

    def find_faults(self) -> Iterator[TableError]:
        """Nowhere to link the interpreter, or to put the arena."""
        yield from DefaultBackend.find_faults(self)
        yield from self.find_linking_faults()

    def find_linking_faults(self) -> Iterator[TableError]:
        """What linking the interpreter and a file into an image lacks."""
        if not self.profile.costs.flash_build:
            yield TableError(
                key="costs.flash_build", problem="is missing; TFLM's code is linked into the image"
            )
        yield from find_homeless(self.profile.memory)

    def refuse_scheme(self, scheme: Scheme) -> str | None:
        """By the types that its kernels take."""
        use = scheme.always
        verdict = judge_types(OPS[use.op], use.activation, weights=use.weights or None)
        hybrid = scheme.activations == "float32" and scheme.weights == "int8"
        return verdict and f"{'hybrid models: ' if hybrid else ''}{use.op}: {verdict[0]}"

    def value_zeros(self, pattern: Pattern, *, scheme: str = "int8") -> Worth:
        """Flash, where there is the DECODE op."""
        if DECODES not in self.profile.runtime.decodes:
            return DefaultBackend.value_zeros(self, pattern, scheme=scheme)
        if pattern.kind == "n_of_m":
            return Worth(
                reason=f"{pattern} buys nothing on {self.place}: no kernel skips weights in groups, and its "
                "DECODE op stores zeros anywhere as small, so the pattern would only cost accuracy"
            )
        return Worth(
            flash=True,
            reason=f"zeros save flash on {self.place}: its DECODE op stores one bit per weight and the "
            "others; they cost arena and instructions, for unpacking",
        )

    def value_clusters(self) -> Worth:
        """Flash, where there is the DECODE op."""
        if DECODES not in self.profile.runtime.decodes:
            return DefaultBackend.value_clusters(self)
        return Worth(
            flash=True,
            reason=f"clusters save flash on {self.place}: its DECODE op stores a short index for each "
            "weight; they cost arena and instructions, for unpacking",
        )

    def plan_memory(self, measured: Measured) -> MemoryPart | None:
        """The head of the arena: activations, and scratch buffers of the device's kernels."""
        planner = "TFLM's greedy planner, on the device, when the interpreter starts"
        return describe_plan(measured.model, arena_kernels(self.profile), planner=planner)

    def list_deployment(self) -> tuple[DeployStepPart, ...]:
        """A project for the build system that the board's image is usually made with."""
        method = self.profile.flashing.method if self.profile.flashing else None
        kind = _USUAL_PROJECT.get(method or "", "cmake")
        return (
            {
                "say": "Write a firmware project with the model in it.",
                "command": f"edgeprune firmware . --project {kind} --output ../firmware",
            },
            {
                "say": f"{_BUILD.get(kind, 'Build it')}, as the project's README.md says.",
                "command": "",
            },
            *list_flashing("../firmware", self.profile),
        )

    def rewrite(self, file: bytes) -> bytes:
        """Tables for functions of int8 values, and what else TFLM has in the place of an op."""
        return in_ops_of(file, runtime="tflm")

    def refuse(self, model: Model) -> Refusal | None:
        """What TFLM has no kernel for."""
        return refuse_compiled(model, runtime="tflm", profile=self.profile)

    def measure(self, file: bytes, *, where: str = "the model") -> Measured:
        """The arena from the real allocator, the rest from the profile's tables."""
        model, ops = read_ops(file, where=where)
        unsupported = list_reasons(self.refuse(model))
        try:
            arena = simulate_arena(file, model, profile=self.profile, runs=not unsupported)
        except OpError as error:
            unsupported = (say_without_place(error),)
            arena = unavailable("arena_bytes", NOT_RUN)
        figures = estimate_linked(ops, tflite_bytes=len(file), arena=arena, profile=self.profile)
        return Measured(
            model=model,
            ops=ops,
            figures=add_energy(figures, self.profile.power),
            unsupported=unsupported,
            invoked="TFLM ran the file here" if arena.source == "simulated" else "",
        )

    def encode(self, file: bytes, *, budgets: Budgets, scheme: str | None = None) -> Encoded:
        """For the DECODE op, as far as RAM and latency allow."""
        if DECODES not in self.profile.runtime.decodes:
            return DefaultBackend.encode(self, file, budgets=budgets, scheme=scheme)
        measured = self.measure(file, where="model.tflite")
        compressed = choose_encodings(
            file,
            profile=self.profile,
            limits=budget_limits(budgets),
            before=measured.figures,
            measure=lambda packed: self.measure(packed, where="the encoded model").figures,
        )
        return Encoded(measured=measured, figures=compressed.after, compressed=compressed)

    def verify(self, file: bytes, samples: Samples, *, stored: bytes) -> Comparison:
        """TFLM's reference kernels must agree with LiteRT's."""
        comparison = compare_runtimes(file, as_real(file, samples.inputs), encoded=stored)
        return replace(comparison, required="tflm")

    def package(self, release: Release, folder: Path) -> None:
        """The model as C++ in `tflm/`, and golden samples."""
        self.write_sources(release, folder, file=release.file)
        with suppress(ToolMissingError):  # the report's agreement says why there are none
            golden = release.samples.record_golden(release.file, run_tflm)
            save_golden(folder / GOLDEN_FILE, golden)

    def write_sources(
        self, release: Release, folder: Path, *, file: bytes, compiled_by: str | None = None
    ) -> None:
        """Writes `tflm/`: the model, its op resolver, the size of the arena.

        Args:
            release: figures and origin.
            folder: the build's output.
            file: what the interpreter is given.
            compiled_by: what made that file of the release's, if anything did.
        """
        model = read_model(file, where="model.tflite")
        arena = release.figures["arena_bytes"]
        arena_bytes = int(arena.value or 0)
        planning = planning_bytes(read_arena_inputs(model), arena_kernels(self.profile))
        write_tflm_package(
            folder / "tflm",
            tflite=file,
            model=model,
            arena_bytes=arena_bytes,
            arena_evidence=arena.evidence,
            arena_size_bytes=reserve_arena(arena_bytes, planning_bytes=planning),
            provenance={**release.made_from, **({"Compiled by": compiled_by} if compiled_by else {})},
        )

    def write_project(
        self, file: bytes, *, name: str, take_golden: TakeGolden, options: ProjectOptions, folder: Path
    ) -> Project:
        """A project for the user's SDK."""
        kind = PROJECTS.get(options.kind or "cmake")
        if kind is None:
            raise RecipeError(
                f"{self.profile.id} runs TFLM, for which there is no {options.kind} project",
                where="--project",
                fix=f"choose from {', '.join(PROJECTS)}, or a phone with --device",
            )
        require_room(read_model(file, where=name), self.profile)
        measured = self.measure(file, where=name)
        if measured.unsupported:
            raise OpError(f"TFLM cannot run {Path(name).name}", where=name, why=measured.unsupported[0])
        flash = measured.figures["flash_bytes"]
        room = self.profile.flash_kib and self.profile.flash_kib * 1024 - (flash.value or 0.0)
        fitted = fit_golden(
            take_golden(file, measured.model, run_tflm), room_bytes=room, is_exact=kind.tolerance_steps == 0
        )
        arena = _predict_arena(measured.figures["arena_bytes"])
        arena_bytes = int(arena.value or 0)
        arena_size_bytes = reserve_arena(
            arena_bytes,
            planning_bytes=planning_bytes(read_arena_inputs(measured.model), arena_kernels(self.profile)),
            growth_bytes=count_growth(measured.model, kind),
        )
        texts = render_project(
            kind,
            tflite=file,
            model=measured.model,
            golden=fitted,
            arena_bytes=arena_bytes,
            arena_size_bytes=arena_size_bytes,
            arena_evidence=arena.evidence,
            profile=self.profile,
            image_bytes=(flash.value or 0.0) + fitted.bytes,
        )
        write_texts(folder, texts)
        budgets = resolve_budgets(self.profile, asked=options.budgets)
        held = [
            check
            for check in check_budgets(measured.figures, budgets, self.profile)
            if check.name in ("flash", "ram")
        ]
        needed, linked = format_quantity(arena.value, "bytes"), format_quantity(flash.value, "bytes")
        return Project(
            runtime=self.runtime,
            kind=kind.id,
            title=f"project of the kind {kind.id}",
            golden=fitted.golden,
            costs={
                "arena": arena.to_json(),
                "arena_size_bytes": arena_size_bytes,
                "flash": flash.to_json(),
                "golden_bytes": fitted.bytes,
                "golden_as_crc": fitted.as_crc,
                "golden_note": fitted.note,
                "checks": [check.to_json() for check in held],
            },
            costs_said=(
                f"Tensor arena: {arena_size_bytes} bytes are reserved, {needed} predicted ({arena.source}: "
                f"{arena.evidence}).",
                f"Flash: {linked} predicted for the CMake project, and {fitted.bytes} bytes of golden "
                "samples in the program that checks them.",
                *((fitted.note,) if fitted.note else ()),
                f"It {verdict(tuple(held), self.profile.id)}",
            ),
            ok=all(check.ok for check in held),
        )


def _predict_arena(measured: Figure) -> Figure:
    """The arena of an application, which does not record what is allocated."""
    if measured.value is None:
        raise ToolFailedError("the size of the tensor arena is not known", why=measured.evidence)
    evidence = (
        f"{measured.evidence}; {RECORDING_BYTES} bytes less than in a build's report and tflm/, which count "
        "what TFLM's recording allocators take as well"
    )
    return replace(measured, value=measured.value - RECORDING_BYTES, evidence=evidence)


BACKENDS.add("tflm", Tflm)
