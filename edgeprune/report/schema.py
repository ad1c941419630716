"""The report of a build: one document with everything that was decided, measured and checked.

`Report` is that document as a frozen dataclass; `to_json` and `from_json` are exact inverses. Its parts are
plain JSON objects, typed by the dictionaries below, so that writing them is writing JSON. Nothing in it
depends on the clock or on the machine's speed: the same seed on the same machine gives the same bytes.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, TypedDict

from edgeprune import __version__
from edgeprune.errors import InputError

SCHEMA_VERSION = 1
"""Of `report.json`; rises when a key changes its meaning or goes."""


class ModelPart(TypedDict):
    """What was pruned. `source` is the file, or what made the model; `sha256` is of the file, "" if none."""

    name: str
    source: str
    sha256: str


class DevicePart(TypedDict):
    """What it was pruned for, from the device's profile."""

    id: str
    name: str
    core: str
    clock_mhz: float | None
    runtime: str
    kernel_library: str


class RangePart(TypedDict):
    """The values seen in one input of the model, before the model's own preprocessing."""

    input: str
    min: float
    max: float
    dtype: str


class DataPart(TypedDict):
    """What it was pruned with. `counts` are samples, by "train", "val" and "test"."""

    source: str
    notes: list[str]
    ranges: list[RangePart]
    counts: dict[str, int]


class TaskPart(TypedDict):
    """What counts as good. `origin` is a sentence that says where loss and metric come from."""

    loss: str
    metric: str
    higher_is_better: bool
    origin: str


class BudgetPart(TypedDict):
    """What was asked, in `unit`; `origin` is the flag, recipe or profile that asked it."""

    name: str
    value: float
    unit: str
    origin: str


StepKind = Literal["dense", "dead", "layers", "prune", "recover", "rollback", "final", "zeros", "clusters"]


class StepPart(TypedDict):
    """One step of the loop.

    `accuracy` is the task's metric on validation data; `cost` is by budget name, in the unit of the budget.
    """

    step: int
    kind: StepKind
    epochs: float
    accuracy: float | None
    cost: dict[str, float | None]
    params: int
    macs: int
    note: str


class LayerPart(TypedDict):
    """One layer that has channels or costs instructions, before and after."""

    name: str
    kind: str
    channels_before: int
    channels_after: int
    macs_before: int
    macs_after: int
    params_before: int
    params_after: int
    instructions_before: float | None
    instructions_after: float | None


class FrozenPart(TypedDict):
    """Channels that stay whatever the budgets ask, and why."""

    layer: str
    channels: int
    reason: str


class EquivalencePart(TypedDict):
    """Masked against compacted model after one rebuild; `error` is a fraction of the output's range."""

    step: int
    error: float
    samples: int
    tolerance: float


class QuantizationPart(TypedDict):
    """How the artefact was quantized.

    `selection` says how the representative samples were chosen, `warning` what it costs that they are few;
    `ladder` is what `Climbed.to_json` gives: what was tried to lose less, and the error of each activation.
    """

    scheme: str
    io_type: str
    samples: int
    seed: int
    selection: str
    warning: str
    ladder: dict[str, Any] | None


class RuntimePart(TypedDict):
    """One runtime against the reference, element by element.

    Differences are in quantization steps (None for outputs that have none), as real numbers, and as a
    fraction of the output's range. All are None where the runtime did not run; `unavailable` says why not.
    """

    kind: str
    runtime: str
    max_difference_steps: int | None
    max_difference: float | None
    max_difference_fraction: float | None
    differing_elements: int | None
    elements: int | None
    changed_top1: int | None
    samples: int | None
    unavailable: str


class AgreementPart(TypedDict):
    """The artefact's outputs in several runtimes, on `samples` test samples of `elements` outputs in all."""

    reference: str
    samples: int
    elements: int
    note: str
    runtimes: list[RuntimePart]


class SparsityPart(TypedDict):
    """Zeros among the weights.

    `why` says by what means the budgets were met; `kernels` holds name, tensors of the file, weights, zeros
    that were made and zeros that arrived; `stored` are sentences on how they are stored and what that costs.
    """

    why: str
    kernels: list[dict[str, Any]]
    stored: list[str]


