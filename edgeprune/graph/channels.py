"""Every channel has a name: ids for the channels of every tensor, and the groups that must go together.

`name_channels` walks the graph once. Each layer's rule (see `rules.py`) says how the ids of its inputs become
the ids of its output and which ids lie along each axis of its weights. Ids that must be removed together are
tied with union-find; each set of tied ids is a *group*. Groups whose channels are interchangeable (they came
from the same layer, or from layers that were tied) form a *family*, the unit of local scope and of alignment.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgeprune.graph.layergraph import Layer, LayerGraph
from edgeprune.graph.opshape import Shape

Ids = npt.NDArray[np.int64]
Axes = Mapping[str, tuple[Ids | None, ...]]


class ChannelSpace:
    """Hands out channel ids, ties them, freezes them. Used while the graph is walked, then thrown away."""

    def __init__(self) -> None:
        self._parent: list[int] = []
        self._block: list[int] = []
        self._block_parent: list[int] = []
        self._block_names: list[str] = []
        self._frozen: dict[int, str] = {}

    def fresh(self, count: int, *, name: str) -> Ids:
        """`count` new ids; `name` is the layer that makes the channels."""
        start = len(self._parent)
        block = len(self._block_parent)
        self._parent.extend(range(start, start + count))
        self._block.extend([block] * count)
        self._block_parent.append(block)
        self._block_names.append(name)
        return np.arange(start, start + count, dtype=np.int64)

    def tie(self, first: Ids, second: Ids) -> None:
        """Channel i of `first` can only go together with channel i of `second`; same shape, any rank."""
        if first.shape != second.shape:
            raise ValueError(f"tied channels differ in number: {first.shape} and {second.shape}")
        pairs = np.stack([first.ravel(), second.ravel()], axis=1)
        for a, b in np.unique(pairs, axis=0).tolist():
            self._join(self._parent, a, b)
        for a, b in {(self._block[i], self._block[j]) for i, j in pairs.tolist()}:
            self._join(self._block_parent, a, b)

    def freeze(self, ids: Ids, reason: str) -> None:
        """These channels stay; the first reason given is the one reported."""
        for i in np.unique(ids).tolist():
            self._frozen.setdefault(i, reason)

    def close(self) -> "Groups":
        """The groups and families of all ids handed out."""
        roots = np.array([self._find(self._parent, i) for i in range(len(self._parent))], dtype=np.int64)
        _, group_of_id = np.unique(roots, return_inverse=True)
        count = int(group_of_id.max(initial=-1)) + 1
        blocks = np.array([self._find(self._block_parent, b) for b in self._block], dtype=np.int64)
        family_of = np.zeros(count, dtype=np.int64)
        family_of[group_of_id] = blocks
        names, family_of = np.unique(family_of, return_inverse=True)
        reasons: list[str] = [""] * count
        for i, reason in self._frozen.items():
            reasons[group_of_id[i]] = reasons[group_of_id[i]] or reason
        return Groups(
            of_id=group_of_id.astype(np.int64),
            family=family_of.astype(np.int64),
            family_names=tuple(self._block_names[b] for b in names.tolist()),
            frozen=tuple(reasons),
        )

    @staticmethod
    def _find(parent: list[int], i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    @classmethod
    def _join(cls, parent: list[int], a: int, b: int) -> None:
        a, b = cls._find(parent, a), cls._find(parent, b)
        if a != b:
            parent[max(a, b)] = min(a, b)


@dataclass(frozen=True, kw_only=True, slots=True)
class Groups:
    """What `ChannelSpace.close` returns.

    Attributes:
        of_id: (ids,) the group of each id.
        family: (groups,) the family of each group.
        family_names: for each family the layer that first made its channels.
        frozen: (groups,) the reason why a group must stay; "" where it may go.
    """

    of_id: Ids
    family: Ids
    family_names: tuple[str, ...]
    frozen: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class ChannelMap:
    """Which group every channel of every tensor and every slice of every weight belongs to.

    Attributes:
        groups: number of groups.
        family: (groups,) the family of each group.
        family_names: name of each family.
        frozen: (groups,) reason why the group stays, "" where it may go.
        tensors: tensor name → (channels,) group of each slice of its last axis.
        axes: layer name → weight name → for each axis the group of each slice, or None where no channel lies.
        consumes: layer name → the (weight, axis) pairs that read channels (the input axis of a convolution);
            all other axes make, scale or shift channels.
        kept_layers: layer name → why the channels around it are kept.
    """

    groups: int
    family: Ids
    family_names: tuple[str, ...]
    frozen: tuple[str, ...]
    tensors: Mapping[str, Ids]
    axes: Mapping[str, Axes]
    consumes: Mapping[str, tuple[tuple[str, int], ...]]
    kept_layers: Mapping[str, str]

    @property
    def prunable(self) -> npt.NDArray[np.bool_]:
        """(groups,) True where the group may go."""
        return np.array([not reason for reason in self.frozen], dtype=bool)

    @property
    def everything(self) -> npt.NDArray[np.bool_]:
        """(groups,) the empty plan: every group stays."""
        return np.ones(self.groups, dtype=bool)

    def widths(self, kept: npt.NDArray[np.bool_]) -> dict[str, int]:
        """Tensor name → channels of its last axis that remain when only `kept` groups do."""
        return {name: int(kept[ids].sum()) for name, ids in self.tensors.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Flow:
    """What a rule says of one call of a layer.

    Attributes:
        outputs: ids along the last axis of each output.
        axes: weight name → ids along each axis, None where no channel lies.
        consumes: the (weight name, axis) pairs that read the input's channels.
        kept_reason: why this layer keeps the channels around it; "" if it does not.
    """

    outputs: tuple[Ids, ...]
    axes: Axes
    consumes: tuple[tuple[str, int], ...] = ()
    kept_reason: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call of a layer, as a rule sees it.

    Attributes:
        layer: the layer.
        inputs: ids along the last axis of each input.
        input_shapes, output_shapes: without batch.
        space: where new ids come from and where ids are tied and frozen.
    """

    layer: Layer
    inputs: tuple[Ids, ...]
    input_shapes: tuple[Shape, ...]
    output_shapes: tuple[Shape, ...]
    space: ChannelSpace


