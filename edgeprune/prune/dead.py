"""Dead channels: constant, or read by nothing. They go without loss, before anything that costs accuracy.

A group of channels is dead if every axis of a weight that reads it either sees one value of it everywhere,
which moves into the reader's bias, or has nothing but zeros there. What the group's channels are in
between does not matter: a convolution before a BatchNormalization whose scale is zero computes what it likes.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from edgeprune.graph.channel_ids import Ids
from edgeprune.graph.channels import ChannelMap
from edgeprune.graph.folding import fold_constants
from edgeprune.graph.interval_sums import READING_WEIGHTS, see
from edgeprune.graph.intervals import BoundedCall, Bounds, Interval
from edgeprune.graph.layergraph import Array, LayerGraph, Node
from edgeprune.graph.layers.rules import rule_for
from edgeprune.graph.surgery import Kept, remove_channels
from edgeprune.prune.limits import Limits


@dataclass(frozen=True, kw_only=True, slots=True)
class Dead:
    """What `find_dead` returns.

    Attributes:
        groups: (groups,) True for each group that goes.
        spared: (groups,) True for dead groups that stay, because no tensor may lose all its channels, or to
            keep to the limits.
        unread: (groups,) True for groups whose values no weight looks at.
        constants: as `fold_constants` takes them.
    """

    groups: Kept
    spared: Kept
    unread: Kept
    constants: Mapping[str, Bounds]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Reader:
    """An axis of a weight that reads channels.

    Attributes:
        layer: name.
        array: the weight.
        axis: the one that reads.
        along: the group of each slice of each axis of the weight.
        constants: (slices,) the value each slice sees; NaN where it is none, or could not be folded.
    """

    layer: str
    array: Array
    axis: int
    along: tuple[Ids | None, ...]
    constants: Bounds

    @property
    def groups(self) -> Ids:
        """(slices,) the group that each slice reads."""
        groups = self.along[self.axis]
        assert groups is not None
        return groups


def find_dead(
    graph: LayerGraph,
    channels: ChannelMap,
    *,
    intervals: Mapping[str, Interval],
    limits: Limits = Limits(),  # noqa: B008  (frozen)
) -> Dead:
    """The groups that can go without changing what the model computes.

    Args:
        graph: the model.
        channels: its groups.
        intervals: bounds of all its tensors.
        limits: alignment and least widths; dead channels stay as far as these ask for it.
    """
    readers = list(_list_readers(graph, channels, intervals))
    needed = _needed_elsewhere(graph, channels)
    spared, dead = np.zeros(channels.groups, dtype=bool), np.zeros(channels.groups, dtype=bool)
    while True:
        candidates, unread = _judge(readers, needed | spared, dead)
        _spare_the_last(channels, candidates, spared)
        if (candidates == dead).all():
            before = spared.sum()
            _spare_for_limits(channels, dead, spared, limits=limits)
            if spared.sum() == before:
                break
        dead = candidates
    constants = {}
    for reader in readers:
        values = np.where(dead[reader.groups], np.nan_to_num(reader.constants), 0.0)
        if graph.layers[reader.layer].kind in READING_WEIGHTS and values.any():
            constants[reader.layer] = values
    return Dead(groups=dead, spared=spared, unread=unread, constants=constants)


def remove_dead(graph: LayerGraph, channels: ChannelMap, *, dead: Dead) -> LayerGraph:
    """The graph without its dead channels: it computes the same."""
    folded = fold_constants(graph, constants=dict(dead.constants))
    return remove_channels(folded, channels, kept=~dead.groups)


def _needed_elsewhere(graph: LayerGraph, channels: ChannelMap) -> Kept:
    """(groups,) True for groups that must stay whatever the weights say.

    Frozen ones; those that are no channels of a tensor (heads: what reads them is inside a layer); and those
    read by a layer without weights of its own (a dot product, a norm over channels).
    """
    needed = ~channels.prunable
    needed |= np.array([unit != "channels" for unit in channels.units], dtype=bool)[channels.family]
    on_tensors = np.zeros(channels.groups, dtype=bool)
    for tensor in channels.tensors:
        for groups in channels.along(tensor):
            if groups is not None:
                on_tensors[groups] = True
    needed |= ~on_tensors
    for node in graph.nodes:
        read = _mark(channels, node.inputs)
        if rule_for(graph.layers[node.layer].kind).reads_values:
            needed |= read
            continue
        passed = _mark(channels, node.outputs)
        for weight, axis in channels.consumes[node.layer]:
            groups = channels.axes[node.layer][weight][axis]
            if groups is not None:
                passed[groups] = True
        needed |= read & ~passed  # read in a way that no weight tells of
    return needed


def _mark(channels: ChannelMap, tensors: tuple[str, ...]) -> Kept:
    found = np.zeros(channels.groups, dtype=bool)
    for tensor in tensors:
        for groups in channels.along(tensor):
            if groups is not None:
                found[groups] = True
    return found


def _list_readers(
    graph: LayerGraph, channels: ChannelMap, intervals: Mapping[str, Interval]
) -> Iterator[_Reader]:
    calls: dict[str, list[Node]] = {}
    for node in graph.nodes:
        calls.setdefault(node.layer, []).append(node)
    for name, nodes in calls.items():
        layer = graph.layers[name]
        for weight, axis in channels.consumes[name]:
            along = channels.axes[name][weight]
            groups = along[axis]
            if groups is None:
                continue
            seen = [_constants(graph, channels, node, groups, intervals) for node in nodes]
            same = np.all([values == seen[0] for values in seen], axis=0)  # one bias serves all calls
            yield _Reader(
                layer=name,
                array=layer.weights[weight],
                axis=axis,
                along=along,
                constants=np.where(same, seen[0], np.nan),
            )


def _constants(
    graph: LayerGraph, channels: ChannelMap, node: Node, groups: Ids, intervals: Mapping[str, Interval]
) -> Bounds:
    """(slices,) the constants that a reading axis sees in one call, NaN where there is none to fold."""
    layer = graph.layers[node.layer]
    if layer.kind in READING_WEIGHTS:
        seen = see(
            BoundedCall(
                layer=layer,
                inputs=tuple(intervals[t] for t in node.inputs),
                input_shapes=tuple(graph.shapes[t] for t in node.inputs),
                output_shape=graph.shapes[node.outputs[0]],
                arguments=node.arguments,
            )
        )
        if seen is not None:
            return seen.constants(len(groups))
    # Of other layers it is only known that nothing comes of zeros.
    nonzero = np.zeros(channels.groups, dtype=bool)
    for tensor in (*node.inputs, *node.outputs):
        *inner, last = channels.along(tensor)
        for axis_groups in inner:
            if axis_groups is not None:
                nonzero[axis_groups] = True
        if last is not None:
            nonzero[last[intervals[tensor].constants(len(last)) != 0]] = True
    return np.where(nonzero[groups], np.nan, 0.0)


def _judge(readers: list[_Reader], needed: Kept, dead: Kept) -> tuple[Kept, Kept]:
    """The groups that can go, and those that nothing reads, if the groups of `dead` go as well."""
    live, read = needed.copy(), needed.copy()
    for reader in readers:
        unread = _are_zero(reader, dead)
        read[reader.groups[~unread]] = True
        live[reader.groups[~unread & np.isnan(reader.constants)]] = True
    return ~live, ~read


def _are_zero(reader: _Reader, dead: Kept) -> Kept:
    """(slices,) whether a reading axis has nothing but zeros there, outputs that go left out."""
    nonzero = reader.array != 0
    for axis, groups in enumerate(reader.along):
        if groups is not None and axis != reader.axis and dead[groups].any():
            nonzero = np.compress(~dead[groups], nonzero, axis=axis)
    others = tuple(a for a in range(nonzero.ndim) if a != reader.axis)
    zero: Kept = ~nonzero.any(axis=others)
    return zero


def _spare_the_last(channels: ChannelMap, candidates: Kept, spared: Kept) -> None:
    """No axis may lose all its channels: the first stays."""
    for groups in channels.carriers():
        if groups.size and candidates[groups].all():
            candidates[groups[0]], spared[groups[0]] = False, True


def _spare_for_limits(channels: ChannelMap, dead: Kept, spared: Kept, *, limits: Limits) -> None:
    for family in np.unique(channels.family[dead]).tolist():
        members = channels.family == family
        left, size = int((members & ~dead).sum()), int(members.sum())
        wanted = max(left, min(limits.min_channels, size))
        wanted += -wanted % limits.round_to
        spared[np.flatnonzero(members & dead)[: wanted - left]] = True
    names = np.array(channels.family_names, dtype=object)[channels.family]
    for floor in limits.floors:
        made = np.unique(channels.made[floor.layer])
        made = made[names[made] == floor.family]
        missing = floor.count - int((~dead[made]).sum())
        spared[made[dead[made]][: max(missing, 0)]] = True
