"""What a backend does if it does not say otherwise."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

from edgeprune.config.tables import TableError
from edgeprune.device.check import Budgets
from edgeprune.device.figures import Figure
from edgeprune.device.layer_costs import describe_layers
from edgeprune.device.op_costs import op_costs
from edgeprune.device.profile import Profile
from edgeprune.errors import InfeasibleError, RecipeError
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.opshape import OpShape
from edgeprune.measuring.backend import backend_of
from edgeprune.measuring.records import (
    Encoded,
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
from edgeprune.progress import Progress
from edgeprune.prune.masks import Pattern
from edgeprune.report.sections.deployment import DeployStepPart
from edgeprune.report.sections.memory import MemoryPart
from edgeprune.runtimes.agreement import Comparison, compare_runtimes
from edgeprune.runtimes.samples import as_real
from edgeprune.tflite.execution import executed_shapes
from edgeprune.tflite.model import Model
from edgeprune.tflite.op_ranks import require_ranks
from edgeprune.tflite.ops import op_shapes
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schemes import Scheme

NPU_VALUES = {"runtime.kernels": "ethos-u", "latency.by": "vela"}
"""What a profile says where an NPU executes what Vela compiles, and nowhere else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DefaultBackend(ABC):
    """A runtime that has no tools, stores weights whole, and ships the file as it is.

    `runtime`, `label`, `refuse` and `measure` are what a backend has to add; see `Backend` for all there is.
    """

    runtime: ClassVar[str]
    label: ClassVar[str]
    runs_encoded: ClassVar[bool] = True
    writes_metadata: ClassVar[bool] = False
    planning_slack: ClassVar[float] = 0.0
    layer_prices: ClassVar[str] = ""
    project_suffix: ClassVar[str] = ""

    profile: Profile

    @property
    def place(self) -> str:
        """The runtime and its device, for sentences."""
        return f"{self.label} on {self.profile.id}"

    @classmethod
    def takes(cls, profile: Profile) -> bool:
        """Profiles that name it, where no NPU asks for another backend."""
        return (profile.runtime.name, profile.npu) == (cls.runtime, None)

    @classmethod
    def can_replace(cls, profile: Profile) -> bool:
        """Never."""
        return False

    @classmethod
    def adopt(cls, profile: Profile) -> Profile:
        """Raises RecipeError."""
        raise refuse_runtime(cls.label, profile)

    def find_faults(self) -> Iterator[TableError]:
        """What only an NPU has, of which the profile says nothing."""
        runtime, latency = self.profile.runtime, self.profile.latency
        for key, value in (("runtime.kernels", runtime.kernels), ("latency.by", latency.by)):
            if value == NPU_VALUES[key]:
                yield TableError(key="npu", problem=f"is missing; {key} = '{value}' needs it")
        if "vela" in runtime.decodes:
            yield TableError(key="npu", problem="is missing; only an NPU decodes what Vela compresses")

    def require_tools(self) -> None:
        """Nothing is needed."""
        return

    def refuse_scheme(self, scheme: Scheme) -> str | None:
        """Every scheme is taken."""
        return None

    def value_zeros(self, pattern: Pattern, *, scheme: str = "int8") -> Worth:
        """Nothing."""
        return Worth(
            reason=f"zeros buy nothing on {self.place}: it stores and multiplies them like other weights"
        )

    def value_clusters(self) -> Worth:
        """Nothing."""
        return Worth(reason=f"clusters buy nothing on {self.place}: it stores every weight whole")

    def op_costs(self) -> Mapping[str, Callable[[OpShape], float]]:
        """By the profile's latency model."""
        return op_costs(self.profile)

    def describe_layers(self, graph: LayerGraph) -> dict[str, dict[str, Any]]:
        """By the profile's latency model."""
        return describe_layers(graph, self.profile)

    def plan_memory(self, measured: Measured) -> MemoryPart | None:
        """Not known."""
        return None

    def list_deployment(self) -> tuple[DeployStepPart, ...]:
        """An application takes the file."""
        return ({"say": "Ship model.tflite with your application.", "command": ""},)

    def rewrite(self, file: bytes) -> bytes:
        """The file as it is."""
        return file

    @abstractmethod
    def refuse(self, model: Model) -> Refusal | None:
        """As `Backend.refuse`."""

    @abstractmethod
    def measure(self, file: bytes, *, where: str = "the model") -> Measured:
        """As `Backend.measure`."""

    def encode(self, file: bytes, *, budgets: Budgets, scheme: str | None = None) -> Encoded:
        """The file as it is, with its figures."""
        measured = self.measure(file, where="model.tflite")
        note = (
            f"{self.profile.runtime.name} on {self.profile.id} cannot unpack constants; encoding saves "
            "nothing there."
        )
        return Encoded(measured=measured, figures=measured.figures, note=note)

    def verify(self, file: bytes, samples: Samples, *, stored: bytes) -> Comparison:
        """LiteRT's kernels among themselves; nothing has to agree."""
        return compare_runtimes(file, as_real(file, samples.inputs), with_tflm=False)

    def finish(
        self, file: bytes, *, figures: Mapping[str, Figure], samples: Samples, progress: Progress
    ) -> Finished:
        """Nothing is built."""
        return Finished()

    def package(self, release: Release, folder: Path) -> None:
        """The file is all."""
        return

    def write_project(
        self, file: bytes, *, name: str, take_golden: TakeGolden, options: ProjectOptions, folder: Path
    ) -> Project:
        """Raises RecipeError."""
        raise RecipeError(
            f"there are no firmware projects for {self.place}",
            fix="ship the .tflite file with the application",
        )


def refuse_runtime(label: str, profile: Profile) -> RecipeError:
    """The error of a device that cannot have a runtime in the place of its own."""
    return RecipeError(
        f"{profile.id} runs {backend_of(profile).label}, not {label}",
        where="--runtime",
        fix="leave --runtime out, or choose a microcontroller with --device",
    )


def require_room(model: Model, profile: Profile) -> None:
    """Raises InfeasibleError where no RAM of the device can hold even the inputs and outputs of a model."""
    needed = sum(tensor.bytes for tensor in (*model.inputs, *model.outputs))
    largest = profile.largest_any_ram_kib
    if largest is not None and needed > 1024 * largest:
        raise InfeasibleError(
            f"the model does not fit {profile.id}",
            where=model.where,
            why=f"inputs and outputs take {needed} bytes, the largest block of RAM has {largest:g} KiB",
            fix="give it smaller inputs, or choose a larger device",
        )


@lru_cache(maxsize=2)  # a file that is held against many devices is read once
def read_ops(file: bytes, *, where: str) -> tuple[Model, tuple[OpShape, ...]]:
    """A file, read, with the shapes of its ops, those of loops and branches after those of the main graph.

    Args:
        file: the bytes.
        where: its name, for messages.

    Raises:
        ModelError: it is damaged, or its ops have other ranks than they may.
    """
    model = read_model(file, where=where)
    require_ranks(op_shapes(model), where=where)
    return model, tuple(executed_shapes(model))
