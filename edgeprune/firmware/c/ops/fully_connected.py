"""FULLY_CONNECTED."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from edgeprune.firmware.c.arithmetic import compute_plain, is_plain
from edgeprune.firmware.c.channels import (
    Channels,
    Filters,
    bound_sums,
    fold_input_zero,
    pack_channels,
    read_bias,
    settle_constants,
)
from edgeprune.firmware.c.lanes import find_turns, pack_bytes, pack_halves, pack_lanes, pack_runs
from edgeprune.firmware.c.layer import Constant, Layer, Site, describe, emits, render
from edgeprune.firmware.c.scaling import Integers, activation_range
from edgeprune.firmware.c.sparse import pack_if_sparse_rows

_MOST_SINGLE, _MOST_ALONE = 3, 5
"""Channels that take less time one by one than as a block of eight, without SIMD; where all are so few."""
_MOST_ROWS = 2
"""Channels that are computed one by one; three take as long as a block of four."""


@emits("FULLY_CONNECTED")
def emit(site: Site) -> Layer:
    """A matrix times each row of the input."""
    if site.op.options["weights_format"] != "DEFAULT":
        raise site.refuse("its weights are shuffled")
    if is_plain(site):
        return _emit_loops(site)
    site.require("int8", site.input(), site.input(1), site.output())
    weights = site.constant(1).astype(np.int64)
    bias = read_bias(site, position=2, channels=len(weights))
    return emit_rows(site, settle_constants(site, weights=weights, bias=bias))


def emit_rows(site: Site, filters: Filters) -> Layer:
    """A matrix times each row of the input, by the fastest kernel that can do it.

    Args:
        site: the op.
        filters: the rows; their weights are (outputs, inputs).
    """
    weights = filters.weights
    outputs, inputs = weights.shape
    low, high = activation_range(site.op.options["fused_activation_function"], site.output())
    channels = pack_channels(
        site,
        bias=fold_input_zero(site, weights, filters.bias),
        factors=filters.factors,
        output_zero=filters.zeros,
        largest_sum=bound_sums(weights),
        lowest=low,
    )
    values = {
        "name": site.label,
        "comment": describe(site),
        "rows": site.input().elements // inputs,
        "inputs": inputs,
        "outputs": outputs,
        "requantize": channels.requantize,
        "low": low,
        "high": high,
    }
    parts = pack_if_sparse_rows(site, weights)
    if parts is not None:
        return Layer(
            function=render("fully_connected_sparse.c", **values),
            inputs=site.op.inputs[:1],
            outputs=site.op.outputs,
            constants=(Constant(name="weights", values=parts.stream), channels.constant),
            kernels=(*channels.kernels, "dot_sparse_1x1"),
            overlaps={site.op.inputs[0]: _find_slack(values)},
        )
    if site.instructions == "mve":
        return _emit_mve(site, weights, values, channels)
    few = None if site.instructions == "plain" else _emit_few(site, weights, values, channels)
    if few is not None:
        return few
    lanes = None if site.instructions == "plain" else pack_lanes(weights, block=8)
    in_parts = lanes is not None and (inputs % 4 != 0 or lanes.segment < lanes.pairs)
    if lanes is None or (in_parts and lanes.swapped.any()):
        return _emit_bytes(site, weights, values, channels)
    channels = channels.padded(to=8).taken(lanes.order)
    turns = find_turns(channels, lanes, block=8, outputs=outputs)
    constants = [Constant(name="weights", values=lanes.words), channels.constant]
    if in_parts:
        function = render("fully_connected_parts.c", **values, segment=lanes.segment // 2)
        kernels = ["add_sums_8x1", "bytes"]
    elif turns is not None:
        function = render("fully_connected_mixed.c", **values)
        constants.append(Constant(name="turns", values=turns))
        kernels = ["add_sums_8x1", "connect_8x1"]
    else:
        rest = render("fully_connected_rest.c", **values).rstrip() if outputs % 8 else ""
        function = render("fully_connected_dsp.c", **values, rest=rest)
        kernels = ["connect_8x1", *(["bytes"] if rest else [])]
    return Layer(
        function=function,
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=tuple(constants),
        kernels=(*channels.kernels, "dsp", "split_sum", "dot_8x1", *kernels),
        overlaps={site.op.inputs[0]: _find_slack(values)},
    )


def _emit_bytes(site: Site, weights: Integers, values: Mapping[str, Any], channels: Channels) -> Layer:
    """Eight channels at a time without SIMD; those that are left over one by one, if they are few."""
    outputs = len(weights)
    few = outputs % 8 if outputs % 8 <= (_MOST_SINGLE if outputs > 8 else _MOST_ALONE) else 0
    whole = outputs - few
    values = {**values, "whole": whole, "how": "eight channels" if whole else "one channel"}
    body, constants, kernels = "", [channels.constant], []
    if whole:
        body += render("fully_connected_blocks.c", **values)
        constants.append(Constant(name="weights", values=pack_bytes(weights[:whole])))
        kernels += ["naked", "dot_8x1_bytes"]
    if few:
        body += render("fully_connected_single.c", **values)
        constants.append(Constant(name="rest", values=weights[whole:].astype(np.int8)))
        kernels.append("dot_row")
    return Layer(
        function=render("fully_connected.c", **values, body=body.rstrip()),
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=tuple(constants),
        kernels=(*channels.kernels, *kernels),
        overlaps={site.op.inputs[0]: _find_slack(values)},
    )


def _emit_few(site: Site, weights: Integers, values: Mapping[str, Any], channels: Channels) -> Layer | None:
    """Blocks of eight channels and up to four more, which need no block of that size; None where not."""
    outputs, inputs = weights.shape
    whole, few = outputs // 8 * 8, outputs % 8
    if inputs % 4 or channels.is_mixed or not 1 <= few <= 4:
        return None
    blocks = pack_lanes(weights[:whole], block=8) if whole else None
    four = pack_lanes(weights[whole:], block=4)
    if four is None or (blocks is None and whole):
        return None
    packed = [each for each in (blocks, four) if each is not None]
    if any(each.swapped.any() or each.segment < each.pairs for each in packed):
        return None
    if few <= _MOST_ROWS:
        words, template, kernels = pack_halves(weights[whole:]), "rows", ["dot_1x1"]
    else:
        words, template, kernels = four.words, "four", ["connect_4x1", "bytes"]
    rest = render(f"fully_connected_{template}.c", **values).rstrip()
    constants = [Constant(name="rest", values=words), channels.padded(to=4).constant]
    if blocks is not None:
        constants.append(Constant(name="weights", values=blocks.words))
        kernels += ["dot_8x1", "connect_8x1"]
    function = "fully_connected_few.c" if blocks is None else "fully_connected_dsp.c"
    return Layer(
        function=render(function, **values, rest=rest),
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=tuple(constants),
        kernels=(*channels.kernels, "dsp", "split_sum", *kernels),
        overlaps={site.op.inputs[0]: _find_slack(values)},
    )


def _emit_loops(site: Site) -> Layer:
    """Any type, one product at a time."""
    weights = site.constant(1)
    arithmetic = compute_plain(site, weights, channel_axis=0)
    outputs, inputs = weights.shape
    function = render(
        "fully_connected_loops.c",
        name=site.label,
        comment=describe(site),
        rows=site.input().elements // inputs,
        inputs=inputs,
        outputs=outputs,
        **arithmetic.values,
    )
    return Layer(
        function=function,
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=arithmetic.constants,
        kernels=arithmetic.kernels,
    )


def _find_slack(values: Mapping[str, Any]) -> int:
    """See `Layer.overlaps`: each row is read to its end before the next one begins."""
    rows, inputs, outputs = (int(values[name]) for name in ("rows", "inputs", "outputs"))
    return min(row * inputs - (row + 1) * outputs for row in (0, rows - 1))


def _emit_mve(site: Site, weights: Integers, values: Mapping[str, Any], channels: Channels) -> Layer:
    channels = channels.alike(block=4)
    values = {**values, "runs": -(-weights.shape[1] // 16)}
    blocks = channels.render_blocks("fully_connected_mve_blocks.c", values, up_to=len(weights) // 4 * 4)
    if len(weights) % 4:
        put = asdict(channels.choose_put(values, is_odd=bool(channels.odd[-1])))
        blocks += "\n" + render("fully_connected_mve_rest.c", **values, **put).rstrip()
    return Layer(
        function=render("fully_connected_mve.c", **values, blocks=blocks),
        inputs=site.op.inputs[:1],
        outputs=site.op.outputs,
        constants=(Constant(name="weights", values=pack_runs(weights)), channels.in_fours()),
        kernels=(
            *channels.mve_kernels,
            *("dot_4x1_mve", "connect_4x1_mve"),
            *(f"connect_4x1_{put}_mve" for put in channels.find_puts(values)),
            *(["bytes"] if len(weights) % 4 else []),
        ),
        overlaps={site.op.inputs[0]: _find_slack(values)},
    )
