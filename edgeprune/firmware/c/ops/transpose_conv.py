"""TRANSPOSE_CONV."""

import numpy as np

from edgeprune.firmware.c.channels import bound_sums, pack_channels, read_bias, read_factors
from edgeprune.firmware.c.layer import Constant, Layer, Site, describe, emits, render, shape_4d, zero_point
from edgeprune.firmware.c.scaling import activation_range

_INPUT, _BIAS = 2, 3


@emits("TRANSPOSE_CONV")
def emit(site: Site) -> Layer:
    """A transposed convolution, gathered output by output."""
    source, output, options = site.input(_INPUT), site.output(), site.op.options
    site.require("int8", source, site.input(1), output)
    weights = site.constant(1)
    out_c, kernel_h, kernel_w, in_c = weights.shape
    batches, in_h, in_w, _ = shape_4d(source.shape)
    _, out_h, out_w, _ = shape_4d(output.shape)
    pads = []
    for size, taps, step in ((out_h, kernel_h, options["stride_h"]), (out_w, kernel_w, options["stride_w"])):
        windows = -(-size // step) if options["padding"] == "SAME" else (size + step - taps) // step
        pads.append(max(0, ((windows - 1) * step + taps - size) // 2))
    rows = weights.reshape(out_c, -1)
    channels = pack_channels(
        bias=read_bias(site, position=_BIAS, channels=out_c),
        factors=read_factors(site, channels=out_c, source=_INPUT),
        output_zero=zero_point(output),
        largest_sum=2 * bound_sums(rows.astype(np.int64)),
    )
    low, high = activation_range(options["fused_activation_function"], output)
    function = render(
        "transpose_conv.c",
        name=site.label,
        comment=describe(site, source=_INPUT),
        batches=batches,
        in_h=in_h,
        in_w=in_w,
        in_c=in_c,
        out_h=out_h,
        out_w=out_w,
        out_c=out_c,
        kernel_h=kernel_h,
        kernel_w=kernel_w,
        stride_h=options["stride_h"],
        stride_w=options["stride_w"],
        pad_top=pads[0],
        pad_left=pads[1],
        in_zero=zero_point(source),
        requantize=channels.requantize,
        low=low,
        high=high,
    )
    return Layer(
        function=function,
        inputs=(site.op.inputs[_INPUT],),
        outputs=site.op.outputs,
        constants=(Constant(name="weights", values=rows), channels.constant),
        kernels=channels.kernels,
    )
