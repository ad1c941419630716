"""`edgeprune convert`: a Keras model as a `.tflite` file, without pruning."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from edgeprune.cli import options
from edgeprune.cli.answer import Answer
from edgeprune.cli.command import Command, show_progress
from edgeprune.cli.completion import complete_devices
from edgeprune.terminal.results import format_checks
from edgeprune.terminal.tables import wrap


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
@options.steps_per_epoch
@click.option(
    "--device",
    shell_complete=complete_devices,
    metavar="ID",
    help="Refuse what its runtime cannot execute, and hold the file against its budgets.",
)
@options.annotating
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
def convert(model: Path, **asked: Any) -> Answer:
    """Convert MODEL to a stripped .tflite file as it is, without pruning.

    --labels implies --metadata. Exit 1 if --device is given and the file does not fit it; the file is written
    all the same.
    """
    from edgeprune import api

    with show_progress() as progress:
        result = api.convert(model, **asked, progress=progress)
    document = result.to_json()
    return Answer(text=format_conversion(document), document=document, exit_code=0 if result.fits else 1)


def format_conversion(document: Mapping[str, Any]) -> str:
    """The file's size, and the checks on the device if there is one.

    Args:
        document: as `ConvertResult.to_json` gives it.
    """
    samples = f", calibrated on {document['samples']} training samples" if document["samples"] else ""
    sentence = (
        f"{document['output']}: {document['tflite_bytes']:,} bytes, scheme {document['scheme']}, "
        f"{document['ends']}{samples}."
    )
    if document["device"] is None:
        return wrap(sentence)
    checks = format_checks(document["checks"], sentence=document["sentence"])
    return f"{wrap(sentence)}\n\n{checks}"
