"""What each layer of a model costs on a device, before it is a file."""

from typing import Any

from edgeprune.device.instructions import instructions_of, load_instruction_table
from edgeprune.device.latency import total_cycles
from edgeprune.device.profile import Profile
from edgeprune.graph.channels import name_channels
from edgeprune.graph.layergraph import LayerGraph
from edgeprune.graph.lower import Lowering
from edgeprune.graph.opshape import OpShape


def describe_layers(
    graph: LayerGraph, profile: Profile, *, is_counted: bool = True
) -> dict[str, dict[str, Any]]:
    """For each layer: kind, output shape, channels, weights, MACs and, where there is a table, cost.

    Args:
        graph: the model.
        profile: the device.
        is_counted: whether the table holds what the device's kernels take.
    """
    channels = name_channels(graph)
    lowering = Lowering(graph, channels)
    has_table = is_counted and profile.latency.by == "instructions"
    table = load_instruction_table(profile.latency.table) if has_table else None
    rows: dict[str, dict[str, Any]] = {}
    for index, node in enumerate(graph.nodes):
        layer, shape = graph.layers[node.layer], graph.shapes[node.outputs[0]]
        ops = lowering.lower_node(index, channels.everything)
        row = rows.setdefault(
            node.layer,
            {
                "kind": layer.kind,
                "output_shape": list(shape),
                "channels": shape[-1] if shape else 1,
                "params": sum(int(w.size) for w in layer.weights.values()),
                "macs": 0,
                "instructions": 0.0 if table else None,
                "latency_ms": 0.0 if table else None,
            },
        )
        row["macs"] += sum(op.macs for op in ops)
        if table:
            row["instructions"] += sum(_rounded(op, table) for op in ops)
            row["latency_ms"] += total_cycles(ops, profile.latency, table) / (profile.clock_mhz * 1e3)
    return rows


def _rounded(op: OpShape, table: Any) -> float:
    return float(round(instructions_of(op, table)))
