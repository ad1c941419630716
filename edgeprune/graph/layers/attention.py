"""Attention: with projections of its own (MultiHeadAttention, GroupedQueryAttention) and without.

A multi-head layer loses whole heads, and key and value widths that all its heads share. Keras divides scores
by the square root of the key width, so the query's weights are rescaled when that width changes.
"""

from collections.abc import Mapping
from math import prod, sqrt

import numpy as np

from edgeprune.graph.channel_ids import Ids, Inner, fixed
from edgeprune.graph.layergraph import Read
from edgeprune.graph.layers.einsum import guard_bias
from edgeprune.graph.layers.rules import Call, Config, Flow, LayerRule, Resized, keep, rule
from edgeprune.graph.opshape import OpShape, Shape

ROLES = ("query", "value", "key")
Axes = dict[str, tuple[Ids | None, ...]]


def _find_roles(call: Call) -> dict[str, int] | None:
    """Role → the input that plays it; the value is the key where there is none. None if one is no tensor."""
    reads = {role: call.arguments.get(role) for role in ROLES}
    reads["key"] = reads["key"] or reads["value"]
    if any(not isinstance(read, Read) for read in reads.values()):
        return None
    return {role: read.index for role, read in reads.items() if isinstance(read, Read)}


def _freeze_the_rest(call: Call, roles: Mapping[str, int], heads: Ids) -> None:
    """Positions are not followed; masks stay as they are, and heads for which there is a mask each."""
    where = f"(layer '{call.layer.name}')"
    for along in call.inner:
        for ids in along:
            if ids is not None:
                call.space.freeze(ids, f"positions of an attention {where}")
    for i, ids in enumerate(call.inputs):
        if i in roles.values():
            continue
        call.space.freeze(ids, f"read as a mask {where}")
        if len(call.input_shapes[i]) == 3 and call.input_shapes[i][0] != 1:
            call.space.freeze(heads, f"a mask for each head {where}")


def _project(
    call: Call, role: str, *along: Ids | None, consumed: tuple[int, ...]
) -> tuple[Axes, list[tuple[str, int]]]:
    """Axes of the kernel and, where there is one, the bias of a projection; and what of it reads channels."""
    axes: Axes = {f"{role}/kernel": along}
    if f"{role}/bias" in call.layer.weights:
        axes[f"{role}/bias"] = along[len(consumed) :]
    return axes, [(f"{role}/kernel", axis) for axis in consumed]


def _flow_multi_head(call: Call) -> Flow:
    roles = _find_roles(call)
    if roles is None or "attention_output/kernel" not in call.layer.weights:
        return keep(call, "its query, key and value are not all tensors of the graph")
    name, weights = call.layer.name, call.layer.weights
    query, value, key = (call.inputs[roles[role]] for role in ROLES)
    _, heads, key_width = weights["query/kernel"].shape
    value_width = weights["value/kernel"].shape[-1]
    head = call.space.fresh(heads, name=f"{name}:heads", unit="heads")
    keys = call.space.fresh(key_width, name=f"{name}:key_dim")
    values = call.space.fresh(value_width, name=f"{name}:value_dim")
    output = call.space.fresh(weights["attention_output/kernel"].shape[-1], name=name)
    _freeze_the_rest(call, roles, head)
    others = (None,) * (weights["attention_output/kernel"].ndim - 3)
    projections = [
        _project(call, "query", query, head, keys, consumed=(0,)),
        _project(call, "key", key, head, keys, consumed=(0,)),
        _project(call, "value", value, head, values, consumed=(0,)),
        _project(call, "attention_output", head, values, *others, output, consumed=(0, 1)),
    ]
    if "gate/kernel" in weights:
        projections.append(_project(call, "gate", query, head, values, consumed=(0,)))
    return _finish(call, projections, output=output, heads=head)


