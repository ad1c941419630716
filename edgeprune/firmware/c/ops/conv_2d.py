"""CONV_2D."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.firmware.c import winograd
from edgeprune.firmware.c.arithmetic import Arithmetic, compute_narrow, compute_plain, is_plain
from edgeprune.firmware.c.channels import (
    Channels,
    Filters,
    bound_sums,
    fold_input_zero,
    pack_channels,
    read_bias,
    render_by_channel,
    settle_constants,
)
from edgeprune.firmware.c.lanes import (
    LaneWeights,
    Parts,
    find_turns,
    pack_lanes,
    pack_parts,
    pack_runs,
    pack_sparse,
)
from edgeprune.firmware.c.layer import Constant, Faster, Layer, Site, describe, emits, render, zero_point
from edgeprune.firmware.c.ops.fully_connected import emit_rows
from edgeprune.firmware.c.scaling import INT8_MAX, INT8_MIN, Integers, activation_range
from edgeprune.firmware.c.sparse import count_windows, pack_if_sparse
from edgeprune.firmware.c.window import Window, read_window

_PARTS = ("naked", "parts_1x8")
_MOST_ODD_BLOCKS = 4
"""Blocks of channels that have C of their own; more are told apart while it runs."""
_CLEARLY = 0.15
"""Of a layer's instructions, which are estimated, what a faster kernel saves at least."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Convolution:
    """A convolution, read and checked.

    Attributes:
        site: the op.
        window: its window.
        filters: its output channels; weights are those of taps and input channels of the group.
        groups: into how many its channels fall.
    """

    site: Site
    window: Window
    filters: Filters
    groups: int

    @property
    def weights(self) -> Integers:
        """(output channels, taps and input channels of the group)."""
        return self.filters.weights

    def pack_channels(self, *, folded: bool, excess: Integers | int = 0) -> Channels:
        """The channels' records.

        Args:
            folded: the input's zero point is part of the bias.
            excess: by how much the kernel's sums are too large.
        """
        bias = self.filters.bias
        if folded:
            bias = fold_input_zero(self.site, self.weights, bias)
        return pack_channels(
            self.site,
            bias=bias - excess,
            factors=self.filters.factors,
            output_zero=self.filters.zeros,
            largest_sum=bound_sums(self.weights) * (1 if folded else 2) + excess,
            lowest=self.limits[0],
        )

    @property
    def limits(self) -> tuple[int, int]:
        """Smallest and largest output."""
        return activation_range(self.site.op.options["fused_activation_function"], self.site.output())

    def values(self, channels: Channels) -> Mapping[str, Any]:
        """What every template of a convolution is filled with."""
        low, high = self.limits
        return asdict(self.window) | {
            "name": self.site.label,
            "comment": describe(self.site),
            "pixels": self.window.pixels,
            "in_zero": f"({zero_point(self.site.input())})",
            "requantize": channels.requantize,
            "low": low,
            "high": high,
        }


@emits("CONV_2D")
def emit(site: Site) -> Layer:
    """A convolution."""
    if is_plain(site):
        weights = site.constant(1)
        window = read_window(site, kernel=(weights.shape[1], weights.shape[2]))
        return emit_loops(site, window, compute_plain(site, weights, channel_axis=0))
    site.require("int8", site.input(), site.input(1), site.output())
    return emit_convolution(site, weights=site.constant(1))


def emit_convolution(site: Site, *, weights: NDArray[np.int8]) -> Layer:
    """A convolution with these weights, by the fastest kernel that can do it without more flash.

    Args:
        site: the op.
        weights: (output channels, height, width, input channels of a group).
    """
    convolution = _read(site, weights.astype(np.int64))
    window, rows = convolution.window, convolution.weights
    if convolution.groups == 1 and _is_one_row(window):
        return emit_rows(site, convolution.filters)
    if convolution.groups == 1 and window.dilation_w == 1:
        return _emit_fast(convolution)
    channels = convolution.pack_channels(folded=False)
    return emit_loops(
        site, window, compute_narrow(site, rows, channels), group_inputs=window.in_c // convolution.groups
    )


def _emit_fast(convolution: Convolution) -> Layer:
    """One without groups, whose windows lie side by side in memory."""
    site, rows, pixels = convolution.site, convolution.weights, convolution.window.pixels
    dense, sparse = count_windows(site, rows, pixels=pixels)
    parts = pack_if_sparse(site, rows, pixels=pixels)
    if parts is not None:
        return _let_be_faster(convolution, _emit_sparse(convolution, parts), instructions=sparse)
    if site.instructions == "mve":
        return _emit_mve(convolution, convolution.pack_channels(folded=True))
    if site.instructions == "plain":
        return _emit_packed(convolution)
    lanes = pack_lanes(rows, block=4)
    if lanes is not None:
        return _let_be_faster(convolution, _emit_dsp(convolution, lanes), instructions=dense)
    every = pack_sparse(rows, in_halves=False)  # takes weights of -128 as well
    return _let_be_faster(convolution, _emit_sparse(convolution, every), instructions=sparse)


