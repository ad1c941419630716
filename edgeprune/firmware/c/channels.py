"""Per-channel records: bias, multiplier, rounding and shift of each output channel."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from textwrap import indent
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.firmware.c.layer import Constant, Site, render, scale, zero_point
from edgeprune.firmware.c.scaling import (
    INT8_MAX,
    INT8_MIN,
    Factor,
    Integers,
    activation_range,
    quantize_factor,
)

_ODD = 64
"""More than the shift of any channel that `requantize_right` can serve."""
_MOST_TURNS = 8
"""From channels with records of one form to those of the other within a layer."""
_DEEPEST_SHIFT = 22  # so that a zero point shifted by it stays below 2^29


@dataclass(frozen=True, kw_only=True, slots=True)
class Put:
    """How Helium turns sums into outputs.

    Attributes:
        put: part of a kernel's name.
        limits: its last arguments.
        form: of `enum edgeprune_form`.
    """

    put: str
    limits: str
    form: str


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Channels:
    """How a layer turns its sums into int8.

    Attributes:
        values: (channels, 4): bias, multiplier, what is added last, shift; in the form of `requantize_right`
            for channels that it can serve; `_ODD` is added to the shift of those that only `requantize` can.
        odd: which these are.
        plain: the same in the form of `requantize`, whatever the channel, without `_ODD`.
        is_relu: whether an activation cuts off all that is negative.
        in_steps: whether the core has SMMLSR, and so `requantize_step.h` its form of the records.
        name: of the array.
    """

    values: Integers
    odd: NDArray[np.bool_]
    plain: Integers
    is_relu: bool
    in_steps: bool
    name: str = "channels"

    @property
    def is_mixed(self) -> bool:
        """Whether there are odd channels."""
        return bool(self.odd.any())

    @property
    def requantize(self) -> str:
        """The C function that serves all of them."""
        return "requantize_any" if self.is_mixed else self.right

    @property
    def right(self) -> str:
        """The C function that serves those that are not odd."""
        return "requantize_relu" if self.is_relu else "requantize_right"

    @property
    def kernels(self) -> tuple[str, ...]:
        """Files of `templates/c/kernels` it needs."""
        more = ("rescale", "requantize", "requantize_any") if self.is_mixed else ()
        return ("clamp", "requantize_step" if self.in_steps else "requantize_right", *more)

    @property
    def mve_kernels(self) -> tuple[str, ...]:
        """The same where Helium reads them."""
        return ("clamp", "multiply", "rescale", "mve")

    @property
    def constant(self) -> Constant:
        """The records, one per channel."""
        bias, multiplier, offset, right = self.values.T
        if self.in_steps:
            shifts = np.where(self.odd, 0, right)
            offset = offset >> shifts
            right = np.where(self.odd, right, -(1 << (32 - shifts)))
        values = np.stack([bias, multiplier, offset, right], axis=1).astype(np.int32)
        return Constant(name=self.name, values=values, ctype="struct edgeprune_channel")

    def alike(self, *, block: int) -> "Channels":
        """The same, where an odd channel makes all of its block odd, and too many odd blocks every one."""
        padded = self.padded(to=block)
        odd = np.repeat(padded.odd.reshape(-1, block).any(axis=1), block)
        if np.count_nonzero(np.diff(odd)) > _MOST_TURNS:
            odd[:] = True
        return replace(padded, odd=odd)

    def render_blocks(self, template: str, values: Mapping[str, Any], *, up_to: int) -> str:
        """C for one run of channels after another, those whose records have the same form.

        Args:
            template: what computes channels from $first on, $count of them, up to $last.
            values: for the template.
            up_to: where it stops; what comes then has C of its own.
        """
        ends = [0, *(np.flatnonzero(np.diff(self.odd)) + 1).tolist(), len(self.odd)]
        text = ""
        for first, last in pairwise(ends):
            last = min(last, up_to)
            if first < last:
                put = self.choose_put(values, is_odd=bool(self.odd[first]))
                text += render(template, **values, **asdict(put), first=first, last=last, count=last - first)
        return text.rstrip()

    def find_puts(self, values: Mapping[str, Any]) -> list[str]:
        """Names of the ways in which `render_blocks` has channels put out."""
        return sorted({self.choose_put(values, is_odd=is_odd).put for is_odd in self.odd.tolist()})

    def choose_put(self, values: Mapping[str, Any], *, is_odd: bool) -> Put:
        """How Helium puts out channels of one form.

        Args:
            values: of a template: low and high.
            is_odd: which form their records have.
        """
        low, high = values["low"], values["high"]
        limits = f", {low}, {high}"
        if is_odd:
            return Put(put="odd", limits=limits, form="SHIFTS_EITHER_WAY")
        form = "SHIFTS_RIGHT_OF_RELU" if self.is_relu else "SHIFTS_RIGHT"
        if (low, high) != (INT8_MIN, INT8_MAX):
            return Put(put="between", limits=limits, form=form)
        return Put(put="relu" if self.is_relu else "full", limits="", form=form)

    def in_fours(self, *, top: int = 24) -> Constant:
        """The records for Helium: each field of four channels in a row.

        Args:
            top: the bit that the lowest one of an output is shifted to.
        """
        fields = np.where(self.odd, self.plain.T, self._fields(top=top))
        rows = fields.reshape(4, -1, 4).swapaxes(0, 1).astype(np.int32)
        return Constant(name=self.name, values=np.ascontiguousarray(rows))

    def in_rows(self) -> Constant:
        """The same, one after the other; `_ODD` is added to the shift of odd ones."""
        values = np.where(self.odd, (self.plain + np.array([0, 0, 0, _ODD])).T, self._fields(top=24))
        return Constant(name=self.name, values=values.T.astype(np.int32), ctype="struct edgeprune_channel")

    def _fields(self, *, top: int) -> Integers:
        """(4, channels) of the fast form: biases once, shifts to the left."""
        bias, multiplier, offset, right = self.values.T
        return np.stack([bias // 2, multiplier, offset, top - right])

    def taken(self, places: Integers) -> "Channels":
        """These channels, in this order."""
        return replace(self, values=self.values[places], odd=self.odd[places], plain=self.plain[places])

    def padded(self, *, to: int) -> "Channels":
        """The same with records of zeros up to a multiple of so many channels."""
        more = -len(self.values) % to
        return replace(
            self,
            values=np.pad(self.values, ((0, more), (0, 0))),
            odd=np.pad(self.odd, (0, more)),
            plain=np.pad(self.plain, ((0, more), (0, 0))),
        )


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Filters:
    """Output channels, of which those that put out the same whatever the input are left without weights.

    Attributes:
        weights: (channels, products).
        bias: of each channel.
        factors: by which each channel's sums are scaled.
        zeros: what each channel adds last: the output's zero point, or the constant it is.
    """

    weights: Integers
    bias: Integers
    factors: tuple[Factor, ...]
    zeros: Integers


def settle_constants(site: Site, *, weights: Integers, bias: Integers) -> Filters:
    """The channels of an op on int8, constants found.

    A channel is one if its smallest and its largest sum make the same output, which then all between them do:
    weights are 0, too small for the output's steps, or the activation's limit is never left.

    Args:
        site: a convolution or FULLY_CONNECTED whose first input is int8.
        weights: (channels, products).
        bias: of each channel.
    """
    factors = list(read_factors(site, channels=len(weights)))
    zero, output_zero = zero_point(site.input()), zero_point(site.output())
    low, high = activation_range(site.op.options["fused_activation_function"], site.output())
    ends = np.stack([weights * (INT8_MIN - zero), weights * (INT8_MAX - zero)])
    least, most = bias + ends.min(axis=0).sum(axis=1), bias + ends.max(axis=0).sum(axis=1)
    weights, bias, zeros = weights.copy(), bias.copy(), np.full(len(weights), output_zero, np.int64)
    for channel, factor in enumerate(factors):
        values = np.array([least[channel], most[channel]])
        wraps = (np.abs(values) << max(factor.shift, 0)).max() >= 1 << 31
        first, last = np.clip(factor.scale(values) + output_zero, low, high).tolist()
        if first == last and (not wraps or values[0] == values[1]):
            weights[channel], bias[channel], zeros[channel] = 0, 0, first
            factors[channel] = Factor(multiplier=0, shift=0)
    return Filters(weights=weights, bias=bias, factors=tuple(factors), zeros=zeros)


def read_factors(site: Site, *, channels: int, source: int = 0) -> tuple[Factor, ...]:
    """Scale of input times scale of weights, over scale of output: one `Factor` per channel.

    Args:
        site: a convolution or FULLY_CONNECTED.
        channels: how many output channels there are.
        source: place of the activation among the inputs.

    Raises:
        OpError: the weights have another number of scales.
    """
    weights = site.input(1)
    if weights.scales.size not in (1, channels) or weights.zero_points.any():
        raise site.refuse("its weights are not quantized symmetrically, per tensor or per channel")
    real, target = float(scale(site.input(source))), float(scale(site.output()))
    factors = [quantize_factor(real * float(each) / target) for each in weights.scales]
    return tuple(factors * channels if len(factors) == 1 else factors)


def read_bias(site: Site, *, position: int, channels: int) -> Integers:
    """The bias of each channel; zeros where the op has none."""
    if not site.has_input(position):
        return np.zeros(channels, np.int64)
    if site.input(position).dtype != "int32":
        raise site.refuse(f"its bias is {site.input(position).dtype}, not int32")
    return site.constant(position).reshape(-1).astype(np.int64)


def pack_channels(
    site: Site,
    *,
    bias: Integers,
    factors: tuple[Factor, ...],
    output_zero: Integers | int,
    largest_sum: Integers,
    lowest: int | None = None,
) -> Channels:
    """The records, each in the form that the faster of both C functions reads, if the channel allows it.

    Args:
        site: the op.
        bias: of each channel.
        factors: of each channel.
        output_zero: the output's zero point, or what each channel adds.
        largest_sum: an upper bound of each channel's sum, in absolute value, without the bias.
        lowest: the activation's lower limit; None where there is none.
    """
    shifts = np.array([factor.shift for factor in factors], np.int64)
    multipliers = np.array([factor.multiplier for factor in factors], np.int64)
    # A product with 0 is 0 whatever the shift.
    shifts = np.where(multipliers == 0, -1, shifts)
    fits = (2 * (np.abs(bias) + largest_sum) < 2**31) & (shifts <= -1) & (shifts >= -_DEEPEST_SHIFT)
    right = np.where(fits, -shifts, 1)
    offsets = (1 << (right - 1)) + (np.asarray(output_zero) << right)
    plain = np.stack(
        [bias, multipliers, np.broadcast_to(output_zero, bias.shape), [f.shift for f in factors]], axis=1
    )
    fast = np.stack([2 * bias, multipliers, offsets, right], axis=1)
    values = np.where(fits[:, None], fast, plain + np.array([0, 0, 0, _ODD]))
    is_cut = (multipliers == 0) | (np.asarray(output_zero) <= (-np.inf if lowest is None else lowest))
    return Channels(
        values=values,
        odd=~fits,
        plain=plain,
        is_relu=bool(is_cut.all()),
        in_steps=site.instructions != "plain",
    )


def render_by_channel(template: str, channels: Channels, values: Mapping[str, Any]) -> str:
    """C for the outputs of one channel, for each form its record may have.

    Args:
        template: what puts them out by $requantize of `record`.
        channels: all channels.
        values: for the template.
    """
    right = render(template, **{**values, "requantize": channels.right}).rstrip()
    if not channels.is_mixed:
        return right
    odd = render(template, **{**values, "requantize": "requantize"}).rstrip()
    return render("by_channel.c", right=indent(right, "    "), odd=indent(odd, "    ")).rstrip()


def fold_input_zero(site: Site, weights: Integers, bias: Integers) -> Integers:
    """The bias less what the input's zero point adds to each sum.

    Args:
        site: the op.
        weights: (channels, products).
        bias: of each channel.
    """
    return np.asarray(bias - zero_point(site.input()) * weights.sum(axis=1))


def bound_sums(weights: Integers) -> Integers:
    """Upper bounds of |sum of int8 inputs times weights| for (channels, products)."""
    return np.asarray(-INT8_MIN * np.abs(weights).sum(axis=1))
