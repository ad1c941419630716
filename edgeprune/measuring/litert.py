"""LiteRT on phones and single-board computers: an application maps the file, XNNPACK executes it."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from edgeprune.device.check import Budgets, check_budgets, resolve_budgets, verdict
from edgeprune.device.estimate import estimate_mapped
from edgeprune.device.figures import unavailable
from edgeprune.device.power import add_energy
from edgeprune.encoding import xnnpack_sparse
from edgeprune.errors import OpError, RecipeError, ToolError
from edgeprune.firmware.android import KIND, render_android
from edgeprune.firmware.rendering import write_files
from edgeprune.measuring.arena import describe_plan, plan_activations
from edgeprune.measuring.backend import BACKENDS
from edgeprune.measuring.defaults import DefaultBackend, read_ops
from edgeprune.measuring.records import (
    Encoded,
    Measured,
    Project,
    ProjectOptions,
    Refusal,
    Release,
    TakeGolden,
    Worth,
)
from edgeprune.measuring.refusals import list_reasons, refuse_compiled
from edgeprune.measuring.trial import invoke_once
from edgeprune.prune.masks import Pattern
from edgeprune.report.sections.deployment import DeployStepPart
from edgeprune.report.sections.memory import MemoryPart
from edgeprune.runtimes.golden import FILE_NAME as GOLDEN_FILE
from edgeprune.runtimes.golden import save_golden
from edgeprune.runtimes.litert_host import run_litert
from edgeprune.tflite.delegates import DELEGATES, GPU, plan_delegation
from edgeprune.tflite.model import Model
from edgeprune.tflite.op_table import F16, F
from edgeprune.tflite.schemes import Scheme
from edgeprune.units import format_quantity

_MACS_AT_MOST = 4e10
"""A file of more is not run only to see whether it does."""
_GPU_FLOATS = frozenset((F, F16))
_FLOATS = "none"
"""The scheme of files that XNNPACK's sparse kernels may take."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Litert(DefaultBackend):
    """LiteRT under an operating system.

    Its kernels round otherwise than the reference by design, so none has to agree.
    """

    runtime: ClassVar[str] = "litert"
    label: ClassVar[str] = "litert"
    writes_metadata: ClassVar[bool] = True

    def refuse_scheme(self, scheme: Scheme) -> str | None:
        """On a GPU, which computes with floats, what is not made of them."""
        if self.profile.runtime.kernels != GPU or {scheme.activations, scheme.weights} <= _GPU_FLOATS:
            return None
        return f"{DELEGATES[GPU].name} computes with floats; --scheme float16 is half the size of theirs"

    def value_zeros(self, pattern: Pattern, *, scheme: str = "int8") -> Worth:
        """Time, where XNNPACK has sparse kernels."""
        if xnnpack_sparse.DECODES not in self.profile.runtime.decodes:
            return DefaultBackend.value_zeros(self, pattern, scheme=scheme)
        if pattern.kind == "n_of_m" or scheme != _FLOATS:
            what = f"{pattern} buys" if pattern.kind == "n_of_m" else f"zeros in an {scheme} file buy"
            return Worth(
                reason=f"{what} nothing on {self.place}: XNNPACK's sparse kernels are for float files "
                "with zeros anywhere, and a dense int8 file is smaller and mostly faster"
            )
        return Worth(
            latency=True,
            reason=f"zeros may save time on {self.place}: XNNPACK has sparse kernels for 1×1 convolutions of "
            "floats, more than two thirds zeros, in networks of a certain shape; 'edgeprune compress' tells",
        )

    def plan_memory(self, measured: Measured) -> MemoryPart | None:
        """A greedy plan of the activations: LiteRT makes one, too, but may delegate ops to XNNPACK."""
        return describe_plan(measured.model, "reference", planner="edgeprune, greedily, as LiteRT does")

    def list_deployment(self) -> tuple[DeployStepPart, ...]:
        """An Android library for phones; a copy of the file for other systems."""
        if self.profile.kind != "phone":
            return (
                {
                    "say": "Copy the file to the board, HOST; LiteRT executes it there.",
                    "command": "scp model.tflite HOST:",
                },
            )
        device = self.profile.id
        return (
            {
                "say": "Write an Android library with the model among its assets.",
                "command": f"edgeprune firmware . --project {KIND} --output ../library",
            },
            {
                "say": "Install its test on the phone that adb is connected to.",
                "command": "gradle -p ../library installDebugAndroidTest",
            },
            {
                "say": "Run it: outputs are compared with the golden samples, and inferences timed.",
                "command": f"edgeprune bench model.tflite --device {device} --on adb",
            },
        )

    def refuse(self, model: Model) -> Refusal | None:
        """What tflite-runtime 2.14 has no kernel for; or the delegate that is to have all of it."""
        refusal = refuse_compiled(model, runtime="litert", profile=self.profile)
        if refusal is not None or self.profile.runtime.kernels != GPU:
            return refusal
        left = plan_delegation(model, DELEGATES[GPU]).left
        reasons = tuple(f"{DELEGATES[GPU].name} leaves {name}: {why}" for _, name, why in left)
        return Refusal(reasons=reasons) if reasons else None

    def measure(self, file: bytes, *, where: str = "the model") -> Measured:
        """A plan of the activations, the rest from the profile; and the file is run once, where it can be."""
        model, ops = read_ops(file, where=where)
        arena = plan_activations(model, self.profile)
        figures = estimate_mapped(ops, tflite_bytes=len(file), arena=arena, profile=self.profile)
        if self.profile.latency.cores == GPU and (left := plan_delegation(model, DELEGATES[GPU]).left):
            names = ", ".join(dict.fromkeys(name for _, name, _ in left))
            reason = f"{DELEGATES[GPU].name} leaves {names}, and nobody timed going back and forth"
            figures["latency_ms"] = unavailable("latency_ms", reason)
        unsupported, invoked = list_reasons(self.refuse(model)), ""
        if not unsupported and sum(op.macs * (op.turns or 1) for op in ops) <= _MACS_AT_MOST:
            invoked, refusal = invoke_once(file)
            unsupported = (refusal,) if refusal else ()
            if self.profile.runtime.kernels == GPU:
                invoked = ""  # nothing here is a phone's GPU
        return Measured(
            model=model,
            ops=ops,
            figures=add_energy(figures, self.profile.power),
            unsupported=unsupported,
            invoked=invoked,
        )

    def encode(self, file: bytes, *, budgets: Budgets, scheme: str | None = None) -> Encoded:
        """Floats without their zeros, where XNNPACK's sparse kernels take them and are faster."""
        decodes = self.profile.runtime.decodes
        if xnnpack_sparse.DECODES not in decodes or scheme not in (None, _FLOATS):
            return DefaultBackend.encode(self, file, budgets=budgets, scheme=scheme)
        measured = self.measure(file, where="model.tflite")
        sparse = xnnpack_sparse.choose_sparse(file, profile=self.profile)
        figures = self.measure(sparse.tflite, where="model_encoded.tflite").figures
        return Encoded(measured=measured, figures=figures, compressed=sparse)

    def write_project(
        self, file: bytes, *, name: str, take_golden: TakeGolden, options: ProjectOptions, folder: Path
    ) -> Project:
        """An Android library."""
        if options.kind != KIND or self.profile.kind != "phone":
            raise RecipeError(
                f"{self.profile.id} runs LiteRT, for which there is no {options.kind} project",
                where="--project",
                fix=f"give --project {KIND}"
                if self.profile.kind == "phone"
                else "ship the .tflite file with the application",
            )
        measured = self.measure(file, where=name)
        if measured.unsupported:
            raise OpError(f"LiteRT cannot run {Path(name).name}", where=name, why=measured.unsupported[0])
        golden = take_golden(file, measured.model, run_litert)
        write_files(folder, render_android(file, measured.model, golden=golden, profile=self.profile))
        checks = check_budgets(
            measured.figures, resolve_budgets(self.profile, asked=options.budgets), self.profile
        )
        latency = measured.figures["latency_ms"]
        return Project(
            runtime=self.runtime,
            kind=KIND,
            title="Android library",
            golden=golden,
            costs={
                "latency": latency.to_json(),
                "checks": [check.to_json() for check in checks],
            },
            costs_said=(
                f"Latency: {format_quantity(latency.value, 'ms')} ({latency.source}: {latency.evidence}).",
                f"It {verdict(tuple(checks), self.profile.id)}",
            ),
            readme_says="says how to use it in an application, and to test it on a device.",
            ok=all(check.ok for check in checks),
        )

    def package(self, release: Release, folder: Path) -> None:
        """Golden samples, with LiteRT's outputs."""
        with suppress(ToolError):  # the report's agreement says why there are none
            golden = release.samples.record_golden(release.file, run_litert)
            save_golden(folder / GOLDEN_FILE, golden)


BACKENDS.add("litert", Litert)
