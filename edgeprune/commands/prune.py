"""Pruning a model by ratio: no training, and data only where the ranking needs them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgeprune.build.inputs import open_samples
from edgeprune.config.build_options import DataSource, ModelSource
from edgeprune.config.load_options import AS_SAVED, LoadOptions
from edgeprune.device.figures import UNITS, Figure
from edgeprune.errors import InfeasibleError
from edgeprune.files import refuse_ending, refuse_existing
from edgeprune.graph.channels import name_channels
from edgeprune.graph.kept_layers import keep_layers, list_frozen
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.lower import Lowering, count_macs
from edgeprune.graph.means import fold_means
from edgeprune.methods.dead_channels import Stripped, strip_dead
from edgeprune.methods.ranking import Ranking, rank_channels
from edgeprune.methods.repairing import Repair, repair_cut
from edgeprune.progress import Progress
from edgeprune.prune.limits import Limits
from edgeprune.prune.ratio import remove_ratio
from edgeprune.report.notebook import Summarized, Summary
from edgeprune.report.sections.frozen import FrozenPart

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class PruneResult(Summarized):
    """What `edgeprune prune --ratio` did.

    Attributes:
        model: the smaller model.
        output: the file written; None for none.
        params_before, params_after: weights, trainable or not.
        macs_before, macs_after: multiply-accumulates of one inference.
        error: largest difference between masked and compacted outputs, as a fraction of their range.
        tolerance: what counts as equal.
        samples: random inputs it was compared on.
        repair: what was made good afterwards on the data; None where there are none.
        folded: without data, the layers whose biases or means took what removed channels gave on average, as
            BatchNorm says it.
        layers: name, kind and channels before and after of each layer whose channels changed.
        frozen: what stayed, with reasons.
    """

    model: keras.Model
    output: str | None
    params_before: int
    params_after: int
    macs_before: int
    macs_after: int
    error: float
    tolerance: float
    samples: int
    repair: Repair | None
    folded: list[str]
    layers: list[dict[str, Any]]
    frozen: list[FrozenPart]

    @property
    def ok(self) -> bool:
        """Whether the smaller model was found equal to the masked one."""
        return self.error <= self.tolerance

    @property
    def figures(self) -> Mapping[str, Figure]:
        """`params` and `macs` of the smaller model."""
        return _count(self.params_after, self.macs_after)

    def to_json(self) -> dict[str, Any]:
        """The document of `prune --json`."""
        fields = {name: getattr(self, name) for name in self.__slots__ if name not in ("model", "repair")}
        repair = None if self.repair is None else self.repair.to_json()
        return {"schema": 1, **fields, "equal": self.ok, "repair": repair}

    def save(self, output: str | Path, *, force: bool = False) -> Path:
        """Writes the `.keras` file and returns its path.

        Raises:
            OutputError: it exists and `force` is not set, or it cannot be written.
        """
        from edgeprune.keras_bridge.loading.save import write_model

        write_model(self.model, Path(output), force=force)
        return Path(output)

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        return Summary(
            f"{self.params_before:,} → {self.params_after:,} parameters, equal to the masked model.",
            figures={name: figure.value for name, figure in self.figures.items()},
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False, repr=False)
class DeadResult(Summarized):
    """What `edgeprune prune --dead-only` did.

    Attributes:
        output: the file written; None for none.
        stripped: the model without its dead channels, and which these were.
    """

    output: str | None
    stripped: Stripped

    @property
    def model(self) -> keras.Model:
        """The smaller model."""
        return self.stripped.model

    @property
    def ok(self) -> bool:
        """Whether the smaller model was found equal to the original."""
        return self.stripped.error <= self.stripped.tolerance

    @property
    def figures(self) -> Mapping[str, Figure]:
        """`params` and `macs` of the smaller model."""
        return _count(self.stripped.params_after, self.stripped.macs_after)

    def to_json(self) -> dict[str, Any]:
        """The document of `prune --dead-only --json`."""
        return {"schema": 1, "output": self.output, **self.stripped.to_json(), "equal": self.ok}

    def save(self, output: str | Path, *, force: bool = False) -> Path:
        """Writes the `.keras` file and returns its path.

        Raises:
            OutputError: it exists and `force` is not set, or it cannot be written.
        """
        from edgeprune.keras_bridge.loading.save import write_model

        write_model(self.model, Path(output), force=force)
        return Path(output)

    def summarize(self) -> Summary:
        """What notebooks and `print` show."""
        return Summary(
            f"{self.stripped.describe()}.",
            figures={name: figure.value for name, figure in self.figures.items()},
        )


def _count(params: int, macs: int) -> dict[str, Figure]:
    counted = "counted in the layer graph"
    return {
        name: Figure(value=float(value), unit=UNITS[name], source="measured", evidence=counted)
        for name, value in (("params", params), ("macs", macs))
    }


def prune(
    model: ModelSource,
    *,
    ratio: float,
    output: Path | None = None,
    ranking: Ranking,
    limits: Limits,
    load: LoadOptions = AS_SAVED,
    force: bool = False,
    progress: Progress,
) -> PruneResult:
    """Removes a fraction of the prunable channels; the smaller model is written once it is proven equal.

    With data, what is left is refitted afterwards to what the layers gave before, see `repair_cut`; without,
    only the means of removed channels are put into what follows, see `fold_means`.

    Args:
        model: a saved Keras model, or one in memory.
        ratio: fraction of channels that go, in [0, 1).
        output: the `.keras` file to write; None for none.
        ranking: by what channels are ranked.
        limits: alignment, least widths, layers that are kept, and the scope: "local" takes that fraction of
            every family, "global" the least important anywhere.
        load: how the model is opened.
        force: replace an existing output.
        progress: is told what is going on.

    Raises:
        ModelError: the model cannot be used.
        DataError: the criterion needs data and there are none, or they cannot be used.
        RecipeError: a pattern of `limits.keep` matches no layer.
        InfeasibleError: nothing can be removed, or the two models differ.
    """
    refuse_existing(output, force=force)
    refuse_ending(output, ".keras")
    ranking.check()
    from edgeprune.keras_bridge.loading.given import describe_source, open_model
    from edgeprune.keras_bridge.model.input_shapes import reopen_inputs
    from edgeprune.keras_bridge.model.probes import draw_inputs
    from edgeprune.keras_bridge.model.rebuild import compact
    from edgeprune.keras_bridge.model.repair import Cut
    from edgeprune.keras_bridge.model.trace import trace
    from edgeprune.keras_bridge.model.weights import assign_weights
    from edgeprune.keras_bridge.training.determinism import fix_seeds

    fix_seeds(ranking.seed)
    progress.stage("load and trace")
    options = replace(load, assume_image=True, allow_state=True)
    original = open_model(model, options=options, progress=progress)
    traced = trace(original)
    channels = keep_layers(name_channels(traced.graph), limits.keep)
    progress.stage("rank and plan")
    samples = None
    if ranking.data is not None:
        samples = open_samples(
            original, ranking.data, options=ranking.training, seed=ranking.seed, progress=progress
        )
    scores = rank_channels(original, traced, channels=channels, ranking=ranking, samples=samples)
    kept = remove_ratio(channels, scores=scores, ratio=ratio, limits=limits)
    progress.stage("rebuild and prove")
    probe = draw_inputs(original, traced.graph, seed=ranking.seed)
    smaller = compact(original, traced, channels=channels, kept=kept, probe=probe)
    pruned, made_good = smaller.model, None
    if samples is not None:
        progress.stage("repair")
        cut = Cut(smaller=pruned, original=original, traced=traced, channels=channels, kept=kept)
        pruned, made_good = repair_cut(cut, samples=samples, seed=ranking.seed)
    means = fold_means(traced.graph, smaller.graph, channels, kept=kept) if samples is None else {}
    layers = trace(pruned).layers
    for name, weights in means.items():
        assign_weights(layers[name], list(weights.values()))
    lowering = Lowering(traced.graph, channels)
    result = PruneResult(
        model=reopen_inputs(pruned, like=original, where=describe_source(model)),
        output=None if output is None else str(output),
        params_before=traced.graph.params,
        params_after=smaller.graph.params,
        macs_before=count_macs(lowering.lower(channels.everything)),
        macs_after=count_macs(lowering.lower(kept)),
        error=smaller.error,
        tolerance=smaller.tolerance,
        samples=smaller.samples,
        repair=made_good,
        folded=sorted(means),
        layers=_changed_layers(traced.graph, smaller.graph),
        frozen=list_frozen(traced.graph, channels),
    )
    if output is not None:
        result.save(output, force=force)
    return result


def remove_dead_channels(
    model: ModelSource,
    *,
    output: Path | None = None,
    data: DataSource | None,
    trust_seen: bool,
    limits: Limits,
    seed: int,
    load: LoadOptions = AS_SAVED,
    force: bool = False,
    progress: Progress,
) -> DeadResult:
    """Removes channels that are constant or read by nothing; the smaller model computes the same.

    Args:
        model: a saved Keras model, or one in memory.
        output: the `.keras` file to write; None for none.
        data: what `load_data` takes: inputs are then within its range. None: they may be anything.
        trust_seen: whether channels go that are merely constant on all of the data.
        limits: alignment, least widths and layers that are kept; dead channels stay where these ask for it.
        seed: of random inputs and of the choice of samples.
        load: how the model is opened.
        force: replace an existing output.
        progress: is told what is going on.

    Raises:
        ModelError: the model cannot be used.
        DataError: the data cannot be used.
        RecipeError: a pattern of `limits.keep` matches no layer.
        InfeasibleError: no channel is dead, so nothing was written; or the outputs differ.
    """
    refuse_existing(output, force=force)
    refuse_ending(output, ".keras")
    from edgeprune.keras_bridge.data.dataset import load_data
    from edgeprune.keras_bridge.loading.given import describe_source, open_model
    from edgeprune.keras_bridge.model.input_shapes import reopen_inputs
    from edgeprune.keras_bridge.training.compiled import interface_of
    from edgeprune.keras_bridge.training.determinism import fix_seeds

    fix_seeds(seed)
    progress.stage("load and trace")
    options = replace(load, assume_image=True, allow_state=True)
    original = open_model(model, options=options, progress=progress)
    samples = None
    if data is not None:
        samples = load_data(data, interface=interface_of(original), seed=seed, progress=progress).train
    progress.stage("find dead channels")
    stripped = strip_dead(original, data=samples, trust_seen=trust_seen, limits=limits, seed=seed)
    if not stripped.removed:
        raise InfeasibleError(
            "no channel is dead: nothing was written",
            where=describe_source(model),
            why="no channel is constant or unread"
            + (f", not even on {stripped.seen_samples} samples" if trust_seen else " for every input"),
            fix=_suggest(data=data, trust_seen=trust_seen),
        )
    again = reopen_inputs(stripped.model, like=original, where=describe_source(model))
    stripped = replace(stripped, model=again)
    result = DeadResult(output=None if output is None else str(output), stripped=stripped)
    if output is not None:
        result.save(output, force=force)
    return result


def _suggest(*, data: DataSource | None, trust_seen: bool) -> str:
    if trust_seen:
        return "to prune channels that do something, give --ratio"
    if data is None:
        return "pass --data, too: then channels count that are constant within its range"
    return "pass --seen-on-data as well: what was constant on all samples goes, too"


def _changed_layers(before: LayerGraph, after: LayerGraph) -> list[dict[str, Any]]:
    rows = []
    for node in before.nodes:
        tensor = node.outputs[0]
        old, new = before.shapes[tensor], after.shapes[tensor]
        if old != new and before.layers[node.layer].weights:
            rows.append(
                {
                    "name": node.layer,
                    "kind": before.layers[node.layer].kind,
                    "channels_before": old[-1],
                    "channels_after": new[-1],
                }
            )
    return rows
