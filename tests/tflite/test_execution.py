"""How often one inference runs the ops of loops and branches."""

import numpy as np
import pytest
from shared_cases import case_file
from small_models import dense_int8, tensor, with_subgraphs

from edgeprune.tflite.execution import executed_shapes, read_turns
from edgeprune.tflite.read import read_model
from edgeprune.tflite.schema import load_schema


def integer(value: int):
    return tensor((), "INT32", data=np.array([value], np.int32))


def loop(*, start: int, limit: int | None, step: int, compare: str = "LESS", change: str = "ADD") -> bytes:
    """x = -x while a counter that begins with `start` is less than `limit`; None for one that is computed."""
    schema = load_schema()
    options = schema.WhileOptionsT()
    options.condSubgraphIndex, options.bodySubgraphIndex = 1, 2
    arithmetic = schema.AddOptionsT() if change == "ADD" else schema.SubOptionsT()
    bound = tensor((), "INT32") if limit is None else integer(limit)
    count, x = tensor((), "INT32"), tensor((1, 4), "FLOAT32")
    main = (
        [x, integer(start), tensor((), "INT32"), tensor((1, 4), "FLOAT32")],
        [("WHILE", (1, 0), (2, 3), options)],
        ([0], [3]),
    )
    condition = (
        [count, tensor((1, 4), "FLOAT32"), bound, tensor((), "BOOL")],
        [*([("ABS", (0,), (2,), None)] if limit is None else []), (compare, (0, 2), (3,), None)],
        ([0, 1], [3]),
    )
    body = (
        [
            tensor((), "INT32"),
            tensor((1, 4), "FLOAT32"),
            integer(step),
            tensor((), "INT32"),
            tensor((1, 4), "FLOAT32"),
        ],
        [(change, (0, 2), (3,), arithmetic), ("NEG", (1,), (4,), None)],
        ([0, 1], [3, 4]),
    )
    return with_subgraphs(main, condition, body)


def count_turns(file: bytes) -> dict[str, int | None]:
    return {shape.op: shape.turns for shape in executed_shapes(read_model(file, where="loop"))}


@pytest.mark.parametrize(
    ("facts", "turns"),
    [
        ({"start": 0, "limit": 5, "step": 1}, 5),
        ({"start": 0, "limit": 5, "step": 2}, 3),
        ({"start": 1, "limit": 5, "step": 1, "compare": "LESS_EQUAL"}, 5),
        ({"start": 9, "limit": 3, "step": 2, "compare": "GREATER", "change": "SUB"}, 3),
        ({"start": 9, "limit": 3, "step": -2, "compare": "GREATER"}, 3),
        ({"start": 5, "limit": 5, "step": 1}, 0),
        ({"start": 0, "limit": 5, "step": 0}, None),
        ({"start": 0, "limit": 5, "step": -1}, None),
        ({"start": 0, "limit": None, "step": 1}, None),
        ({"start": 0, "limit": 5, "step": 1, "compare": "NOT_EQUAL"}, None),
    ],
)
def test_a_body_runs_as_often_as_its_counter_says(facts, turns) -> None:
    file = loop(**facts)
    counted = count_turns(file)
    assert counted["NEG"] == turns
    # The condition is looked at once more than it holds.
    assert counted[facts.get("compare", "LESS")] == (None if turns is None else turns + 1)
    found = read_model(file, where="loop")
    assert read_turns(found.ops[0], found, 0) == turns


def test_without_calls_every_op_runs_once() -> None:
    assert count_turns(dense_int8()) == {"FULLY_CONNECTED": 1}


def test_of_two_branches_the_dearer_one_counts_and_neither_for_the_least() -> None:
    schema = load_schema()
    options = schema.IfOptionsT()
    options.thenSubgraphIndex, options.elseSubgraphIndex = 1, 2
    ends = [tensor((1, 4), "FLOAT32"), tensor((1, 4), "FLOAT32")]
    main = ([tensor((), "BOOL"), *ends], [("IF", (0, 1), (2,), options)], ([0, 1], [2]))
    once = (list(ends), [("NEG", (0,), (1,), None)], ([0], [1]))
    twice = (
        [*ends, tensor((1, 4), "FLOAT32")],
        [("ABS", (0,), (1,), None), ("SQRT", (1,), (2,), None)],
        ([0], [2]),
    )
    shapes = executed_shapes(read_model(with_subgraphs(main, once, twice), where="if"))
    assert {s.op: (s.turns, s.least_turns) for s in shapes} == {
        "IF": (1, 1),
        "NEG": (0, 0),
        "ABS": (1, 0),
        "SQRT": (1, 0),
    }


@pytest.mark.parametrize(
    ("name", "turns"), [("loop_1", 1), ("loop_big", 100_000), ("loop_no_input", 16), ("while_simple", 5)]
)
def test_turns_of_the_shared_loops(name, turns) -> None:
    assert count_turns(case_file(name).read_bytes())["ADD"] == turns
