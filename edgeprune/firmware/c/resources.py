"""Resource variables as state: what VAR_HANDLE names and CALL_ONCE begins with, found while compiling."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.errors import OpError
from edgeprune.firmware.c.layer import zero_point
from edgeprune.tflite.calls import list_calls
from edgeprune.tflite.model import Model, Op, Subgraph, Tensor, constant_values

SETTLED = ("VAR_HANDLE", "CALL_ONCE")
"""Ops of which nothing is left to run."""

_ACCESSES = ("READ_VARIABLE", "ASSIGN_VARIABLE")
_ENDS = {"VAR_HANDLE": (0, 1), "READ_VARIABLE": (1, 1), "ASSIGN_VARIABLE": (2, 0)}
"""How many inputs and outputs an op has."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Settled:
    """A model whose variables are tensors of the state.

    Attributes:
        model: the model; the state has the same places in the list of tensors of every subgraph that runs.
        starts: tensor of the state → what it begins with, where that is not what stands for 0.
    """

    model: Model
    starts: Mapping[int, NDArray[Any]]


def settle_resources(model: Model) -> Settled:
    """The model without handles of variables: READ_VARIABLE and ASSIGN_VARIABLE copy from and to the state.

        VAR_HANDLE ─ READ_VARIABLE             becomes     state ─ READ_VARIABLE
        value, VAR_HANDLE ─ ASSIGN_VARIABLE    becomes     value ─ ASSIGN_VARIABLE ─ state

    Raises:
        OpError: CALL_ONCE does more than to assign constants, or the uses of a variable do not go together.
    """
    if not model.has_resources:
        return Settled(model=model, starts={})
    handles = _Handles(model=model)
    handles.follow(0)
    kinds = _find_kinds(handles)
    first = max(len(graph.tensors) for graph in model.subgraphs)
    places = {name: first + at for at, name in enumerate(kinds)}
    state = tuple(
        replace(kind, index=places[name], name=name, shape_signature=(), is_variable=True)
        for name, kind in kinds.items()
    )
    graphs = list(model.subgraphs)
    for place in handles.by_graph.keys() - set(handles.once):
        known = handles.by_graph[place]
        graphs[place] = _rewrite(graphs[place], known, first=first, state=state)
    assigned = dict(start for place in handles.once for start in _read_starts(handles, place))
    starts = {
        places[name]: values
        for name, values in assigned.items()
        if name in places and np.any(values != zero_point(kinds[name]))
    }
    return Settled(model=replace(model, subgraphs=tuple(graphs)), starts=starts)


@dataclass(kw_only=True, slots=True)
class _Handles:
    """Which tensors are handles of which variables.

    Attributes:
        model: the file.
        by_graph: subgraph that runs → tensor → name of its variable.
        once: subgraphs that CALL_ONCE runs.
    """

    model: Model
    by_graph: dict[int, dict[int, str]] = field(default_factory=dict)
    once: list[int] = field(default_factory=list)

    def follow(self, place: int) -> None:
        """Finds those of a subgraph, and of all that it runs."""
        known = self.by_graph.setdefault(place, {})
        for op in self.model.subgraphs[place].ops:
            ends = (len([tensor for tensor in op.inputs if tensor >= 0]), len(op.outputs))
            if ends != _ENDS.get(op.name, ends):
                raise self.refuse(op, why=f"it has {ends[0]} inputs and {ends[1]} outputs")
            if op.name == "VAR_HANDLE":
                name = f"{op.options.get('container')}/{op.options.get('shared_name')}"
                self._note(known, op.outputs[0], name, op)
            elif op.name in _ACCESSES and op.inputs[0] not in known:
                raise self.refuse(op, why="its variable comes from outside the model")
            elif op.name == "CALL_ONCE":
                self.once += list_calls(op)
            self._follow_calls(op, known)

    def _follow_calls(self, op: Op, known: dict[int, str]) -> None:
        """Handles go into subgraphs as inputs, and come back as outputs."""
        given = op.inputs[1:] if op.name == "IF" else op.inputs
        for target in list_calls(op):
            graph = self.model.subgraphs[target]
            inner = self.by_graph.setdefault(target, {})
            for outside, inside in zip(given, graph.inputs, strict=False):
                if outside in known:
                    self._note(inner, inside, known[outside], op)
            self.follow(target)
            for outside, inside in zip(op.outputs, graph.outputs, strict=False):
                if inside in inner:
                    self._note(known, outside, inner[inside], op)

    def _note(self, known: dict[int, str], tensor: int, name: str, op: Op) -> None:
        if known.setdefault(tensor, name) != name:
            raise self.refuse(op, why=f"one tensor stands for the variables {known[tensor]} and {name}")

    def refuse(self, op: Op, *, why: str) -> OpError:
        return OpError(
            f"the C engine cannot compile {op.name}",
            where=f"{self.model.where}: op {op.index}",
            why=why,
            fix="use --runtime tflm",
        )


