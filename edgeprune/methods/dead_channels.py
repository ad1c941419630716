"""Removing dead channels from a Keras model, without loss and without training.

What is dead is known in one of three ways, and each channel that goes says which: it holds for every input
("proven"), for every input within the range of the data ("proven within the data's range"), or it was so on
all samples that were looked at ("seen on data").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from edgeprune.device.profile import Profile
from edgeprune.errors import InfeasibleError
from edgeprune.graph.channels import name_channels
from edgeprune.graph.interval_trace import trace_intervals
from edgeprune.graph.intervals import Interval
from edgeprune.graph.kept_layers import keep_layers
from edgeprune.graph.layergraph import Array, LayerGraph
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.measuring.records import Worth
from edgeprune.methods.method import METHODS, Applied, Asked, Phase
from edgeprune.methods.pricing import exceeded
from edgeprune.prune.dead import Dead, find_dead, remove_dead
from edgeprune.prune.dead_reasons import DeadChannels, explain_dead
from edgeprune.prune.limits import Limits
from edgeprune.report.sections.equivalence import EquivalencePart

if TYPE_CHECKING:
    import keras

    from edgeprune.keras_bridge.data.batches import Source
    from edgeprune.keras_bridge.model.trace import Traced
    from edgeprune.keras_bridge.training.trainer import Trainer

TOLERANCE = 1e-5
"""Largest difference from the original's outputs that counts as none, as a fraction of their range."""
SAMPLES = 1000
"""How many samples are looked at, at most."""
_PROBE_SAMPLES = 16


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Stripped:
    """A model without its dead channels.

    Attributes:
        model: the smaller model, not compiled; the original where nothing is dead.
        graph: its layer graph.
        removed: what went, layer by layer.
        params_before, params_after: weights, trainable or not.
        macs_before, macs_after: multiply-accumulates of one inference.
        error: largest difference from the original's outputs, as a fraction of their range.
        samples: number of inputs the two were compared on.
        seen_samples: number of samples that "seen on data" speaks of; 0 without data.
        tolerance: what counts as equal.
    """

    model: keras.Model
    graph: LayerGraph
    removed: tuple[DeadChannels, ...]
    params_before: int
    params_after: int
    macs_before: int
    macs_after: int
    error: float
    samples: int
    seen_samples: int
    tolerance: float = TOLERANCE

    def describe(self) -> str:
        """What went, in one sentence."""
        counts: dict[str, int] = {}
        layers: dict[str, int] = {}
        for row in self.removed:
            counts[row.basis] = counts.get(row.basis, 0) + len(row.channels)
            layers[row.layer] = layers.get(row.layer, 0) + len(row.channels)
        known = ", ".join(f"{count} {basis}" for basis, count in counts.items())
        named = ", ".join(f"{count} of {layer}" for layer, count in layers.items())
        looked = f" ({self.seen_samples} samples)" if self.seen_samples else ""
        return f"channels that do nothing are removed, which costs no accuracy: {named}; {known}{looked}"

    def to_json(self) -> dict[str, Any]:
        """Everything but the model."""
        figures = {name: getattr(self, name) for name in self.__slots__ if name not in ("model", "graph")}
        return {**figures, "removed": [asdict(row) for row in self.removed]}


def strip_dead(
    model: keras.Model,
    *,
    data: Source | None,
    trust_seen: bool,
    limits: Limits,
    seed: int,
) -> Stripped:
    """The model without its dead channels, proven equal to the original.

    Args:
        model: not changed.
        data: gives the range of the inputs, what was seen on them, and what the two models are compared on.
            None: inputs may be anything, the comparison is on random ones.
        trust_seen: whether channels go that were merely constant on all of the data.
        limits: alignment, least widths and layers that are kept; dead channels stay where these ask for it.
        seed: of the random inputs, and of the choice of samples.

    Raises:
        RecipeError: a pattern of `limits.keep` matches no layer.
        InfeasibleError: the outputs differ by more than `TOLERANCE` of their range.
    """
    from edgeprune.keras_bridge.model.probes import draw_inputs
    from edgeprune.keras_bridge.model.rebuild import compare_models, rebuild
    from edgeprune.keras_bridge.model.trace import trace

    traced = trace(model)
    graph, channels = traced.graph, keep_layers(name_channels(traced.graph), limits.keep)
    few = None if data is None else _draw_samples(data, seed=seed)
    found: dict[str, Dead] = {}
    for basis, intervals in _bound_three_ways(model, traced, few, trust_seen=trust_seen).items():
        found[basis] = find_dead(graph, channels, intervals=intervals, limits=limits)
    dead = found[basis]
    smaller = remove_dead(graph, channels, dead=dead) if dead.groups.any() else graph
    size = model.inputs[0].shape[0] or _PROBE_SAMPLES  # some models have a fixed batch size
    probe = draw_inputs(model, graph, seed=seed) if few is None else [x[:size] for x in few]
    rebuilt = rebuild(model, traced, graph=smaller) if dead.groups.any() else model
    error = compare_models(model, rebuilt, probe=probe, graph=graph)
    if not error <= TOLERANCE:
        raise InfeasibleError(
            f"without its dead channels the model's outputs differ by {error:.1e} of their range",
            where=model.name,
            why=f"{TOLERANCE:.0e} is allowed",
            fix="this is a bug in a layer rule or in its bounds; please report the model's architecture",
        )
    lowering = Lowering(graph, channels)
    return Stripped(
        model=rebuilt,
        graph=smaller,
        removed=explain_dead(graph, channels, found=found, intervals=intervals),
        params_before=graph.params,
        params_after=smaller.params,
        macs_before=count_macs(lowering.lower(channels.everything)),
        macs_after=count_macs(lowering.lower(~dead.groups)),
        error=error,
        samples=len(probe[0]),
        seen_samples=0 if few is None else len(few[0]),
    )


