"""Low rank: kernels become products of smaller ones, as far as the device gains and the outputs allow.

It comes before channels are removed: factors are ordinary layers, of which channels may go, ranks among them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from edgeprune.device.profile import Profile
from edgeprune.errors import InfeasibleError, RecipeError
from edgeprune.graph.channels import name_channels
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.graph.opshape import OpShape
from edgeprune.measuring.records import Worth
from edgeprune.methods.channels import ToBudgets
from edgeprune.methods.finished import load_applied, save_applied
from edgeprune.methods.method import METHODS, Applied, Asked, Phase, find_first
from edgeprune.methods.pricing import exceeded
from edgeprune.methods.start import Start, describe_step
from edgeprune.prune.factors import Factoring, Moments, Ranks
from edgeprune.prune.ranks import Trade, list_offers, trade

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.data.batches import Source
    from edgeprune.keras_bridge.model.trace import Traced
    from edgeprune.keras_bridge.training.trainer import Trainer

SAMPLES = 2000
"""Training samples whose second moments are taken, at most."""
LEVELS = 20
"""Settings that may be chosen where none was asked for."""
MOST_LOST = 0.1
"""Fraction of the variance of the layers' outputs, on average, beyond which ranks are not tried."""
_BYTES_PER_OP = 256
"""What an op takes in a file beside weights and scales, roughly: its tensors, their names left out."""
_SAVED = ("flash", "latency")
"""The budgets that smaller kernels help to keep."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LowRank:
    """Ranks of the layers that are factorised.

    Attributes:
        ranks: by layer, (r,) for two factors, (r, s) for the three of Tucker-2.
        lost: fraction of the variance of the layers' outputs that goes, the mean over these layers.
    """

    ranks: Mapping[str, Ranks] = field(default_factory=dict)
    lost: float = 0.0

    @property
    def name(self) -> str:
        """Of the method."""
        return "low_rank"

    @property
    def flag(self) -> str:
        """The option that asks for it."""
        return "low_rank"

    def describe(self) -> str:
        """In a table."""
        count = len(self.ranks)
        return f"low rank in {count} layer{'s' * (count != 1)}"

    def list_ranks(self) -> str:
        """All ranks, for a report."""
        return ", ".join(f"{name} {' × '.join(map(str, ranks))}" for name, ranks in self.ranks.items())


@dataclass(frozen=True, kw_only=True, slots=True)
class LowRankMethod:
    """Dense layers and convolutions as two or three smaller ones, where that costs less."""

    name: str = "low_rank"
    title: str = "factorise kernels"
    phase: Phase = "structure"
    setting: type[LowRank] = LowRank

    def worth(self, profile: Profile, *, setting: LowRank | None = None, scheme: str = "int8") -> Worth:
        """Flash and time, everywhere."""
        return Worth(flash=True, latency=True, reason="factors of low rank take less flash and time")

    def check(self, setting: LowRank) -> None:
        """Ranks are looked for in the model."""

    def settings(self, asked: Asked) -> Sequence[LowRank]:
        """Of all trades between what is saved and what is lost some, evenly spaced by what they save."""
        trades = list_trades(asked)
        if len(trades) < 2:
            return ()
        dearest, cheapest = trades[0].cost, trades[-1].cost
        goals = np.linspace(dearest, cheapest, LEVELS + 1)[1:]
        found = [next(t for t in trades if t.cost <= goal * (1 + 1e-12)) for goal in goals]
        return list({id(t): _settle(t) for t in found}.values())

    def preview(self, model: keras.Model, setting: LowRank) -> keras.Model:
        """Factorised by the weights alone."""
        return factorise_model(model, setting, source=None, seed=0)

    def apply(self, model: keras.Model, setting: LowRank, *, trainer: Trainer) -> Applied:
        """Factorised by the training data, and fine-tuned."""
        factored = factorise_model(model, setting, source=trainer.training.source, seed=trainer.seed)
        return _recover(factored, note=setting.list_ranks(), trainer=trainer)


METHODS.add("low_rank", LowRankMethod())


def list_trades(asked: Asked) -> tuple[Trade, ...]:
    """What factorising can save of the budgets that are exceeded (of flash, if none is), and what it loses.

    The cost is the sum over these budgets, each as a fraction of what the model costs.
    """
    from edgeprune.keras_bridge.model.factorise import list_factorable
    from edgeprune.keras_bridge.model.trace import trace

    start = asked.start
    traced = trace(start.model)
    if traced.nested and (asked.limits.keep or asked.limits.floors):
        return ()  # nested models are unfolded, and patterns would miss their layers' names
    channels = name_channels(traced.graph)
    reasons = list_factorable(traced, channels, keep=asked.limits.keep)
    chosen = [name for name, reason in reasons.items() if not reason]
    factorings = _prepare(start.model, traced, layers=chosen, source=asked.source, seed=asked.seed)
    lowering = Lowering(traced.graph, channels)
    calls: dict[str, list[OpShape]] = {name: [] for name in factorings}
    for i, node in enumerate(traced.graph.nodes):
        if node.layer in calls:
            ops = lowering.lower_node(i, channels.everything)
            calls[node.layer].extend(op for op in ops if op.filter is not None)
    over = [name for name in exceeded(start.cost, asked.budgets) if name in _SAVED] or ["flash"]
    per_op = asked.pricing.per_op

    def price(of_calls: Sequence[tuple[OpShape, ...]]) -> float:
        total = 0.0
        for name in over:
            ops = [op for ops in (of_calls if name == "latency" else of_calls[:1]) for op in ops]
            cost = sum(map(per_op[name], ops)) if name in per_op else 0.0
            cost += _BYTES_PER_OP * len(ops) * (name == "flash")
            total += cost / (start.cost.get(name) or 1.0)
        return total

    offers = {
        name: list_offers(factoring, calls[name], price=price, align=asked.limits.round_to)
        for name, factoring in factorings.items()
    }
    return trade({name: found for name, found in offers.items() if len(found) > 1})


def propose_ranks(asked: Asked, *, over: Sequence[str]) -> list[LowRank]:
    """The ranks worth a trial: the mildest that bring flash and latency under their budgets, on a file.

    None where nothing factorised saves that, or where it would cost more of the layers' outputs than training
    is likely to give back.

    Args:
        asked: where pruning starts, and what must hold.
        over: the budgets that are exceeded.
    """
    budgets = {name: asked.budgets[name] for name in over if name in _SAVED}
    if asked.low_rank is not None or not budgets:
        return []
    model = asked.start.model
    method = LowRankMethod()

    def fits(setting: LowRank) -> bool:
        return not exceeded(asked.pricing.price(method.preview(model, setting), budgets=budgets), budgets)

    found = find_first([setting for setting in method.settings(asked) if setting.lost <= MOST_LOST], fits)
    return [] if found is None else [found]


def pick_ranks(asked: Asked, *, share: float) -> LowRank:
    """The mildest ranks at which what can be factorised costs this share of what it does, or less.

    Raises:
        RecipeError: nothing can be factorised, or not so far.
    """
    trades = list_trades(asked)
    whole, least = trades[0].cost, trades[-1].cost
    if least > share * whole or len(trades) < 2:
        raise RecipeError(
            f"low_rank is {share:g}",
            why=f"the least that ranks can leave is {least / whole if whole else 1:.3f} of what layers cost",
            fix="ask for more of it, or leave it out",
        )
    return _settle(next(found for found in trades if found.cost <= share * whole))


def reach_budgets(asked: Asked, factors: LowRank | None, *, trainer: Trainer) -> Applied:
    """The model after factorising, and with channels removed as far as the budgets ask; recovered.

    Args:
        asked: where pruning starts, and what must hold.
        factors: the ranks; None for channels alone.
        trainer: data and teacher; its work keeps what is finished.

    Raises:
        InfeasibleError: no plan meets the budgets, or a layer cannot be factorised.
    """
    start = asked.start if factors is None else factorise_start(asked, factors, trainer=trainer)
    before = len(asked.start.steps)
    if exceeded(start.cost, asked.budgets):
        setting = ToBudgets(asked=replace(asked, start=start))
        narrowed = METHODS[setting.name].apply(start.model, setting, trainer=trainer)
        return replace(narrowed, steps=[*start.steps[before:], *narrowed.steps])
    accuracy = start.steps[-1]["accuracy"]
    if factors is None:
        return Applied(model=start.model, accuracy=accuracy)
    if (recovered := load_applied(trainer.work, stage="factored", original=trainer.teacher)) is None:
        recovered = _recover(start.model, note=factors.list_ranks(), trainer=trainer)
        save_applied(recovered, trainer.work, stage="factored")
    row = describe_step(
        len(start.steps),
        "final",
        model=recovered.model,
        cost=start.cost,
        macs=start.macs,
        accuracy=recovered.accuracy,
        epochs=float(trainer.epochs),
    )
    return replace(recovered, steps=[*start.steps[before:], row])


def factorise_start(asked: Asked, setting: LowRank, *, trainer: Trainer) -> Start:
    """Where pruning starts once the setting's layers are factorised by the training data, untrained.

    Args:
        asked: where it started, and what must hold.
        setting: the ranks.
        trainer: data, and what scores models.

    Raises:
        InfeasibleError: a layer is not there, or cannot be factorised.
    """
    from edgeprune.keras_bridge.model.trace import trace
    from edgeprune.keras_bridge.training.evaluation import score_settled

    start, source = asked.start, trainer.training.source
    model = factorise_model(start.model, setting, source=source, seed=trainer.seed)
    graph = trace(model).graph
    channels = name_channels(graph)
    cost = asked.pricing.price(model, budgets=asked.budgets)
    macs = count_macs(Lowering(graph, channels).lower(channels.everything))
    row = describe_step(
        len(start.steps),
        setting.name,
        model=model,
        cost=cost,
        macs=macs,
        accuracy=score_settled(model, trainer.evaluator, source=source, seed=trainer.seed),
        note=setting.list_ranks(),
    )
    return replace(start, model=model, graph=graph, cost=cost, macs=macs, steps=[*start.steps, row])


def factorise_model(model: keras.Model, setting: LowRank, *, source: Source | None, seed: int) -> keras.Model:
    """The model with the setting's layers factorised; nothing is trained.

    Args:
        model: not changed.
        setting: the ranks; where a layer has been narrowed to less, all it has.
        source: of training samples, so that outputs are approximated; None to go by the weights alone.
        seed: of the choice of samples.

    Raises:
        InfeasibleError: a layer is not there, or cannot be factorised.
    """
    from edgeprune.keras_bridge.model.factorise import factorise, list_factorable
    from edgeprune.keras_bridge.model.trace import trace

    traced = trace(model)
    reasons = list_factorable(traced, name_channels(traced.graph), keep=())
    for name in setting.ranks:
        if why := reasons.get(name, "there is no dense layer or convolution of that name"):
            raise InfeasibleError(f"'{name}' cannot be factorised", where=model.name, why=why)
    factorings = _prepare(model, traced, layers=list(setting.ranks), source=source, seed=seed)
    factors = {name: factorings[name].factorise(ranks) for name, ranks in setting.ranks.items()}
    return factorise(model, traced, factors=factors)


def _recover(factored: keras.Model, *, note: str, trainer: Trainer) -> Applied:
    import keras

    trainer.progress.stage("recover", total=trainer.plan_recovery().total_steps)
    model, accuracy = trainer.recover_with(keras.callbacks.Callback(), factored)
    return Applied(model=model, accuracy=accuracy, note=note)


def _prepare(
    model: keras.Model, traced: Traced, *, layers: Sequence[str], source: Source | None, seed: int
) -> dict[str, Factoring]:
    """The kernels of these layers, with what they read and put out on training samples."""
    from edgeprune.keras_bridge.model.moments import measure_moments

    moments: Mapping[str, Moments] = {}
    if source is not None and layers:
        rows = np.random.default_rng([seed, 13]).permutation(source.drawable)[:SAMPLES]
        moments = measure_moments(model, traced, layers=layers, inputs=source.take(np.sort(rows)).x)
    weights = {name: traced.graph.layers[name].weights for name in layers}
    return {
        name: Factoring(found["kernel"], bias=found.get("bias"), moments=moments.get(name))
        for name, found in weights.items()
    }


def _settle(found: Trade) -> LowRank:
    lost = [found.lost[name] for name in found.ranks]
    return LowRank(ranks=found.ranks, lost=float(np.mean(lost)) if lost else 0.0)
