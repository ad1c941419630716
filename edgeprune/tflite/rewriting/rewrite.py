"""A file in the ops of a runtime, as far as the ops that it lacks have others in their place."""

from collections.abc import Collection
from typing import Any

from edgeprune.tflite.model import Subgraph
from edgeprune.tflite.ops import Runtime, unsupported_ops
from edgeprune.tflite.read import read_model
from edgeprune.tflite.rewriting.draft import Draft
from edgeprune.tflite.rewriting.expansions import EXPANSIONS
from edgeprune.tflite.rewriting.tables import find_tables, write_table
from edgeprune.tflite.strip import pack, unpack


def in_ops_of(file: bytes, *, runtime: Runtime, where: str = "the file") -> bytes:
    """The file with what the runtime lacks in ops that it has; the same bytes where there is nothing to do.

    Args:
        file: a whole `.tflite` file.
        runtime: as `unsupported_ops` takes it.
        where: the file's name, for messages.

    Raises:
        ModelError: the file is damaged.
    """
    model = read_model(file, where=where)
    lacking: dict[int, set[int]] = {}
    for item in unsupported_ops(model, runtime=runtime):
        lacking.setdefault(item.subgraph, set()).add(item.index)
    if not lacking:
        return file
    packed = unpack(file, where=where)
    changed = [_rewrite(packed, place, model.subgraphs[place], ops) for place, ops in lacking.items()]
    return pack(packed) if any(changed) else file


def _rewrite(packed: Any, place: int, graph: Subgraph, lacking: Collection[int]) -> bool:
    """Rewrites a subgraph in place; whether anything changed."""
    draft = Draft(packed, place)
    tables = {table.last: table for table in find_tables(graph, lacking)}
    covered = frozenset().union(*(table.ops for table in tables.values()))
    indices: dict[int, int] = {}
    written: list[tuple[int, list[Any]]] = []
    operators = packed.subgraphs[place].operators
    for op in graph.ops:
        if op.index in tables:
            table = tables[op.index]
            indices[table.source] = write_table(draft, table, graph, indices.get)
            written.append((op.index, draft.take()))
        elif (
            op.index in lacking
            and op.index not in covered
            and op.name in EXPANSIONS
            and EXPANSIONS[op.name](draft, op, graph)
        ):
            written.append((op.index, draft.take()))
        else:
            written.append((op.index, [operators[op.index]]))
    kept = _without_unread(written, covered - tables.keys(), graph.outputs)
    changed = len(kept) != len(operators) or any(a is not b for a, b in zip(kept, operators, strict=True))
    packed.subgraphs[place].operators = kept
    return changed


def _without_unread(
    written: list[tuple[int, list[Any]]], may_go: Collection[int], outputs: Collection[int]
) -> list[Any]:
    """The operators in order, without those that tables took the place of and that nothing reads any more."""
    kept: list[Any] = []
    read = set(outputs)
    for index, operators in reversed(written):
        if index in may_go and not read & set(operators[0].outputs.tolist()):
            continue
        for operator in reversed(operators):
            read |= set(operator.inputs.tolist())
            kept.append(operator)
    return kept[::-1]
