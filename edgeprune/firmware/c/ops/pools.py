"""AVERAGE_POOL_2D and MAX_POOL_2D."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from edgeprune.firmware.c.arithmetic import limit_float
from edgeprune.firmware.c.layer import Layer, Site, clamp_of, describe, emits, format_float, name_type, render
from edgeprune.firmware.c.scaling import activation_range
from edgeprune.firmware.c.window import Window, read_window

_LEAST_CHANNELS = 4
_MOST_TAPS = 255
"""Whose sum fits 16 bits."""


@emits("AVERAGE_POOL_2D", "MAX_POOL_2D")
def emit(site: Site) -> Layer:
    """The mean or the largest of each window; scales of input and output are taken to be the same."""
    options = site.op.options
    window = read_window(site, kernel=(int(options["filter_height"]), int(options["filter_width"])))
    values, kernels = _compute(site)
    variant, more = _choose_variant(site, window)
    function = render(
        f"{site.op.name.lower()}{variant}.c",
        name=site.label,
        comment=describe(site),
        **asdict(window),
        **values,
    )
    return Layer(
        function=function,
        inputs=site.op.inputs,
        outputs=site.op.outputs,
        kernels=(*kernels, *more),
        overlaps=_find_overlaps(site, window),
    )


def _choose_variant(site: Site, window: Window) -> tuple[str, tuple[str, ...]]:
    """What the fastest template's name ends with, and the kernels it calls."""
    if site.input().dtype != "int8":
        return "", ()
    if site.op.name == "MAX_POOL_2D" and site.instructions != "plain" and window.in_c >= _LEAST_CHANNELS:
        return "_words", ("largest",)
    if site.op.name == "MAX_POOL_2D" or site.instructions == "plain":
        return "", ()
    if site.instructions == "mve" and window.in_c % 4 == 0:
        return "_mve", ("multiply", "rescale", "mve", "sum_four_mve")
    if window.in_c >= _LEAST_CHANNELS and window.kernel_h * window.kernel_w <= _MOST_TAPS:
        return "_words", ("dsp", "means")
    return "", ()


def _find_overlaps(site: Site, window: Window) -> Mapping[int, int | None]:
    if window.out_c > 1 or site.output().dtype != "int8":
        return {}
    return {site.op.inputs[0]: window.slack_bytes(pixels_at_once=1)}


def _compute(site: Site) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """What the template computes with, and the kernels that takes."""
    found = "sum / (float)count" if site.op.name == "AVERAGE_POOL_2D" else "largest"
    if site.input().dtype == "float32":
        site.require("float32", site.output())
        result, kernels = limit_float(site, found)
        lowest = format_float(np.finfo(np.float32).min)
        values = {"type": "float", "sum_type": "float", "nothing": "0.0F", "lowest": lowest, "result": result}
        return values, kernels
    dtype = site.require_integers(site.input(), site.output())
    low, high = activation_range(site.op.options["fused_activation_function"], site.output())
    if site.op.name == "AVERAGE_POOL_2D":
        found = "(sum + ((sum > 0) ? count / 2 : -(count / 2))) / count"
    names = name_type(dtype)
    return {
        **names,
        "sum_type": "int32_t",
        "nothing": "0",
        "low": low,
        "high": high,
        "result": f"{names['clamp']}({found}, {low}, {high})",
    }, (clamp_of(dtype),)
