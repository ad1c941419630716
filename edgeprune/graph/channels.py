"""Every channel has a name: ids for the channels of every tensor, and the groups that must go together.

`name_channels` walks the graph once. Each layer's rule (see `layers/rules.py`) says how the ids of its
inputs become the ids of its output and which ids lie along each axis of its weights. Ids that must be removed
together are tied with union-find; each set of tied ids is a *group*. Groups whose channels are
interchangeable (they came from the same layer, or from layers that were tied) form a *family*, the unit of
local scope and of alignment.

Channels nearly always lie along a tensor's last axis. A transposition puts some along an *inner* axis: those
are followed by rules that know how, and frozen in front of all others.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edgeprune.graph.arguments import find_arrays
from edgeprune.graph.channel_ids import FIXED, Axes, ChannelSpace, Ids, Inner
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.layers.rules import Call, Flow, rule_for
from edgeprune.graph.opshape import Shape


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelMap:
    """Which group every channel of every tensor and every slice of every weight belongs to.

    Attributes:
        groups: number of groups.
        family: (groups,) the family of each group.
        family_names: name of each family.
        units: for each family what one of its groups stands for: "channels", "heads", …
        frozen: (groups,) reason why the group stays, "" where it may go.
        tensors: tensor name → (channels,) group of each slice of its last axis.
        inner: tensor name → for each axis before the last the group of each slice, or None; only tensors that
            have channels there.
        axes: layer name → weight name → for each axis the group of each slice, or None where no channel lies.
        consumes: layer name → the (weight, axis) pairs that read channels (the input axis of a convolution);
            all other axes make, scale or shift channels.
        made: layer name → (n,) the groups of its outputs and of its weights, but for those it only reads.
        kept_layers: layer name → why the channels around it are kept.
        arguments: layer name → path of an argument of its calls → as `axes`.
    """

    groups: int
    family: Ids
    family_names: tuple[str, ...]
    units: tuple[str, ...]
    frozen: tuple[str, ...]
    tensors: Mapping[str, Ids]
    inner: Mapping[str, Inner]
    axes: Mapping[str, Axes]
    consumes: Mapping[str, tuple[tuple[str, int], ...]]
    made: Mapping[str, Ids]
    kept_layers: Mapping[str, str]
    arguments: Mapping[str, Axes] = field(default_factory=dict)

    @property
    def prunable(self) -> npt.NDArray[np.bool_]:
        """(groups,) True where the group may go."""
        return np.array([not reason for reason in self.frozen], dtype=bool)

    def carriers(self) -> Iterator[Ids]:
        """Every axis that holds channels, of tensors and of weights; the same ids may come again."""
        yield from self.tensors.values()
        for along in self.inner.values():
            yield from (ids for ids in along if ids is not None)
        for by_weight in self.axes.values():
            for along in by_weight.values():
                yield from (ids for ids in along if ids is not None)

    @property
    def everything(self) -> npt.NDArray[np.bool_]:
        """(groups,) the empty plan: every group stays."""
        return np.ones(self.groups, dtype=bool)

    def along(self, tensor: str) -> tuple[Ids | None, ...]:
        """The group of each slice of each axis of a tensor, None where no channel lies; () for a scalar."""
        last = self.tensors[tensor]
        return (*self.inner[tensor], last) if tensor in self.inner else (last,)

    def resize(self, tensor: str, shape: Shape, *, kept: npt.NDArray[np.bool_]) -> Shape:
        """The shape of a tensor, batch left out, when only `kept` groups remain."""
        if not shape:
            return shape
        groups = self.along(tensor)
        sizes = (
            size if ids is None or size is None else int(np.count_nonzero(kept[ids]))
            for size, ids in zip(shape[-len(groups) :], groups, strict=True)
        )
        return (*shape[: -len(groups)], *sizes)


def name_channels(graph: LayerGraph) -> ChannelMap:
    """The groups of all channels of the graph; see the module's text.

    A layer that is called several times has one set of weights, so the ids of all its calls are tied.
    """
    space = ChannelSpace()
    tensors: dict[str, Ids] = {}
    inner: dict[str, Inner] = {}
    for name in graph.inputs:
        tensors[name] = space.fresh(_last(graph.shapes[name]), name=name)
        space.freeze(tensors[name], "model input")
    axes: dict[str, Axes] = {}
    consumes: dict[str, tuple[tuple[str, int], ...]] = {}
    made: dict[str, list[Ids]] = {}
    arguments: dict[str, Axes] = {}
    kept_layers: dict[str, str] = {}
    for node in graph.nodes:
        layer = graph.layers[node.layer]
        call = Call(
            layer=layer,
            inputs=tuple(tensors[t] for t in node.inputs),
            inner=tuple(inner.get(t, (None,) * (len(graph.shapes[t]) - 1)) for t in node.inputs),
            arguments=node.arguments,
            input_shapes=tuple(graph.shapes[t] for t in node.inputs),
            output_shapes=tuple(graph.shapes[t] for t in node.outputs),
            space=space,
        )
        flow = rule_for(layer.kind).flow(call)
        _freeze_unknown_arrays(call, flow)
        if flow.inner is None:
            _freeze_inner(call)
        else:
            inner.update(
                (t, ids)
                for t, ids in zip(node.outputs, flow.inner, strict=True)
                if any(along is not None for along in ids)
            )
        if flow.kept_reason:
            kept_layers.setdefault(layer.name, flow.kept_reason)
        if layer.name in axes:
            _tie_axes(space, axes[layer.name], flow.axes)
            _tie_axes(space, arguments[layer.name], flow.arguments)
        else:
            axes[layer.name], consumes[layer.name] = flow.axes, flow.consumes
            arguments[layer.name] = flow.arguments
        tensors.update(zip(node.outputs, flow.outputs, strict=True))
        made.setdefault(layer.name, []).extend(_list_made(flow))
    for name in graph.outputs:
        space.freeze(tensors[name], "model output")
        for ids in inner.get(name, ()):
            if ids is not None:
                space.freeze(ids, "model output")
    groups = space.close()
    return ChannelMap(
        groups=len(groups.frozen),
        family=groups.family,
        family_names=groups.family_names,
        units=groups.units,
        frozen=groups.frozen,
        tensors={name: groups.of_id[ids] for name, ids in tensors.items()},
        inner={name: groups.of(along) for name, along in inner.items()},
        axes={
            layer: {w: groups.of(along) for w, along in by_weight.items()}
            for layer, by_weight in axes.items()
        },
        consumes=consumes,
        made={name: np.unique(groups.of_id[np.concatenate(ids)]) for name, ids in made.items()},
        kept_layers=kept_layers,
        arguments={
            layer: {path: groups.of(along) for path, along in by_path.items()}
            for layer, by_path in arguments.items()
        },
    )


def _list_made(flow: Flow) -> Iterator[Ids]:
    """The ids that a layer makes or passes on."""
    read = set(flow.consumes)
    carried = [*flow.outputs, *(ids for inner in flow.inner or () for ids in inner)]
    carried += [
        ids for w, along in flow.axes.items() for axis, ids in enumerate(along) if (w, axis) not in read
    ]
    yield from (ids[ids != FIXED] for ids in carried if ids is not None)


def _freeze_inner(call: Call) -> None:
    for inner in call.inner:
        for axis, ids in enumerate(inner, start=1):
            if ids is not None:
                reason = f"channels along axis {axis}, which {call.layer.kind} does not follow"
                call.space.freeze(ids, f"{reason} (layer '{call.layer.name}')")


def _freeze_unknown_arrays(call: Call, flow: Flow) -> None:
    """What meets an array that the rule knows nothing of stays as it is."""
    unknown = sorted(set(find_arrays(call.arguments)) - set(flow.arguments))
    if unknown and not flow.kept_reason:
        reason = f"{call.layer.kind} with an array as its argument '{unknown[0]}' is not followed"
        along = [*call.inputs, *flow.outputs]
        along += [ids for inner in (*call.inner, *(flow.inner or ())) for ids in inner if ids is not None]
        for ids in along:
            call.space.freeze(ids, f"{reason} (layer '{call.layer.name}')")


def _tie_axes(space: ChannelSpace, first: Axes, second: Axes) -> None:
    for weight, ids in first.items():
        for a, b in zip(ids, second.get(weight, ids), strict=True):
            if a is not None and b is not None:
                space.tie(a, b)


def _last(shape: Sequence[int]) -> int:
    return int(shape[-1]) if shape and shape[-1] else 1
