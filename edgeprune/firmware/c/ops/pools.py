"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from dataclasses import asdict

from edgeprune.firmware.c.layer import Layer, Site, clamp_of, describe, emits, name_type, render
from edgeprune.firmware.c.scaling import activation_range
from edgeprune.firmware.c.window import read_window


@emits("AVERAGE_POOL_2D", "MAX_POOL_2D")
def emit(site: Site) -> Layer:
    """The mean or the largest of each window; scales of input and output are taken to be the same."""
    dtype = site.require_integers(site.input(), site.output())
    options = site.op.options
    window = read_window(site, kernel=(int(options["filter_height"]), int(options["filter_width"])))
    low, high = activation_range(options["fused_activation_function"], site.output())
    in_fours = (
        site.op.name == "AVERAGE_POOL_2D"
        and dtype == "int8"
        and site.instructions == "mve"
        and window.in_c % 4 == 0
    )
    function = render(
        f"{site.op.name.lower()}{'_mve' if in_fours else ''}.c",
        name=site.label,
        **name_type(dtype),
        comment=describe(site),
        **asdict(window),
        low=low,
        high=high,
    )
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        kernels=(clamp_of(dtype), *(("multiply", "mve", "sum_four_mve") if in_fours else ())),
        overlaps={site.op.inputs[0]: window.slack_bytes(pixels_at_once=1)}
        if window.out_c == 1 and dtype == "int8"
        else {},
    )
