"""What differs from runtime to runtime: one `Backend` for each, in one table. Imports no TensorFlow.

A backend is a dataclass of one field, the profile of a device. To add one, write a module with a class that
inherits `DefaultBackend`, says what profiles call its runtime, what that cannot execute and what a file costs
there, and adds itself to `BACKENDS`; everything else has a default.
"""

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, Protocol

from edgeprune.config.tables import TableError
from edgeprune.device.check import Budgets
from edgeprune.device.figures import Check, Figure
from edgeprune.device.profile import Profile
from edgeprune.errors import ProfileError
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.opshape import OpShape
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
from edgeprune.registry import Registry
from edgeprune.report.sections.deployment import DeployStepPart
from edgeprune.report.sections.memory import MemoryPart
from edgeprune.runtimes.agreement import Comparison
from edgeprune.tflite.model import Model
from edgeprune.tflite.schemes import Scheme


class Backend(Protocol):
    """A runtime on a device.

    Attributes:
        runtime: what profiles call it in `runtime.name`.
        label: what people call it.
        runs_encoded: whether it is given the file whose weights are stored encoded, where there is one.
        writes_metadata: whether its files say what they are for, where nobody said so.
        planning_slack: fraction of flash that is kept free while pruning is planned, because fine-tuning
            changes how well weights are stored.
        layer_prices: where the prices of layers come from, where that needs saying; else "".
        project_suffix: what a project's folder is called after its source; "" for its kind.
    """

    runtime: ClassVar[str]
    label: ClassVar[str]
    runs_encoded: ClassVar[bool]
    writes_metadata: ClassVar[bool]
    planning_slack: ClassVar[float]
    layer_prices: ClassVar[str]
    project_suffix: ClassVar[str]

    def __init__(self, *, profile: Profile) -> None: ...

    @property
    def profile(self) -> Profile:
        """The device."""

    @classmethod
    def takes(cls, profile: Profile) -> bool:
        """Whether it is what executes files on this device."""

    @classmethod
    def can_replace(cls, profile: Profile) -> bool:
        """Whether it can take the place of the device's runtime."""

    @classmethod
    def adopt(cls, profile: Profile) -> Profile:
        """The device with this runtime in the place of its own. Raises RecipeError where that cannot be."""

    def find_faults(self) -> Iterator[TableError]:
        """What of the profile this runtime cannot do with, or lacks."""

    def require_tools(self) -> None:
        """Raises InputError or ToolMissingError for what a build would only find out after hours."""

    def refuse_scheme(self, scheme: Scheme) -> str | None:
        """Why it cannot execute what every file of a scheme holds, as a clause; None where it can."""

    def value_zeros(self, pattern: Pattern, *, scheme: str = "int8") -> Worth:
        """What zeros of a pattern buy in files of a scheme."""

    def value_clusters(self) -> Worth:
        """What few values for many weights buy."""

    def op_costs(self) -> Mapping[str, Callable[[OpShape], float]]:
        """Budget → cost of one op, as `device.op_costs`: what the solver goes by between two measurements."""

    def describe_layers(self, graph: LayerGraph) -> dict[str, dict[str, Any]]:
        """What each layer of a model costs before it is a file, as `device.layer_costs`."""

    def plan_memory(self, measured: Measured) -> MemoryPart | None:
        """Where what lies in the arena while each op runs; None where that is not known.

        Args:
            measured: the file that runs on the device.
        """

    def list_deployment(self) -> tuple[DeployStepPart, ...]:
        """How what a build wrote gets onto the device: steps whose commands run in the build's folder."""

    def rewrite(self, file: bytes) -> bytes:
        """A converted file with ops that the runtime lacks in others, as far as there are any.

        Args:
            file: as the converter made it, with its names.
        """

    def refuse(self, model: Model) -> Refusal | None:
        """Why it cannot execute a file, None where it can.

        Args:
            model: the file as this runtime gets it.
        """

    def measure(self, file: bytes, *, where: str = "the model") -> Measured:
        """What a file costs on the device.

        Args:
            file: the bytes of a `.tflite` file.
            where: its name, for messages.

        Raises:
            ModelError: the bytes are not a usable `.tflite` file.
        """

    def encode(self, file: bytes, *, budgets: Budgets, scheme: str | None = None) -> Encoded:
        """A file with its weights stored as the runtime can unpack them, where it can and it pays.

        Args:
            file: a stripped `.tflite` file.
            budgets: what is allowed.
            scheme: how it is quantized; None where that is not known.

        Raises:
            ModelError: the file is damaged.
            ToolError: a runtime is needed and not installed, or failed.
        """

    def verify(self, file: bytes, samples: Samples, *, stored: bytes) -> Comparison:
        """The file in several runtimes, this one among them if it runs here.

        Args:
            file: a `.tflite` file that LiteRT executes.
            samples: what it is run on.
            stored: the same model as the device stores it.
        """

    def finish(
        self, file: bytes, *, figures: Mapping[str, Figure], samples: Samples, progress: Progress
    ) -> Finished:
        """What has to be built from the final file, built and read.

        Args:
            file: the final file, not encoded.
            figures: what is known of it.
            samples: test samples, for golden ones.
            progress: is told what is going on.

        Raises:
            ToolError: a compiler or an emulator failed.
        """

    def package(self, release: Release, folder: Path) -> None:
        """Writes into the output of a build what firmware or an application needs beside the file."""

    def write_project(
        self, file: bytes, *, name: str, take_golden: TakeGolden, options: ProjectOptions, folder: Path
    ) -> Project:
        """Writes a firmware project with a file and golden samples of it.

        Args:
            file: the file's bytes.
            name: the file's name, for messages.
            take_golden: makes the samples.
            options: how the project is to be.
            folder: where it goes.

        Raises:
            InputError: there are no projects for this device, or it cannot run the file.
            ToolError: a runtime, compiler or emulator is missing, or failed.
            InfeasibleError: an image does not fit the device's memories.
        """


