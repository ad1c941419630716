"""Making a model sparse: zeros along a schedule while it is fine-tuned, or all at once without training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeprune.device.profile import Profile
from edgeprune.errors import RecipeError
from edgeprune.measuring.backend import backend_of
from edgeprune.measuring.records import Worth
from edgeprune.methods.method import METHODS, Applied, Asked, Phase
from edgeprune.prune.masks import UNSTRUCTURED, Pattern, Scope, Zeros, parse_pattern
from edgeprune.prune.schedules import SCHEDULES, Course

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.training.sparsity import Sparsifying
    from edgeprune.keras_bridge.training.trainer import Trainer

END_SHARE = 0.35
"""Fraction of all steps after which the final sparsity is reached; the rest lets the model recover."""
RATE = 2.0
"""Learning rate as a multiple of the usual one: half a point better on ResNet-8 with 80 % zeros."""
UPDATES = 100
"""About how often masks are chosen anew on the way."""
SPARSITIES = tuple(round(0.3 + 0.05 * i, 2) for i in range(14))
"""Sparsities that may be chosen where none was asked for, up to 0.95."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Zeroing:
    """Zeros as they are asked for, by TFMOT's names; None where the number of steps decides.

    Attributes:
        final_sparsity: fraction of zeros at the end, in [0, 1).
        pattern: what a mask looks like.
        scope: every kernel to that sparsity, or all together, ranked by LAMP score.
        schedule: a name in `SCHEDULES`.
        initial_sparsity: where the schedule starts.
        begin_step, end_step: between which optimizer steps it moves.
        frequency: it moves on every so many steps.
        power: of the polynomial.
        keep: patterns of names of layers that stay dense.
    """

    final_sparsity: float
    pattern: Pattern = UNSTRUCTURED
    scope: Scope = "global"
    schedule: str = "polynomial_decay"
    initial_sparsity: float = 0.0
    begin_step: int = 0
    end_step: int | None = None
    frequency: int | None = None
    power: float = 3.0
    keep: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of the method."""
        return "zeros"

    @property
    def flag(self) -> str:
        """The option that asks for them."""
        return f"--mask {self.pattern}" if self.pattern.kind == "n_of_m" else "--sparsity"

    def describe(self) -> str:
        """In a table."""
        return f"{self.final_sparsity:g} {self.pattern}, {self.scope}, {self.schedule}"


ASKED = (
    *("final_sparsity", "mask", "mask_scope", "sparsity_schedule", "initial_sparsity"),
    *("begin_step", "end_step", "frequency", "power"),
)
"""What flags and recipes say of zeros."""


def parse_zeroing(asked: Mapping[str, Any], *, keep: tuple[str, ...] = ()) -> Zeroing:
    """The zeros that flags or a recipe ask for.

    Args:
        asked: by the names in `ASKED`; None, or left out, where nothing was said.
        keep: patterns of names of layers that stay dense.

    Raises:
        RecipeError: the mask is none, or no sparsity follows from what was said.
    """
    said = {name: asked[name] for name in ASKED if asked.get(name) is not None}
    pattern = parse_pattern(said.pop("mask", "unstructured"))
    sparsity = said.pop("final_sparsity", pattern.own_sparsity)
    if sparsity is None:
        raise RecipeError("how many weights become zero is not said", fix="pass --sparsity, for example 0.8")
    renamed = {"mask_scope": "scope", "sparsity_schedule": "schedule"}
    return Zeroing(
        final_sparsity=sparsity,
        pattern=pattern,
        keep=keep,
        **{renamed.get(name, name): value for name, value in said.items()},
    )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Sparsified:
    """A sparse model.

    Attributes:
        model: the Keras model.
        zeros: name of a kernel → (outputs, weights per output), True where it is zero.
        accuracy: its metric on validation data, None without data.
    """

    model: keras.Model
    zeros: Mapping[str, Zeros] = field(default_factory=dict)
    accuracy: float | None = None

    @property
    def sparsity(self) -> float:
        """Fraction of zeros in all kernels together."""
        total = sum(zeros.size for zeros in self.zeros.values())
        return sum(int(np.count_nonzero(zeros)) for zeros in self.zeros.values()) / max(total, 1)

    def to_json(self) -> list[dict[str, Any]]:
        """One object per kernel."""
        return [
            {
                "kernel": name,
                "weights": zeros.size,
                "zeros": int(np.count_nonzero(zeros)),
                "sparsity": float(np.mean(zeros)),
            }
            for name, zeros in self.zeros.items()
        ]


def check_zeroing(zeroing: Zeroing) -> None:
    """Refuses what is wrong whatever the number of steps, before anything is trained.

    Raises:
        RecipeError: a fraction is none, or it ends before it begins.
        UnknownNameError: there is no such schedule.
    """
    SCHEDULES[zeroing.schedule]
    final, initial = zeroing.final_sparsity, zeroing.initial_sparsity
    if not 0 <= initial <= final < 1:
        raise RecipeError(
            f"sparsity goes from {initial:g} to {final:g}", fix="give fractions that do not fall, below 1"
        )
    if zeroing.end_step is not None and zeroing.end_step < zeroing.begin_step:
        raise RecipeError(
            f"the schedule runs from step {zeroing.begin_step} to step {zeroing.end_step}",
            where="begin_step, end_step",
            fix="let it begin before it ends",
        )


def plan_zeros(zeroing: Zeroing, *, total_steps: int) -> Sparsifying:
    """What the callback is to do over so many optimizer steps.

    Raises:
        RecipeError: the schedule does not fit into them, or a fraction is none.
        UnknownNameError: there is no such schedule.
    """
    from edgeprune.keras_bridge.training.sparsity import Sparsifying

    check_zeroing(zeroing)
    last = max(total_steps - 1, 0)
    end = zeroing.end_step
    if end is None:
        end = min(zeroing.begin_step + round(END_SHARE * max(total_steps - zeroing.begin_step, 0)), last)
    if not zeroing.begin_step <= end <= last:
        raise RecipeError(
            f"the schedule runs from step {zeroing.begin_step} to step {end}",
            where="begin_step, end_step",
            why=f"training takes {total_steps} steps, counted from 0",
            fix="let it begin before it ends and end before training does, or give more --epochs",
        )
    course = Course(
        final_sparsity=zeroing.final_sparsity,
        end_step=end,
        initial_sparsity=zeroing.initial_sparsity,
        begin_step=zeroing.begin_step,
        frequency=zeroing.frequency or max(1, (end - zeroing.begin_step) // UPDATES),
        power=zeroing.power,
    )
    return Sparsifying(
        pattern=zeroing.pattern,
        schedule=zeroing.schedule,
        course=course,
        scope=zeroing.scope,
        keep=zeroing.keep,
    )


def sparsify_at_once(model: keras.Model, zeroing: Zeroing) -> Sparsified:
    """A copy of the model with zeros where its weights are smallest; nothing is trained.

    Raises:
        InfeasibleError: the model has no kernels.
        RecipeError: a pattern of `keep` matches no layer, or the sparsity is none.
    """
    from edgeprune.keras_bridge.model.weights import copy_model
    from edgeprune.keras_bridge.training.sparsity import SparsityCallback

    callback = SparsityCallback(plan_zeros(zeroing, total_steps=1))
    sparse = copy_model(model)
    callback.set_model(sparse)
    callback.update(zeroing.final_sparsity)
    return Sparsified(model=sparse, zeros={kernel.name: zeros for kernel, zeros in callback.zeros.items()})


def sparsify(model: keras.Model, zeroing: Zeroing, *, trainer: Trainer) -> Sparsified:
    """A sparse copy of the model, fine-tuned with a teacher while its zeros come in.

    Args:
        model: what is made sparse; not changed.
        zeroing: the zeros that are asked for.
        trainer: how to train, for how long, and with which teacher.

    Raises:
        InfeasibleError: the model has no kernels.
        RecipeError: a pattern of `keep` matches no layer, or the schedule does not fit.
    """
    from edgeprune.keras_bridge.training.sparsity import SparsityCallback

    steps = trainer.plan_recovery().total_steps
    callback = SparsityCallback(plan_zeros(zeroing, total_steps=steps))
    trainer.progress.stage("bring zeros in and recover", total=steps)
    sparse, accuracy = trainer.recover_with(callback, model, rate=RATE)
    zeros = {kernel.name: zeros for kernel, zeros in callback.zeros.items()}
    return Sparsified(model=sparse, zeros=zeros, accuracy=accuracy)


@dataclass(frozen=True, kw_only=True, slots=True)
class ZerosMethod:
    """Zeros in kernels, in the order of their magnitude."""

    name: str = "zeros"
    title: str = "bring zeros in"
    phase: Phase = "weights"
    setting: type[Zeroing] = Zeroing

    def worth(self, profile: Profile, *, setting: Zeroing | None = None, scheme: str = "int8") -> Worth:
        """What the device's runtime makes of zeros in this pattern."""
        anywhere = backend_of(profile).value_zeros(UNSTRUCTURED, scheme=scheme)
        if setting is None:
            return anywhere
        worth = backend_of(profile).value_zeros(setting.pattern, scheme=scheme)
        return replace(worth, instead="--mask unstructured") if anywhere.useful else worth

    def check(self, setting: Zeroing) -> None:
        """Refuses what is wrong whatever the number of steps."""
        check_zeroing(setting)

    def settings(self, asked: Asked) -> Sequence[Zeroing]:
        """Unstructured zeros, of `SPARSITIES`."""
        return [Zeroing(final_sparsity=sparsity, keep=asked.limits.keep) for sparsity in SPARSITIES]

    def preview(self, model: keras.Model, setting: Zeroing) -> keras.Model:
        """Zeros at once."""
        return sparsify_at_once(model, setting).model

    def apply(self, model: keras.Model, setting: Zeroing, *, trainer: Trainer) -> Applied:
        """Zeros along the schedule, while the model is fine-tuned."""
        return _describe(sparsify(model, setting, trainer=trainer), setting)


def _describe(sparse: Sparsified, setting: Zeroing) -> Applied:
    return Applied(
        model=sparse.model,
        accuracy=sparse.accuracy or 0.0,
        note=f"{sparse.sparsity:.1%} of the weights in kernels are zero ({setting.pattern})",
        zeros=sparse.zeros,
        is_shaped=True,
    )


METHODS.add("zeros", ZerosMethod())