class EnginePart(TypedDict):
    """Firmware of the C engine.

    `steps` are the C functions of the ops in their order; `blocks` lie at `offset` in the arena from step
    `first` to step `last`, both included. `sizes` are those of the image, by the names of `ImageSizes`, None
    where none was built; `layers` holds what each op takes: op, name, function, instructions, weight_bytes.
    `board` is the machine of qemu that counted.
    """

    board: str
    arena_bytes: int
    steps: list[str]
    blocks: list[dict[str, Any]]
    sizes: dict[str, int] | None
    layers: list[dict[str, Any]]


class OpPart(TypedDict):
    """How often an op occurs in the artefact."""

    op: str
    count: int


Numbers = Mapping[str, float | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Everything a build found out.

    Attributes:
        edgeprune: version that wrote it.
        model, device, data, task: what was pruned, for what, with what, and what counts as good.
        settings: name → value of everything that was chosen: criterion, scope, schedule, scheme, epochs, …
        budgets: what was asked.
        verdict: whether every check holds.
        sentence: the verdict in one sentence.
        checks: figures of the artefact against their budgets, each as `Check.to_json` gives it.
        dense, pruned: figures of the dense and of the pruned artefact, names and units as in
            `edgeprune.device.figures.UNITS`, and `float_accuracy` of the Keras model; None where unavailable.
        provenance: "dense" and "pruned" → figure → its source, evidence, low and high, as in `Figure`.
        steps: the loop, in order.
        layers: cost per layer, in the model's order.
        frozen: what could not be pruned, with reasons.
        equivalence: one proof per rebuild.
        sparsity, quantization, agreement, engine: None where there was no such step.
        ops: of the artefact.
        seed: of everything random.
        versions: package → version.
    """

    edgeprune: str = __version__
    model: ModelPart
    device: DevicePart
    data: DataPart | None
    task: TaskPart | None
    settings: Mapping[str, Any]
    budgets: tuple[BudgetPart, ...]
    verdict: bool
    sentence: str
    checks: tuple[Mapping[str, Any], ...]
    dense: Numbers
    pruned: Numbers
    provenance: Mapping[str, Mapping[str, Mapping[str, Any]]]
    steps: tuple[StepPart, ...]
    layers: tuple[LayerPart, ...]
    frozen: tuple[FrozenPart, ...]
    equivalence: tuple[EquivalencePart, ...]
    sparsity: SparsityPart | None
    quantization: QuantizationPart | None
    agreement: AgreementPart | None
    engine: EnginePart | None
    ops: tuple[OpPart, ...]
    seed: int
    versions: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        """The document as it stands in `report.json`; numbers that are not finite become None."""
        parts = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        return {"schema": SCHEMA_VERSION, **parts}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> "Report":
        """The report a document holds.

        Raises:
            InputError: another schema version, or a key too few or too many.
        """
        found = document.get("schema")
        if found != SCHEMA_VERSION:
            raise InputError(
                f"schema version is {found!r}, not {SCHEMA_VERSION}",
                where="report",
                fix="read it with the version of edgeprune that wrote it",
            )
        names = [field.name for field in fields(cls)]
        missing = [name for name in names if name not in document]
        unknown = [name for name in document if name not in names and name != "schema"]
        if missing or unknown:
            faults = [f"'{name}' is missing" for name in missing]
            faults += [f"'{name}' is unknown" for name in unknown]
            raise InputError("; ".join(faults), where="report")
        parts = {name: document[name] for name in names}
        lists = {name: tuple(part) for name, part in parts.items() if isinstance(part, list)}
        return cls(**{**parts, **lists})


def format_json(document: Mapping[str, Any]) -> str:
    """The text of a JSON document: indented, ASCII only, ends in a newline; what is not finite is null."""
    # ASCII, because a file name that is not valid UTF-8 must not fail a build at its very end.
    return json.dumps(_plain(document), indent=2, ensure_ascii=True, allow_nan=False) + "\n"


def _plain(part: Any) -> Any:
    """Lists for tuples, None for NaN and infinities (JSON has neither), Python's numbers for numpy's."""
    if isinstance(part, Mapping):
        return {str(name): _plain(value) for name, value in part.items()}
    if isinstance(part, list | tuple):
        return [_plain(item) for item in part]
    if isinstance(part, bool | str) or part is None:
        return part
    if isinstance(part, Integral):  # numpy's integers, too
        return int(part)
    if isinstance(part, Real):
        return float(part) if math.isfinite(part) else None
    raise TypeError(f"a report holds plain values only, not {type(part).__name__}")
