"""Options that several commands share."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from edgeprune.cli.completion import complete_devices
from edgeprune.config.build_options import IO_TYPES, MAX_SEED, Acceptable
from edgeprune.config.drop import parse_drop
from edgeprune.errors import RecipeError


class Finite(click.FloatRange):
    """A number in a range; unlike click's own, not a NaN and no infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The float."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


class DropType(click.ParamType):  # type: ignore[type-arg]
    """A drop of a metric: a number, or one with a percent sign."""

    name = "drop"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The text."""
        try:
            parse_drop(value)
        except RecipeError as error:
            self.fail(f"{value} is no drop; {error.fix}.", param, ctx)
        return value


class CountOrWord(click.IntRange):
    """A whole number of at least 1, or a word that says to find one."""

    def __init__(self, word: str) -> None:
        """The word."""
        super().__init__(min=1)
        self._word = word

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The number or the word."""
        return value if value == self._word else super().convert(value, param, ctx)


_POSITIVE = Finite(min=0, min_open=True)


def _together(*options: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator that adds all of these, in their order."""

    def add(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return add


device = click.option(
    "--device",
    required=True,
    shell_complete=complete_devices,
    metavar="ID",
    help="A name from 'edgeprune devices list', or a profile's file.",
)
flash_kib = click.option(
    "--flash-kib", type=_POSITIVE, metavar="N", help="Flash budget in KiB; else the profile's."
)
ram_kib = click.option(
    "--ram-kib", type=_POSITIVE, metavar="N", help="RAM budget in KiB; else the profile's."
)
latency_ms = click.option(
    "--latency-ms", type=_POSITIVE, metavar="N", help="Latency budget in ms; else the profile's."
)
strict = click.option(
    "--strict",
    is_flag=True,
    default=None,
    help="An estimate must stay below its budget with the whole of its interval.",
)
optimize = click.option(
    "--optimize",
    type=click.Choice(["speed", "size", "ram"]),
    default="speed",
    show_default=True,
    help="What the C engine's choices between kernels, and the compiler's options, go by.",
)
force = click.option("--force", is_flag=True, help="Replace a file, or an output of edgeprune's.")
keep = click.option(
    "--keep",
    multiple=True,
    metavar="PATTERN",
    help="Keep all channels of the layers whose names match, for example 'conv2d_*'. Can be repeated.",
)
_JUDGING = (
    click.option(
        "--loss",
        metavar="NAME",
        help="What gradients are taken of ('edgeprune list losses'); OUTPUT=NAME,… for several outputs.  "
        "[default: as MODEL was compiled]",
    ),
    click.option(
        "--metric",
        metavar="NAME",
        help="What decides: a compiled metric, 'loss', or one of 'edgeprune list metrics'; OUTPUT=NAME for "
        "one output.  [default: as MODEL was compiled]",
    ),
    click.option(
        "--metric-mode",
        type=click.Choice(["min", "max"]),
        help="Whether less or more of a metric of your own is better.",
    ),
    click.option(
        "--batch-size",
        type=click.IntRange(min=1),
        metavar="N",
        help="Samples per training batch.  [default: 32, or a dataset's own]",
    ),
    click.option(
        "--steps-per-epoch",
        type=click.IntRange(min=1),
        metavar="N",
        help="Training batches in an epoch, for data that never end.",
    ),
)
_FITTING = (
    click.option(
        "--optimizer",
        metavar="NAME",
        help="Of recovery, a name of Keras.  [default: as MODEL was compiled, else adam]",
    ),
    click.option(
        "--learning-rate",
        type=_POSITIVE,
        metavar="R",
        help="Its largest learning rate.  [default: the optimizer's own, else 0.001]",
    ),
    click.option(
        "--train",
        metavar="module:function",
        help="A training loop of your own, train(model, epochs, callbacks), in the place of recovery's.",
    ),
)
steps_per_epoch = _JUDGING[-1]

judging = _together(*_JUDGING)
"""Adds what says how a model is judged, and its data are read."""

training = _together(*_JUDGING, *_FITTING)
"""Adds what says how a model is trained and judged."""


normalise = click.option(
    "--normalise",
    metavar="NAME",
    help="Makes scores comparable: 'edgeprune list normalisers'.  [default: the criterion's own way]",
)
_LOADING = (
    click.option(
        "--custom",
        multiple=True,
        metavar="module:object",
        help="A layer or function of your own that MODEL needs, or a LayerRule for one. Can be repeated.",
    ),
    click.option(
        "--trust",
        is_flag=True,
        default=None,
        help="Let Python code inside MODEL run (Lambda layers); else it is refused.",
    ),
    click.option(
        "--input-shape",
        multiple=True,
        metavar="H,W,C",
        help="Shape of an input that MODEL leaves open, without the batch. Once per input, in their order.",
    ),
    click.option(
        "--weights",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The .h5 file of weights, where MODEL is a .json config and it is not the only one beside it.",
    ),
)

loading = _together(*_LOADING)
"""Adds the options that `parse_load_options` reads."""


_QUANTIZATION = (
    click.option("--scheme", metavar="NAME", help="Quantization: 'edgeprune list schemes'.  [default: int8]"),
    click.option(
        "--io-type",
        type=click.Choice(IO_TYPES),
        help="Type of the file's inputs and outputs; else that of the scheme's activations.",
    ),
)

quantization = _together(*_QUANTIZATION)
"""Adds --scheme and --io-type, as `convert` takes them; None where not given."""


def accept(*doubts: Acceptable) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Adds --accept for what a command may doubt."""
    meant = {
        "no-gain": "zeros of which the device makes nothing",
        "input-range": "data that seem to have another range than MODEL expects",
    }
    text = "; ".join(f"{doubt}: {meant[doubt]}" for doubt in doubts)
    return click.option(
        "--accept",
        multiple=True,
        type=click.Choice(doubts),
        metavar="WHAT",
        help=f"Go on all the same. {text}.",
    )


representative_samples = click.option(
    "--representative-samples",
    type=click.IntRange(min=1),
    metavar="N",
    help="Training samples that activation ranges are measured on; else 200.",
)


def calibration(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --representative-samples and --accept input-range."""
    return representative_samples(accept("input-range")(command))


_ZEROS = (
    click.option(
        "--sparsity",
        "--final-sparsity",
        "final_sparsity",
        type=Finite(min=0, max=1, max_open=True),
        metavar="S",
        help="Fraction of zeros at the end, below 1.  [default: what --mask n:m makes of it]",
    ),
    click.option(
        "--mask",
        metavar="MASK",
        help="unstructured, a block of outputs by weights (4x1), or n of m that stay (2:4).  "
        "[default: unstructured]",
    ),
    click.option(
        "--mask-scope",
        type=click.Choice(["global", "local"]),
        help="That sparsity over all kernels together, or in each.  [default: global]",
    ),
    click.option(
        "--sparsity-schedule",
        metavar="NAME",
        help="How zeros come in: 'edgeprune list schedules'.  [default: polynomial_decay]",
    ),
    click.option(
        "--initial-sparsity", type=Finite(min=0, max=1, max_open=True), metavar="S", help="[default: 0]"
    ),
    click.option(
        "--begin-step", type=click.IntRange(min=0), metavar="N", help="First optimizer step.  [default: 0]"
    ),
    click.option(
        "--end-step",
        type=click.IntRange(min=0),
        metavar="N",
        help="Step of the final sparsity.  [default: after 35 % of all steps]",
    ),
    click.option(
        "--frequency",
        type=click.IntRange(min=1),
        metavar="N",
        help="Steps between two masks.  [default: a hundredth of the way]",
    ),
    click.option("--power", type=_POSITIVE, metavar="P", help="Of the polynomial.  [default: 3]"),
)

zeros = _together(*_ZEROS)
"""Adds the options that `parse_zeroing` reads."""


_ANNOTATING = (
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

annotating = _together(*_ANNOTATING)
"""Adds --labels, --metadata, --normalization and --keep-signatures; None where not given."""


SCOPES = click.Choice(["global", "local"])
SEED = click.IntRange(min=0, max=MAX_SEED)