def name_channels(graph: LayerGraph) -> ChannelMap:
    """The groups of all channels of the graph; see the module's text.

    A layer that is called several times has one set of weights, so the ids of all its calls are tied.
    """
    from edgeprune.graph.rules import rule_for

    space = ChannelSpace()
    tensors: dict[str, Ids] = {}
    for name in graph.inputs:
        tensors[name] = space.fresh(_last(graph.shapes[name]), name=name)
        space.freeze(tensors[name], "model input")
    axes: dict[str, Axes] = {}
    consumes: dict[str, tuple[tuple[str, int], ...]] = {}
    kept_layers: dict[str, str] = {}
    for node in graph.nodes:
        layer = graph.layers[node.layer]
        call = Call(
            layer=layer,
            inputs=tuple(tensors[t] for t in node.inputs),
            input_shapes=tuple(graph.shapes[t] for t in node.inputs),
            output_shapes=tuple(graph.shapes[t] for t in node.outputs),
            space=space,
        )
        flow = rule_for(layer.kind).flow(call)
        if flow.kept_reason:
            kept_layers.setdefault(layer.name, flow.kept_reason)
        if layer.name in axes:
            _tie_axes(space, axes[layer.name], flow.axes)
        else:
            axes[layer.name], consumes[layer.name] = flow.axes, flow.consumes
        tensors.update(zip(node.outputs, flow.outputs, strict=True))
    for name in graph.outputs:
        space.freeze(tensors[name], "model output")
    groups = space.close()
    return ChannelMap(
        groups=len(groups.frozen),
        family=groups.family,
        family_names=groups.family_names,
        frozen=groups.frozen,
        tensors={name: groups.of_id[ids] for name, ids in tensors.items()},
        axes={
            layer: {
                w: tuple(None if a is None else groups.of_id[a] for a in ax) for w, ax in by_weight.items()
            }
            for layer, by_weight in axes.items()
        },
        consumes=consumes,
        kept_layers=kept_layers,
    )


def _tie_axes(space: ChannelSpace, first: Axes, second: Axes) -> None:
    for weight, ids in first.items():
        for a, b in zip(ids, second[weight], strict=True):
            if a is not None and b is not None:
                space.tie(a, b)


def _last(shape: Sequence[int]) -> int:
    return int(shape[-1]) if shape and shape[-1] else 1
