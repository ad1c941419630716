"""What goes into a backend and what comes out: plain values, the same for every runtime."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from edgeprune.device.figures import Check, Figure
from edgeprune.encoding.choices import Compressed
from edgeprune.encoding.xnnpack_sparse import SparseChoice
from edgeprune.firmware.c.layer import Optimize
from edgeprune.graph.opshape import OpShape
from edgeprune.runtimes.golden import Golden, RunFile, record_golden
from edgeprune.runtimes.samples import Array, as_real
from edgeprune.runtimes.vela import VelaResult
from edgeprune.tflite.model import Model

GOLDEN_SAMPLES = 10
"""Samples kept in the output of a build, at most, for checks on the device."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """Why a runtime cannot execute a file: at least one reason, one sentence for each op."""

    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """A `.tflite` file, read and measured for one device.

    Attributes:
        model: the file, read.
        ops: shapes of its ops.
        figures: every figure of `UNITS` that follows from the file alone.
        unsupported: what the device's runtime cannot execute, one sentence each.
        compiled: what goes into flash in the file's place, on a device with an NPU.
        notes: what is worth knowing besides, one sentence each.
        invoked: where the file has been run once, as a clause; "" where it has not.
    """

    model: Model
    ops: tuple[OpShape, ...]
    figures: Mapping[str, Figure]
    unsupported: tuple[str, ...] = ()
    compiled: VelaResult | None = None
    notes: tuple[str, ...] = ()
    invoked: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoded:
    """A file as the device stores it.

    Attributes:
        measured: the file before, read and measured.
        figures: of the file that is flashed.
        compressed: that file, where its constants may be stored encoded.
        note: why the device cannot store them so, as a sentence; "" where it can.
    """

    measured: Measured
    figures: Mapping[str, Figure]
    compressed: Compressed | SparseChoice | None = None
    note: str = ""

    def describe(self) -> list[str]:
        """What was encoded and what not, in sentences."""
        return self.compressed.describe() if self.compressed else [self.note]


@dataclass(frozen=True, kw_only=True, slots=True)
class Worth:
    """What zeros among the weights, or few values for many, buy on a device.

    Attributes:
        flash, latency: whether they may make the file smaller, or inference faster.
        reason: the sentence that explains it.
        instead: what to ask for where they buy nothing.
    """

    flash: bool = False
    latency: bool = False
    reason: str
    instead: str = "channels alone"

    @property
    def useful(self) -> bool:
        """Whether they buy anything."""
        return self.flash or self.latency


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Samples:
    """Inputs that a file is run on.

    Attributes:
        inputs: one array per input, (samples, ...), as the Keras model takes them: real numbers, whatever
            their type.
        origin: where they come from, as a clause.
        labels: names of the classes; empty where they are not known.
    """

    inputs: tuple[Array, ...]
    origin: str
    labels: tuple[str, ...] = ()

    def record_golden(self, file: bytes, run_file: RunFile) -> Golden:
        """`GOLDEN_SAMPLES` of them, with what the file makes of these where `run_file` runs it; see there."""
        return record_golden(
            file,
            as_real(file, self.inputs),
            samples=GOLDEN_SAMPLES,
            origin=self.origin,
            labels=self.labels,
            run_file=run_file,
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Finished:
    """What building a final file for its runtime gave, beside the file; nothing for most runtimes.

    Attributes:
        figures: read from what was built; they replace those that were known before.
        checks: whether it does what it should.
        facts: of what was built, as `EnginePart` of the report; None where nothing was.
        files: path in the output of a build → content.
        golden: samples for a check on the device.
    """

    figures: Mapping[str, Figure] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    facts: Mapping[str, Any] | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    golden: Golden | None = None


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Release:
    """A final file with all that is known of it, to be packaged for its runtime.

    Attributes:
        file: as the device stores it.
        measured: as it was before encoding.
        figures: of what is flashed.
        finished: what was built for it.
        samples: test samples, for golden ones.
        made_from: facts for comments of generated files, {"Device": "cortex-m7", "Pruned from": "mine"}.
    """

    file: bytes
    measured: Measured
    figures: Mapping[str, Figure]
    finished: Finished
    samples: Samples
    made_from: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectOptions:
    """How a firmware project is to be.

    Attributes:
        kind: the build system it is written for; None for the runtime's first.
        build: whether its images are built, and run in an emulator.
        optimize: what choices between kernels, and the compiler, go by.
        budgets: what a build had to keep to, by the keys of `BUDGETS`; the profile's where it says nothing.
        name: what the C engine calls the model in C.
    """

    kind: str | None = None
    build: bool = False
    optimize: Optimize = "speed"
    name: str = "model"
    budgets: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Project:
    """A firmware project that was written.

    Attributes:
        runtime: what executes the model in it, as `--runtime` takes it.
        kind: its build system.
        title: what people call such projects.
        golden: the samples in it.
        costs: what the model takes, for JSON; `costs_said` says it in sentences.
        built: what building and running it gave, likewise; empty where such projects are not built here.
        readme_says: what its README is for, as the end of a sentence; for where nothing was built.
        ok: whether its check passed, or none was asked for.
    """

    runtime: str
    kind: str
    title: str
    golden: Golden
    costs: Mapping[str, Any]
    costs_said: tuple[str, ...]
    built: Mapping[str, Any] = field(default_factory=dict)
    built_said: tuple[str, ...] = ()
    readme_says: str = "says how to build and run it."
    ok: bool = True


TakeGolden = Callable[[bytes, Model, RunFile], Golden]
"""Makes the golden samples of a file, once it is known that the runtime takes it."""