def _find_kinds(handles: _Handles) -> dict[str, Tensor]:
    """Variable → a tensor that is read from it or assigned to it, if that happens more than once."""
    kinds: dict[str, Tensor] = {}
    used: set[str] = set()
    for place, known in handles.by_graph.items():
        graph = handles.model.subgraphs[place]
        for op in graph.ops:
            if op.name not in _ACCESSES:
                continue
            value = graph.tensors[op.outputs[0] if op.name == "READ_VARIABLE" else op.inputs[1]]
            used |= set() if place in handles.once else {known[op.inputs[0]]}
            kind = kinds.setdefault(known[op.inputs[0]], replace(value, data=None))
            if (kind.dtype, kind.elements) != (value.dtype, value.elements):
                sizes = [f"{each.elements} elements of {each.dtype}" for each in (kind, value)]
                raise handles.refuse(op, why=f"its variable has {sizes[0]}, and here {sizes[1]}")
    return {name: kind for name, kind in kinds.items() if name in used}


def _rewrite(
    graph: Subgraph, handles: Mapping[int, str], *, first: int, state: tuple[Tensor, ...]
) -> Subgraph:
    """The subgraph with the state in its list of tensors, from the place `first` on."""
    none = tuple(
        Tensor(index=at, name="", shape=(1,), dtype="int8") for at in range(len(graph.tensors), first)
    )
    places = {tensor.name: tensor.index for tensor in state}

    def keep(tensors: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(tensor for tensor in tensors if tensor not in handles)

    ops = []
    for op in graph.ops:
        if op.name == "READ_VARIABLE":
            ops.append(replace(op, inputs=(places[handles[op.inputs[0]]],)))
        elif op.name == "ASSIGN_VARIABLE":
            ops.append(replace(op, inputs=op.inputs[1:], outputs=(places[handles[op.inputs[0]]],)))
        elif op.name not in SETTLED:
            ops.append(replace(op, inputs=keep(op.inputs), outputs=keep(op.outputs)))
    return replace(
        graph,
        tensors=(*graph.tensors, *none, *state),
        inputs=keep(graph.inputs),
        outputs=keep(graph.outputs),
        ops=tuple(ops),
    )


def _read_starts(handles: _Handles, place: int) -> Iterator[tuple[str, NDArray[Any]]]:
    """What a subgraph of CALL_ONCE assigns, each to its variable."""
    graph = handles.model.subgraphs[place]
    for op in graph.ops:
        if op.name == "ASSIGN_VARIABLE" and graph.tensors[op.inputs[1]].is_constant:
            values = constant_values(graph.tensors[op.inputs[1]], where=handles.model.where)
            if values.dtype == np.float32 and not np.isfinite(values).all():
                raise handles.refuse(op, why="it assigns NaN or infinity")
            yield handles.by_graph[place][op.inputs[0]], values
        elif op.name != "VAR_HANDLE":
            raise handles.refuse(
                op, why="CALL_ONCE runs it, where the C engine takes assignments of constants alone"
            )
