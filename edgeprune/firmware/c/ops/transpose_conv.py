"""TRANSPOSE_CONV."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.firmware.c.arithmetic import Arithmetic, compute_narrow, compute_plain, is_plain
from edgeprune.firmware.c.channels import bound_sums, pack_channels, read_bias, read_factors
from edgeprune.firmware.c.layer import Layer, Site, describe, emits, render, shape_4d, zero_point

_INPUT, _BIAS = 2, 3


@emits("TRANSPOSE_CONV")
def emit(site: Site) -> Layer:
    """A transposed convolution, gathered output by output."""
    source, output, options = site.input(_INPUT), site.output(), site.op.options
    weights = site.constant(1)
    out_c, kernel_h, kernel_w, in_c = weights.shape
    batches, in_h, in_w, _ = shape_4d(source.shape)
    _, out_h, out_w, _ = shape_4d(output.shape)
    pads = []
    for size, taps, step in ((out_h, kernel_h, options["stride_h"]), (out_w, kernel_w, options["stride_w"])):
        windows = -(-size // step) if options["padding"] == "SAME" else (size + step - taps) // step
        pads.append(max(0, ((windows - 1) * step + taps - size) // 2))
    arithmetic = _choose_arithmetic(site, weights)
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
        **arithmetic.values,
    )
    return Layer(
        function=function,
        inputs=(site.op.inputs[_INPUT],),
        outputs=site.op.outputs,
        constants=arithmetic.constants,
        kernels=arithmetic.kernels,
    )


def _choose_arithmetic(site: Site, weights: NDArray[Any]) -> Arithmetic:
    if is_plain(site, source=_INPUT):
        return compute_plain(site, weights, channel_axis=0, bias=_BIAS, source=_INPUT)
    site.require("int8", site.input(_INPUT), site.input(1), site.output())
    rows = weights.reshape(len(weights), -1).astype(np.int64)
    channels = pack_channels(
        site,
        bias=read_bias(site, position=_BIAS, channels=len(rows)),
        factors=read_factors(site, channels=len(rows), source=_INPUT),
        output_zero=zero_point(site.output()),
        largest_sum=2 * bound_sums(rows),
    )
    return compute_narrow(site, weights, channels, source=_INPUT)
