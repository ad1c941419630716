"""What a way to reach a budget is: one Protocol, one registry, one file for each.

    lossless    what goes for nothing, before anything else: dead channels
    structure   what narrows the model to any budget, in steps with recovery between: whole layers, channels
    weights     what is done to weights last, so that they are stored in less: zeros, clusters

Adding a method is adding a file that ends in `METHODS.add`, and its name to `edgeprune/methods/__init__.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, get_args

from edgeprune.config.tables import parse_table
from edgeprune.device.profile import Profile
from edgeprune.errors import InfeasibleError, RecipeError
from edgeprune.measuring.records import Worth
from edgeprune.methods.pricing import Budgets, Pricing
from edgeprune.methods.start import Start
from edgeprune.prune.limits import Limits
from edgeprune.prune.masks import Zeros
from edgeprune.registry import Registry
from edgeprune.report.sections.equivalence import EquivalencePart
from edgeprune.report.sections.plans import PlanPart
from edgeprune.report.sections.steps import StepPart

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.data.batches import Source
    from edgeprune.keras_bridge.training.trainer import Trainer

Phase = Literal["lossless", "structure", "weights"]
"""When a method has its turn."""
PHASES: Sequence[Phase] = get_args(Phase)
Candidate = TypeVar("Candidate")

FLASH_SLACK = 0.01
"""Kept below the flash budget while weights are shaped on trial: fine-tuning changes what they become."""


class Setting(Protocol):
    """How strongly a method is applied: a frozen dataclass of values that JSON can hold."""

    @property
    def name(self) -> str:
        """Of the method, and of the step in a report."""

    @property
    def flag(self) -> str:
        """The option that asks for it."""

    def describe(self) -> str:
        """In a table."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Asked:
    """What a build asks of its methods.

    Attributes:
        profile: the device.
        scheme: how files are quantized.
        budgets: budget name → largest cost allowed.
        limits: alignment, least widths, scope, layers that are kept.
        criterion: a name in `CRITERIA`.
        normalise: a name in `NORMALISERS`; None for the criterion's own way.
        schedule: a name in `SCHEDULES`.
        whole_layers: whether whole layers may go.
        pricing: what models cost.
        start: where pruning starts.
        low_rank: share of what kernels cost that stays once they are factorised; None where trials decide.
        source: of training samples, for settings that go by what layers put out.
        seed: of the choice of samples.
        is_trial: whether this only shows what a method does: plans do not compete for it.
    """

    profile: Profile
    scheme: str
    budgets: Budgets
    limits: Limits
    criterion: str
    normalise: str | None
    schedule: str
    whole_layers: bool
    pricing: Pricing
    start: Start
    low_rank: float | None
    source: Source
    seed: int
    is_trial: bool = False


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Applied:
    """What became of a model.

    Attributes:
        model: the smaller, or shaped, Keras model.
        accuracy: its metric on validation data.
        note: what was done, as a clause.
        steps: rows of the report, one per step of the method.
        equivalence: the proofs, likewise; steps are counted from its own first.
        plans: those that competed.
        zeros: name of a kernel → (outputs, weights per output), True where it must be zero in the file.
        is_shaped: whether weights hold what a file stores in less, and training again would spoil.
        may_scale: whether channels may be scaled without spoiling it.
    """

    model: keras.Model
    accuracy: float
    note: str = ""
    steps: list[StepPart] = field(default_factory=list)
    equivalence: list[EquivalencePart] = field(default_factory=list)
    plans: tuple[PlanPart, ...] = ()
    zeros: Mapping[str, Zeros] = field(default_factory=dict)
    is_shaped: bool = False
    may_scale: bool = True


class Method(Protocol):
    """A way to reach a budget."""

    @property
    def name(self) -> str:
        """In the registry and in reports."""

    @property
    def title(self) -> str:
        """What it does, as an imperative clause."""

    @property
    def phase(self) -> Phase:
        """When it has its turn."""

    @property
    def setting(self) -> type[Any]:
        """The dataclass of its settings."""

    def worth(self, profile: Profile, *, setting: Any | None = None, scheme: str = "int8") -> Worth:
        """What it can save on a device, or why not; of the mildest setting if none is given."""

    def check(self, setting: Any) -> None:
        """Raises RecipeError for a setting that cannot be, before anything is opened."""

    def settings(self, asked: Asked) -> Sequence[Any]:
        """The settings that may be chosen, mildest first; none where it has nothing to offer."""

    def preview(self, model: keras.Model, setting: Any) -> keras.Model:
        """A copy of the model with the setting applied and nothing trained, to be priced as a file.

        Raises:
            InfeasibleError: it cannot be applied to this model.
        """

    def apply(self, model: keras.Model, setting: Any, *, trainer: Trainer) -> Applied:
        """The model with the setting applied and fine-tuned for the trainer's epochs.

        Raises:
            InfeasibleError: it cannot be applied to this model.
            RecipeError: a pattern of layer names matches none, or a schedule does not fit.
        """


METHODS: Registry[Method] = Registry("method", listing="edgeprune list methods")


def list_methods(phase: Phase) -> list[Method]:
    """The methods of a phase, in the order in which they were added."""
    return [method for _, method in METHODS.items() if method.phase == phase]


def require_worth(setting: Setting, profile: Profile, *, scheme: str, accept_no_gain: bool) -> Worth:
    """The worth of a setting that somebody asked for.

    Raises:
        RecipeError: it cannot be; or it buys nothing on the device, and nobody said that this is known.
    """
    method = METHODS[setting.name]
    method.check(setting)
    worth = method.worth(profile, setting=setting, scheme=scheme)
    if not worth.useful and not accept_no_gain:
        raise RecipeError(
            f"no gain from {setting.flag}",
            where=profile.id,
            why=worth.reason,
            fix=f"use {worth.instead}, or pass --accept no-gain to have {setting.name} all the same",
        )
    return worth


def find_mildest(method: Method, asked: Asked, *, model: keras.Model) -> Setting | None:
    """The mildest setting that brings a model's flash under its budget, on its file; None if none does."""

    def fits(setting: Setting) -> bool:
        # How small a file becomes hardly depends on training.
        budgets = {"flash": asked.budgets["flash"]}
        try:
            cost = asked.pricing.price_shaped(method.preview(model, setting), budgets=budgets)
        except InfeasibleError:
            return False
        return cost["flash"] <= budgets["flash"] * (1 - FLASH_SLACK)

    return find_first(method.settings(asked), fits)


def find_first(candidates: Sequence[Candidate], holds: Callable[[Candidate], bool]) -> Candidate | None:
    """The first candidate from which on it holds, by bisection; None if it does not hold for the last."""
    if not candidates or not holds(candidates[-1]):
        return None
    low, high = 0, len(candidates) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if holds(candidates[middle]) else (middle + 1, high)
    return candidates[high]


def write_setting(setting: Setting | None) -> dict[str, Any] | None:
    """A setting as JSON takes it."""
    if setting is None:
        return None
    values = {name: value for name, value in asdict(setting).items() if value is not None}  # type: ignore[call-overload]
    return {"method": setting.name, "values": values}


def read_setting(state: Mapping[str, Any] | None) -> Setting | None:
    """What `write_setting` made of a setting."""
    if state is None:
        return None
    setting, errors = parse_table(state["values"], METHODS[state["method"]].setting)
    if errors:
        raise ValueError(f"a setting of {state['method']} cannot be read back: {errors[0]}")
    return setting
