"""`edgeprune sparsify`: zeros in the kernels of a Keras model."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command, show_progress
from edgeprune.cli.completion import complete_devices
from edgeprune.config.figures import FIGURES
from edgeprune.terminal.tables import Column, format_table, wrap
from edgeprune.units import format_quantity, format_ratio


@click.command(cls=Command)
@click.argument("model", type=click.Path(path_type=Path))
@options.zeros
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The .keras file to write.")
@click.option(
    "--device",
    shell_complete=complete_devices,
    metavar="ID",
    help="Say first what zeros are worth there, and at the end what they saved (with --data).",
)
@click.option(
    "--data",
    metavar="PATH|module:function",
    help="As for 'build': zeros come in while the model is fine-tuned. Without, all at once.",
)
@click.option(
    "--epochs", default=10, show_default=True, type=click.IntRange(min=1), metavar="N", help="Of fine-tuning."
)
@options.accept("no-gain", "input-range")
@options.keep
@options.training
@click.option(
    "--seed", default=0, show_default=True, type=options.SEED, metavar="N", help="Of everything random."
)
@options.loading
@options.force
def sparsify(model: Path, **asked: Any) -> Answer:
    """Make the smallest weights of MODEL zero, while it is fine-tuned (--data) or all at once.

    Zeros save nothing by themselves: --device says what its runtime makes of them, before any training.
    """
    from edgeprune import api

    with show_progress() as progress:
        document = api.sparsify(model, **asked, progress=progress).to_json()
    return Answer(text=format_sparse(document), document=document)


def format_sparse(document: Mapping[str, Any]) -> str:
    """Kernels with their zeros, what the zeros saved on the device, and one sentence."""
    parts = [_format_kernels(document["kernels"])]
    if document["dense"]:
        parts.append(_format_figures(document["dense"], document["sparse"]))
        parts.append("\n".join(wrap(sentence) for sentence in document["sentences"]))
    sentence = f"{document['output']}: {document['sparsity']:.1%} of the weights in kernels are zero"
    if document["accuracy"]:
        accuracy = document["accuracy"]
        sentence += (
            f"; {document['metric']} {accuracy['dense']:.4f} → {accuracy['sparse']:.4f} on the test set"
        )
    if document["worth"] and not document["dense"]:  # else the figures say what they were worth
        sentence += f"; {document['worth']}"
    parts.append(wrap(f"{sentence}."))
    return "\n\n".join(parts)


def _format_kernels(kernels: list[Mapping[str, Any]]) -> str:
    columns = (
        Column(heading="kernel", wrap=True),
        Column(heading="weights", align="right"),
        Column(heading="zeros", align="right"),
        Column(heading="sparsity", align="right"),
    )
    rows = [
        [row["kernel"], str(row["weights"]), str(row["zeros"]), f"{row['sparsity']:.1%}"] for row in kernels
    ]
    return format_table(columns, rows)


_FIGURES = ("tflite_bytes", "flash_bytes", "arena_bytes", "latency_ms")


def _format_figures(dense: Mapping[str, Any], sparse: Mapping[str, Any]) -> str:
    columns = (
        Column(heading="int8 file"),
        Column(heading="dense", align="right"),
        Column(heading="sparse", align="right"),
        Column(heading="change", align="right"),
    )
    rows = [
        [
            FIGURES[name].label,
            format_quantity(dense[name], FIGURES[name].unit),
            format_quantity(sparse[name], FIGURES[name].unit),
            format_ratio(sparse[name], dense[name]),
        ]
        for name in _FIGURES
    ]
    return format_table(columns, rows)
