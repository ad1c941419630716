"""How convolutions of any type multiply, sum up and make an output of a sum.

Kernels that are fast exist for int8 alone. Those that compute one product at a time serve three types, with
the same loops.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from edgeprune.firmware.c.channels import Channels, read_factors
from edgeprune.firmware.c.layer import Constant, Site, format_float, zero_point
from edgeprune.firmware.c.scaling import Factor, activation_range

_LARGEST_FLOAT = format_float(np.finfo(np.float32).max)
_MOST_BITS = 47
"""Of a sum of int16 that TFLM's kernels can scale."""
_LARGEST_SHIFT = 7
_FLOORS = {"RELU": 0.0, "RELU6": 0.0, "RELU_N1_TO_1": -1.0}
_CEILINGS = {"RELU6": 6.0, "RELU_N1_TO_1": 1.0}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Arithmetic:
    """What a convolution computes with.

    Attributes:
        values: for its template: types, and the output as an expression of `sum` and `channel`.
        constants: weights, and what each channel adds and is scaled by.
        kernels: files of `templates/c/kernels`.
    """

    values: Mapping[str, Any]
    constants: tuple[Constant, ...]
    kernels: tuple[str, ...]


def compute_narrow(site: Site, weights: NDArray[Any], channels: Channels, *, source: int = 0) -> Arithmetic:
    """That of int8, whose zero point is subtracted from each input.

    Args:
        site: the op.
        weights: in the order in which the template reads them.
        channels: the records of its channels.
        source: place of the activation among the inputs.
    """
    low, high = activation_range(site.op.options["fused_activation_function"], site.output())
    record = f"&{site.label}_channels[channel]"
    return Arithmetic(
        values={
            "type": "int8_t",
            "weight_type": "int8_t",
            "sum_type": "int32_t",
            "nothing": "0",
            "less": f" - ({zero_point(site.input(source))})",
            "result": f"clamp_int8({channels.requantize}(sum, {record}), {low}, {high})",
        },
        constants=(Constant(name="weights", values=weights.astype(np.int8)), channels.constant),
        kernels=channels.kernels,
    )


def is_plain(site: Site, *, source: int = 0) -> bool:
    """Whether the activation is of a type that `compute_plain` is for."""
    return site.input(source).dtype in ("int16", "float32")


def compute_plain(
    site: Site, weights: NDArray[Any], *, channel_axis: int, bias: int = 2, source: int = 0
) -> Arithmetic:
    """That of int16 with int8 weights, or of float32.

    Args:
        site: the op.
        weights: in the order in which the template reads them.
        channel_axis: along which output channels differ.
        bias: place of the bias among the inputs.
        source: place of the activation.

    Raises:
        OpError: types or quantization are not those that TFLM has kernels for.
    """
    rows = np.moveaxis(weights, channel_axis, 0).reshape(weights.shape[channel_axis], -1)
    if site.input(source).dtype == "float32":
        return _compute_floats(site, weights, channels=len(rows), bias=bias, source=source)
    return _compute_wide(site, weights, rows=rows, bias=bias, source=source)


def _compute_wide(
    site: Site, weights: NDArray[Any], *, rows: NDArray[Any], bias: int, source: int
) -> Arithmetic:
    site.require("int8", site.input(1))
    site.require_integers(site.input(source), site.output())
    biases = np.zeros(len(rows), np.int64)
    is_short = site.op.options.get("quantized_bias_type") == "INT32"
    if site.has_input(bias):
        if site.input(bias).dtype not in ("int32", "int64"):
            raise site.refuse(f"its bias is {site.input(bias).dtype}, not int32 or int64")
        is_short = site.input(bias).dtype == "int32"
        biases = site.constant(bias).reshape(-1).astype(np.int64)
    if is_short and site.op.name not in ("CONV_2D", "FULLY_CONNECTED"):
        raise site.refuse("its bias is int32, not int64")
    bound = (1 << 15) * np.abs(rows.astype(np.int64)).sum(axis=1)
    if (np.abs(biases.astype(np.float64)) + bound >= 2.0**_MOST_BITS).any():
        raise site.refuse(f"its sums may take more than {_MOST_BITS} bits")
    factors = read_factors(site, channels=len(rows), source=source)
    multipliers = [each.multiplier if is_short else shorten_multiplier(site, each) for each in factors]
    low, high = activation_range(site.op.options["fused_activation_function"], site.output())
    name = site.label
    total = f"sum + {name}_biases[channel]"
    scaled = f"{total}, {name}_multipliers[channel], {name}_shifts[channel]"
    if is_short:
        scaled = f"(int32_t)({total}), {name}_multipliers[channel], {name}_shifts[channel]"
    function = "rescale" if is_short else "rescale_wide"
    return Arithmetic(
        values={
            "type": "int16_t",
            "weight_type": "int8_t",
            "sum_type": "int64_t",
            "nothing": "0",
            "less": "",
            "result": f"clamp_int16({function}({scaled}), {low}, {high})",
        },
        constants=(
            Constant(name="weights", values=weights),
            Constant(name="biases", values=biases if not is_short else biases.astype(np.int32)),
            Constant(name="multipliers", values=np.array(multipliers, np.int32)),
            Constant(name="shifts", values=np.array([factor.shift for factor in factors], np.int8)),
        ),
        kernels=("clamp_wide", "rescale" if is_short else "requantize_wide"),
    )


def shorten_multiplier(site: Site, factor: Factor) -> int:
    """16 bits of a multiplier, which is what TFLM takes where sums have 64.

    Raises:
        OpError: TFLM's kernel does not shift so far to the left.
    """
    if factor.shift > _LARGEST_SHIFT:
        raise site.refuse("its output's scale is too small for its input's")
    return (factor.multiplier + (1 << 15)) >> 16 if factor.multiplier < 0x7FFF0000 else 0x7FFF


def _compute_floats(
    site: Site, weights: NDArray[Any], *, channels: int, bias: int, source: int
) -> Arithmetic:
    site.require("float32", site.input(source), site.input(1), site.output())
    biases = np.zeros(channels, np.float32)
    if site.has_input(bias):
        site.require("float32", site.input(bias))
        biases = site.constant(bias).reshape(-1)
    result, kernels = limit_float(site, f"sum + {site.label}_biases[channel]")
    return Arithmetic(
        values={
            "type": "float",
            "weight_type": "float",
            "sum_type": "float",
            "nothing": "0.0F",
            "less": "",
            "result": result,
        },
        constants=(Constant(name="weights", values=weights), Constant(name="biases", values=biases)),
        kernels=kernels,
    )


def limit_float(site: Site, value: str) -> tuple[str, tuple[str, ...]]:
    """C for a value between the limits of the op's fused activation, and the kernels that it calls."""
    activation = site.op.options["fused_activation_function"]
    if activation not in ("NONE", *_FLOORS):
        raise site.refuse(f"its activation is {activation}")
    if activation == "NONE":
        return value, ()
    low = format_float(np.float32(_FLOORS[activation]))
    high = format_float(np.float32(_CEILINGS[activation])) if activation in _CEILINGS else _LARGEST_FLOAT
    return f"clamp_float({value}, {low}, {high})", ("clamp_float",)
