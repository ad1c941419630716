"""The options of what a `.tflite` file says about itself."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_OPTIONS = (
    click.option(
        "--labels",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="Names of the classes, one per line; else those of the data, where it has any.",
    ),
    click.option(
        "--metadata/--no-metadata",
        default=None,
        help="Whether the file carries TFLite metadata; else it does for LiteRT devices alone.",
    ),
    click.option(
        "--normalization",
        metavar="MEAN,STD",
        help="For the metadata: what applications do to raw inputs, (value - MEAN) / STD.",
    ),
    click.option(
        "--keep-signatures",
        is_flag=True,
        default=None,
        help="Keep a signature with the names of the model's inputs and outputs.",
    ),
)


def annotating(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --labels, --metadata, --normalization and --keep-signatures; None where not given."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