def _flow_grouped_query(call: Call) -> Flow:
    roles = _find_roles(call)
    if roles is None or "attention_output/kernel" not in call.layer.weights:
        return keep(call, "its query, key and value are not all tensors of the graph")
    name, weights = call.layer.name, call.layer.weights
    query, value, key = (call.inputs[roles[role]] for role in ROLES)
    # Keras wants all inputs equally wide, and makes the output as wide as the query.
    call.space.tie(query, value)
    call.space.tie(query, key)
    output = call.space.fresh(weights["attention_output/kernel"].shape[-1], name=name)
    call.space.tie(query, output)
    _, count, size = weights["key/kernel"].shape
    shared = call.space.fresh(count, name=f"{name}:heads", unit="heads")
    head = np.repeat(shared, weights["query/kernel"].shape[1] // count)
    width = call.space.fresh(size, name=f"{name}:head_dim")
    _freeze_the_rest(call, roles, head)
    projections = [
        _project(call, "query", query, head, width, consumed=(0,)),
        _project(call, "key", key, shared, width, consumed=(0,)),
        _project(call, "value", value, shared, width, consumed=(0,)),
        _project(call, "attention_output", head, width, output, consumed=(0, 1)),
    ]
    if "gate/kernel" in weights:
        projections.append(_project(call, "gate", query, head, width, consumed=(0,)))
    return _finish(call, projections, output=output, heads=head)


def _finish(
    call: Call, projections: list[tuple[Axes, list[tuple[str, int]]]], *, output: Ids, heads: Ids
) -> Flow:
    axes = {weight: along for found, _ in projections for weight, along in found.items()}
    for weight, along in axes.items():
        if weight.endswith("bias"):
            for shape in (*call.input_shapes, *call.output_shapes[:1]):
                guard_bias(
                    call, along, last=along[-1] if along[-1] is not None else output, positions=shape[0]
                )
    consumes = tuple(pair for _, found in projections for pair in found)
    outputs: list[Ids] = [output]
    inner: list[Inner] = [(None,) * (len(call.output_shapes[0]) - 1)]
    for shape in call.output_shapes[1:]:  # the scores, (heads, positions of the query, positions of the key)
        outputs.append(fixed(shape[-1]))
        inner.append((heads, *(None,) * (len(shape) - 2)))
        if len(shape) != 3:
            call.space.freeze(heads, f"scores over several axes (layer '{call.layer.name}')")
            inner[-1] = (None,) * (len(shape) - 1)
    return Flow(outputs=tuple(outputs), axes=axes, inner=tuple(inner), consumes=consumes)


def _resize_multi_head(resized: Resized) -> Config:
    shapes = resized.weight_shapes
    if "attention_output/kernel" not in shapes:
        return {}
    return {
        "num_heads": shapes["query/kernel"][1],
        "key_dim": shapes["query/kernel"][2],
        "value_dim": shapes["value/kernel"][2],
        "output_shape": list(shapes["attention_output/kernel"][2:]),
    }


def _resize_grouped_query(resized: Resized) -> Config:
    shapes = resized.weight_shapes
    if "attention_output/kernel" not in shapes:
        return {}
    return {
        "num_query_heads": shapes["query/kernel"][1],
        "num_key_value_heads": shapes["key/kernel"][1],
        "head_dim": shapes["key/kernel"][2],
    }


def _rescale_query(resized: Resized) -> Mapping[str, float]:
    """Keras divides q·k by √width; after the removal it would divide by less."""
    if "query/kernel" not in resized.weight_shapes:
        return {}
    factor = sqrt(resized.weight_shapes["query/kernel"][-1] / resized.old_weight_shapes["query/kernel"][-1])
    return {w: factor for w in resized.weight_shapes if w.startswith("query/")}


def _lower_projected(resized: Resized) -> tuple[OpShape, ...]:
    shapes = resized.weight_shapes
    if "attention_output/kernel" not in shapes:
        return ()
    targets, sources = _positions(resized.output_shapes[0]), _positions(resized.input_shapes[-1])
    _, heads, key_width = shapes["query/kernel"]
    value_width = shapes["value/kernel"][-1]
    ops = []
    for weight in (w for w in shapes if w.endswith("kernel") and not w.startswith("attention_output")):
        rows = sources if weight.startswith(("key", "value")) else targets
        depth, *made = shapes[weight]
        ops.append(_multiply(resized, rows, depth=depth, out=prod(made)))
    ops += match_and_mix(
        resized.name, heads=heads, targets=targets, sources=sources, widths=(key_width, value_width)
    )
    depth, out = heads * value_width, prod(shapes["attention_output/kernel"][2:])
    return (*ops, _multiply(resized, targets, depth=depth, out=out))


def _multiply(resized: Resized, rows: int, *, depth: int, out: int) -> OpShape:
    return OpShape(
        op="FULLY_CONNECTED",
        name=resized.name,
        inputs=((rows, depth),),
        output=(rows, out),
        filter=(out, depth),
        has_bias=bool(resized.config.get("use_bias", True)),
    )


def match_and_mix(
    name: str, *, heads: int, targets: int, sources: int, widths: tuple[int, int]
) -> tuple[OpShape, ...]:
    """The ops between the projections: query × key, softmax, scores × value; widths of key and value."""
    key, value = widths
    scores = (1, heads, targets, sources)
    query_shape, key_shape = (1, heads, targets, key), (1, heads, sources, key)
    value_shape, output = (1, heads, sources, value), (1, heads, targets, value)
    return (
        OpShape(op="BATCH_MATMUL", name=name, inputs=(query_shape, key_shape), output=scores),
        OpShape(op="SOFTMAX", name=name, inputs=(scores,), output=scores),
        OpShape(op="BATCH_MATMUL", name=name, inputs=(scores, value_shape), output=output),
    )


def _positions(shape: Shape) -> int:
    return prod(size or 1 for size in shape[:-1])


def _flow_attention(call: Call) -> Flow:
    """Query and key are multiplied, so their channels go together; the output has the value's channels."""
    reads = call.arguments.get("inputs")
    if not isinstance(reads, list | tuple) or not all(isinstance(read, Read) for read in reads):
        return keep(call, "its query, key and value are not all tensors of the graph")
    query, value, *rest = (read.index for read in reads)
    key = rest[0] if rest else value
    call.space.tie(call.inputs[query], call.inputs[key])
    for i in set(range(len(call.inputs))) - {query, value, key}:
        call.space.freeze(call.inputs[i], f"read as a mask (layer '{call.layer.name}')")
    scores = tuple(fixed(shape[-1]) for shape in call.output_shapes[1:])
    scale = call.layer.weights.get("scale")
    axes: Axes = {w: (None,) * array.ndim for w, array in call.layer.weights.items()}
    if scale is not None and scale.ndim == 1:
        axes["scale"] = (call.inputs[query],)
    return Flow(outputs=(call.inputs[value], *scores), axes=axes)


def _lower_attention(resized: Resized) -> tuple[OpShape, ...]:
    query, value = resized.input_shapes[:2]
    return match_and_mix(
        resized.name,
        heads=1,
        targets=_positions(query),
        sources=_positions(value),
        widths=(query[-1] or 1, value[-1] or 1),
    )


for _kind, _flow, _resize in (
    ("MultiHeadAttention", _flow_multi_head, _resize_multi_head),
    ("GroupedQueryAttention", _flow_grouped_query, _resize_grouped_query),
):
    rule(
        LayerRule(
            kind=_kind,
            status="prunable",
            flow=_flow,
            resize=_resize,
            rescale=_rescale_query,
            lower=_lower_projected,
        )
    )
for _kind in ("Attention", "AdditiveAttention"):
    rule(
        LayerRule(
            kind=_kind,
            status="transparent",
            flow=_flow_attention,
            reads_values=True,
            lower=_lower_attention,
        )
    )
