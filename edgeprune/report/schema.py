"""The report of a build: one document with everything that was decided, measured and checked.

`Report` is that document as a frozen dataclass; `to_json` and `from_json` are exact inverses. Its parts are
plain JSON objects, each typed by its section, so that writing them is writing JSON. Nothing in it depends on
the clock or on the machine's speed: the same seed on the same machine gives the same bytes.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from numbers import Integral, Real
from typing import Any

from edgeprune.errors import InputError
from edgeprune.report.sections.agreement import AgreementPart
from edgeprune.report.sections.answers import AnswersPart
from edgeprune.report.sections.budgets import BudgetPart
from edgeprune.report.sections.checks import CheckPart
from edgeprune.report.sections.deployment import DeploymentPart
from edgeprune.report.sections.engine import EnginePart
from edgeprune.report.sections.equivalence import EquivalencePart
from edgeprune.report.sections.figures import FigurePart, Numbers
from edgeprune.report.sections.frozen import FrozenPart
from edgeprune.report.sections.head import DevicePart
from edgeprune.report.sections.layers import LayerPart
from edgeprune.report.sections.memory import MemoryPart
from edgeprune.report.sections.minimized import TrialPart
from edgeprune.report.sections.origin import DataPart, ModelPart, OpPart, TaskPart
from edgeprune.report.sections.plans import PlanPart
from edgeprune.report.sections.quantization import QuantizationPart
from edgeprune.report.sections.samples import SamplePart
from edgeprune.report.sections.sparsity import SparsityPart
from edgeprune.report.sections.steps import StepPart
from edgeprune.version import __version__

SCHEMA_VERSION = 1
"""Of `report.json`; rises when a key changes its meaning or goes."""


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
        plans: those that competed; none where there was no choice.
        trials: of `--minimize`; none without it.
        steps: the loop, in order.
        layers: cost per layer, in the model's order.
        frozen: what could not be pruned, with reasons.
        equivalence: one proof per rebuild.
        sparsity, quantization, agreement, engine: None where there was no such step.
        ops: of the artefact.
        seed: of everything random.
        versions: package → version.
        answers: what the artefact answered to the test samples; None for a model of several outputs.
        samples: golden samples as pictures; none where inputs are no images.
        memory: the runtime's plan of the arena; None where it is not known, or in `engine`.
        deployment: how the artefact gets onto the device.
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
    checks: tuple[CheckPart, ...]
    dense: Numbers
    pruned: Numbers
    provenance: Mapping[str, Mapping[str, FigurePart]]
    plans: tuple[PlanPart, ...]
    trials: tuple[TrialPart, ...] = ()
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
    answers: AnswersPart | None = None
    samples: tuple[SamplePart, ...] = ()
    memory: MemoryPart | None = None
    deployment: DeploymentPart | None = None

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
        # What came later has a default, which older reports are silent on.
        required = [field.name for field in fields(cls) if field.default is MISSING]
        missing = [name for name in required if name not in document]
        unknown = [name for name in document if name not in names and name != "schema"]
        if missing or unknown:
            faults = [f"'{name}' is missing" for name in missing]
            faults += [f"'{name}' is unknown" for name in unknown]
            raise InputError("; ".join(faults), where="report")
        parts = {name: document[name] for name in names if name in document}
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
