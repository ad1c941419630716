"""Dense and the look-up tables of embeddings."""

from dataclasses import replace
from math import prod

from edgeprune.graph.channel_ids import Axes, fixed
from edgeprune.graph.layers.activations import activation_name, guard_activation, lower_activation
from edgeprune.graph.layers.kept import unknown_weights
from edgeprune.graph.layers.rules import Call, Flow, LayerRule, Resized, keep, one_op, rule
from edgeprune.graph.opshape import OpShape


def _flow_dense(call: Call) -> Flow:
    if reason := unknown_weights(call, "kernel", "bias", "lora_kernel_a", "lora_kernel_b"):
        return keep(call, reason)
    output = call.space.fresh(call.layer.weights["kernel"].shape[-1], name=call.layer.name)
    guard_activation(call, output)
    axes: Axes = {
        "kernel": (call.inputs[0], output),
        "bias": (output,),
        "lora_kernel_a": (call.inputs[0], None),
        "lora_kernel_b": (None, output),
    }
    return Flow(
        outputs=(output,),
        axes={name: ids for name, ids in axes.items() if name in call.layer.weights},
        inner=call.inner,
        consumes=tuple((name, 0) for name in ("kernel", "lora_kernel_a") if name in call.layer.weights),
    )


def _flow_embedding(call: Call) -> Flow:
    known = ("embeddings", "reverse_embeddings", "lora_embeddings_a", "lora_embeddings_b")
    if reason := unknown_weights(call, *known):
        return keep(call, reason)
    reverse = bool(call.arguments.get("reverse", False))
    if reverse:
        width, outputs, inner = call.inputs[0], fixed(call.output_shapes[0][-1]), call.inner
    else:
        for ids in (call.inputs[0], *call.inner[0]):
            if ids is not None:
                call.space.freeze(ids, f"row numbers of a table (layer '{call.layer.name}')")
        width = outputs = call.space.fresh(call.layer.weights["embeddings"].shape[-1], name=call.layer.name)
        inner = ((None,) * (len(call.output_shapes[0]) - 1),)
    axes: Axes = {
        "embeddings": (None, width),
        "reverse_embeddings": (width, None),
        "lora_embeddings_a": (None, None),
        "lora_embeddings_b": (None, width),
    }
    return Flow(
        outputs=(outputs,),
        axes={name: ids for name, ids in axes.items() if name in call.layer.weights},
        inner=inner,
        consumes=(("reverse_embeddings", 0),) if "reverse_embeddings" in call.layer.weights else (),
    )


def _lower_dense(resized: Resized) -> tuple[OpShape, ...]:
    cin, cout = resized.weight_shapes["kernel"]
    rows = prod(resized.output_shapes[0][:-1])
    dense = OpShape(
        op="FULLY_CONNECTED",
        name=resized.name,
        inputs=((rows, cin),),
        output=(rows, cout),
        filter=(cout, cin),
        has_bias=True,
    )
    return (dense, *lower_activation(resized, activation_name(resized.config)))


def _lower_embedding(resized: Resized) -> tuple[OpShape, ...]:
    """The table is what it costs: its bytes are flash, and only rows of it are read."""
    (op,) = one_op(resized, "GATHER")
    return (replace(op, filter=resized.weight_shapes["embeddings"]),)


rule(
    LayerRule(
        kind="Dense",
        status="prunable",
        flow=_flow_dense,
        resize=lambda resized: {"units": resized.weight_shapes["kernel"][-1]},
        lower=_lower_dense,
    )
)
for _kind in ("Embedding", "ReversibleEmbedding"):
    rule(
        LayerRule(
            kind=_kind,
            status="prunable",
            flow=_flow_embedding,
            resize=lambda resized: {"output_dim": resized.weight_shapes["embeddings"][-1]},
            lower=_lower_embedding,
        )
    )
