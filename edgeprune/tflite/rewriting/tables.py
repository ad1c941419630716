"""Chains of ops that look at each int8 number alone, as one table of 256 numbers that GATHER reads.

        x (int8) ── EXP ── ADD 1 ── LOG ── y (int8)

    x ── CAST to int32 ── ADD 128 ── GATHER table[256] ── y

The table holds what the ops compute of the real number that each int8 stands for, in float64 and rounded
once, so that it is within half a step of the function; what the chain rounds in between, it does not. CAST
and ADD take 4 bytes of RAM a number each.
"""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import numpy as np

from edgeprune.graph.layergraph import Array
from edgeprune.tflite.model import Subgraph, Tensor, constant_values
from edgeprune.tflite.rewriting.curves import evaluate, is_curve
from edgeprune.tflite.rewriting.draft import Draft
from edgeprune.tflite.schema import load_schema

_EVERY_VALUE = np.arange(-128, 128)
_Chain = tuple[int, Array, frozenset[int]]
"""Where a chain starts, its results for every value there, and the ops between."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Table:
    """What takes the place of a chain.

    Attributes:
        source, result: the tensors between which it lies.
        last: index of the op that makes `result`.
        ops: indices of the ops between the two.
        values: (256,) int8, the result for -128 to 127.
    """

    source: int
    result: int
    last: int
    ops: frozenset[int]
    values: Array


def find_tables(graph: Subgraph, lacking: Collection[int]) -> Iterator[Table]:
    """The chains of a subgraph that hold an op which the runtime lacks, and what takes their place.

    Args:
        graph: the subgraph.
        lacking: indices of the ops that the runtime has no kernel for.
    """
    known: dict[int, _Chain] = {}
    for op in graph.ops:
        chain = _extend(graph, op.index, known) if is_curve(op.name) and len(op.outputs) == 1 else None
        if chain is not None:
            known[op.outputs[0]] = chain
    makers = {index: op.index for op in graph.ops for index in op.outputs}
    needed = [index for index in known if _is_read(graph, index, known)]
    seen = set(needed)
    while needed:
        index = needed.pop()
        source, reals, ops = known[index]
        tensor = graph.tensors[index]
        if not ops & set(lacking):
            continue
        if _is_int8(tensor):
            yield Table(
                source=source, result=index, last=makers[index], ops=ops, values=_as_int8(reals, tensor)
            )
            continue
        # The last op of a chain that ends in floats or truth values stays, and reads what a table gives.
        before = [i for i in graph.ops[makers[index]].inputs if i in known and i not in seen]
        needed += before
        seen |= set(before)


def write_table(draft: Draft, table: Table, graph: Subgraph, index_of: Callable[[int], int | None]) -> int:
    """Writes the ops of a table, and gives back the tensor that holds the index.

    Args:
        draft: where they are written.
        table: what is written.
        graph: the subgraph as it was.
        index_of: the index tensor of a source, if there is one already.
    """
    schema, shape = load_schema(), graph.tensors[table.source].shape
    index = index_of(table.source)
    if index is None:
        cast = schema.CastOptionsT()
        cast.inDataType, cast.outDataType = schema.TensorType.INT8, schema.TensorType.INT32
        whole = draft.op(
            "CAST", [table.source], draft.tensor(shape, "int32", near=table.result), options=cast
        )
        offset = draft.constant(np.array([128], np.int32), near=table.result)
        index = draft.op(
            "ADD",
            [whole, offset],
            draft.tensor(shape, "int32", near=table.result),
            options=schema.AddOptionsT(),
        )
    held = draft.constant(table.values, near=table.result, scaled_as=table.result)
    draft.op("GATHER", [held, index], table.result, options=schema.GatherOptionsT())
    return index


def _extend(graph: Subgraph, place: int, known: dict[int, _Chain]) -> _Chain | None:
    """Source, values and ops of the chain that ends in an op; None where it is no function of one tensor."""
    op = graph.ops[place]
    inputs: list[Array] = []
    sources: set[int] = set()
    ops = {place}
    for index in op.inputs:
        tensor = graph.tensors[index]
        if tensor.is_constant:
            value = _read_scalar(tensor)
            if value is None:
                return None
            inputs.append(value)
            continue
        if index in known:
            source, reals, before = known[index]
            ops |= before
        elif _is_int8(tensor):
            source, reals = index, (_EVERY_VALUE - int(tensor.zero_points[0])) * float(tensor.scales[0])
        else:
            return None
        if tensor.shape != graph.tensors[op.outputs[0]].shape:
            return None
        sources.add(source)
        inputs.append(reals)
    made = evaluate(op, inputs) if len(sources) == 1 else None
    return None if made is None else (sources.pop(), made, frozenset(ops))


def _read_scalar(tensor: Tensor) -> Array | None:
    """The one real number that a constant holds, however often; None where there are several."""
    values = constant_values(tensor)
    if values.size == 0 or (values != values.reshape(-1)[0]).any() or tensor.scales.size > 1:
        return None
    value = values.reshape(-1)[0]
    if tensor.scales.size:
        return np.asarray((int(value) - int(tensor.zero_points[0])) * float(tensor.scales[0]))
    return np.asarray(value if values.dtype == bool else np.float64(value))


def _is_int8(tensor: Tensor) -> bool:
    return tensor.dtype == "int8" and tensor.scales.size == 1 and not tensor.is_variable


def _is_read(graph: Subgraph, index: int, known: dict[int, _Chain]) -> bool:
    """Whether anything outside chains of the same source reads a tensor."""
    source = known[index][0]
    readers = [op for op in graph.ops if index in op.inputs]
    inside = [op for op in readers if op.outputs[0] in known and known[op.outputs[0]][0] == source]
    return index in graph.outputs or len(inside) < len(readers)


def _as_int8(reals: Array, tensor: Tensor) -> Array:
    steps = np.broadcast_to(reals, (256,)).astype(np.float64) / float(tensor.scales[0])
    return np.asarray(np.clip(np.floor(steps + 0.5) + int(tensor.zero_points[0]), -128, 127), np.int8)
