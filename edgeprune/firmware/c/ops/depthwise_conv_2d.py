"""DEPTHWISE_CONV_2D."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from edgeprune.firmware.c.arithmetic import Arithmetic, compute_narrow, compute_plain, is_plain
from edgeprune.firmware.c.channels import (
    Channels,
    bound_sums,
    fold_input_zero,
    pack_channels,
    read_bias,
    render_by_channel,
    settle_constants,
)
from edgeprune.firmware.c.layer import IN_PLACE, Constant, Layer, Site, describe, emits, render, zero_point
from edgeprune.firmware.c.ops.conv_2d import emit_convolution
from edgeprune.firmware.c.scaling import Integers, activation_range
from edgeprune.firmware.c.window import Window, read_window

_SIZES = ("in", "out", "kernel", "stride", "dilation")


@emits("DEPTHWISE_CONV_2D")
def emit(site: Site) -> Layer:
    """A depthwise convolution, by the fastest kernel that can do it."""
    weights = site.constant(1)[0]
    window = read_window(site, kernel=(weights.shape[0], weights.shape[1]))
    if window.out_c % window.in_c:
        raise site.refuse(f"{window.out_c} outputs are no multiple of {window.in_c} inputs")
    if is_plain(site):
        return _emit_loops(site, window, compute_plain(site, weights, channel_axis=2))
    site.require("int8", site.input(), site.input(1), site.output())
    taps = weights.reshape(-1, window.out_c)
    if window.in_c == 1:
        return emit_convolution(site, weights=np.moveaxis(weights, 2, 0)[..., None])
    in_planes = window.dilation_h == window.dilation_w == 1
    filters = settle_constants(
        site,
        weights=taps.T.astype(np.int64),
        bias=read_bias(site, position=2, channels=window.out_c),
    )
    taps = filters.weights.T.astype(np.int8)
    bias = fold_input_zero(site, filters.weights, filters.bias) if in_planes else filters.bias
    low, high = activation_range(site.op.options["fused_activation_function"], site.output())
    channels = pack_channels(
        site,
        bias=bias,
        factors=filters.factors,
        output_zero=filters.zeros,
        largest_sum=bound_sums(filters.weights) * (1 if in_planes else 2),
        lowest=low,
    )
    values = asdict(window) | {
        "name": site.label,
        "comment": describe(site),
        "multiplier": window.out_c // window.in_c,
        "in_zero": f"({zero_point(site.input())})",
        "requantize": channels.requantize,
        "low": low,
        "high": high,
    }
    constants = (Constant(name="weights", values=taps), channels.constant)
    # Planes let the output take the input's place; eight channels at once are faster.
    in_eights = (
        site.instructions == "mve"
        and site.optimize != "ram"
        and in_planes
        and (window.in_c == window.out_c and window.in_c % 8 == 0)
    )
    if _fits_tiles(site, window) and in_planes:
        return _emit_tiles(site, window, values, taps=filters.weights, channels=channels)
    if in_eights:
        channels = channels.alike(block=8)
        even_first = np.arange(window.out_c).reshape(-1, 4, 2).swapaxes(1, 2).reshape(-1)
        is_3x3 = (window.kernel_h, window.kernel_w) == (3, 3)
        template = f"depthwise_conv_2d_mve_{'3x3' if is_3x3 else 'blocks'}.c"
        blocks = channels.render_blocks(template, values, up_to=window.out_c)
        kernels = ("depthwise_8_mve", *(("depthwise_3x3_mve",) if is_3x3 else ()))
        return Layer(
            function=render("depthwise_conv_2d_mve.c", **values, blocks=blocks),
            inputs=site.op.inputs[:1],
            outputs=site.op.outputs,
            constants=(constants[0], channels.taken(even_first).in_fours()),
            kernels=(*channels.mve_kernels, *kernels),
            scratch_bytes=-(-taps.size // 4) * 4,
        )
    if in_planes:
        return _emit_planes(site, window, values, taps=constants[0], channels=channels)
    return _emit_loops(site, window, compute_narrow(site, taps, channels))


def _fits_tiles(site: Site, window: Window) -> bool:
    """Whether Helium can compute it in tiles, and their columns take little memory beside the image."""
    return (
        site.instructions == "mve"
        and site.optimize == "speed"
        and (window.kernel_h, window.kernel_w, window.stride_h, window.stride_w) == (3, 3, 1, 1)
        and window.in_c == window.out_c
        and min(window.out_h, window.out_w, window.in_c // 2) >= 2
        and 4 * _count_column_bytes(window) <= window.in_h * window.in_w * window.in_c
    )


def _count_column_bytes(window: Window) -> int:
    """Of the columns of a tile's rows, and one of the margin."""
    return 64 * (window.out_w + 3)