def _let_be_faster(convolution: Convolution, layer: Layer, *, instructions: float) -> Layer:
    """A layer that takes so many instructions, with what may take its place, if that takes clearly fewer."""
    site, window = convolution.site, convolution.window
    if site.optimize != "speed" or not winograd.is_possible(site, window, convolution.weights):
        return layer
    saves = instructions - winograd.count_instructions(window)
    if saves <= _CLEARLY * instructions:
        return layer
    return replace(layer, faster=Faster(layer=_emit_winograd(convolution), saves=saves))


def emit_loops(
    site: Site, window: Window, arithmetic: Arithmetic, *, group_inputs: int | None = None
) -> Layer:
    """A convolution of any shape and type, one product at a time.

    Args:
        site: the op.
        window: its window.
        arithmetic: what it computes with.
        group_inputs: input channels of a group; None for those of the weights.
    """
    if group_inputs is None:
        group_inputs = site.input(1).shape[-1]
    function = render(
        "conv_2d.c",
        name=site.label,
        comment=describe(site),
        **asdict(window),
        **arithmetic.values,
        group_inputs=group_inputs,
        group_outputs=window.out_c // _count_groups(site, window, group_inputs),
    )
    return Layer(
        function=function,
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=arithmetic.constants,
        kernels=arithmetic.kernels,
    )


