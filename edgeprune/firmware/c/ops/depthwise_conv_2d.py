"""DEPTHWISE_CONV_2D."""

from dataclasses import asdict

import numpy as np

from edgeprune.firmware.c.channels import bound_sums, pack_channels, read_bias, read_factors
from edgeprune.firmware.c.layer import Constant, Layer, Site, describe, emits, render, zero_point
from edgeprune.firmware.c.scaling import activation_range
from edgeprune.firmware.c.window import read_window


@emits("DEPTHWISE_CONV_2D")
def emit(site: Site) -> Layer:
    """A depthwise convolution."""
    site.require("int8", site.input(), site.input(1), site.output())
    weights = site.constant(1)[0]
    window = read_window(site, kernel=(weights.shape[0], weights.shape[1]))
    if window.out_c % window.in_c:
        raise site.refuse(f"{window.out_c} outputs are no multiple of {window.in_c} inputs")
    taps = weights.reshape(-1, window.out_c)
    channels = pack_channels(
        bias=read_bias(site, position=2, channels=window.out_c),
        factors=read_factors(site, channels=window.out_c),
        output_zero=zero_point(site.output()),
        largest_sum=2 * bound_sums(taps.T.astype(np.int64)),
    )
    low, high = activation_range(site.op.options["fused_activation_function"], site.output())
    function = render(
        "depthwise_conv_2d.c",
        name=site.label,
        comment=describe(site),
        **asdict(window),
        multiplier=window.out_c // window.in_c,
        in_zero=zero_point(site.input()),
        requantize=channels.requantize,
        low=low,
        high=high,
    )
    return Layer(
        function=function,
        inputs=(site.op.inputs[0],),
        outputs=site.op.outputs,
        constants=(Constant(name="weights", values=taps), channels.constant),
        kernels=channels.kernels,
    )
