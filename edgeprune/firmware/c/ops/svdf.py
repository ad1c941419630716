"""SVDF."""

import numpy as np

from edgeprune.firmware.c.channels import read_bias
from edgeprune.firmware.c.layer import (
    C_TYPES,
    Constant,
    Layer,
    Site,
    describe,
    emits,
    render,
    scale,
    zero_point,
)
from edgeprune.firmware.c.scaling import quantize_factor

_FEATURES, _TIMES, _BIAS, _STATE = 1, 2, 3, 4


@emits("SVDF")
def emit(site: Site) -> Layer:
    """Each unit weighs features, and what it made of them in the inferences before, by their age."""
    source, output, state = site.input(), site.output(), site.input(_STATE)
    site.require("int8", source, output, site.input(_FEATURES))
    if state.dtype not in ("int8", "int16") or site.input(_TIMES).dtype != state.dtype:
        raise site.refuse(f"its state is {state.dtype} and its weights of time {site.input(_TIMES).dtype}")
    features, times = site.constant(_FEATURES), site.constant(_TIMES)
    rank = int(site.op.options["rank"])
    units = len(features) // rank
    sums = features.astype(np.int64).sum(axis=1)
    remembered = quantize_factor(float(scale(source) * scale(site.input(_FEATURES)) / scale(state)))
    shown = quantize_factor(float(scale(state) * scale(site.input(_TIMES)) / scale(output)))
    limits = np.iinfo(state.dtype)
    function = render(
        "svdf.c",
        name=site.label,
        comment=describe(site),
        batches=source.shape[0],
        inputs=features.shape[1],
        units=units,
        rank=rank,
        memory=times.shape[1],
        state_type=C_TYPES[state.dtype],
        state_zero=zero_point(state),
        state_low=limits.min,
        state_high=limits.max,
        state_multiplier=remembered.multiplier,
        state_shift=remembered.shift,
        out_multiplier=shown.multiplier,
        out_shift=shown.shift,
        out_zero=zero_point(output),
    )
    biases = read_bias(site, position=_BIAS, channels=units).astype(np.int32)
    return Layer(
        function=function,
        inputs=(site.op.inputs[0], site.op.inputs[_STATE]),
        outputs=site.op.outputs,
        constants=(
            Constant(name="features", values=features),
            Constant(name="starts", values=(-zero_point(source) * sums).astype(np.int32)),
            Constant(name="times", values=times),
            Constant(name="biases", values=biases),
        ),
        kernels=("clamp", "rescale"),
    )
