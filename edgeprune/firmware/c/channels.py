"""Per-channel records: bias, multiplier, rounding and shift of each output channel."""

from dataclasses import dataclass, replace

import numpy as np

from edgeprune.firmware.c.layer import Constant, Site, scale, zero_point
from edgeprune.firmware.c.scaling import (
    INT8_MAX,
    INT8_MIN,
    Factor,
    Integers,
    activation_range,
    quantize_factor,
)

_DEEPEST_SHIFT = 22  # so that a zero point shifted by it stays below 2^29


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Channels:
    """How a layer turns its sums into int8.

    Attributes:
        constant: the records, one per channel.
        requantize: the C function that reads them.
    """

    constant: Constant
    requantize: str

    @property
    def kernels(self) -> tuple[str, ...]:
        """Files of `templates/c/kernels` it needs."""
        return (
            ("clamp", "requantize_right")
            if self.requantize == "requantize_right"
            else ("clamp", "rescale", "requantize")
        )

    def in_fours(self) -> Constant:
        """The records for Helium: each field of four channels in a row; biases once, shifts to the left."""
        bias, multiplier, offset, right = self.padded(to=4).constant.values.T
        fields = np.stack([bias // 2, multiplier, offset, -right])
        rows = fields.reshape(4, -1, 4).swapaxes(0, 1)
        return Constant(name=self.constant.name, values=np.ascontiguousarray(rows))

    def padded(self, *, to: int) -> "Channels":
        """The same with records of zeros up to a multiple of so many channels."""
        values = self.constant.values
        filled = np.zeros((-(-len(values) // to) * to, values.shape[1]), np.int32)
        filled[: len(values)] = values
        return replace(self, constant=replace(self.constant, values=filled))


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
    *, bias: Integers, factors: tuple[Factor, ...], output_zero: Integers | int, largest_sum: Integers
) -> Channels:
    """The records, in the form that the faster of both C functions reads, if every channel allows it.

    Args:
        bias: of each channel.
        factors: of each channel.
        output_zero: the output's zero point, or what each channel adds.
        largest_sum: an upper bound of each channel's sum, in absolute value, without the bias.
    """
    shifts = np.array([factor.shift for factor in factors], np.int64)
    multipliers = np.array([factor.multiplier for factor in factors], np.int64)
    # A product with 0 is 0 whatever the shift.
    shifts = np.where(multipliers == 0, -1, shifts)
    fits = (2 * (np.abs(bias) + largest_sum) < 2**31) & (shifts <= -1) & (shifts >= -_DEEPEST_SHIFT)
    if fits.all():
        right = -shifts
        offsets = (1 << (right - 1)) + (output_zero << right)
        records = np.stack([2 * bias, multipliers, offsets, right], axis=1)
        name = "requantize_right"
    else:
        zeros = np.broadcast_to(output_zero, bias.shape)
        records = np.stack([bias, multipliers, zeros, np.array([f.shift for f in factors])], axis=1)
        name = "requantize"
    constant = Constant(name="channels", values=records.astype(np.int32), ctype="struct edgeprune_channel")
    return Channels(constant=constant, requantize=name)


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
