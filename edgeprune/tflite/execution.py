"""Which ops one inference runs, and how often: loops by their turns, branches by the dearer one."""

from dataclasses import dataclass, replace
from math import prod

import numpy as np

from edgeprune.graph.opshape import OpShape
from edgeprune.tflite.calls import list_calls
from edgeprune.tflite.model import Model, Op, Subgraph, constant_values
from edgeprune.tflite.ops import subgraph_shapes

_BELOW, _BEYOND = ("LESS", "LESS_EQUAL"), ("GREATER", "GREATER_EQUAL")


@dataclass(kw_only=True, slots=True)
class _Runs:
    """How often a subgraph runs, None where that is not in the file; `certain` of these in any case."""

    turns: int | None = 0
    certain: int = 0

    def add(self, turns: int | None, certain: int) -> None:
        self.turns = None if self.turns is None or turns is None else self.turns + turns
        self.certain += certain


def executed_shapes(model: Model) -> list[OpShape]:
    """The shapes of the ops of all subgraphs, the main one's first, each with how often it runs.

    The ops of loops run as often as `read_turns` says. Of the two branches of an IF the dearer one counts,
    and neither for the least. What no inference runs again, as what CALL_ONCE does, has 0 turns: its kernels
    are part of an image all the same.

    Raises:
        ModelError: an op lacks the options it needs, or its weights or strides are impossible.
    """
    shapes = [subgraph_shapes(model, place) for place in range(len(model.subgraphs))]
    runs = [_Runs() for _ in model.subgraphs]

    def visit(place: int, turns: int | None, certain: int) -> None:
        runs[place].add(turns, certain)
        for op in model.subgraphs[place].ops:
            called = list_calls(op)
            if op.name == "WHILE":
                found = read_turns(op, model, place)
                for target, extra in zip(called, (1, 0), strict=True):  # the condition, the body
                    again = None if found is None else found + extra
                    visit(
                        target,
                        None if turns is None or again is None else turns * again,
                        certain * (again or 0),
                    )
            elif op.name == "IF":
                dearer = max(called, key=lambda target: _weigh(shapes[target]))
                for target in called:
                    visit(target, turns if target == dearer else 0, 0)
            else:
                for target in called:
                    visit(target, 0, 0)

    visit(0, 1, 1)
    return [
        replace(shape, turns=found.turns, least_turns=found.certain)
        for found, of_subgraph in zip(runs, shapes, strict=True)
        for shape in of_subgraph
    ]


def read_turns(op: Op, model: Model, place: int) -> int | None:
    """How often the body of a WHILE runs, where a counter goes from a constant to a constant; else None.

    Args:
        op: the WHILE.
        model: the file it is in.
        place: the subgraph it is in.
    """
    condition, body = (model.subgraphs[index] for index in list_calls(op))
    counters = [
        _Counter(start=_read_integer(model.subgraphs[place], index), step=_find_step(body, position))
        for position, index in enumerate(op.inputs)
    ]
    return _count(condition, condition.outputs[0], counters) if condition.outputs else None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Counter:
    """A value that a loop carries: what it begins with, and what each turn adds; None where unknown."""

    start: int | None
    step: int | None


def _count(condition: Subgraph, tensor: int, counters: list[_Counter]) -> int | None:
    """Turns for which a tensor of the condition stays true."""
    op = next((op for op in condition.ops if tensor in op.outputs), None)
    if op is None or len(op.inputs) != 2:
        return None
    if op.name == "LOGICAL_AND":
        both = [_count(condition, index, counters) for index in op.inputs]
        return None if None in both else min(turns for turns in both if turns is not None)
    left, right = (_follow(condition, index, counters) for index in op.inputs)
    if op.name in _BEYOND:
        left, right = right, left
    elif op.name not in _BELOW:
        return None
    if left.start is None or left.step is None or right.start is None or right.step is None:
        return None
    # It goes on while left < right; the gap becomes smaller with each turn.
    gap, closing = right.start - left.start + op.name.endswith("_EQUAL"), left.step - right.step
    if gap <= 0:
        return 0
    return -(-gap // closing) if closing > 0 else None


def _follow(condition: Subgraph, index: int, counters: list[_Counter]) -> _Counter:
    if index in condition.inputs:
        return counters[condition.inputs.index(index)]
    return _Counter(start=_read_integer(condition, index), step=0)


def _find_step(body: Subgraph, position: int) -> int | None:
    """What one turn adds to the value at a position; None where it does something else to it."""
    if position >= min(len(body.inputs), len(body.outputs)):
        return None
    before, after = body.inputs[position], body.outputs[position]
    if before == after:
        return 0
    op = next((op for op in body.ops if after in op.outputs), None)
    if op is None or op.name not in ("ADD", "SUB") or before not in op.inputs:
        return None
    first, second = op.inputs
    if op.name == "SUB":
        found = _read_integer(body, second) if first == before else None
        return None if found is None else -found
    return _read_integer(body, second if first == before else first)


def _read_integer(subgraph: Subgraph, index: int) -> int | None:
    """A constant of one integer; None for any other tensor."""
    tensor = subgraph.tensors[index] if index >= 0 else None
    if tensor is None or not tensor.is_constant or tensor.elements != 1:
        return None
    if tensor.dtype not in ("int32", "int64"):
        return None
    return int(np.ravel(constant_values(tensor))[0])


def _weigh(shapes: list[OpShape]) -> tuple[int, int]:
    """What tells the dearer of two branches: multiply-accumulates, then elements made."""
    return sum(shape.macs for shape in shapes), sum(prod(shape.output) for shape in shapes)