def _draw_samples(data: Source, *, seed: int) -> tuple[Array, ...]:
    """Samples from all over the data: files are often sorted by class."""
    rows = np.random.default_rng([seed, 11]).permutation(data.drawable)[:SAMPLES]
    return data.take(np.sort(rows)).x


def _bound_three_ways(
    model: keras.Model, traced: Traced, data: tuple[Array, ...] | None, *, trust_seen: bool
) -> dict[str, dict[str, Interval]]:
    """How it is known → bounds of all tensors, the strictest first."""
    from edgeprune.keras_bridge.model.observe import measure_inputs, observe

    ways = {"proven": trace_intervals(traced.graph)}
    if data is not None:
        ranges = measure_inputs(traced, inputs=data)
        ways["proven within the data's range"] = trace_intervals(traced.graph, inputs=ranges)
        if trust_seen:
            seen = observe(model, traced, inputs=data)
            ways["seen on data"] = trace_intervals(traced.graph, inputs=ranges, seen=seen)
    return ways


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadSetting:
    """Which channels count as dead.

    Attributes:
        trust_seen: also those that were merely constant on all samples.
        limits: what must stay all the same.
    """

    trust_seen: bool = False
    limits: Limits = field(default_factory=Limits)

    @property
    def name(self) -> str:
        """Of the method."""
        return "dead"

    @property
    def flag(self) -> str:
        """The option that asks for it alone."""
        return "--dead-only"

    def describe(self) -> str:
        """In a table."""
        return "dead channels, also those seen on data" if self.trust_seen else "dead channels"


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadChannelsMethod:
    """Channels that do nothing, whose removal costs nothing."""

    name: str = "dead"
    title: str = "remove dead channels"
    phase: Phase = "lossless"
    setting: type[DeadSetting] = DeadSetting

    def worth(self, profile: Profile, *, setting: DeadSetting | None = None, scheme: str = "int8") -> Worth:
        """A little of everything, everywhere."""
        return Worth(flash=True, latency=True, reason="channels that do nothing cost flash, RAM and time")

    def check(self, setting: DeadSetting) -> None:
        """Nothing can be wrong."""

    def settings(self, asked: Asked) -> Sequence[DeadSetting]:
        """What is proven; and, where a budget is exceeded, what was seen on data.

        The proof of no loss does not cover inputs unlike these, so that it is done only where something has
        to go anyway.
        """
        over = exceeded(asked.start.cost, asked.budgets)
        return [
            DeadSetting(limits=asked.limits),
            *([DeadSetting(trust_seen=True, limits=asked.limits)] if over else []),
        ]

    def preview(self, model: keras.Model, setting: DeadSetting) -> keras.Model:
        """The model without what is dead for any input."""
        return strip_dead(model, data=None, trust_seen=False, limits=setting.limits, seed=0).model

    def apply(self, model: keras.Model, setting: DeadSetting, *, trainer: Trainer) -> Applied:
        """The model without its dead channels, proven equal; the same model where there are none."""
        stripped = strip_dead(
            model,
            data=trainer.training.source,
            trust_seen=setting.trust_seen,
            limits=setting.limits,
            seed=trainer.seed,
        )
        accuracy = trainer.evaluator.score_model(stripped.model)
        if not stripped.removed:
            return Applied(model=model, accuracy=accuracy)
        proof: EquivalencePart = {
            "step": 0,
            "error": stripped.error,
            "samples": stripped.samples,
            "tolerance": stripped.tolerance,
        }
        return Applied(model=stripped.model, accuracy=accuracy, note=stripped.describe(), equivalence=[proof])


METHODS.add("dead", DeadChannelsMethod())
