"""Operations of `keras.ops` that sum: reductions over axes, products of matrices, einsum.

Over axes without channels a reduction passes them on. Over channels, a sum simply has fewer terms; mean,
variance and extremes are taken over the channels that remain, as `masking.py` does in the masked model.
"""

from collections.abc import Mapping
from typing import Any

from edgeprune.graph.arguments import find_arrays
from edgeprune.graph.channel_ids import Ids
from edgeprune.graph.layergraph import Array, Read
from edgeprune.graph.layers.operations import along, axes_of, follow, freeze_along, lower_to
from edgeprune.graph.layers.rearranging import flow_out
from edgeprune.graph.layers.rules import Call, Flow, LayerRule, Resized, keep, rule
from edgeprune.graph.opshape import OpShape

OVER_CHANNELS = {
    "Amax": "REDUCE_MAX",
    "Amin": "REDUCE_MIN",
    "Max": "REDUCE_MAX",
    "Mean": "MEAN",
    "Min": "REDUCE_MIN",
    "Std": "MEAN",
    "Sum": "SUM",
    "Var": "MEAN",
}
"""Reductions that may lose some of the channels they take together → the TFLite op."""
OTHERS = {"All": "REDUCE_ALL", "Any": "REDUCE_ANY", "Logsumexp": "SUM", "Prod": "REDUCE_PROD"}
LABELS = "zyxwvutsrqponmlkjihgfedcba"


def _flow_reduce(call: Call) -> Flow:
    config = call.layer.config
    axes = axes_of(call, config.get("axis"))
    if axes is None:
        return keep(call, "samples are taken together")
    if call.layer.kind.removeprefix("ops.") not in OVER_CHANNELS:
        freeze_along(call, axes, f"{call.layer.kind} takes channels together")
    reduced: list[Ids | None] = [None if k in axes else ids for k, ids in enumerate(along(call))]
    if config.get("keepdims"):
        return flow_out(call, reduced)
    return flow_out(call, [ids for k, ids in enumerate(reduced) if k not in axes])


def _contract(call: Call, operands: Mapping[str, str], target: str, *, places: Mapping[str, Any]) -> Flow:
    """The flow of an einsum.

    Args:
        call: the call.
        operands: path of each operand → one label per axis, the batch's first in tensors and target.
        target: labels of the output.
        places: path of each operand → `Read` or array.
    """
    batch = target[:1]
    for path, labels in operands.items():
        if len(set(labels)) < len(labels) or (isinstance(places[path], Read) and labels[:1] != batch):
            return keep(call, "a label stands twice in one operand, or the batch is not the first axis")
    met: dict[str, list[Ids | None]] = {}
    for path, place in places.items():
        if isinstance(place, Read):
            for label, ids in zip(operands[path][1:], along(call, place.index), strict=True):
                met.setdefault(label, []).append(ids)
    lying: dict[str, Ids | None] = {}
    for label, found in met.items():
        present = [ids for ids in found if ids is not None]
        for ids in present:
            if len(present) < len(found) or len(ids) != len(present[0]):
                call.space.freeze(ids, f"multiplied by what has no such channels (layer '{call.layer.name}')")
            elif ids is not present[0]:
                call.space.tie(present[0], ids)
        lying[label] = max(present, key=len) if present else None
    arguments = {
        path: tuple(
            lying.get(label) if n > 1 else None for label, n in zip(operands[path], array.shape, strict=True)
        )
        for path, array in places.items()
        if not isinstance(array, Read)
    }
    flow = flow_out(call, [lying.get(label) for label in target[1:]])
    return Flow(outputs=flow.outputs, inner=flow.inner, arguments=arguments)


def _flow_matmul(call: Call) -> Flow:
    places = {path: call.arguments[path] for path in ("x1", "x2")}
    ranks = [_rank(call, place) for place in places.values()]
    tensors = [isinstance(place, Read) for place in places.values()]
    if min(ranks) < 2 or (all(tensors) and ranks[0] != ranks[1]) or (all(tensors) and ranks[0] < 3):
        return keep(call, "a product of tensors of different rank, or with a vector")
    if not all(tensors) and ranks[tensors.index(False)] > 2:
        return keep(call, "a product with a stack of matrices")
    if not tensors[0] and ranks[1] < 3:
        return keep(call, "the batch is multiplied")
    leading = LABELS[: max(ranks) - 2]
    first, second = leading[: ranks[0] - 2] + "AB", leading[: ranks[1] - 2] + "BC"
    if ranks[0] == 2 and tensors[0]:  # (batch, A) times an array
        first, target = "AB", "AC"
    else:
        target = leading + "AC"
    return _contract(call, {"x1": first, "x2": second}, target, places=places)


def _flow_einsum(call: Call) -> Flow:
    subscripts = str(call.layer.config["subscripts"]).replace(" ", "")
    sources, arrow, target = subscripts.partition("->")
    places = {f"operands/{i}": place for i, place in enumerate(call.arguments["operands"])}
    if not arrow or any(isinstance(place, int | float) for place in places.values()):
        return keep(call, "an einsum without '->' or of a number")
    elided: dict[str, str] = {}
    widest = ""
    for path, labels in zip(places, sources.split(","), strict=True):
        count = _rank(call, places[path]) - len(labels.replace("...", ""))
        # Digits label what "..." stands for, lined up at their ends.
        digits = "".join(str(9 - k) for k in range(count))[::-1] if "..." in labels else ""
        widest = max(widest, digits, key=len)
        elided[path] = labels.replace("...", digits)
    return _contract(call, elided, target.replace("...", widest), places=places)


def _rank(call: Call, place: Read | Array) -> int:
    return len(call.input_shapes[place.index]) + 1 if isinstance(place, Read) else place.ndim


def _lower_product(resized: Resized) -> tuple[OpShape, ...]:
    shapes = [(1, *shape) for shape in resized.input_shapes]
    output = (1, *resized.output_shapes[0])
    arrays = list(find_arrays(resized.arguments).values())
    if arrays and arrays[0].ndim == 2 and resized.kind == "ops.Matmul":
        rows, columns = shapes[0][-1], output[-1]
        flat = (1, rows)
        return (
            OpShape(
                op="FULLY_CONNECTED",
                name=resized.name,
                inputs=(flat,),
                output=output,
                filter=(columns, rows),
            ),
        )
    return (OpShape(op="BATCH_MATMUL", name=resized.name, inputs=tuple(shapes), output=output),)


for _kind, _op in OVER_CHANNELS.items():
    rule(
        LayerRule(
            kind=f"ops.{_kind}",
            status="transparent",
            flow=_flow_reduce,
            reads_values=True,
            lower=lower_to(_op),
        )
    )
for _kind, _op in OTHERS.items():
    follow(_kind, _flow_reduce, _op)
for _kind, _flow in (("Einsum", _flow_einsum), ("Matmul", _flow_matmul)):
    rule(
        LayerRule(
            kind=f"ops.{_kind}",
            status="transparent",
            flow=_flow,
            reads_values=True,
            lower=_lower_product,
        )
    )