def _emit_tiles(
    site: Site, window: Window, values: Mapping[str, Any], *, taps: Integers, channels: Channels
) -> Layer:
    """Two by two outputs at a time.

    Args:
        site: the op.
        window: its window.
        values: for the template.
        taps: (channels, 9).
        channels: their records.
    """
    columns = np.zeros((len(taps), 4, 4), np.int8)
    columns[:, 1:, :3] = taps.reshape(-1, 3, 3).swapaxes(1, 2)
    put = channels.choose_put(values, is_odd=False)
    head, kernels = "", [*channels.mve_kernels, "tiles_mve"]
    if channels.is_mixed:
        head = render("depthwise_conv_2d_mve_tiles_mixed.c", **values, form=put.form)
        kernel, sizes = f"{site.label}_tiles", ""
    else:
        kernel, sizes = f"tiles_{put.put}_mve", f", OUT_W, CHANNELS{put.limits}"
        kernels.append(kernel)
    return Layer(
        function=render("depthwise_conv_2d_mve_tiles.c", **values, head=head, kernel=kernel, sizes=sizes),
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=(
            Constant(name="weights", values=np.pad(columns.reshape(-1), 4)),
            channels.in_rows(),
        ),
        kernels=tuple(kernels),
        scratch_bytes=_count_column_bytes(window),
    )


def _emit_loops(site: Site, window: Window, arithmetic: Arithmetic) -> Layer:
    """Any shape and type, one product at a time."""
    function = render(
        "depthwise_conv_2d.c",
        name=site.label,
        comment=describe(site),
        **asdict(window),
        **arithmetic.values,
        multiplier=window.out_c // window.in_c,
    )
    return Layer(
        function=function,
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=arithmetic.constants,
        kernels=arithmetic.kernels,
    )


def _emit_planes(
    site: Site,
    window: Window,
    values: Mapping[str, Any],
    *,
    taps: Constant,
    channels: Channels,
) -> Layer:
    """Channel by channel on a plane of 16-bit numbers, whose margin holds the padding."""
    is_3x3 = (window.kernel_h, window.kernel_w) == (3, 3)
    in_pairs = is_3x3 and site.instructions != "plain" and window.stride_w in (1, 2)
    pixels = {"in_x": window.in_c, "in_y": window.in_w * window.in_c}
    pixels |= {"out_x": window.out_c, "out_y": window.out_w * window.out_c}
    pixels |= {"tap_x": window.out_c, "tap_y": window.kernel_w * window.out_c}
    is_turned = in_pairs and window.stride_h in (1, 2) and _count_pairs(_turn(window)) < _count_pairs(window)
    if is_turned:
        window = _turn(window)
        pixels = {key[:-1] + ("y" if key[-1] == "x" else "x"): value for key, value in pixels.items()}
    # Two outputs of a row are computed at once; words start at even places.
    columns = -(-window.out_w // 2) * 2
    reached = (columns - 1) * window.stride_w + -(-window.kernel_w // 2) * 2
    plane_w = -(-max(reached, window.pad_left + window.in_w) // 2) * 2
    plane_h = max((window.out_h - 1) * window.stride_h + window.kernel_h, window.pad_top + window.in_h)
    values = {**values, **asdict(window), **pixels} | {
        "turned": "; its rows are columns of the image" if is_turned else "",
        "plane_h": plane_h,
        "plane_w": plane_w,
        "step": f"add_row_stride_{window.stride_w}",
    }
    by_taps = not in_pairs and site.instructions != "plain"
    if by_taps:
        row = "".join(
            render("depthwise_conv_2d_pairs_row.c", at=at, place=at // 2)
            for at in range(0, window.kernel_w, 2)
        )
        values |= {"row": row + f"                    pair += {-(-window.kernel_w // 2)};"}
    kind = "3x3" if in_pairs else "pairs" if by_taps else "nine" if is_3x3 else "any"
    body = render_by_channel(f"depthwise_conv_2d_{kind}.c", channels, values)
    same = (window.out_h, window.out_w, window.out_c) == (window.in_h, window.in_w, window.in_c)
    return Layer(
        function=render("depthwise_conv_2d_planes.c", **values, body=body),
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=(taps, channels.constant),
        kernels=(
            *channels.kernels,
            "widen_column",
            *(("dsp",) if in_pairs or by_taps else ()),
            *(("add_row",) if in_pairs else ()),
        ),
        scratch_bytes=2 * plane_h * plane_w,
        overlaps={site.op.inputs[0]: IN_PLACE} if same else {},
    )


def _turn(window: Window) -> Window:
    """The same with rows for columns."""
    return replace(
        window,
        **{f"{name}_h": getattr(window, f"{name}_w") for name in _SIZES},
        **{f"{name}_w": getattr(window, f"{name}_h") for name in _SIZES},
        pad_top=window.pad_left,
        pad_left=window.pad_top,
    )


def _count_pairs(window: Window) -> int:
    """Of two outputs in a row; the last may be half empty."""
    return window.out_h * -(-window.out_w // 2)
