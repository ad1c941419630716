"""`edgeprune convert`: a Keras model as a `.tflite` file, without pruning."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.annotating import annotating
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command
from edgeprune.cli.progress import show_progress
from edgeprune.cli.results import format_checks
from edgeprune.cli.tables import wrap
from edgeprune.config.load_options import parse_load_options


@click.command(cls=Command)
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The .tflite file to write.")
@click.option(
    "--data",
    metavar="PATH|module:function",
    help="As for 'build'; schemes with integer activations are calibrated on its training part.",
)
@options.quantization
@options.calibration
@click.option(
    "--device",
    metavar="ID",
    help="Refuse what its runtime cannot execute, and hold the file against its budgets.",
)
@annotating
@click.option(
    "--seed",
    default=0,
    show_default=True,
    type=options.SEED,
    metavar="N",
    help="Of the samples to calibrate on.",
)
@options.loading
@options.force
def convert(
    model: Path,
    *,
    output: Path,
    scheme: str | None,
    custom: tuple[str, ...],
    trust: bool | None,
    input_shape: tuple[str, ...],
    weights: Path | None,
    labels: Path | None,
    metadata: bool | None,
    normalization: str | None,
    keep_signatures: bool | None,
    accept_input_range: bool | None,
    **asked: Any,
) -> Answer:
    """Convert MODEL to a stripped .tflite file as it is, without pruning.

    --labels implies --metadata. Exit 1 if --device is given and the file does not fit it; the file is written
    all the same.
    """
    from edgeprune.build.file_metadata import parse_annotating
    from edgeprune.commands.convert import ConvertRequest, convert_file

    said = parse_annotating(
        # Labels are only of use where the file can say them.
        metadata=True if metadata is None and labels is not None else metadata,
        normalization=normalization,
        keep_signatures=keep_signatures,
    )
    load = parse_load_options(custom=custom, trust=trust, input_shape=input_shape, weights=weights)
    request = ConvertRequest(
        model=model,
        output=output,
        scheme=scheme or "int8",
        labels=labels,
        annotating=said,
        load=load,
        accept_input_range=bool(accept_input_range),
        **asked,
    )
    with show_progress() as progress:
        result = convert_file(request, progress=progress)
    document = result.to_json()
    return Answer(text=format_conversion(document), document=document, exit_code=0 if result.ok else 1)


def format_conversion(document: Mapping[str, Any]) -> str:
    """The file's size, and the checks on the device if there is one.

    Args:
        document: as `ConvertResult.to_json` gives it.
    """
    samples = f", calibrated on {document['samples']} training samples" if document["samples"] else ""
    sentence = (
        f"{document['output']}: {document['tflite_bytes']:,} bytes, scheme {document['scheme']}, "
        f"{document['io_type']} inputs and outputs{samples}."
    )
    if document["device"] is None:
        return wrap(sentence)
    checks = format_checks(document["checks"], sentence=document["sentence"])
    return f"{wrap(sentence)}\n\n{checks}"
