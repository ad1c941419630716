"""FULLY_CONNECTED."""

import numpy as np

from edgeprune.firmware.c.channels import bound_sums, fold_input_zero, pack_channels, read_bias, read_factors
from edgeprune.firmware.c.layer import Constant, Layer, Site, describe, emits, render, zero_point
from edgeprune.firmware.c.scaling import activation_range


@emits("FULLY_CONNECTED")
def emit(site: Site) -> Layer:
    """A matrix times each row of the input."""
    site.require("int8", site.input(), site.input(1), site.output())
    if site.op.options["weights_format"] != "DEFAULT":
        raise site.refuse("its weights are shuffled")
    weights = site.constant(1).astype(np.int64)
    outputs, inputs = weights.shape
    bias = read_bias(site, position=2, channels=outputs)
    channels = pack_channels(
        bias=fold_input_zero(site, weights, bias),
        factors=read_factors(site, channels=outputs),
        output_zero=zero_point(site.output()),
        largest_sum=bound_sums(weights),
    )
    low, high = activation_range(site.op.options["fused_activation_function"], site.output())
    function = render(
        "fully_connected.c",
        name=site.label,
        comment=describe(site),
        rows=site.input().elements // inputs,
        inputs=inputs,
        outputs=outputs,
        requantize=channels.requantize,
        low=low,
        high=high,
    )
    return Layer(
        function=function,
        inputs=(site.op.inputs[0],),
        outputs=site.op.outputs,
        constants=(Constant(name="weights", values=weights.astype(np.int8)), channels.constant),
        kernels=channels.kernels,
    )
