"""`edgeprune view`: ops, tensors, quantization, sizes and zeros of a `.tflite` file."""

from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import NOTHING, format_quantity

Row = Mapping[str, Any]
_NAME_CHARACTERS = 40

_ORDERS: dict[str, Callable[[Row], Any]] = {
    "index": lambda row: row["index"],
    "size": lambda row: -max(row["stored_bytes"], row["bytes"]),
    "zeros": lambda row: -(row["sparsity"] or 0.0),
    "name": lambda row: row["name"],
}


@click.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--sort",
    default="index",
    show_default=True,
    type=click.Choice(list(_ORDERS)),
    help="Order of the tensors in the tables: largest size or most zeros first.",
)
def view(file: Path, *, sort: str) -> Answer:
    """Show what is in a .tflite file: ops, tensors, quantization, sizes, zeros, memory, metadata."""
    from edgeprune import api

    document = api.view(file).to_json()
    return Answer(text=format_view(document, sort=sort), document=document)


def format_view(document: Mapping[str, Any], *, sort: str) -> str:
    """Tables of ops, constants and activations of each subgraph, then all else in sentences.

    Args:
        document: as `FileView.to_json` gives it.
        sort: a key of the tables' orders.
    """
    parts = []
    for number, graph in enumerate(document["subgraphs"]):
        if len(document["subgraphs"]) > 1:
            parts.append(f"subgraph {number} {graph['name']}".rstrip())
        tensors = sorted(graph["tensors"], key=_ORDERS[sort])
        constants = [row for row in tensors if row["role"] == "constant"]
        parts.append(_format_ops(graph))
        parts += [_format_constants(constants)] if constants else []
        parts.append(_format_activations([row for row in tensors if row["role"] != "constant"]))
    parts += ["\n".join(wrap(sentence) for sentence in _describe_interface(document))]
    parts.append("\n".join(wrap(sentence) for sentence in _summarize(document)))
    return "\n\n".join(part for part in parts if part)


def _format_ops(graph: Mapping[str, Any]) -> str:
    columns = (
        Column(heading="#", align="right"),
        Column(heading="op", wrap=True),
        Column(heading="ver.", align="right"),
        Column(heading="inputs", wrap=True),
        Column(heading="outputs", wrap=True),
        Column(heading="constants", align="right"),
    )
    tensors = graph["tensors"]
    rows = []
    for op in graph["ops"]:
        stored = sum(tensors[i]["stored_bytes"] for i in dict.fromkeys(op["inputs"]) if i >= 0)
        types = {tensors[i]["dtype"] for i in op["outputs"]}
        inputs = ", ".join(_name_tensor(tensors, i, known=types) for i in op["inputs"])
        outputs = ", ".join(_name_tensor(tensors, i) for i in op["outputs"])
        size = format_quantity(stored, "bytes") if stored else ""
        rows.append([str(op["index"]), op["name"], str(op["version"]), inputs, outputs, size])
    return format_table(columns, rows)


def _name_tensor(tensors: Sequence[Row], index: int, *, known: Container[str] = ()) -> str:
    """Number, shape and type of an activation; of a constant the number, because it has a table of its own.

    Args:
        tensors: those of the subgraph.
        index: which; -1 for one that is left out.
        known: types that need not be said.
    """
    if index < 0:
        return NOTHING
    tensor = tensors[index]
    if tensor["role"] == "constant":
        return str(index)
    kind = "" if tensor["dtype"] in known else f" {tensor['dtype']}"
    return f"{index} ({_format_shape(tensor)}{kind})"


def _format_constants(rows: Sequence[Row]) -> str:
    columns = (
        Column(heading="const.", align="right"),
        Column(heading="name", wrap=True),
        Column(heading="shape", wrap=True),
        Column(heading="type"),
        Column(heading="scales", wrap=True),
        Column(heading="bytes", align="right"),
        Column(heading="zeros", align="right"),
    )
    return format_table(columns, [_format_constant(row) for row in rows])


def _format_constant(row: Row) -> list[str]:
    size = f"{row['stored_bytes']:,}"
    if row["shared_with"] is not None:
        graph, index = row["shared_with"]
        size = f"as {index}" if graph == 0 else f"as {graph}:{index}"
    zeros = row["encoding"] or (NOTHING if row["sparsity"] is None else f"{row['sparsity']:.1%}")
    cells = [str(row["index"]), _shorten(row["name"]), _format_shape(row), row["dtype"], _format_scales(row)]
    return [*cells, size, zeros]


