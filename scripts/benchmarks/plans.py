"""Plans that do not depend on edgeprune's search: which channels go by a simple rule, until budgets hold.

Each rule is an order in which blocks of channels go (as many as bring a width to the next multiple that the
device's kernels work in); the first so many of them go, the fewest with which the converted file keeps to
the budgets.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgeprune.build.job import Job
from edgeprune.build.pricing import make_pricing
from edgeprune.device.check import budget_limits
from edgeprune.errors import InfeasibleError
from edgeprune.graph.branches import find_branches
from edgeprune.graph.channels import ChannelMap, name_channels
from edgeprune.graph.kept_layers import keep_layers
from edgeprune.methods.pricing import exceeded
from edgeprune.prune.criteria import CRITERIA, Evidence, score_groups
from edgeprune.prune.families import Block, cut_blocks

Blocks = Mapping[int, tuple[Block, ...]]
"""Family → its blocks in the order in which they go; families in the order of the graph."""
Order = Callable[[Blocks, np.random.Generator], list[Block]]
WEDGE = 0.25
"""How fast the last family narrows, as a fraction of how fast the first one does."""


def order_evenly(blocks: Blocks, rng: np.random.Generator) -> list[Block]:
    """Every family keeps the same fraction of its channels, or nearly so."""
    return sorted((block for family in blocks.values() for block in family), key=lambda block: block.share)


def order_at_random(blocks: Blocks, rng: np.random.Generator) -> list[Block]:
    """Blocks of all families in random order."""
    turns = rng.permutation([f for f, family in blocks.items() for _ in family])
    waiting = {f: iter(family) for f, family in blocks.items()}
    return [next(waiting[f]) for f in turns]


def order_as_wedge(blocks: Blocks, rng: np.random.Generator) -> list[Block]:
    """The first families become narrow while the last ones stay wide."""
    pace = dict(zip(blocks, np.linspace(1.0, WEDGE, len(blocks)), strict=True))
    paced = [(block.share / pace[f], block) for f, family in blocks.items() for block in family]
    return [block for _, block in sorted(paced, key=lambda pair: pair[0])]


def narrow(model: Any, job: Job, *, order: Order, criterion: str = "l2") -> Any:
    """The widest model that keeps to the job's budgets when channels go in an order.

    Args:
        model: what is narrowed; not changed.
        job: budgets, device and limits.
        order: of the blocks.
        criterion: ranks channels within a family: "l2", or "random".

    Raises:
        InfeasibleError: even without all blocks the budgets do not hold.
    """
    from edgeprune.keras_bridge.model.rebuild import compact
    from edgeprune.keras_bridge.model.trace import trace

    traced = trace(model)
    channels = keep_layers(name_channels(traced.graph), job.limits.keep)
    rng = np.random.default_rng(job.request.seed)
    scores = score_groups(CRITERIA["l2"], Evidence(graph=traced.graph, channels=channels))
    if criterion == "random":
        scores = rng.random(len(scores))
    blocks = order(_in_order(cut_blocks(channels, scores, limits=job.limits), channels), rng)
    probe = tuple(x[:8] for x in job.inputs.validation.inputs)

    def make(count: int) -> Any:
        kept = np.ones(channels.groups, dtype=bool)
        for block in blocks[:count]:
            kept[block.groups] = False
        return compact(model, traced, channels=channels, kept=kept, probe=probe).model

    low, high = 0, len(blocks)
    best = make(high)
    _require(best, job)
    while low < high:
        middle = (low + high) // 2
        candidate = make(middle)
        if fits(candidate, job):
            best, high = candidate, middle
        else:
            low = middle + 1
    return best


def drop_a_block(model: Any, job: Job) -> Any:
    """The model without the residual branch, or the layer, that takes most of what the budgets limit."""
    from edgeprune.keras_bridge.model.rebuild import drop_branches
    from edgeprune.keras_bridge.model.trace import trace

    traced = trace(model)
    probe = tuple(x[:8] for x in job.inputs.validation.inputs)
    limits = budget_limits(job.budgets)
    pricing = make_pricing(job)

    def cost(candidate: Any) -> float:
        price = pricing.price(candidate, budgets=limits)
        return max(price[name] / limit for name, limit in limits.items())

    shorter = [
        drop_branches(model, traced, branches=[branch], probe=probe).model
        for branch in find_branches(traced.graph)
    ]
    if not shorter:
        raise InfeasibleError("no block can be left out", where=model.name)
    return min(shorter, key=cost)


def fits(model: Any, job: Job) -> bool:
    """Whether the converted file keeps to the job's budgets."""
    limits = budget_limits(job.budgets)
    return not exceeded(make_pricing(job).price(model, budgets=limits), limits)


def _require(model: Any, job: Job) -> None:
    if not fits(model, job):
        raise InfeasibleError("even the narrowest model of this rule exceeds a budget", where=model.name)


def _in_order(blocks: Blocks, channels: ChannelMap) -> Blocks:
    """The families in the order in which their channels are first made."""
    first: dict[int, int] = {}
    for place, groups in enumerate(channels.made.values()):
        for f in np.unique(channels.family[groups]).tolist():
            first.setdefault(f, place)
    return {f: blocks[f] for f in sorted(blocks, key=lambda f: first.get(f, len(first)))}


RULES: Mapping[str, tuple[Order, str]] = {
    "uniform": (order_evenly, "l2"),
    "random": (order_at_random, "random"),
    "wedge": (order_as_wedge, "l2"),
}
"""Name → the order, and what ranks channels within a family."""


def narrow_by(rule: str, model: Any, job: Job) -> Any:
    """The model narrowed by a rule of `RULES`."""
    order, criterion = RULES[rule]
    return narrow(model, job, order=order, criterion=criterion)


def list_widths(model: Any) -> dict[str, int]:
    """Layers with weights → the size of their output's last axis."""
    return {
        layer.name: int(layer.output.shape[-1])
        for layer in model.layers
        if any(weight.ndim > 1 for weight in _weights_of(layer))
    }


def _weights_of(layer: Any) -> Sequence[Any]:
    try:
        return [np.asarray(weight) for weight in layer.get_weights()]
    except NotImplementedError:
        return []
