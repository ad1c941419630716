"""CONV_2D."""

from dataclasses import asdict

import numpy as np

from edgeprune.firmware.c.channels import bound_sums, pack_channels, read_bias, read_factors
from edgeprune.firmware.c.layer import Constant, Layer, Site, describe, emits, render, zero_point
from edgeprune.firmware.c.scaling import activation_range
from edgeprune.firmware.c.window import read_window


@emits("CONV_2D")
def emit(site: Site) -> Layer:
    """A convolution."""
    site.require("int8", site.input(), site.input(1), site.output())
    weights = site.constant(1).astype(np.int64)
    window = read_window(site, kernel=(weights.shape[1], weights.shape[2]))
    if window.in_c % weights.shape[3] or window.out_c % (window.in_c // weights.shape[3]):
        raise site.refuse(f"{window.in_c} input channels do not fall into groups of {weights.shape[3]}")
    groups = window.in_c // weights.shape[3]
    rows = weights.reshape(window.out_c, -1)
    channels = pack_channels(
        bias=read_bias(site, position=2, channels=window.out_c),
        factors=read_factors(site, channels=window.out_c),
        output_zero=zero_point(site.output()),
        largest_sum=2 * bound_sums(rows),
    )
    low, high = activation_range(site.op.options["fused_activation_function"], site.output())
    function = render(
        "conv_2d.c",
        name=site.label,
        comment=describe(site),
        **asdict(window),
        group_inputs=weights.shape[3],
        group_outputs=window.out_c // groups,
        in_zero=zero_point(site.input()),
        requantize=channels.requantize,
        low=low,
        high=high,
    )
    return Layer(
        function=function,
        inputs=(site.op.inputs[0],),
        outputs=site.op.outputs,
        constants=(Constant(name="weights", values=rows.astype(np.int8)), channels.constant),
        kernels=channels.kernels,
    )
