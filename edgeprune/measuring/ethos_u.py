"""TFLM beside an Ethos-U NPU: what goes into flash is what Vela, its compiler, makes of the file."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from edgeprune.config.tables import TableError
from edgeprune.device.estimate import measure_size
from edgeprune.device.figures import unavailable
from edgeprune.device.npu import Npu, find_npu_faults
from edgeprune.device.op_costs import npu_op_costs
from edgeprune.device.power import add_energy
from edgeprune.device.profile import Profile
from edgeprune.errors import RecipeError, ToolError, ToolStoppedError
from edgeprune.graph.opshape import OpShape
from edgeprune.measuring.backend import BACKENDS
from edgeprune.measuring.compiled import figure_compiled
from edgeprune.measuring.defaults import NPU_VALUES, read_ops
from edgeprune.measuring.records import (
    Measured,
    Project,
    ProjectOptions,
    Refusal,
    Release,
    Samples,
    TakeGolden,
    Worth,
)
from edgeprune.measuring.refusals import list_reasons, refuse_ops
from edgeprune.measuring.tflm import Tflm
from edgeprune.prune.masks import Pattern
from edgeprune.report.sections.deployment import DeployStepPart
from edgeprune.report.sections.memory import MemoryPart
from edgeprune.runtimes.agreement import Comparison
from edgeprune.runtimes.vela import find_vela, run_vela
from edgeprune.tflite.model import Model

_DECODES = "vela"
"""What a profile's `decodes` says where the NPU unpacks weights."""
_FIGURES = ("flash_bytes", "arena_bytes", "ram_bytes", "instructions", "latency_ms")


@dataclass(frozen=True, kw_only=True, slots=True)
class EthosU(Tflm):
    """TFLM with an NPU beside the core; ops that Vela leaves to the core run as without one."""

    planning_slack: ClassVar[float] = 0.02
    """Vela encodes common values in fewer bits, and fine-tuning changes which are common."""

    @classmethod
    def takes(cls, profile: Profile) -> bool:
        """Profiles with an NPU, whatever runtime they name."""
        return profile.npu is not None

    @property
    def npu(self) -> Npu:
        """The device's."""
        assert self.profile.npu is not None
        return self.profile.npu

    def find_faults(self) -> Iterator[TableError]:
        """An NPU that the rest of the profile does not know of, or that contradicts itself."""
        runtime, latency = self.profile.runtime, self.profile.latency
        values = {"runtime.name": runtime.name, "runtime.kernels": runtime.kernels, "latency.by": latency.by}
        for key, wanted in {"runtime.name": self.runtime, **NPU_VALUES}.items():
            if values[key] != wanted:
                problem = f"is '{values[key]}'; a device with an NPU takes '{wanted}'"
                yield TableError(key=key, problem=problem)
        yield from find_npu_faults(self.npu)
        yield from self.find_linking_faults()

    def require_tools(self) -> None:
        """Vela."""
        find_vela()

    def value_zeros(self, pattern: Pattern, *, scheme: str = "int8") -> Worth:
        """Flash, by Vela's compression."""
        if _DECODES not in self.profile.runtime.decodes:
            return Tflm.value_zeros(self, pattern, scheme=scheme)
        return Worth(
            flash=True,
            reason=f"zeros save flash on {self.place}: Vela compresses weights; they save little time",
        )

    def value_clusters(self) -> Worth:
        """Nothing."""
        if _DECODES not in self.profile.runtime.decodes:
            return Tflm.value_clusters(self)
        return Worth(
            reason=f"clusters buy nothing on {self.place}: Vela wants few values in a whole tensor, and "
            "scales per output make them many"
        )

    def op_costs(self) -> Mapping[str, Callable[[OpShape], float]]:
        """As if all ops ran on the NPU."""
        return npu_op_costs(self.npu)

    def plan_memory(self, measured: Measured) -> MemoryPart | None:
        """Not known op by op: Vela plans what the NPU's commands address, and reports sums alone."""
        return None

    def list_deployment(self) -> tuple[DeployStepPart, ...]:
        """Into the vendor's project, which has the NPU's driver."""
        return (
            {
                "say": "Copy the model that Vela compiled, as C++, into PROJECT, your project with the NPU's "
                "driver.",
                "command": "cp -r tflm PROJECT/",
            },
            {"say": "Build and flash that project as its vendor says.", "command": ""},
        )

    def rewrite(self, file: bytes) -> bytes:
        """As for TFLM, but only where Vela leaves the core an op that it lacks: the NPU may have it."""
        rewritten = Tflm.rewrite(self, file)
        return rewritten if rewritten != file and self.measure(file).unsupported else file

    def refuse(self, model: Model) -> Refusal | None:
        """What TFLM has no kernel for, of what Vela made of a file: it needs none for what the NPU takes."""
        return refuse_ops(model, runtime="tflm")

    def measure(self, file: bytes, *, where: str = "the model") -> Measured:
        """Compiles the file as for the device; all figures are unavailable, with the reason, without Vela."""
        model, ops = read_ops(file, where=where)
        npu, size = self.npu, {"tflite_bytes": measure_size(len(file))}
        try:
            compiled = run_vela(
                file,
                accelerator=npu.accelerator,
                system_config=npu.system_config,
                memory_mode=npu.memory_mode,
            )
        except ToolStoppedError:
            raise
        except ToolError as error:
            reasons = {name: unavailable(name, error.message) for name in _FIGURES}
            return Measured(
                model=model,
                ops=ops,
                figures=add_energy({**size, **reasons}, self.profile.power),
                unsupported=list_reasons(self.refuse(model)),
            )
        figures = figure_compiled(compiled, npu=npu, profile=self.profile)
        return Measured(
            model=model,
            ops=ops,
            figures=add_energy({**size, **figures}, self.profile.power),
            unsupported=list_reasons(self.refuse(compiled.model)),
            compiled=compiled,
            notes=tuple(
                f"Vela leaves {cpu.count} x {cpu.op} to the {self.profile.core}: "
                f"{cpu.reason or 'it gives no reason'}"
                for cpu in compiled.cpu_ops
            ),
        )

    def verify(self, file: bytes, samples: Samples, *, stored: bytes) -> Comparison:
        """The file before Vela, in TFLM where that has all ops; what Vela compiled runs on an NPU alone."""
        comparison = Tflm.verify(self, file, samples, stored=stored)
        executes = comparison.tflm is not None and not comparison.tflm.unavailable
        return replace(
            comparison,
            required="tflm" if executes else "",
            file="the file before Vela: what it compiles runs on the NPU alone",
            note="The file before Vela: its result needs the NPU.",
        )

    def package(self, release: Release, folder: Path) -> None:
        """What Vela made of the file, and that as C++; golden samples only where Vela made nothing."""
        compiled = release.measured.compiled
        if compiled is None:
            Tflm.package(self, release, folder)
            return
        (folder / "model_vela.tflite").write_bytes(compiled.tflite)
        self.write_sources(release, folder, file=compiled.tflite, compiled_by=compiled.describe)

    def write_project(
        self, file: bytes, *, name: str, take_golden: TakeGolden, options: ProjectOptions, folder: Path
    ) -> Project:
        """Raises RecipeError."""
        raise RecipeError(
            f"{self.profile.id} has an NPU, whose driver a project does not hold",
            fix="take the files of a build's tflm/ folder into the vendor's project",
        )


BACKENDS.add("ethos-u", EthosU)