def _count_groups(site: Site, window: Window, group_inputs: int) -> int:
    if window.in_c % group_inputs or window.out_c % (window.in_c // group_inputs):
        raise site.refuse(f"{window.in_c} input channels do not fall into groups of {group_inputs}")
    return window.in_c // group_inputs


def _read(site: Site, weights: Integers) -> Convolution:
    window = read_window(site, kernel=(weights.shape[1], weights.shape[2]))
    groups = _count_groups(site, window, weights.shape[3])
    return Convolution(
        site=site,
        window=window,
        filters=settle_constants(
            site,
            weights=weights.reshape(window.out_c, -1),
            bias=read_bias(site, position=2, channels=window.out_c),
        ),
        groups=groups,
    )


def _is_one_row(window: Window) -> bool:
    """Whether the window covers the whole image, which makes it a matrix product."""
    return (window.out_h, window.out_w) == (1, 1) and (
        (window.kernel_h, window.kernel_w, window.pad_top, window.pad_left)
        == (window.in_h, window.in_w, 0, 0)
    )


def _emit_dsp(convolution: Convolution, lanes: LaneWeights) -> Layer:
    site, window = convolution.site, convolution.window
    channels = convolution.pack_channels(folded=True).padded(to=4).taken(lanes.order)
    turns = find_turns(channels, lanes, block=4, outputs=window.out_c)
    values = {**convolution.values(channels), "pairs": lanes.pairs, "segment": lanes.segment}
    kernels = [*channels.kernels, "dsp", "split_sum", "dot_4x2"]
    scratch_bytes = 8 * lanes.pairs
    head = ""
    if window.in_c % 4:
        kind = "bytes"
        kernels += ["bytes", "widen_lane"]
        scratch_bytes += 2 * lanes.pairs
    elif window.is_pointwise:
        kind = "pointwise"
        kernels.append("widen_two")
    else:
        kind = "words"
        kernels += ["widen_two", "widen_lane", "fill_lane"]
        head = render("conv_2d_gather_lane.c", **values)
    gather = render(f"conv_2d_gather_{kind}.c", **values).rstrip()
    constants = [Constant(name="weights", values=lanes.words), channels.constant]
    # Whole sums are doubled before they are scaled.
    is_whole = lanes.segment == lanes.pairs and 2 * bound_sums(convolution.weights).max() < 1 << 31
    if is_whole and (values["low"], values["high"]) == (INT8_MIN, INT8_MAX):
        relu = "_relu" if channels.is_relu else ""
        values |= {"between": relu, "limits": ""}
        kernels += ["convolve_4x2", f"convolve_4x2{relu or '_full'}"]
    elif is_whole:
        values |= {"between": "_between", "limits": f", {values['low']}, {values['high']}"}
        kernels += ["convolve_4x2", "convolve_4x2_between"]
    few = turns is not None and np.count_nonzero(turns >= 0) <= _MOST_ODD_BLOCKS
    if turns is not None:
        odd = ("rescale", "requantize", "convolve_4x2_odd", "bytes")
        kernels += odd if is_whole else ["add_sums_4x2"]
    if turns is not None and is_whole and few:
        multiply = _render_runs(turns, values, outputs=window.out_c)
    elif turns is not None:
        multiply = render(f"conv_2d_multiply_{'mixed' if is_whole else 'turned'}.c", **values)
        constants.append(Constant(name="turns", values=turns))
    elif not is_whole:
        multiply = render("conv_2d_multiply_segments.c", **values)
        kernels.append("add_sums_4x2")
    else:
        rest = render("conv_2d_multiply_rest.c", **values).rstrip() if window.out_c % 4 else ""
        multiply = render("conv_2d_multiply.c", **values, rest=rest)
        kernels += ["bytes"] if rest else []
    return Layer(
        function=head + render("conv_2d_dsp.c", **values, gather=gather, multiply=multiply.rstrip()),
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=tuple(constants),
        kernels=tuple(kernels),
        scratch_bytes=scratch_bytes,
        overlaps={site.op.inputs[0]: window.slack_bytes(pixels_at_once=2)},
    )


def _render_runs(turns: NDArray[np.int8], values: Mapping[str, Any], *, outputs: int) -> str:
    """C for one run of blocks after another, and for each odd block by itself."""
    text, first = "", 0
    for last in [*(4 * np.flatnonzero(turns >= 0)).tolist(), outputs]:
        if first < last:
            text += render("conv_2d_multiply_run.c", **values, first=first, count=last - first)
        if last < outputs:
            rest = "_rest" if last + 4 > outputs else ""
            odd = {"first": last, "turns": int(turns[last // 4])}
            text += render(f"conv_2d_multiply_odd{rest}.c", **values, **odd)
        first = last + 4
    return text


def _emit_winograd(convolution: Convolution) -> Layer:
    site, window = convolution.site, convolution.window
    channels = convolution.pack_channels(folded=True)
    values = {**convolution.values(channels), "pairs": winograd.count_pairs(window)}
    is_any = channels.is_mixed or (values["low"], values["high"]) != (INT8_MIN, INT8_MAX)
    limits = f", {values['low']}, {values['high']}"
    values |= {"any": "_any", "limits": limits} if is_any else {"any": "", "limits": ""}
    weights = convolution.weights.reshape(window.out_c, 3, 3, window.in_c)
    odd = ("rescale", "requantize", "requantize_any", "winograd_put_any") if is_any else ()
    return Layer(
        function=render("conv_2d_winograd.c", **values),
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=(Constant(name="weights", values=winograd.pack_winograd(weights)), channels.constant),
        kernels=(*channels.kernels, "bytes", "dsp", "winograd", "winograd_put", *odd),
        scratch_bytes=winograd.count_scratch_bytes(window),
        overlaps={site.op.inputs[0]: winograd.find_slack_bytes(window)},
    )


def _emit_mve(convolution: Convolution, channels: Channels) -> Layer:
    site, window = convolution.site, convolution.window
    runs = -(-convolution.weights.shape[1] // 16)
    channels = channels.alike(block=4)
    values = {**convolution.values(channels), "runs": runs}
    whole = window.out_c // 4 * 4
    blocks = channels.render_blocks("conv_2d_mve_blocks.c", values, up_to=whole)
    if window.out_c % 4:
        put = asdict(channels.choose_put(values, is_odd=bool(channels.odd[-1])))
        blocks += "\n" + render("conv_2d_mve_rest.c", **values, **put).rstrip()
    return Layer(
        function=render("conv_2d_mve.c", **values, blocks=blocks),
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=(
            Constant(name="weights", values=pack_runs(convolution.weights)),
            channels.in_fours(),
        ),
        kernels=(
            *channels.mve_kernels,
            *("dot_4x2_mve", "convolve_two_mve"),
            *(f"convolve_two_{put}_mve" for put in channels.find_puts(values)),
            *(["bytes"] if window.out_c % 4 else []),
        ),
        scratch_bytes=32 * runs,
        overlaps={site.op.inputs[0]: window.slack_bytes(pixels_at_once=2)},
    )


def _emit_packed(convolution: Convolution) -> Layer:
    """Eight pixels at a time, without SIMD."""
    parts = pack_parts(convolution.weights)
    channels = convolution.pack_channels(folded=True, excess=parts.excess)
    return _emit_eights(convolution, parts, channels, dot="dot_1x8", kernels=("join_products", *_PARTS))


def _emit_sparse(convolution: Convolution, parts: Parts) -> Layer:
    """Eight pixels at a time, and only weights that are not 0."""
    if convolution.site.instructions == "plain":
        channels = convolution.pack_channels(folded=True, excess=parts.excess)
        kernels = ("join_products", *_PARTS)
        return _emit_eights(convolution, parts, channels, dot="dot_sparse_1x8", kernels=kernels)
    channels = convolution.pack_channels(folded=True)
    return _emit_eights(convolution, parts, channels, dot="dot_sparse_1x8_dsp", kernels=("dsp", "join_lanes"))


def _emit_eights(
    convolution: Convolution, parts: Parts, channels: Channels, *, dot: str, kernels: tuple[str, ...]
) -> Layer:
    site, window = convolution.site, convolution.window
    which = ", without weights of 0" if "sparse" in dot else ""
    values = convolution.values(channels)
    put = render_by_channel("conv_2d_eights_put.c", channels, values)
    return Layer(
        function=render("conv_2d_eights.c", **values, dot=dot, which=which, put=put),
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=(Constant(name="weights", values=parts.stream), channels.constant),
        kernels=(*channels.kernels, *kernels, "put_half", "put_pair", "gather_eight", dot),
        scratch_bytes=16 * convolution.weights.shape[1],
        overlaps={site.op.inputs[0]: window.slack_bytes(pixels_at_once=8)},
    )