def _format_activations(rows: Sequence[Row]) -> str:
    columns = (
        Column(heading="tensor", align="right"),
        Column(heading="name", wrap=True),
        Column(heading="shape", wrap=True),
        Column(heading="type"),
        Column(heading="scale", wrap=True),
        Column(heading="bytes", align="right"),
        Column(heading="arena", align="right"),
        Column(heading="ops", align="right"),
    )
    cells = []
    for row in rows:
        placed = row["arena_offset"] is not None
        needed = ""
        if row["first_op"] is not None:  # counted from 1 there, for 0 is before the first op
            needed = f"{row['first_op'] - 1 if row['first_op'] else 'in'}–{row['last_op'] - 1}"
        cells.append(
            [
                str(row["index"]),
                _shorten(row["name"]),
                _format_shape(row),
                row["dtype"],
                _format_scales(row),
                f"{row['bytes']:,}",
                f"{row['arena_offset']:,}" if placed else row["role"] if row["role"] != "activation" else "",
                needed,
            ]
        )
    return format_table(columns, cells) if cells else ""


def _format_shape(row: Row) -> str:
    open_at = row["shape_signature"] or row["shape"]
    sizes = ["?" if known == -1 else str(size) for size, known in zip(row["shape"], open_at, strict=False)]
    return "x".join(sizes) or "scalar"


def _shorten(name: str) -> str:
    """The first of the names that the converter joins where it fuses layers; JSON has them all."""
    first, *others = name.split(";")
    if len(first) > _NAME_CHARACTERS:
        first = f"…{first[-_NAME_CHARACTERS:]}"
    return f"{first} +{len(others)}" if others else first


def _format_scales(row: Row) -> str:
    """The scale and its zero point, or how many there are and along which axis."""
    scales, points = row["scales"], row["zero_points"]
    if not scales:
        return NOTHING
    if len(scales) > 1:
        return f"{len(scales)} on axis {row['axis']}"
    return f"{scales[0]:.4g}" + (f" zero {points[0]}" if points and points[0] else "")


def _describe_interface(document: Mapping[str, Any]) -> list[str]:
    """Signatures and metadata, one sentence each."""
    lines = []
    for entry in document["signatures"]:
        sides = [", ".join(f"{name} = {index}" for name, index in entry[side].items()) for side in _SIDES]
        lines.append(f"signature {entry['key']}: {sides[0] or NOTHING} → {sides[1] or NOTHING}")
    found = document["metadata"]
    for name, size in found["entries"].items():
        lines.append(f"metadata {name}: {size:,} bytes")
    if found["tflite"] is not None:
        lines += _describe_metadata(found["tflite"])
    for name, labels in found["labels"].items():
        lines.append(f"{name}: {len(labels)} labels: {', '.join(labels[:_LABELS_SHOWN])}{_more(labels)}")
    return lines


_SIDES = ("inputs", "outputs")
_LABELS_SHOWN = 10


def _more(labels: Sequence[str]) -> str:
    return ", …" if len(labels) > _LABELS_SHOWN else ""


def _describe_metadata(metadata: Mapping[str, Any]) -> list[str]:
    lines = [metadata[key] for key in ("name", "version", "description") if metadata[key]]
    for side in _SIDES:
        for tensor in metadata[side]:
            facts = [tensor["color_space"]] if tensor["color_space"] else []
            if tensor["mean"]:
                facts.append(f"normalized by mean {_join(tensor['mean'])}, std {_join(tensor['std'])}")
            if tensor["maximum"]:
                facts.append(f"from {_join(tensor['minimum'])} to {_join(tensor['maximum'])}")
            facts += [f"labels in {tensor['labels']}"] if tensor["labels"] else []
            lines.append(f"{side[:-1]} {tensor['name']}: {'; '.join(facts) or NOTHING}")
    return lines


def _join(numbers: Sequence[float]) -> str:
    return ", ".join(f"{number:g}" for number in numbers[:4]) + (", …" if len(numbers) > 4 else "")


def _summarize(document: Mapping[str, Any]) -> list[str]:
    graphs, arena = document["subgraphs"], document["arena"]
    counts = f"{sum(len(g['ops']) for g in graphs)} ops, {sum(len(g['tensors']) for g in graphs)} tensors"
    size, stored, elements = (document[key] for key in ("size_bytes", "constant_bytes", "elements"))
    zeros = f", {document['zeros'] / elements:.1%} zeros" if elements else ""
    lines = [
        f"{document['file']}: {size:,} bytes, {stored:,} of them in constants{zeros}; "
        f"{len(graphs)} subgraph{'s' if len(graphs) > 1 else ''}, {counts}."
    ]
    if arena is not None and arena["bytes"]:
        where = "" if arena["peak_op"] is None else f", the most while op {arena['peak_op']} runs"
        lines.append(
            f"Activations take {arena['bytes']:,} bytes under TFLM's plan{where}. Its records and "
            "its kernels' scratch memory are not part of it; 'edgeprune check' measures all."
        )
    return lines + list(document["notes"])