BACKENDS: Registry[type[Backend]] = Registry("runtime")
"""All backends, by a name of their own; what a profile's runtime is called is their attribute `runtime`."""


def list_runtime_names() -> tuple[str, ...]:
    """What a profile's `runtime.name` may be."""
    return tuple(dict.fromkeys(backend.runtime for _, backend in BACKENDS.items()))


def backend_of(profile: Profile) -> Backend:
    """The backend of a device's runtime. Raises ProfileError where the profile does not suit it."""
    backend, faults = _find(profile)
    if backend is None or faults:
        raise ProfileError(
            "; ".join(map(str, faults)),
            where=profile.id,
            fix="correct its file until 'edgeprune devices validate FILE' finds nothing",
        )
    return backend


def find_runtime_faults(profile: Profile) -> list[TableError]:
    """What is wrong with a profile in the eyes of its runtime; empty if nothing is."""
    return _find(profile)[1]


def _find(profile: Profile) -> tuple[Backend | None, list[TableError]]:
    for _, kind in BACKENDS.items():
        if kind.takes(profile):
            backend = kind(profile=profile)
            return backend, list(backend.find_faults())
    name, known = profile.runtime.name, list_runtime_names()
    near = get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean '{near[0]}'?" if near else f"it takes one of {', '.join(map(repr, known))}"
    return None, [TableError(key="runtime.name", problem=f"is '{name}'; {hint}")]


def measure(tflite: bytes, *, profile: Profile, where: str) -> Measured:
    """What a file costs on a device, as its backend measures it."""
    return backend_of(profile).measure(tflite, where=where)


def check_ops(measured: Measured, profile: Profile) -> Check:
    """Whether the device's runtime has a kernel for every op: simulated where it has run the file here."""
    known = f"the tables of {backend_of(profile).label}"
    known += f"; {measured.invoked}" if measured.invoked else "; the file has not been run here"
    figure = Figure(
        value=float(len(measured.unsupported)),
        unit="unsupported ops",
        source="simulated" if measured.unsupported or measured.invoked else "estimated",
        evidence="; ".join(dict.fromkeys(measured.unsupported) or (known, *measured.notes)),
    )
    return Check(name="ops", figure=figure, budget=0.0)
