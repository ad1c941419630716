"""Options that several commands share."""

import math
from typing import Any

import click


class Finite(click.FloatRange):
    """A number in a range; unlike click's own, not a NaN and no infinity."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The float."""
        number = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a finite number.", param, ctx)
        return number


_POSITIVE = Finite(min=0, min_open=True)

device = click.option(
    "--device", required=True, metavar="ID", help="A name from 'edgeprune devices list', or a profile's file."
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
force = click.option("--force", is_flag=True, help="Replace an output that exists.")
keep = click.option(
    "--keep",
    multiple=True,
    metavar="PATTERN",
    help="Keep all channels of the layers whose names match, for example 'conv2d_*'. Can be repeated.",
)
loss = click.option(
    "--loss", metavar="NAME", help="What gradients are taken of, where the model does not say."
)
metric = click.option("--metric", metavar="NAME", help="What counts as good, where the model does not say.")
normalise = click.option(
    "--normalise",
    metavar="NAME",
    help="Makes scores comparable: 'edgeprune list normalisers'.  [default: the criterion's own way]",
)
SCOPES = click.Choice(["global", "local"])
SEED = click.IntRange(min=0, max=2**32 - 1)  # what numpy's and TensorFlow's generators take
