"""Whether ops that run subgraphs name as many as they need, with as many inputs and outputs as they give."""

from edgeprune.tflite.calls import list_calls
from edgeprune.tflite.model import Model
from edgeprune.tflite.validity.placed import PlacedOp

_CALLED = {"IF": ("branch", "branch"), "WHILE": ("condition", "body"), "CALL_ONCE": ("function",)}


def require_calls(model: Model) -> None:
    """Raises ModelError for an IF, WHILE or CALL_ONCE whose subgraphs are not such as it runs.

    Args:
        model: the file; subgraphs that it does not have are refused before.
    """
    for place, subgraph in enumerate(model.subgraphs):
        where = f"{model.where}: subgraph {place}" if place else model.where
        for op in subgraph.ops:
            kinds = _CALLED.get(op.name)
            if kinds is None:
                continue
            placed, called = PlacedOp(where=where, subgraph=subgraph, op=op), list_calls(op)
            if len(called) != len(kinds):
                raise placed.refuse(f"names {len(called)} subgraphs", why=f"it runs {len(kinds)}")
            given = len(op.inputs) - (op.name == "IF")
            for kind, index in zip(kinds, called, strict=True):
                takes, gives = len(model.subgraphs[index].inputs), len(model.subgraphs[index].outputs)
                wanted = {"condition": (given, 1), "function": (0, 0)}.get(kind, (given, len(op.outputs)))
                if (takes, gives) != wanted:
                    raise placed.refuse(
                        f"runs subgraph {index} as its {kind}, of {takes} inputs and {gives} outputs",
                        why=f"it needs {wanted[0]} and {wanted[1]}",
                    )
